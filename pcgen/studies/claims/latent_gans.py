"""Latent GANs against GANs of clouds."""

import time

from pcgen.studies.claims.claim import Claim, Numbers, scaled
from pcgen.studies.claims.clouds import CODE, JSD, ONE_NNA, quality, shapes, with_head
from pcgen.studies.claims.judging import Difference, Quotient
from pcgen.studies.claims.learning import learned

__all__ = ["CLAIM"]

_LATENT, _RAW = "latent gan", "gan of clouds"
_SECONDS = "seconds of training on one processor, the autoencoder's with them"


def _trial(seed: int, effort: float) -> Numbers:
    counts = [scaled(400, effort, 8), scaled(100, effort, 8)]
    (train, _), (test, _) = shapes(["chair"], counts, seed)
    began = time.process_time()
    raw = learned("gan", train, scaled(150, effort), {"batch_size": 16})
    between = time.process_time()
    autoencoder = learned("autoencoder", train, scaled(200, effort), code=CODE)
    latent = with_head(autoencoder, train, {"name": "gan"}, steps=scaled(800, effort))
    seconds = {_RAW: between - began, _LATENT: time.process_time() - between}
    found = {name: quality(model.sample(len(test)), test) for name, model in ((_RAW, raw), (_LATENT, latent))}
    by_measure = {measure: {name: own[measure] for name, own in found.items()} for measure in (JSD, ONE_NNA)}
    return {**by_measure, _SECONDS: seconds}


CLAIM = Claim(
    name="latent_gans",
    says="A GAN on an autoencoder's codes reaches good clouds sooner than a GAN on clouds.",
    source=(
        "Achlioptas, Diamanti, Mitliagkas, Guibas (2018). Learning Representations and Generative Models for 3D Point "
        "Clouds."
    ),
    test=(
        "400 chairs of 256 points. Either `gan` learns them for 150 updates of 16 clouds, or an autoencoder does "
        "for 200 updates, and `gan` learns its codes for 800. 100 samples are measured against 100 held-out "
        "chairs."
    ),
    comparisons=(
        Difference(JSD, larger=_RAW, smaller=_LATENT),
        Difference(ONE_NNA, larger=_RAW, smaller=_LATENT),
        Quotient(_SECONDS, larger=_RAW, smaller=_LATENT),
    ),
    trial=_trial,
    seeds=3,
)
