"""Models of scenes that attend to an object, infer it, and repeat."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import logsigmoid

from pcgen.errors import at_least, fraction, positive
from pcgen.models import name_of
from pcgen.models.base import Batch, GenerativeModel, GradientLearner, Recipe
from pcgen.models.priors import Normal as Prior
from pcgen.models.scenes.densities import Background, Frame, draw_mixture, object_density
from pcgen.models.scenes.inferred import Inferred
from pcgen.models.scenes.looking import Glimpse, Look, Plan
from pcgen.models.shape import accepted
from pcgen.nets.mlp import MLP

__all__ = ["Attending"]

_WHERE = 4  # the centre, and the logarithm of half the size
_MADE = 32  # points that the decoder makes of an object
_WHERE_PRIOR = ((0.0, 0.0, 0.0, -1.0), (-0.7, -0.7, -0.7, math.log(0.2)))  # means, and logarithms of deviations
_LOG_SPREAD = -0.5  # of an object's points at first, in its sizes: a blob finds its place before it has a form
_QUICK = 10  # times the rate, of single numbers
_KEPT = 0.98  # of the counts' frequencies at each update


class Attending(GradientLearner, GenerativeModel):
    """The model that `AIR` describes; a subclass says what a step sees of a scene. Args are those of `AIR`."""

    objective: ClassVar[str] = "a lower bound on the log-likelihood (ELBO)"
    sampling: ClassVar[str] = "points of a background and of decoded draws of the prior, as many as counted"
    accepts: ClassVar[tuple[str, ...]] = ("scene",)

    def __init__(
        self,
        shape: Sequence[int],
        steps: int = 4,
        hidden: int = 64,
        code: int = 8,
        background: int = 32,
        grid: int = 12,
        presence: float = 0.01,
        explore: float = 0.5,
        lr: float = 3e-3,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, name_of(type(self)))
        at_least(1, steps=steps, hidden=hidden, code=code, background=background)
        at_least(2, grid=grid)
        positive(presence=presence, lr=lr)
        fraction(presence=presence, explore=explore)
        self.steps, self.code, self.explore = steps, code, explore
        self.follows_progress = explore > 0
        self.code_shape = (steps, 1 + _WHERE + code)
        self.log_presence = math.log(presence)
        self.frame = Frame()
        self.background = Background(background)
        self.plan = Plan(grid, hidden // 4 + 1)
        width = self.plan.width
        self.state = nn.GRUCell(2 * width + _WHERE, hidden)
        self.query = nn.Linear(hidden, width)
        self.locate = MLP((hidden + width, hidden, 2 * _WHERE + 1), activation="silu")
        self.glimpse = Glimpse(2 * code)
        self.decoder = MLP((code, hidden, 3 * _MADE), activation="silu")
        self.prior = Prior(_WHERE + code)  # of the noise of where and what
        self.where_prior = nn.Parameter(torch.tensor(_WHERE_PRIOR))  # (2, 4)
        self.log_spread = nn.Parameter(torch.tensor(_LOG_SPREAD))
        self.share = nn.Parameter(torch.tensor(0.0))
        single = [self.where_prior, self.log_spread, self.share, *self.background.parameters()]
        self.register_buffer("counts", torch.full((steps + 1,), 1 / (steps + 1)))  # frequencies, in training
        self.counts: Tensor
        networks = [self.plan, self.state, self.query, self.locate, self.glimpse, self.decoder]
        learned = [parameter for part in networks for parameter in part.parameters()]
        groups: list[dict[str, Any]] = [{"params": learned}, {"params": single, "lr": _QUICK * lr}]
        self.optimizer = torch.optim.Adam(groups, lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=1000, batch_size=32)

    def setup(self, data: Batch) -> None:
        self.frame.fit(data.x)
        self.background.fit(self.frame.enter(data.x).flatten(0, 1))

    @property
    def log_share(self) -> Tensor:
        """log w, of the share of a scene's points that each object has: w is at most 1 / T."""
        return logsigmoid(self.share) - math.log(self.steps)

    @abstractmethod
    def explained(self, background: Tensor, objects: Sequence[Tensor]) -> list[Tensor]:
        """The log-densities, (B, N) each, of what a step takes as explained, after the objects of the steps before."""

    @abstractmethod
    def recall(self, state: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """What a step is told of the state, and of what the step before attended to and found; of the same shapes."""

    @abstractmethod
    def avoided(self, look: Look, wheres: Sequence[Tensor]) -> Tensor:
        """By how much a step attends less to each cell, (B, cells), as logarithms, after objects there, (B, 4) each."""

    def infer(self, u: Tensor, sampled: bool = True) -> Inferred:
        """One draw of the objects of scenes in the frame, (B, N, 3), or their means in each step."""
        background = self.background.log_prob(u)
        anything = -(2 * self.frame.reach).log().sum() + torch.zeros_like(background)
        prior = Normal(self.where_prior[0], self.where_prior[1].exp())
        state = u.new_zeros(len(u), self.state.hidden_size)
        before = u.new_zeros(len(u), self.plan.width + _WHERE)
        found: list[tuple[Tensor, ...]] = []  # log-odds, where, what, divergence, density
        for _ in range(self.steps):
            known = self.explained(background, [each[4] for each in found])
            unexplained = torch.stack([anything, *known]).softmax(0)[0].detach()
            look = self.plan(u, self.frame.reach[1], unexplained)
            state, before = self.recall(state, before)
            state = self.state(torch.cat([look.summary, before], dim=1), state)
            place, feature = look.attend(self.query(state), self.avoided(look, [each[1] for each in found]))
            out = self.locate(torch.cat([state, feature], dim=1))
            where, divergence = self._where(place, out[:, :-1], prior, sampled)
            what, more = self._what(u, where, sampled)
            density = object_density(u, self.placed(what, where), where[:, 3:] + self.log_spread)
            before = torch.cat([feature, where], dim=1)
            found.append((out[:, -1], where, what, divergence + more, density))
        log_odds, where, what, divergence, objects = (torch.stack(each) for each in zip(*found, strict=True))
        return Inferred(log_odds, where, what, divergence, objects, background)

    def _where(self, place: Tensor, out: Tensor, prior: Normal, sampled: bool) -> tuple[Tensor, Tensor]:
        """A draw of q(where), or its mean, (B, 4), and its divergence from the prior, (B,)."""
        shift, log_scale = out.split(_WHERE, dim=1)
        near = torch.cat([place, self.where_prior[:1, 3:].expand(len(place), 1)], dim=1)
        q = Normal(near + 0.5 * shift.tanh(), (log_scale - 3).clamp(-6, 0).exp())
        return q.rsample() if sampled else q.mean, kl_divergence(q, prior).sum(1)

    def _what(self, u: Tensor, where: Tensor, sampled: bool) -> tuple[Tensor, Tensor]:
        """A draw of q(what), or its mean, (B, code), and its divergence from the prior, (B,)."""
        mean, log_scale = self.glimpse(u, where).split(self.code, dim=1)
        q = Normal(mean, log_scale.clamp(-6, 2).exp())
        standard = Normal(torch.zeros_like(mean), torch.ones_like(mean))
        return q.rsample() if sampled else q.mean, kl_divergence(q, standard).sum(1)

    def placed(self, what: Tensor, where: Tensor) -> Tensor:
        """The points that the decoder makes of codes (B, code), in boxes (B, 4) of the frame, (B, M, 3)."""
        made: Tensor = self.decoder(what).view(len(what), -1, 3)
        return where[:, None, :3] + where[:, None, 3:].exp() * made

    def terms(self, x: Tensor, any_count: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """Minus the bound at one draw, in nats: of the objects, (B,), KL(q(n) | p(n)), (B,); and q(n), (T + 1, B).

        Args:
            x: (B, N, 3).
            any_count: how far the objects' term is weighted as if every count were as likely, from 0 to 1; the counts'
                gradient is that of the bound itself.
        """
        u = self.frame.enter(x)
        found = self.infer(u)
        log_q = found.log_count
        q = log_q.exp()
        weight = q + any_count * (1 / (self.steps + 1) - q.detach()) if any_count else q
        log_prior = (torch.arange(self.steps + 1, device=x.device)[:, None] * self.log_presence).log_softmax(0)
        return (weight * found.energies(self.frame, self.log_share)).sum(0), (q * (log_q - log_prior)).sum(0), q

    def log_prob_bound(self, x: Tensor) -> Tensor:
        """An unbiased estimate of a lower bound on log p(x), in nats, (B, N, 3) -> (B,)."""
        objects, count, _ = self.terms(x)
        return -objects - count

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        left = max(0.0, 1 - batch.progress / self.explore) if self.training and self.explore else 0.0
        objects, count, q = self.terms(batch.x, left)
        if self.training:
            self.counts.lerp_(q.detach().mean(1), 1 - _KEPT)
        return {"objects": objects.mean(), "count": count.mean()}

    def encode(self, x: Tensor) -> Tensor:
        """Codes of scenes, (B, N, 3) -> (B, T, 5 + code): of each object whether it is there, where and what it is.

        The first number is the probability that it is there, the next four are its centre and the logarithm of half its
        size in the frame, and the others its code; means, not draws. Objects are listed by their places along x.
        """
        return self.infer(self.frame.enter(x), sampled=False).codes

    def decode(self, z: Tensor) -> Tensor:
        """Scenes of the most probable number of objects of codes (B, T, 5 + code), (B, points, 3).

        Their points are drawn from torch's global generator, as the model has it, so each decoding has others.
        """
        there, where, what = z.split((1, _WHERE, self.code), dim=2)
        every = torch.cat([torch.ones_like(there[:, :1]), there, torch.zeros_like(there[:, :1])], dim=1)
        number = -every.diff(dim=1).squeeze(2)  # q(n), (B, T + 1)
        return self._composed(number.argmax(1), where, what, self.shape[0])

    @torch.no_grad()
    def count(self, x: Tensor) -> Tensor:
        """How many objects each scene most probably has, (B, N, 3) -> (B,), int64."""
        return self.infer(self.frame.enter(x), sampled=False).count

    @torch.no_grad()
    def boxes(self, x: Tensor) -> Tensor:
        """Centre and size of the boxes of objects in each scene, (B, T, 6): as many as `count` says, NaN for others."""
        return self.infer(self.frame.enter(x), sampled=False).boxes(self.frame)

    @torch.no_grad()
    def draw(self, n: int, points: int | None = None, truncation: float | None = None) -> Tensor:
        """Draw n new scenes, (n, points, 3).

        Args:
            n: how many.
            points: of each; None is the model's own number.
            truncation: of where and what objects are, in standard deviations: less is nearer to the typical, and less
                diverse.
        """
        noise = self.prior.draw(n * self.steps, truncation).view(n, self.steps, -1)
        mean, log_scale = self.where_prior
        number = torch.multinomial(self.counts, n, replacement=True)
        where, what = mean + log_scale.exp() * noise[..., :_WHERE], noise[..., _WHERE:]
        return self._composed(number, where, what, points or self.shape[0])

    def _composed(self, number: Tensor, where: Tensor, what: Tensor, points: int) -> Tensor:
        """Points of scenes, (B, points, 3), of their first `number` objects (B,), (B, T, 4) and (B, T, code)."""
        made = self.placed(what.flatten(0, 1), where.flatten(0, 1)).unflatten(0, where.shape[:2])
        ground = self.background.draw(len(number), points)
        return self.frame.leave(draw_mixture(ground, made, where[..., 3] + self.log_spread, number, self.log_share))
