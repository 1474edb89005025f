"""Autoencoders by the Earth Mover's distance against those by the Chamfer distance, as a base of generators."""

from pcgen.studies.claims.claim import Claim, Numbers, scaled
from pcgen.studies.claims.clouds import CODE, JSD, ONE_NNA, quality, shapes, with_head
from pcgen.studies.claims.judging import Difference
from pcgen.studies.claims.learning import learned

__all__ = ["CLAIM"]

_NAMES = {"chamfer": "of Chamfer codes", "emd": "of EMD codes"}


def _trial(seed: int, effort: float) -> Numbers:
    counts = [scaled(400, effort, 8), scaled(100, effort, 8)]
    (train, _), (test, _) = shapes(["chair"], counts, seed)
    found = {}
    for distance, name in _NAMES.items():
        autoencoder = learned("autoencoder", train, scaled(300, effort), code=CODE, reconstruction=distance)
        model = with_head(autoencoder, train, {"name": "gmm", "components": 4}, steps=20)
        found[name] = quality(model.sample(len(test), even=True), test)
    return {measure: {name: own[measure] for name, own in found.items()} for measure in (JSD, ONE_NNA)}


CLAIM = Claim(
    name="emd_autoencoders",
    says="An autoencoder trained by the Earth Mover's distance is better for generation than one by Chamfer.",
    source=(
        "Achlioptas, Diamanti, Mitliagkas, Guibas (2018). Learning Representations and Generative Models for 3D Point "
        "Clouds."
    ),
    test=(
        "400 chairs of 256 points. An autoencoder learns them for 300 updates with either distance, and `gmm` "
        "with 4 full covariances learns its codes. 100 samples, with the decoder's own points, are compared with "
        "100 held-out chairs, by JSD and by 1-NNA under the Chamfer distance, which is not the one that should "
        "win."
    ),
    comparisons=tuple(
        Difference(measure, larger=_NAMES["chamfer"], smaller=_NAMES["emd"]) for measure in (JSD, ONE_NNA)
    ),
    trial=_trial,
    seeds=3,
)
