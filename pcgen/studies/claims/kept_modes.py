"""Modes that Wasserstein GANs keep and plain GANs drop."""

from pcgen.studies.claims.claim import Claim, Numbers, scaled
from pcgen.studies.claims.judging import Difference
from pcgen.studies.claims.learning import learned
from pcgen.studies.claims.planes import MODES, kept, ring

__all__ = ["CLAIM"]

_KEPT = f"modes kept of {MODES}"
_DEVIATION = 0.02


def _trial(seed: int, effort: float) -> Numbers:
    x = ring(10_000, _DEVIATION)
    game = {"noise_dim": 8, "generator_widths": (64, 64), "lr": 1e-3, "betas": (0.5, 0.9)}
    plain = learned(
        "gan", x, scaled(1000, effort), {"batch_size": 64, "average": 0}, r1=0.0, discriminator_widths=(64, 64), **game
    )
    # The ring is small, its radius 1: a smaller penalty than the default lets the critic follow it.
    critic = {"penalty": 1.0, "critic_steps": 3, "critic_widths": (64, 64)}
    wasserstein = learned("wgan_gp", x, scaled(500, effort), {"batch_size": 192, "average": 0}, **critic, **game)
    models = {"gan": plain, "wgan_gp": wasserstein}
    return {_KEPT: {name: kept(model.sample(2000), _DEVIATION) for name, model in models.items()}}


CLAIM = Claim(
    name="kept_modes",
    says="A Wasserstein GAN keeps modes of the data that a plain GAN drops.",
    source=(
        "Arjovsky, Chintala, Bottou (2017). Wasserstein Generative Adversarial Networks. Gulrajani, Ahmed, Arjovsky, "
        "Dumoulin, Courville (2017). Improved Training of Wasserstein GANs."
    ),
    test=(
        "Eight narrow Gaussians on a ring in the plane. `gan` with only the paper's loss learns them for 1000 "
        "updates, `wgan_gp` with the same networks for 500 updates of three critic steps each, which takes as "
        "many gradients. A mode is kept if a quarter of its share of 2000 samples is near it; the difference must "
        "be more than one mode."
    ),
    comparisons=(Difference(_KEPT, larger="wgan_gp", smaller="gan", least=1.0),),
    trial=_trial,
)
