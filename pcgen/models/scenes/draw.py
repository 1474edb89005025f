"""A recurrent autoencoder that draws a cloud patch by patch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from pcgen import ops
from pcgen.errors import at_least, fraction, positive
from pcgen.models.base import Batch, GenerativeModel, GradientLearner, Recipe
from pcgen.models.priors import Normal
from pcgen.models.shape import accepted
from pcgen.models.variational.likelihoods import CloudError
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.nets.mlp import MLP

__all__ = ["DRAW"]

_READ = 64  # features of a point that is read
_LOG_VARIANCE = -4.0  # of codes at first: those that are mostly noise would be left unused
_LOG_SIZE = -2.0  # of a patch at first
_LACKING = 1e-3  # distance at which a point counts as drawn, a share of the scene's size


class DRAW(GradientLearner, GenerativeModel):
    """A recurrent autoencoder that writes a cloud in steps, each of which adds a patch with its own code.

        r_t = read(x, c_(t-1), h_(t-1)),  z_t ~ q(z_t | r_1 ... r_t) = N(m_t, diag v_t),  h_t = decoder(h_(t-1), z_t),
        c_t = c_(t-1) + write(h_t),  loss = d(x, c_T) / (2 scale^2) + sum over t of KL(q(z_t | r_1 ... r_t) | N(0, I))

    The encoder (from r_t to q) and the decoder are LSTMs. d is the mean squared Chamfer distance, which replaces a
    log-likelihood, so the loss is not a bound. This is an adaptation of the paper from pictures to clouds:
    - The canvas is a cloud. It starts with learned points that are the same in every cloud, such as the ground of a
      scene, and `+` adds the points of a patch; the paper adds to the pixels of a picture.
    - A patch is written in a window: a position, a size, and points in that frame. So the paper's write attention needs
      no grid of filters.
    - The code sees what is read, and the writer sees the code, also by connections that bypass the LSTMs, and the
      divergence has a small weight at first: without either, codes were still unused after 1,000 updates.
    - The reader sees each point of x with its offset from the canvas, which corresponds to the difference of picture
      and canvas in the paper. It attends, by a softmax of a query from the decoder, to points that are not yet written.

    Args:
        shape: (points, 3); half of the points belong to the ground, the others are divided among the patches.
        steps: T.
        hidden: width of both LSTMs.
        code: dimensions of each z_t.
        scale: the distance between clouds at which they count as different, in the units of x.
        warmup: the share of the training over which the weight of the divergence rises to 1.
        lr: Adam's learning rate; its first moment decays by .5, as in the authors' trainings.

    Logged:
        reconstruction: d(x, c_T) / (2 scale^2), mean over clouds.
        kl: the divergences of all T steps from the prior, with their present weight, in nats, mean over clouds.

    Raises:
        ValueError: a shape that is not (points, 3), fewer than 2 T points, or an argument out of range.

    References:
        Gregor, Danihelka, Graves, Rezende, Wierstra (2015). DRAW: A Recurrent Neural Network For Image Generation.
    """

    objective: ClassVar[str] = "a reconstruction error and the divergence of the codes of all steps"
    sampling: ClassVar[str] = "patches that draws of a Gaussian add to a canvas step by step"
    accepts: ClassVar[tuple[str, ...]] = ("scene", "cloud")

    def __init__(
        self,
        shape: Sequence[int],
        steps: int = 6,
        hidden: int = 128,
        code: int = 10,
        scale: float = 0.003,
        warmup: float = 0.5,
        lr: float = 2e-3,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "draw")
        at_least(1, steps=steps, hidden=hidden, code=code)
        at_least(2 * steps, points=self.shape[0])
        positive(lr=lr)
        fraction(warmup=warmup)
        self.warmup = warmup
        self.follows_progress = warmup > 0
        self.code_shape = (steps, code)
        self.prior = Normal(steps * code)
        self.likelihood = CloudError("chamfer", scale)
        patch = self.shape[0] // (2 * steps)
        self.ground = nn.Parameter(torch.randn(self.shape[0] - steps * patch, 3))
        self.point = MLP((7, _READ, _READ), activation="silu")
        self.query = nn.Linear(hidden, _READ)
        self.encoder = nn.LSTMCell(2 * _READ + 6 + hidden, hidden)
        self.infer = nn.Linear(2 * _READ + 6 + hidden, 2 * code)
        self.decoder = nn.LSTMCell(code, hidden)
        self.window = nn.Linear(hidden + code, 4)
        self.patch = MLP((hidden + code, hidden, patch * 3), activation="silu")
        self.middle: Tensor
        self.unit: Tensor
        self.register_buffer("middle", torch.zeros(3))
        self.register_buffer("unit", torch.ones(()))
        with torch.no_grad():
            self.infer.bias[code:] = _LOG_VARIANCE
            self.window.bias[3] = _LOG_SIZE
            cast(nn.Linear, self.patch[-1]).bias.normal_()  # points that must differ, or they would learn alike
        self.optimizer = torch.optim.Adam(self.parameters(), lr, (0.5, 0.999), fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=1000, batch_size=32, clip=5.0)

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        """Take the frame of all clouds, and start each point of the ground at a point of a different cloud."""
        points = data.x.flatten(0, 1)
        self.middle.copy_(points.mean(0))
        self.unit.copy_((points - self.middle).square().sum(1).mean().sqrt().clamp_min(1e-12))
        rows = torch.randint(len(data), self.ground.shape[:1], device=data.x.device)
        drawn = data.x[rows, torch.randint(data.x.shape[1], self.ground.shape[:1], device=data.x.device)]
        self.ground.copy_((drawn - self.middle) / self.unit)

    def unrolled(self, x: Tensor, sampled: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Codes of clouds, (B, T, code), samples or means; the last canvas, (B, N, 3); the KL of all steps, (B,)."""
        u = (x - self.middle) / self.unit
        canvas = self.ground.expand(len(x), -1, 3)
        seen, state = self._still(len(x)), self._still(len(x))
        codes, divergence = [], x.new_zeros(len(x))
        for _ in range(self.code_shape[0]):
            read = self._read(u, canvas, state[0])
            seen = self.encoder(torch.cat([read, state[0]], dim=1), seen)
            mean, log_variance = self.infer(torch.cat([read, seen[0]], dim=1)).chunk(2, dim=1)
            q = DiagonalGaussian(mean, log_variance.clamp(-12, 4))
            codes.append(q.draw() if sampled else mean)
            divergence = divergence + q.kl_from_standard()
            state, canvas = self._step(codes[-1], state, canvas)
        return torch.stack(codes, dim=1), self._leave(canvas), divergence

    def encode(self, x: Tensor) -> Tensor:
        """The means of the codes of all steps, (B, points, 3) -> (B, T, code)."""
        return self.unrolled(x, sampled=False)[0]

    def decode(self, z: Tensor) -> Tensor:
        """The last canvas, (B, T, code) -> (B, points, 3)."""
        return self.canvases(z)[-1]

    def canvases(self, z: Tensor) -> list[Tensor]:
        """The first canvas and that after each step of codes (B, T, code): T + 1 clouds with more and more points."""
        canvas, state = self.ground.expand(len(z), -1, 3), self._still(len(z))
        found = [canvas]
        for each in z.unbind(1):
            state, canvas = self._step(each, state, canvas)
            found.append(canvas)
        return [self._leave(each) for each in found]

    @torch.no_grad()
    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        """Draw n new clouds, (n, points, 3).

        Args:
            n: number of samples.
            truncation: of the codes, in standard deviations: smaller is more typical and less diverse.
        """
        return self.decode(self.prior.draw(n, truncation).view(n, *self.code_shape))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        _, canvas, divergence = self.unrolled(batch.x, sampled=True)
        weight = min(1.0, batch.progress / self.warmup) if self.training and self.warmup else 1.0
        return {"reconstruction": self.likelihood.nll(batch.x, canvas).mean(), "kl": weight * divergence.mean()}

    def _still(self, n: int) -> tuple[Tensor, Tensor]:
        """The state of an LSTM before its first step."""
        state = self.ground.new_zeros(n, self.decoder.hidden_size)
        return state, state

    def _leave(self, canvas: Tensor) -> Tensor:
        """Points of the canvas in the data's units."""
        return canvas * self.unit + self.middle

    def _read(self, u: Tensor, canvas: Tensor, h: Tensor) -> Tensor:
        """The encoder's input for clouds: what is read, and what the canvas still lacks, (B, 2 READ + 6)."""
        nearest = ops.knn(u, canvas.detach(), 1)[1][..., 0]
        lacking = u - ops.take_points(canvas.detach(), nearest)
        distance = lacking.norm(dim=2, keepdim=True)
        features = self.point(torch.cat([u, lacking, distance], dim=2))  # (B, N, READ)
        asked = torch.einsum("bc,bnc->bn", self.query(h), features) + (distance[..., 0] + _LACKING).log()
        weight = asked.softmax(1)[..., None]
        attended = (torch.cat([features, u, lacking], dim=2) * weight).sum(1)
        return torch.cat([attended, features.amax(1)], dim=1)

    def _step(self, z: Tensor, state: tuple[Tensor, Tensor], canvas: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        state = self.decoder(z, state)
        told = torch.cat([state[0], z], dim=1)
        place, log_size = self.window(told).split((3, 1), dim=1)
        made = self.patch(told).unflatten(1, (-1, 3))
        return state, torch.cat([canvas, place[:, None] + log_size.exp()[:, None] * made], dim=1)
