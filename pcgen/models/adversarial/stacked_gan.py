"""Stacked generative adversarial networks: one generator for each level of an encoder, from the top down."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from pcgen.errors import at_least, choose, moments, not_negative, positive
from pcgen.errors import widths as check_widths
from pcgen.models.adversarial.base import frozen
from pcgen.models.adversarial.losses import discriminator_terms, non_saturating
from pcgen.models.adversarial.networks import critic, generator
from pcgen.models.base import Batch, GenerativeModel, Recipe
from pcgen.models.priors import PRIORS
from pcgen.models.shape import accepted
from pcgen.nets.mlp import MLP
from pcgen.optim import descend

__all__ = ["StackedGAN"]

PHASES = {"encoder": 0.2, "stages": 0.4, "joint": 0.4}


class StackedGAN(GenerativeModel):
    """Generators that invert an encoder level by level, each trained adversarially, conditional on the level above.

        h_0 = x,  h_i = E_i(h_(i-1));   G_L(z_L) makes the top level h_L,  G_i(h_(i+1), z_i) each one below

        G_i, Q_i minimise  mean softplus(-D_i(g)) + conditional * mean (E_(i+1)(g) - h_(i+1))^2
                           + entropy * mean (Q_i(g) - z_i)^2,   g = G_i(h_(i+1), z_i)

    The conditional term preserves the information of the level above. The entropy term, in which Q infers the noise
    from the output, keeps the noise in use. The first phase learns the encoder; the second each generator alone, given
    levels of data; the third all together, given the generated levels. The paper's encoder is a classifier, and its top
    level the label. Ours is an autoencoder, since codes need no labels, and its top level is generated from noise
    alone. Its levels are standardised.

    Args:
        shape: (dim,).
        level_widths: of h_1 to h_L.
        encoder_widths: hidden widths of every E_i.
        conditional: weight of the conditional term; 1 in the paper.
        entropy: weight of the entropy term; 10 in the paper.
        noise_dim: dimensions of the noise z_i of each level.
        noise_scale: its unit of length.
        noise: "normal"; "censored", which is max(z, 0) of it; "uniform", "ball" or "mixture" (see
            `pcgen.models.priors`).
        generator_widths: hidden widths of every G_i.
        discriminator_widths: hidden widths of every D_i and Q_i.
        r1: weight of the penalty on each discriminator's gradient at the data; 0, as in the paper, is none.
        lr: Adam's learning rate of all networks.
        betas: Adam's moments, of the game.

    Logged:
        reconstruction_1, reconstruction_2, ...: in the first phase, the mean squared error of rows decoded from each
            level.
        generator: softplus(-D_i(g)), summed over the levels: log 2 for each level whose D_i cannot distinguish.
        conditional: the conditional term without its weight, summed over the levels.
        entropy: the entropy term without its weight, summed: 1 for each level whose noise cannot be inferred.
        discriminator: the discriminators' losses, summed: 2 log 2 for each that cannot distinguish.
        r1: the penalty, with its weight; logged if r1 is not 0.

    Raises:
        ValueError: a shape that is not that of vectors, or an argument out of range.

    References:
        Huang, Li, Poursaeed, Hopcroft, Belongie (2017). Stacked Generative Adversarial Networks.
    """

    objective: ClassVar[str] = "Jensen-Shannon divergence at each level of an encoder"
    early_choice: ClassVar[bool] = False
    learning: ClassVar[str] = "games of two networks, level by level"
    sampling: ClassVar[str] = "one pass of each generator"

    def __init__(
        self,
        shape: Sequence[int],
        level_widths: Sequence[int] = (32, 8),
        encoder_widths: Sequence[int] = (128,),
        conditional: float = 1.0,
        entropy: float = 1.0,
        noise_dim: int = 16,
        noise_scale: float = 1.0,
        noise: str = "normal",
        generator_widths: Sequence[int] = (256, 256),
        discriminator_widths: Sequence[int] = (256, 256),
        r1: float = 5.0,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.0, 0.99),
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "stacked_gan")
        at_least(1, noise_dim=noise_dim)
        positive(noise_scale=noise_scale, lr=lr)
        not_negative(conditional=conditional, entropy=entropy, r1=r1)
        moments(betas=betas)
        check_widths(level_widths=level_widths, discriminator_widths=discriminator_widths)
        check_widths(least=0, encoder_widths=encoder_widths, generator_widths=generator_widths)
        self.conditional, self.entropy, self.r1 = conditional, entropy, r1
        self.prior = PRIORS[choose(noise, PRIORS, "noise")](noise_dim, noise_scale)
        sizes = (*self.shape, *level_widths)
        self.encoders = nn.ModuleList(Level(below, encoder_widths, above) for below, above in pairwise(sizes))
        self.decoders = nn.ModuleList(
            MLP((above, *reversed(encoder_widths), below), activation="silu") for below, above in pairwise(sizes)
        )
        self.generators = nn.ModuleList(
            generator((size,), noise_dim + above, generator_widths, "linear")
            for size, above in pairwise((*sizes, 0))  # above the top is nothing
        )
        self.critics = nn.ModuleList(critic((size,), discriminator_widths) for size in sizes)
        self.recognitions = nn.ModuleList(critic((size,), discriminator_widths, noise_dim) for size in sizes)
        first, second = betas
        made = [*self.generators.parameters(), *self.recognitions.parameters()]
        coded = [*self.encoders.parameters(), *self.decoders.parameters()]
        self.encoder_optimizer = torch.optim.Adam(coded, lr, fused=True)
        self.generator_optimizer = torch.optim.Adam(made, lr, (first, second), fused=True)
        self.critic_optimizer = torch.optim.Adam(self.critics.parameters(), lr, (first, second), fused=True)

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=2500, batch_size=64, average=0.9999, phases=PHASES)

    @torch.no_grad()
    def enter(self, phase: str, data: Batch) -> None:
        if phase == "stages":
            below = data.x
            for encoder in cast("Iterable[Level]", self.encoders):
                below = encoder.standardise(below)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        phase = list(PHASES)[int(self.phase)]
        return self.learn_levels(batch.x) if phase == "encoder" else self.play(batch.x, joint=phase == "joint")

    def learn_levels(self, x: Tensor) -> dict[str, Tensor]:
        """An update of the autoencoder, which decodes x, (B, dim), from each of its levels."""
        errors = []
        for depth, level in enumerate(self.levels(x), 1):
            for decoder in reversed(self.decoders[:depth]):
                level = decoder(level)
            errors.append(mse_loss(level, x))
        descend(torch.stack(errors).sum(), self.encoder_optimizer)
        return {f"reconstruction_{depth}": error.detach() for depth, error in enumerate(errors, 1)}

    def play(self, x: Tensor, joint: bool) -> dict[str, Tensor]:
        """An update of every game, under levels of the data (B, dim), or under those that the generators make."""
        with torch.no_grad():
            real = [x, *self.levels(x)]
            noise = [self.prior.draw(len(x)) for _ in real]
            fake = self.made(noise, None if joint else real)
        games = [discriminator_terms(*each, self.r1) for each in zip(self.critics, real, fake, strict=True)]
        terms = {name: torch.stack([game[name] for game in games]).sum() for name in games[0]}
        descend(torch.stack(list(terms.values())).sum(), self.critic_optimizer)
        with frozen(self.critics), frozen(self.encoders):
            noise = [self.prior.draw(len(x)) for _ in real]
            fake = self.made(noise, None if joint else real)
            above = (fake if joint else real)[1:]
            generator = torch.stack([non_saturating(d(h)) for d, h in zip(self.critics, fake, strict=True)]).sum()
            kept = [mse_loss(e(h), up) for e, h, up in zip(self.encoders, fake, above, strict=False)]
            read = [mse_loss(q(h), z) for q, h, z in zip(self.recognitions, fake, noise, strict=True)]
            conditional, entropy = torch.stack(kept).sum(), torch.stack(read).sum()
            loss = generator + self.conditional * conditional + self.entropy * entropy
            descend(loss, self.generator_optimizer)
        told = {"generator": generator, "conditional": conditional, "entropy": entropy, **terms}
        return {name: term.detach() for name, term in told.items()}

    def made(self, noise: Sequence[Tensor], under: Sequence[Tensor] | None = None) -> list[Tensor]:
        """The generated levels [h_0 = x, ..., h_L], (B, width) each, from noise (B, noise_dim) for every level.

        Each is conditional on the level above in `under`, or, if that is None, on the generated one.
        """
        levels: list[Tensor] = []
        for place in reversed(range(len(self.generators))):
            above = [] if place == len(self.generators) - 1 else [levels[0] if under is None else under[place + 1]]
            levels.insert(0, self.generators[place](torch.cat([*above, noise[place]], dim=1)))
        return levels

    def levels(self, x: Tensor) -> list[Tensor]:
        """The encoder's levels h_1 to h_L of rows (B, dim), (B, width) each."""
        found: list[Tensor] = []
        for encoder in self.encoders:
            found.append(encoder(found[-1] if found else x))
        return found

    @torch.no_grad()
    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        """Draw n new vectors, (n, dim), truncated to so many deviations of normal or censored noise."""
        return self.made([self.prior.draw(n, truncation) for _ in self.generators])[0]


class Level(nn.Module):
    """A perceptron whose output is standardised once it has learned: (B, below) -> (B, above)."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, below: int, widths: Sequence[int], above: int) -> None:
        super().__init__()
        self.network = MLP((below, *widths, above), activation="silu")
        self.register_buffer("mean", torch.zeros(above))
        self.register_buffer("deviation", torch.ones(above))

    def standardise(self, below: Tensor) -> Tensor:
        """Take mean and deviation from the level below of all data, (S, below), and give this one, (S, above)."""
        raw = self.network(below)
        self.mean.copy_(raw.mean(0))
        self.deviation.copy_(raw.std(0, correction=0).clamp_min(1e-6))  # a dead unit stays near 0
        level: Tensor = self(below)
        return level

    def forward(self, below: Tensor) -> Tensor:
        level: Tensor = (self.network(below) - self.mean) / self.deviation
        return level
