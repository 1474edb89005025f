"""Generative moment matching network, with a fixed or a learned kernel."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least, choose, moments, not_negative, positive, widths
from pcgen.models.adversarial.base import frozen
from pcgen.models.adversarial.networks import generator
from pcgen.models.base import Batch, GenerativeModel, Recipe
from pcgen.models.priors import PRIORS
from pcgen.models.shape import accepted
from pcgen.nets.mlp import MLP
from pcgen.optim import descend
from pcgen.statistics import kernel_mmd, median_bandwidths

__all__ = ["GMMN"]

KERNELS = ("fixed", "learned")
_MEDIAN_ROWS = 1000


class GMMN(GenerativeModel):
    """A generator trained by maximum mean discrepancy: its samples match the moments of the data under a kernel.

        "fixed":    G minimises sqrt(MMD^2(data, G(z))) in batches, k a sum of Gaussians of 1/4 to 4 times the data's
                    median distance
        "learned":  k(x, y) = -|f(x) - f(y)|; f maximises MMD^2 - penalty * mean (|grad w(x)| - 1)^2, G minimises MMD^2,
                    with the witness w(x) = mean over data of k(x, .) - mean over samples of it

    The MMD of the fixed kernel is the biased one, which is never negative; that of the learned kernel is unbiased. Li
    et al. (2017) use Gaussians of f(x), clip the weights of f, and keep it invertible by an autoencoder. Gaussians are
    flat if features are far apart, and our generators learned little with them; the distance, with the penalty, is the
    kernel of Bellemare et al.

    Args:
        shape: (dim,).
        kernel: "fixed" (GMMN) or "learned" (MMD GAN).
        noise_dim: dimensions of the noise z.
        noise_scale: its unit of length.
        noise: "normal"; "uniform", as in the paper, which fits codes less well here; "censored", "ball" or "mixture"
            (see `pcgen.models.priors`).
        generator_widths: hidden widths.
        critic_widths: hidden widths of f.
        features: number of outputs of f.
        penalty: weight of the penalty on f.
        critic_steps: updates of f for each update of G; the batch is divided among them.
        lr: Adam's learning rate.
        betas: Adam's moments.

    Logged:
        mmd: of the fixed kernel, the root of the squared MMD of data and samples.
        generator: of the learned kernel, the squared MMD that the generator minimises; it can be negative.
        squared_mmd: the squared MMD in the last update of f.
        penalty: the penalty on f without its weight.

    Raises:
        ValueError: a shape that is not that of vectors, or an argument out of range; in training, data whose median
            distance is 0, because most rows are equal.

    References:
        Li, Swersky, Zemel (2015). Generative Moment Matching Networks.
        Dziugaite, Roy, Ghahramani (2015). Training generative neural networks via Maximum Mean Discrepancy
        optimization.
        Li, Chang, Cheng, Yang, Poczos (2017). MMD GAN: Towards Deeper Understanding of Moment Matching Network.
        Bellemare, Danihelka, Dabney, Mohamed, Lakshminarayanan, Hoyer, Munos (2017). The Cramer Distance as a Solution
        to Biased Wasserstein Gradients.
    """

    objective: ClassVar[str] = "maximum mean discrepancy"
    learning: ClassVar[str] = "gradient descent, or a game of two networks"
    sampling: ClassVar[str] = "one pass of a generator"
    accepts: ClassVar[tuple[str, ...]] = ("vector",)
    bandwidths: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        kernel: str = "fixed",
        noise_dim: int = 64,
        noise_scale: float = 1.0,
        noise: str = "normal",
        generator_widths: Sequence[int] = (256, 256),
        critic_widths: Sequence[int] = (256, 256),
        features: int = 32,
        penalty: float = 10.0,
        critic_steps: int = 2,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.5, 0.99),
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "gmmn")
        at_least(1, noise_dim=noise_dim, features=features, critic_steps=critic_steps)
        positive(lr=lr, noise_scale=noise_scale)
        not_negative(penalty=penalty)
        moments(betas=betas)
        widths(generator_widths=generator_widths, critic_widths=critic_widths)
        self.kernel, self.penalty, self.critic_steps = choose(kernel, KERNELS, "kernel"), penalty, critic_steps
        self.prior = PRIORS[choose(noise, PRIORS, "noise")](noise_dim, noise_scale)
        self.generator = generator(self.shape, noise_dim, generator_widths, "linear")
        first, second = betas
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), lr, (first, second), fused=True)
        self.register_buffer("bandwidths", torch.ones(5, dtype=torch.float64))  # of the fixed kernel, from the data
        if kernel == "learned":
            self.critic = MLP((*self.shape, *critic_widths, features), activation="leaky_relu")
            self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), lr, (first, second), fused=True)

    @property
    def recipe(self) -> Recipe:
        rows = 256 if self.kernel == "fixed" else 64 * self.critic_steps
        return Recipe(
            steps=1500 if self.kernel == "fixed" else 2500, batch_size=rows, average=0.9999, schedule="cosine"
        )

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        if self.kernel == "fixed":
            some = data.x[torch.randperm(len(data))[:_MEDIAN_ROWS].to(data.x.device)]
            self.bandwidths = self.bandwidths.new_tensor(median_bandwidths(some))

    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        """Draw n new vectors, (n, dim), truncated to so many deviations of normal or censored noise."""
        x: Tensor = self.generator(self.prior.draw(n, truncation))
        return x

    def update(self, batch: Batch) -> dict[str, Tensor]:
        if self.kernel == "fixed":
            squared = self.discrepancy(batch.x, self.draw(len(batch)), unbiased=False)
            descend(squared.clamp_min(_TINY).sqrt(), self.generator_optimizer)
            return {"mmd": squared.detach().sqrt()}
        if len(batch) < 2:
            raise ValueError("batch_size: must be at least 2 for a learned kernel, got a batch of one row")
        parts = batch.x.tensor_split(min(self.critic_steps, len(batch) // 2))  # of two rows or more
        for step in range(self.critic_steps):
            real = parts[step % len(parts)]
            with torch.no_grad():
                fake = self.draw(len(real))
            terms = self.critic_loss(real, fake)
            descend(self.penalty * terms["penalty"] - terms["squared_mmd"], self.critic_optimizer)
        with frozen(self.critic):
            squared = energy(self.critic(real), self.critic(self.draw(len(real))))
            descend(squared, self.generator_optimizer)
        return {name: term.detach() for name, term in {"generator": squared, **terms}.items()}

    def discrepancy(self, x: Tensor, y: Tensor, *, unbiased: bool) -> Tensor:
        """The squared MMD of rows (B, dim) under the fixed kernel."""
        return kernel_mmd(x, y, self.bandwidths.tolist(), unbiased=unbiased)

    def critic_loss(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The terms of f's objective, "squared_mmd" and "penalty" without its weight, for rows (B, dim) each."""
        seen, made = self.critic(real), self.critic(fake)
        share = torch.rand(len(real), 1, device=real.device)
        between = (share * real + (1 - share) * fake).detach().requires_grad_()
        found = self.critic(between)
        witness = distances(found, made).mean(1) - distances(found, seen).mean(1)
        (slope,) = torch.autograd.grad(witness.sum(), between, create_graph=True)
        return {"squared_mmd": energy(seen, made), "penalty": (slope.norm(dim=1) - 1).square().mean()}


def energy(x: Tensor, y: Tensor) -> Tensor:
    """The squared MMD of features (B, F) under the kernel -|x - y|, the U-statistic, (): energy distance."""
    within = sum(distances(each, each).sum() / (len(each) * (len(each) - 1)) for each in (x, y))
    return 2 * distances(x, y).mean() - within


def distances(a: Tensor, b: Tensor) -> Tensor:
    """|a_i - b_j|, (A, B), which can be differentiated twice, as `torch.cdist` cannot for a few rows."""
    return ((a[:, None] - b).square().sum(2) + _TINY).sqrt()


_TINY = 1e-12  # below it the root's slope, which grows without bound, says nothing
