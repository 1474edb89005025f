"""The steps that diffusion's own inverse chain wants."""

from pcgen.studies.claims.claim import Claim, Numbers, scaled
from pcgen.studies.claims.judging import Difference
from pcgen.studies.claims.learning import learned
from pcgen.studies.claims.planes import apart, ring

__all__ = ["CLAIM"]

_DISTANCE = "energy distance of samples from data, unbiased"
_DEVIATION = 0.05
_STEPS = {"10 steps": 10, "100 steps": 100, "1000 steps": 1000}


def _trial(seed: int, effort: float) -> Numbers:
    network = {"width": 64, "blocks": 2, "dropout": 0.0}
    model = learned("diffusion", ring(20_000, _DEVIATION), scaled(1500, effort), {"batch_size": 256}, **network)
    test, size = ring(scaled(4000, effort, 50), _DEVIATION), scaled(4000, effort, 50)
    samples = {name: model.sample(size, sampler="ancestral", steps=steps) for name, steps in _STEPS.items()}
    return {_DISTANCE: {name: apart(drawn, test) for name, drawn in samples.items()}}


CLAIM = Claim(
    name="exact_inverse",
    says="The inverse of a diffusion is a chain of Gaussian steps only if there are many steps.",
    source=(
        "Sohl-Dickstein, Weiss, Maheswaranathan, Ganguli (2015). Deep Unsupervised Learning using Nonequilibrium "
        "Thermodynamics."
    ),
    test=(
        "`diffusion` learns eight Gaussians on a ring for 1500 updates; 4000 samples are drawn by its chain of "
        "Gaussian steps (the sampler `ancestral`), in 10, 100 and 1000 of them, and measured against 4000 new rows of "
        "data. The energy distance is the U-statistic: its mean is 0 for samples of the data, whatever their number."
    ),
    comparisons=(
        Difference(_DISTANCE, larger="10 steps", smaller="1000 steps"),
        Difference(_DISTANCE, larger="100 steps", smaller="1000 steps"),
    ),
    trial=_trial,
)
