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
    """Denoising diffusion: a chain from noise to data, by a network that predicts the noise in noisy data.

        x_t = sqrt(a_t) x + sqrt(1 - a_t) e,  e ~ N(0, I),  loss = mean |e - e(x_t, t)|^2 / a_t over coordinates

    where a_t, the share of the signal, falls from a_0 = 1 to near 0 at t = `times`. The network corrects the prediction
    that is exact for Gaussian data with the training set's mean m and covariance C (of its points, for clouds):

        e(x, t) = sqrt(1 - a_t) (a_t C + (1 - a_t) I)^-1 (x - sqrt(a_t) m) + sqrt(a_t) network(x, t)

    The network and the error are those of the velocity v = sqrt(a_t) e - sqrt(1 - a_t) x (Salimans and Ho). So the
    prediction of the data, (x_t - sqrt(1 - a_t) e(x_t, t)) / sqrt(a_t), does not amplify the network's errors where the
    signal is weak; the first steps of a sampler, which are long if steps are few, depend on it. Training starts from a
    full Gaussian, so a network that is too small for its data is still at least as good as a Gaussian
    (`pcgen.nets.gaussian`). With classes, the network also sees the label, except for a tenth of the training rows, so
    that it learns the prediction without a label too, which guidance needs.

    Args:
        shape: (dim,), (members, channels) or (points, 3). The network of sets is permutation-equivariant.
        times: length of the chain, T.
        schedule: "cosine" (Nichol & Dhariwal), or "linear" (Ho), which spends half of the training above 70 degrees of
            the quarter turn from data to noise.
        variance: of the chain's steps from t back to s: "forward", 1 - a_t / a_s, which is right for data of N(0, I);
            or "posterior", (1 - a_s) / (1 - a_t) times this, which is right for a single point.
        width: of the network's hidden layers.
        blocks: number of its blocks.
        network: of sets and clouds, "pooled", "attention", "tokens", or None by the number of members; heads, tokens:
            its sizes (see `pcgen.nets.denoiser`).
        dropout: of the network. With .2, training rows have hardly less error than others, for a tenth more time.
        classes: names of the labels' classes; () for training without labels.
        lr: Adam's learning rate.

    Logged:
        mse: |e - e(x_t, t)|^2 / a_t, mean over coordinates, rows and times. It is far above 0 even for the best
            network, since most of the data cannot be known from x_t.

    Raises:
        ValueError: a shape of another form, or an argument out of range.

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
        # Predictions of the data are clipped to the range of the data, as in Ho et al.
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
        """The prediction of the noise in x_t, (B, *shape).

            e(x_t, t) + guidance (e(x_t, t, y) - e(x_t, t)),

        Args:
            x: x_t, (B, *shape).
            t: times, (B,).
            y: labels as vectors, (B, classes), 0 if unknown; by default unknown for all rows.
            guidance: 1 is the prediction for the label, 0 that without a label; above 1, the label is exaggerated.
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
        """Sample n objects, (n, *shape).

        Args:
            n: number of samples.
            labels: (n,) int64, for a model with classes.
            steps: evaluations of the network, from 1 to T; by default the smaller of T and 40; twice with guidance.
            sampler: "multistep", "heun" and "ddim" are deterministic given the initial noise, of orders 2, 2 and 1 in
                the number of steps (see `pcgen.models.diffusion.samplers`). "ancestral" samples the chain (Ho et al.),
                over a subsequence of times if steps < T; it needs hundreds of steps.
            guidance: exaggeration of the label; above 1, samples are more typical of it and less diverse.
            match: whether to scale vectors to the variances of the data (`pcgen.models.matching`). Those of "ancestral"
                are never scaled, since they are samples of the chain of `log_prob_bound`.

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
        """The states of the sampler, from noise at t = 1 to samples at t = 0; times are shares of T.

        Arguments and errors are those of `draw`, which returns the last state. Only the last state is scaled by
        `match`.
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
        """The scale factor of each principal axis, (dim,), for samples of this sampler and number of steps."""
        return self.stretch(
            (sampler, steps), lambda noise: last(self._way(noise, self.labels.draw(len(noise)), steps, sampler, 1.0))
        )

    def _way(self, noise: Tensor, labels: Tensor | None, steps: int, sampler: str, guidance: float) -> Way:
        """The steps of a sampler, from noise, (n, *shape), to data, clipped to its range."""
        y = self.labels.vectors(labels, noise)

        def predict(x: Tensor, t: int) -> Tensor:
            return self._predict_data(x, t, y, guidance)

        if sampler == "ancestral":
            way = ancestral(predict, noise, self.signal, steps, self._step_variance)
        else:
            way = SAMPLERS[sampler](predict, noise, self.signal, steps)
        return ((t, x if t > 0 else x.clamp(-self.limit, self.limit)) for t, x in way)

    @torch.no_grad()
    def log_prob_bound(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """An unbiased estimate of the lower bound on log p(x), by one sample of each x_t, in nats, (B, *shape) -> (B,).

            E[log p(x | x_1)] - sum over t = 2 ... T of KL(q(x_s | x_t, x) | p(x_s | x_t)) - KL(q(x_T | x) | N(0, I))

        where s = t - 1. The chain has all T steps, and its last step has the forward variance; this needs T evaluations
        of the network. A cloud's density is that of its points in their order. With labels, (B,), it is the density
        given the label.
        """
        y = self.labels.vectors(labels, x)
        return chain_bound(lambda noisy, t: self._predict_data(noisy, t, y), x, self.signal, self._step_variance)

    def _at(self, t: Tensor) -> Tensor:
        """The signal at times (B,), in a shape that broadcasts to (B, *shape)."""
        return self.signal[t].view(-1, *(1 for _ in self.shape))

    def _predict_data(self, x: Tensor, t: int, y: Tensor, guidance: float = 1.0) -> Tensor:
        """The prediction of the data given x_t, clipped to its range, (n, *shape); labels are vectors, (n, classes)."""
        at = x.new_full((len(x),), t, dtype=torch.long)
        data = (x - (1 - self._at(at)).sqrt() * self.predict_noise(x, at, y, guidance)) / self._at(at).sqrt()
        return data.clamp(-self.limit, self.limit)

    def _step_variance(self, of_posterior: Tensor, t: int, s: int) -> Tensor:
        return of_posterior if self.variance == "posterior" else 1 - self.signal[t] / self.signal[s]
