"""The base of all adversarial models: a generator, a critic, an optimizer for each, and sampling."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, choose, moments, positive, widths
from pcgen.models import name_of
from pcgen.models.adversarial.losses import discriminator_terms, non_saturating
from pcgen.models.adversarial.networks import critic, generator
from pcgen.models.base import GenerativeModel
from pcgen.models.priors import PRIORS
from pcgen.models.shape import accepted
from pcgen.optim import descend

__all__ = ["Adversarial", "frozen"]


class Adversarial(GenerativeModel):
    """A generator of noise against a critic, of vectors (dim,), sets (members, channels) or clouds (points, 3).

    A subclass defines `update`. Args are those of the subclasses; `known` is the number of further inputs of its
    generator besides the noise, which `latents` then includes; `network` makes a generator of another kind for a shape.

    Raises:
        ValueError: an unsupported shape, or an argument out of range.
    """

    # The energy distance of one set of samples to few held-out rows is too uncertain to choose by: docs/generation.md.
    early_choice: ClassVar[bool] = False
    learning: ClassVar[str] = "a game of two networks"
    sampling: ClassVar[str] = "one pass of a generator"
    accepts: ClassVar[tuple[str, ...]] = ("vector", "set", "cloud")

    def __init__(
        self,
        shape: Sequence[int],
        *,
        noise_dim: int,
        noise_scale: float,
        noise: str,
        critic_widths: Sequence[int] | None,
        lr: float,
        betas: Sequence[float],
        generator_widths: Sequence[int] | None = None,
        output: str = "linear",
        known: int = 0,
        network: Callable[[tuple[int, ...]], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, name_of(type(self)))
        at_least(1, noise_dim=noise_dim)
        positive(noise_scale=noise_scale, lr=lr)
        widths(least=0, generator_widths=generator_widths)
        moments(betas=betas)
        self.noise_dim = noise_dim
        self.prior = PRIORS[choose(noise, PRIORS, "noise")](noise_dim, noise_scale)
        if network is None:
            self.generator = generator(self.shape, noise_dim + known, generator_widths, output)
        else:
            self.generator = network(self.shape)
        self.critic = critic(self.shape, critic_widths)
        first, second = betas
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), lr, (first, second), fused=True)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), lr, (first, second), fused=True)

    def latents(self, n: int, truncation: float | None = None) -> Tensor:
        """The generator's input for n objects, (n, noise_dim)."""
        return self.prior.draw(n, truncation)

    def generate(self, n: int, truncation: float | None = None) -> Tensor:
        """n samples of the generator with their graph, (n, *shape)."""
        x: Tensor = self.generator(self.latents(n, truncation))
        return x

    def play(self, real: Tensor, r1: float) -> dict[str, Tensor]:
        """One update of the critic and one of the generator, with the plain loss, on data (B, *shape)."""
        with torch.no_grad():
            fake = self.generate(len(real))
        terms = discriminator_terms(self.critic, real, fake, r1)
        descend(torch.stack(list(terms.values())).sum(), self.critic_optimizer)
        with frozen(self.critic):
            generator = non_saturating(self.critic(self.generate(len(real))))
            descend(generator, self.generator_optimizer)
        return {"generator": generator.detach(), **{name: term.detach() for name, term in terms.items()}}

    @torch.no_grad()
    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        """Draw n new objects, (n, *shape).

        With a truncation t, noise farther than t standard deviations from 0 is drawn again: fidelity rises and
        coverage falls (Brock et al., 2019, Large scale GAN training for high fidelity natural image synthesis).
        """
        return self.generate(n, truncation)


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within this context the module's parameters get no gradient; its inputs still do."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
