"""Adversarial autoencoder of vectors and of clouds."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import choose, moments, not_negative, positive
from pcgen.errors import widths as check_widths
from pcgen.models.adversarial.base import frozen
from pcgen.models.adversarial.losses import discriminator_terms, non_saturating
from pcgen.models.adversarial.networks import critic
from pcgen.models.base import Batch, Recipe
from pcgen.models.priors import PRIORS, Prior
from pcgen.models.variational.coding import Coding
from pcgen.nets.parts import Part
from pcgen.optim import descend

__all__ = ["AAE"]


class AAE(Coding):
    """An autoencoder whose codes follow a prior, because a discriminator is trained to distinguish the two.

        encoder, decoder:  minimise E[-log p(x | z)] + weight * mean softplus(-D(z)), z ~ q(z | x) = N(m(x), diag v(x))
        D:                 distinguishes samples of the prior from codes z

    The prior only needs to be sampled; its density is not used. New objects are decoded samples of the prior, as in the
    paper, without the noise of the decoder, which only sets the unit of the reconstruction. The paper takes two steps,
    one for each term; here one step minimises the weighted sum. With classes, all networks also see
    the label: D distinguishes the codes of each class from the prior, whose samples are to be decoded as any class.

    Args:
        shape: (dim,) or (points, 3).
        code: dimensions of z.
        prior: "normal", "uniform", "ball", "mixture" or "censored" (see `pcgen.models.priors`), or a sampler of
            your own, a `Prior` of `code` dimensions.
        widths: for vectors, hidden widths of the encoder, and in reverse of the decoder; both are a linear map plus a
            perceptron that starts at zero; () is linear.
        discriminator_widths: hidden widths of D.
        encoder: for clouds, a part by name and arguments, or a module (B, N, 3) -> (B, 2 code).
        decoder: for clouds, in the same way, (B, code + classes) -> (B, points, 3).
        reconstruction: for clouds, "chamfer" (mean squared), or "emd" (exact; a mean distance, which is squared here).
        scale: the standard deviation of the decoder's noise, in the units of x. None is 0.6 for vectors, which should
            be standardised, and 0.01 for clouds.
        weight: of the adversarial term in the loss of the encoder, relative to the reconstruction in nats.
        r1: weight of the penalty on D's gradient at samples of the prior (with their labels); 0, as in the paper, is
            none.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate of all networks.
        betas: Adam's moments of the discriminator; the other networks have Adam's own.

    Logged:
        reconstruction: mean -log p(x | z) in nats at one sample of z; for clouds the squared error in units of the
            scale.
        encoder: mean softplus(-D(z)) of codes: log 2 if D cannot distinguish codes from the prior.
        discriminator: the loss of D: 2 log 2 if it cannot distinguish them.
        r1: the penalty, with its weight; logged if r1 is not 0.

    Raises:
        ValueError: an unsupported shape, an argument out of range, or a prior of another dimension than the code.

    References:
        Makhzani, Shlens, Jaitly, Goodfellow, Frey (2016). Adversarial Autoencoders.
    """

    objective: ClassVar[str] = "reconstruction, and a divergence of codes from the prior"
    learning: ClassVar[str] = "gradient descent, and a game on codes"
    sampling: ClassVar[str] = "a decoded sample of the prior"

    def __init__(
        self,
        shape: Sequence[int],
        code: int = 16,
        prior: str | Prior = "normal",
        widths: Sequence[int] = (256, 256),
        discriminator_widths: Sequence[int] = (256, 256),
        encoder: Part | nn.Module = "pointnet",
        decoder: Part | nn.Module = "fully_connected",
        reconstruction: str = "chamfer",
        scale: float | None = None,
        weight: float = 50.0,
        r1: float = 1.0,
        classes: Sequence[str] = (),
        lr: float = 1e-3,
        betas: Sequence[float] = (0.5, 0.99),
    ) -> None:
        super().__init__(
            shape,
            code=code,
            widths=widths,
            encoder=encoder,
            decoder=decoder,
            reconstruction=reconstruction,
            scale=scale,
            learn_scale=False,
            classes=classes,
        )
        positive(lr=lr)
        not_negative(weight=weight, r1=r1)
        moments(betas=betas)
        check_widths(discriminator_widths=discriminator_widths)
        self.weight, self.r1 = weight, r1
        if isinstance(prior, str):
            prior = PRIORS[choose(prior, PRIORS, "prior")](code)
        if not isinstance(prior, Prior) or prior.dim != code:
            got = f"one of {prior.dim}" if isinstance(prior, Prior) else f"a {type(prior).__name__}"
            raise ValueError(
                f"prior: must be a name, or a Prior of as many dimensions as the code, {code}, got {got}; make it with "
                f"dim={code}, or set code"
            )
        self.prior = prior
        self.critic = critic((code + len(self.labels),), discriminator_widths)
        encoding = [*self.features.parameters(), *self.encoder.parameters()]
        decoding = [p for part in (self.decoder, self.likelihood) for p in part.parameters() if p.requires_grad]
        first, second = betas
        self.optimizer = torch.optim.Adam([*encoding, *decoding], lr, fused=True)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), lr, (first, second), fused=True)

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=4000, batch_size=64, average=0.9999, schedule="cosine")

    @torch.no_grad()
    def draw(self, n: int, labels: Tensor | None = None, truncation: float | None = None) -> Tensor:
        """Draw n new objects, (n, *shape): decoded samples of the prior, truncated if it has tails."""
        return self.decode(self.prior.draw(n, truncation), labels)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        y = self.labels.hidden(batch.labels, batch.x)
        z = self.posterior(batch.x, y).draw()
        real, fake = (torch.cat([codes, y], dim=1) for codes in (self.prior.draw(len(z)).to(z), z))
        terms = discriminator_terms(self.critic, real, fake.detach(), self.r1)
        descend(torch.stack(list(terms.values())).sum(), self.critic_optimizer)
        nll = self.likelihood.nll(batch.x, self.decoded(z, y)).mean()
        with frozen(self.critic):
            game = non_saturating(self.critic(fake))
            descend(nll + self.weight * game, self.optimizer)
        told = {"reconstruction": nll, "encoder": game, **terms}
        return {name: term.detach() for name, term in told.items()}
