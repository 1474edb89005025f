"""Denoising diffusion of vectors and of clouds."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least, choose, positive
from pcgen.models.base import Batch, GradientLearner, Recipe
from pcgen.models.conditional import Conditional, Labels, guided
from pcgen.models.diffusion.bounds import chain_bound
from pcgen.models.diffusion.samplers import SAMPLERS, Way, ancestral
from pcgen.models.diffusion.schedules import SCHEDULES
from pcgen.models.matching import Matching
from pcgen.models.shape import accepted
from pcgen.models.states import State, last
from pcgen.nets.denoiser import Denoiser, batch_of, spread_times
from pcgen.nets.gaussian import GaussianPart

__all__ = ["Diffusion"]


class Diffusion(GradientLearner, Conditional, Matching):
    """A chain that turns noise into data step by step, trained to tell the two apart in their mixture.

        x_t = sqrt(a_t) x + sqrt(1 - a_t) e,  e ~ N(0, I),  loss = mean |e - e(x_t, t)|^2 / a_t over coordinates

    with a_t, the signal's share, falling from a_0 = 1 to near 0 at t = `times`. The network corrects the prediction
    that is exact for Gaussian data of the training set's mean m and covariance C (of its points, for clouds):

        e(x, t) = sqrt(1 - a_t) (a_t C + (1 - a_t) I)^-1 (x - sqrt(a_t) m) + sqrt(a_t) network(x, t)

    The network and the error are those of the velocity v = sqrt(a_t) e - sqrt(1 - a_t) x (Salimans and Ho). What the
    data is taken for, (x_t - sqrt(1 - a_t) e(x_t, t)) / sqrt(a_t), then does not magnify the network's errors where
    little of the signal is left, and the first, long steps of a short way to the data rest on it. Training starts from
    a full Gaussian, and a network that is small for its data loses nothing against one (`pcgen.nets.gaussian`).
    With classes the network sees the label too, but for a tenth of the training rows, so that it also learns what to
    predict without one, which guidance needs.

    Args:
        shape: (dim,), (members, channels) or (points, 3). A set's network permutes with its members.
        times: length of the chain, T.
        schedule: "cosine" (Nichol & Dhariwal), or "linear" (Ho), which spends half of the training above 70 degrees of
            the quarter turn from data to noise.
        variance: of the chain's steps back from t to s, "forward", 1 - a_t / a_s, or "posterior",
            (1 - a_s) / (1 - a_t) of it: the right ones for data of N(0, I) and for a single point.
        width: of the network's hidden layers.
        blocks: number of its blocks.
        network: of sets and clouds, "pooled", "attention", "tokens", or None by the number of members; heads, tokens:
            its sizes (see `pcgen.nets.denoiser`).
        dropout: of the network. At .2 training rows are learned hardly better than others are, for a tenth more time.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        mse: |e - e(x_t, t)|^2 / a_t, a mean over coordinates, rows and times. It is far above 0 for the best of
            networks: of what is left of the data in x_t most is not to be known.

    Raises:
        ValueError: a shape of none of them, or an argument out of range.

    References:
        Sohl-Dickstein, Weiss, Maheswaranathan, Ganguli (2015). Deep Unsupervised Learning using Nonequilibrium
        Thermodynamics.
        Ho, Jain, Abbeel (2020). Denoising Diffusion Probabilistic Models.
        Song, Meng, Ermon (2021). Denoising Diffusion Implicit Models.
        Ho, Salimans (2022). Classifier-Free Diffusion Guidance.
        Salimans, Ho (2022). Progressive Distillation for Fast Sampling of Diffusion Models.
    """

    objective: ClassVar[str] = "error of a denoiser, a weighted bound on the log-likelihood"
    sampling: ClassVar[str] = "tens of steps of a chain or an equation"
    accepts: ClassVar[tuple[str, ...]] = ("vector", "set", "cloud")
    signal: Tensor
    limit: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        times: int = 1000,
        schedule: str = "cosine",
        variance: str = "posterior",
        width: int = 256,
        blocks: int = 3,
        network: str | None = None,
        heads: int = 4,
        tokens: int = 32,
        dropout: float = 0.2,
        classes: Sequence[str] = (),
        lr: float = 2e-3,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "diffusion")
        at_least(2, times=times)
        positive(lr=lr)
        self.labels = Labels(classes)
        signal = SCHEDULES[choose(schedule, SCHEDULES, "schedule")](times)
        self.variance = choose(variance, ["forward", "posterior"], "variance")
        self.register_buffer("signal", torch.cat([signal.new_ones(1), signal]).float())  # (T + 1,)
        self.gaussian = GaussianPart(self.shape[-1])
        # What the chain takes for the data stays within the data's range, as in Ho et al.
        self.register_buffer("limit", torch.tensor(math.inf))
        self.denoiser = Denoiser(self.shape, width, blocks, len(self.labels), network, heads, tokens, dropout)
        self.optimizer = torch.optim.Adam(self.denoiser.parameters(), lr, fused=True)

    @property
    def times(self) -> int:
        """Length of the chain, T."""
        return len(self.signal) - 1

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=8000, batch_size=batch_of(self.shape))

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        self.labels.fit(data, "diffusion")
        self.gaussian.fit(data.x)
        self.limit.copy_(data.x.abs().max())

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        share = spread_times(len(batch), batch.x.device)
        t = (share * self.times).long().clamp_max(self.times - 1) + 1  # (B,) in 1 ... T
        noise = torch.randn_like(batch.x)
        y = self.labels.hidden(batch.labels, batch.x)
        error = noise - self.predict_noise(self.diffuse(batch.x, t, noise), t, y)
        return {"mse": (error.square() / self._at(t)).mean()}

    def diffuse(self, x: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_t of data x at times t, (B,), in 0 ... T, with the given noise, (B, *shape)."""
        return self._at(t).sqrt() * x + (1 - self._at(t)).sqrt() * noise

    def predict_noise(self, x: Tensor, t: Tensor, y: Tensor | None = None, guidance: float = 1.0) -> Tensor:
        """The noise in x_t, (B, *shape).

            e(x_t, t) + guidance (e(x_t, t, y) - e(x_t, t)),

        Args:
            x: x_t, (B, *shape).
            t: times, (B,).
            y: labels as vectors, (B, classes), 0 where they are not known; None is known of no row.
            guidance: 1 is the prediction for the label, 0 that without one, more exaggerates the label.
        """
        y = self.labels.vectors(None, x) if y is None else y
        signal = self._at(t)
        correction = guided(lambda known: self.denoiser(x, t / self.times, known), y, guidance)
        return self.gaussian.noise(x, signal.sqrt(), (1 - signal).sqrt()) + signal.sqrt() * correction

    @torch.no_grad()
    def draw(
        self,
        n: int,
        labels: Tensor | None = None,
        steps: int | None = None,
        sampler: str = "multistep",
        guidance: float = 1.0,
        match: bool = True,
    ) -> Tensor:
        """Draw n new objects, (n, *shape).

        Args:
            n: how many.
            labels: (n,) int64, of a model with classes.
            steps: evaluations of the network, from 1 to T; None is the smaller of T and 40. With guidance each is two.
            sampler: "multistep", "heun" and "ddim" are deterministic given the noise they start from, of orders 2, 2
                and 1 in the number of steps (see `pcgen.models.diffusion.samplers`); "ancestral" draws from the chain
                (Ho et al.), over a subsequence of times if steps < T: give it hundreds.
            guidance: how far to exaggerate the label; above 1 the objects are more typical of it and less diverse.
            match: whether vectors are stretched until they vary as data does (`pcgen.models.matching`), but for those
                of "ancestral", which are draws of the very chain that the bound is of.

        Raises:
            ValueError: an unknown sampler, steps outside 1 to T, guidance below 0, or other than 1 without labels.
        """
        return last(self.states(n, labels, steps, sampler, guidance, match))

    @torch.no_grad()
    def states(
        self,
        n: int,
        labels: Tensor | None = None,
        steps: int | None = None,
        sampler: str = "multistep",
        guidance: float = 1.0,
        match: bool = True,
    ) -> Iterator[State]:
        """Noise, at t = 1, and what the sampler makes of it down to t = 0, times being shares of T.

        Arguments and errors are those of `draw`, which gives the last state; the others are as the sampler leaves them,
        also where the last one is stretched.
        """
        choose(sampler, [*SAMPLERS, "ancestral"], "sampler")
        steps = min(self.times, 40) if steps is None else steps
        if not 1 <= steps <= self.times:
            raise ValueError(f"steps: must be from 1 to the chain's length, {self.times}, got {steps}")
        self.labels.check_guidance(guidance, labels)
        noise = torch.randn(n, *self.shape, device=self.device)
        yield State("t = 1.000", noise)
        for t, x in self._way(noise, labels, steps, sampler, guidance):
            if t == 0 and match and sampler != "ancestral" and x.ndim == 2:
                by = self._stretch(steps, sampler)
                x = self.gaussian.stretched(x, by).clamp(-self.limit, self.limit)
            yield State(f"t = {t / self.times:.3f}", x)

    def _stretch(self, steps: int, sampler: str) -> Tensor:
        """By how much each principal axis of what is drawn so is stretched, (dim,)."""
        return self.stretch(
            (sampler, steps), lambda noise: last(self._way(noise, self.labels.draw(len(noise)), steps, sampler, 1.0))
        )

    def _way(self, noise: Tensor, labels: Tensor | None, steps: int, sampler: str, guidance: float) -> Way:
        """From noise, (n, *shape), to data within its range."""
        y = self.labels.vectors(labels, noise)

        def predict(x: Tensor, t: int) -> Tensor:
            return self._predict_data(x, t, y, guidance).clamp(-self.limit, self.limit)

        if sampler == "ancestral":
            way = ancestral(predict, noise, self.signal, steps, self._step_variance)
        else:
            way = SAMPLERS[sampler](predict, noise, self.signal, steps)
        return ((t, x if t > 0 else x.clamp(-self.limit, self.limit)) for t, x in way)

    @torch.no_grad()
    def log_prob_bound(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """An unbiased estimate, by one draw of each x_t, of the lower bound on log p(x), in nats, (B, *shape) -> (B,).

            E[log p(x | x_1)] - sum over t = 2 ... T of KL(q(x_s | x_t, x) | p(x_s | x_t)) - KL(q(x_T | x) | N(0, I))

        with s = t - 1: a chain of all T steps, whose last one has the forward variance; T evaluations of the network.
        A cloud's density is that of its points in their order. With labels, (B,), it is the density given the label.
        """
        y = self.labels.vectors(labels, x)
        return chain_bound(lambda noisy, t: self._predict_data(noisy, t, y), x, self.signal, self._step_variance)

    def _at(self, t: Tensor) -> Tensor:
        """Signal at times (B,), of a shape that goes with (B, *shape)."""
        return self.signal[t].view(-1, *(1 for _ in self.shape))

    def _predict_data(self, x: Tensor, t: int, y: Tensor, guidance: float = 1.0) -> Tensor:
        """What the data is taken for, (n, *shape), given x_t; labels are vectors, (n, classes)."""
        at = x.new_full((len(x),), t, dtype=torch.long)
        return (x - (1 - self._at(at)).sqrt() * self.predict_noise(x, at, y, guidance)) / self._at(at).sqrt()

    def _step_variance(self, of_posterior: Tensor, t: int, s: int) -> Tensor:
        return of_posterior if self.variance == "posterior" else 1 - self.signal[t] / self.signal[s]
