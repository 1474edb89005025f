"""What every adversarial model shares: a generator, a critic, an optimizer for each, and sampling."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, choose, moments, positive, widths
from pcgen.models.adversarial.networks import NOISES, critic, draw_noise, generator
from pcgen.models.base import GenerativeModel
from pcgen.models.shape import accepted

__all__ = ["Adversarial", "frozen"]


class Adversarial(GenerativeModel):
    """A generator of noise against a critic, of vectors (dim,), sets (members, channels) or clouds (points, 3).

    A subclass writes `update`. Args are those of the subclasses.

    Raises:
        ValueError: a shape of none of them, or an argument out of range.
    """

    accepts: ClassVar[tuple[str, ...]] = ("vector", "set", "cloud")

    def __init__(
        self,
        shape: Sequence[int],
        *,
        noise_dim: int,
        noise_scale: float,
        noise: str,
        generator_widths: Sequence[int] | None,
        critic_widths: Sequence[int] | None,
        output: str,
        lr: float,
        betas: Sequence[float],
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, type(self).__name__.lower())
        at_least(1, noise_dim=noise_dim)
        positive(noise_scale=noise_scale, lr=lr)
        widths(generator_widths=generator_widths)
        moments(betas=betas)
        self.noise_dim, self.noise_scale = noise_dim, noise_scale
        self.noise = choose(noise, NOISES, "noise")
        self.generator = generator(self.shape, noise_dim, generator_widths, output)
        self.critic = critic(self.shape, critic_widths)
        first, second = betas
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), lr, (first, second), fused=True)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), lr, (first, second), fused=True)

    def generate(self, n: int, truncation: float | None = None) -> Tensor:
        """n objects of the generator with their graph, (n, *shape)."""
        noise = draw_noise(n, self.noise_dim, self.noise_scale, self.noise, truncation, self.device)
        x: Tensor = self.generator(noise)
        return x

    @torch.no_grad()
    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        """Draw n new objects, (n, *shape).

        With a truncation t, noise farther than t standard deviations from 0 is drawn again: fidelity rises and
        coverage falls (Brock et al., 2019, Large scale GAN training for high fidelity natural image synthesis).
        """
        return self.generate(n, truncation)


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within it the module's parameters get no gradient; what goes through it still does."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
