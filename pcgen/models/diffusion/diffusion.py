"""Denoising diffusion of vectors and of clouds."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import choose
from pcgen.models.base import Batch, GenerativeModel, GradientLearner, Recipe
from pcgen.models.diffusion.denoiser import Denoiser
from pcgen.models.diffusion.schedules import SCHEDULES
from pcgen.models.shape import vector_or_cloud

__all__ = ["Diffusion"]


class Diffusion(GradientLearner, GenerativeModel):
    """A chain that turns noise into data, trained to predict the noise that was added to it.

        x_t = sqrt(a_t) x + sqrt(1 - a_t) e,  e ~ N(0, I),  loss = mean |e - e(x_t, t)|^2 over coordinates

    with a_t, the signal's share, falling from a_0 = 1 to near 0 at t = `times`. The network corrects the prediction
    that is exact for Gaussian data of the training set's mean m and covariance C (of its points, for clouds):

        e(x, t) = sqrt(1 - a_t) (a_t C + (1 - a_t) I)^-1 (x - sqrt(a_t) m) + network(x, t)

    so that training starts from a full Gaussian, and a network that is small for its data loses nothing against one.

    Args:
        shape: (dim,) or (points, 3). A cloud's network permutes with its points.
        times: length of the chain, T.
        schedule: "linear" (Ho) or "cosine" (Nichol & Dhariwal).
        variance: of the chain's steps back from t to s, "forward", 1 - a_t / a_s, or "posterior",
            (1 - a_s) / (1 - a_t) of it: the right ones for data of N(0, I) and for a single point.
        width: of the network's hidden layers.
        blocks: number of its residual blocks.
        lr: Adam's learning rate.

    Raises:
        ValueError: a shape that is neither, or an argument out of range.

    References:
        Sohl-Dickstein, Weiss, Maheswaranathan, Ganguli (2015). Deep Unsupervised Learning using Nonequilibrium
        Thermodynamics.
        Ho, Jain, Abbeel (2020). Denoising Diffusion Probabilistic Models.
        Song, Meng, Ermon (2021). Denoising Diffusion Implicit Models.
    """

    recipe: ClassVar[Recipe] = Recipe(steps=3000, batch_size=128, average=0.995)
    signal: Tensor
    mean: Tensor
    basis: Tensor
    spectrum: Tensor
    limit: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        times: int = 1000,
        schedule: str = "linear",
        variance: str = "posterior",
        width: int = 256,
        blocks: int = 3,
        lr: float = 3e-4,
    ) -> None:
        super().__init__()
        self.shape = vector_or_cloud(shape, "diffusion")
        if times < 2:
            raise ValueError(f"times: must be at least 2, got {times}")
        if not lr > 0:
            raise ValueError(f"lr: must be positive, got {lr}")
        signal = SCHEDULES[choose(schedule, SCHEDULES, "schedule")](times)
        self.variance = choose(variance, ["forward", "posterior"], "variance")
        self.register_buffer("signal", torch.cat([signal.new_ones(1), signal]).float())  # (T + 1,)
        channels = self.shape[-1]
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("basis", torch.eye(channels))  # eigenvectors of C, in columns
        self.register_buffer("spectrum", torch.ones(channels))  # eigenvalues of C
        # What the chain takes for the data stays within the data's range, as in Ho et al.
        self.register_buffer("limit", torch.tensor(math.inf))
        self.denoiser = Denoiser(self.shape, width, blocks)
        self.optimizer = torch.optim.Adam(self.denoiser.parameters(), lr, fused=True)

    @property
    def times(self) -> int:
        """Length of the chain, T."""
        return len(self.signal) - 1

    @torch.no_grad()
    def setup(self, data: Tensor) -> None:
        rows = data.reshape(-1, data.shape[-1]).double()
        spectrum, basis = torch.linalg.eigh(torch.cov(rows.T, correction=0).reshape(rows.shape[1], rows.shape[1]))
        self.mean.copy_(rows.mean(0))
        self.basis.copy_(basis)
        self.spectrum.copy_(spectrum.clamp_min(0))
        self.limit.copy_(data.abs().max())

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        # One uniform draw spread evenly over the batch: every row's time is uniform, and the batch covers all times.
        spread = torch.arange(len(batch.x), device=batch.x.device) / len(batch.x)
        share = (torch.rand((), device=batch.x.device) + spread) % 1
        t = (share * self.times).long().clamp_max(self.times - 1) + 1  # (B,) in 1 ... T
        noise = torch.randn_like(batch.x)
        return {"mse": (noise - self.predict_noise(self.diffuse(batch.x, t, noise), t)).square().mean()}

    def diffuse(self, x: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_t of data x at times t, (B,), in 0 ... T, with the given noise, (B, *shape)."""
        return self._at(t).sqrt() * x + (1 - self._at(t)).sqrt() * noise

    def predict_noise(self, x: Tensor, t: Tensor) -> Tensor:
        """The noise in x_t at times t, (B, *shape) and (B,) -> (B, *shape)."""
        signal = self._at(t)
        correction: Tensor = self.denoiser(x, t / self.times)
        along = (x - signal.sqrt() * self.mean) @ self.basis  # in the axes of C, where it is diagonal
        gaussian: Tensor = ((1 - signal).sqrt() / (signal * self.spectrum + 1 - signal) * along) @ self.basis.T
        return gaussian + correction

    @torch.no_grad()
    def sample(self, n: int, steps: int | None = None, sampler: str = "ddim") -> Tensor:
        """Draw n new objects, (n, *shape), by `steps` evaluations of the network at equally spaced times.

        Args:
            n: how many.
            steps: from 1 to T; None is the smaller of T and 100.
            sampler: "ddim" is deterministic given the noise it starts from (Song et al.) and needs few steps;
                "ancestral" draws from the chain (Ho et al.), over a subsequence of times if steps < T.

        Raises:
            ValueError: an unknown sampler, or steps outside 1 to T.
        """
        choose(sampler, ["ancestral", "ddim"], "sampler")
        steps = min(self.times, 100) if steps is None else steps
        if not 1 <= steps <= self.times:
            raise ValueError(f"steps: must be from 1 to the chain's length, {self.times}, got {steps}")
        x = torch.randn(n, *self.shape, device=self.device)
        ts = [round(i * self.times / steps) for i in range(steps, -1, -1)]  # T ... 0
        for t, s in pairwise(ts):
            data = self._predict_data(x, x.new_full((n,), t, dtype=torch.long)).clamp(-self.limit, self.limit)
            if sampler == "ancestral":
                mean, variance = self._posterior(x, data, t, s)
                # No noise after the last step, as in Ho et al.: it is not the data's.
                x = mean + (self._step_variance(variance, t, s).sqrt() * torch.randn_like(x) if s > 0 else 0)
            else:
                a_t, a_s = self.signal[t], self.signal[s]
                x = a_s.sqrt() * data + ((1 - a_s) / (1 - a_t)).sqrt() * (x - a_t.sqrt() * data)
        return x

    @torch.no_grad()
    def log_prob_bound(self, x: Tensor) -> Tensor:
        """An unbiased estimate, by one draw of each x_t, of the lower bound on log p(x), in nats, (B, *shape) -> (B,).

            E[log p(x | x_1)] - sum over t = 2 ... T of KL(q(x_s | x_t, x) | p(x_s | x_t)) - KL(q(x_T | x) | N(0, I))

        with s = t - 1: a chain of all T steps, whose last one has the forward variance; T evaluations of the network.
        A cloud's density is that of its points in their order.
        """
        dim, signal = x[0].numel(), self.signal
        end = signal[-1]
        bound = -0.5 * (end * x.square() + (1 - end) - 1 - (1 - end).log()).flatten(1).sum(dim=1)
        for t in range(self.times, 0, -1):
            at = x.new_full((len(x),), t, dtype=torch.long)
            noisy = self.diffuse(x, at, torch.randn_like(x))
            mean, variance = self._posterior(noisy, self._predict_data(noisy, at), t, t - 1)
            if t == 1:
                step = 1 - signal[1]
                bound -= 0.5 * ((x - mean).square().flatten(1).sum(dim=1) / step + dim * (2 * math.pi * step).log())
            else:
                step = self._step_variance(variance, t, t - 1)
                error = (self._posterior(noisy, x, t, t - 1)[0] - mean).square().flatten(1).sum(dim=1)
                bound -= 0.5 * (error / step + dim * (variance / step - 1 - (variance / step).log()))
        return bound

    def _at(self, t: Tensor) -> Tensor:
        """Signal at times (B,), of a shape that goes with (B, *shape)."""
        return self.signal[t].view(-1, *(1 for _ in self.shape))

    def _predict_data(self, x: Tensor, t: Tensor) -> Tensor:
        return (x - (1 - self._at(t)).sqrt() * self.predict_noise(x, t)) / self._at(t).sqrt()

    def _posterior(self, x: Tensor, data: Tensor, t: int, s: int) -> tuple[Tensor, Tensor]:
        """Mean and variance of q(x_s | x_t, data), s < t."""
        a_t, a_s = self.signal[t], self.signal[s]
        kept, noise = a_t / a_s, 1 - a_t / a_s
        mean = (a_s.sqrt() * noise * data + kept.sqrt() * (1 - a_s) * x) / (1 - a_t)
        return mean, noise * (1 - a_s) / (1 - a_t)

    def _step_variance(self, posterior: Tensor, t: int, s: int) -> Tensor:
        return posterior if self.variance == "posterior" else 1 - self.signal[t] / self.signal[s]
