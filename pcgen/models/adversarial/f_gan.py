"""Generative adversarial networks that minimise a chosen f-divergence."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import choose, not_negative, widths
from pcgen.models.adversarial.base import Adversarial, frozen
from pcgen.models.adversarial.losses import squared_slope
from pcgen.models.base import Batch, Recipe
from pcgen.optim import descend
from pcgen.statistics.f_divergences import DIVERGENCES

__all__ = ["FGAN"]


class FGAN(Adversarial):
    """A generator, and a critic that estimates a lower bound on an f-divergence of data P from samples Q.

        D(P | Q) = E_Q f(p / q) >= E_P g(V(x)) - E_Q f*(g(V(x)))

    The critic V maximises the bound minus r1 / 2 * mean |grad V(x)|^2 at the data. If `saturating`, the generator
    minimises the bound. If it cannot reach the data, the divergence then decides which errors it makes: "kl" covers all
    of the data and more, "reverse_kl" covers a part of it.

    By default the generator maximises E_Q g(V(x)), which does not saturate if the critic recognises the samples well,
    and has the same fixed point if the generator can reach the data. With the best critic, g(V) = f'(p / q), its
    gradient is that of another divergence,

        E_Q h(p / q),  h''(r) = f''(r) / r:  KL(Q | P) for "kl",  E_P (q / p - 1)^2 / 2 for "reverse_kl",
                                             KL(Q | P) - D(P | Q) for "js",  2 KL(P | Q) for "pearson"

    So "kl" and, more so, "reverse_kl" cover a part of the data by default, and "pearson" all of it.

    Args:
        shape: (dim,), (members, channels) or (points, 3).
        divergence: "kl", "reverse_kl", "js" (Jensen-Shannon, twice: the game of `gan`), "pearson" (chi squared) or
            "hellinger" (squared).
        saturating: whether the generator minimises the bound itself; otherwise it maximises E_Q g(V(x)).
        noise_dim: dimensions of the noise z.
        noise_scale: its unit of length.
        noise: "normal"; "censored", which is max(z, 0) of it; "uniform", "ball" or "mixture" (see
            `pcgen.models.priors`).
        generator_widths: hidden widths; None are 256-256 for vectors and 64-128-512-1024 for clouds.
        critic_widths: hidden widths; None are 256-512 for vectors and, on every point of a cloud, 64-128-256-256-512.
        output: "linear", or "relu" for raw codes, which are nonnegative; standardised codes are not.
        r1: weight of the penalty on the critic's gradient at the data; 0, as in the paper, is none.
        lr: Adam's learning rate of both networks.
        betas: Adam's moments.

    Logged:
        generator: the generator's loss.
        divergence: the critic's lower bound on the divergence, 0 if it cannot distinguish data from samples.
        r1: the penalty, with its weight; logged if r1 is not 0.

    Raises:
        ValueError: an unsupported shape, or an argument out of range.

    References:
        Nowozin, Cseke, Tomioka (2016). f-GAN: Training Generative Neural Samplers using Variational Divergence
        Minimization.
        Arjovsky, Bottou (2017). Towards Principled Methods for Training Generative Adversarial Networks. (What the
        default minimises for "js".)
    """

    objective: ClassVar[str] = "an f-divergence, as a critic bounds it"

    def __init__(
        self,
        shape: Sequence[int],
        divergence: str = "kl",
        saturating: bool = False,
        noise_dim: int = 128,
        noise_scale: float = 1.0,
        noise: str = "normal",
        generator_widths: Sequence[int] | None = None,
        critic_widths: Sequence[int] | None = None,
        output: str = "linear",
        r1: float = 5.0,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.0, 0.99),
    ) -> None:
        widths(critic_widths=critic_widths)
        super().__init__(
            shape,
            noise_dim=noise_dim,
            noise_scale=noise_scale,
            noise=noise,
            generator_widths=generator_widths,
            critic_widths=critic_widths,
            output=output,
            lr=lr,
            betas=betas,
        )
        not_negative(r1=r1)
        self.divergence = DIVERGENCES[choose(divergence, DIVERGENCES, "divergence")]
        self.saturating, self.r1 = saturating, r1

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=5000, batch_size=64, average=0.9999)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.generate(len(batch))
        bound = self.bound(batch.x, fake)
        terms = {"divergence": bound.detach()}
        loss = -bound
        if self.r1 > 0:
            penalty = self.r1 / 2 * squared_slope(self.critic, batch.x)
            loss, terms["r1"] = loss + penalty, penalty.detach()
        descend(loss, self.critic_optimizer)
        with frozen(self.critic):
            v = self.critic(self.generate(len(batch)))
            loss = -(self.divergence.conjugate(v) if self.saturating else self.divergence.output(v)).mean()
            descend(loss, self.generator_optimizer)
        return {"generator": loss.detach(), **terms}

    def bound(self, real: Tensor, fake: Tensor) -> Tensor:
        """The critic's lower bound on the divergence, for (B, *shape) each, ()."""
        return self.divergence.bound(self.critic(real), self.critic(fake))
