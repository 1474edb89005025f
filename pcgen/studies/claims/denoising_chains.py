"""Infusion and walkback against a plain denoising chain."""

from pcgen.studies.claims.claim import Claim, Numbers, scaled
from pcgen.studies.claims.judging import Difference
from pcgen.studies.claims.learning import learned
from pcgen.studies.claims.planes import apart, ring

__all__ = ["CLAIM"]

_DISTANCE = "energy distance of samples from data, unbiased"
_PLAIN = "plain denoising (dae)"
_DEVIATION = 0.05


def _trial(seed: int, effort: float) -> Numbers:
    x = ring(20_000, _DEVIATION)
    network = {"width": 64, "blocks": 2, "dropout": 0.0}
    updates = {"infusion": scaled(500, effort), "walkback": scaled(400, effort)}
    models = {name: learned(name, x, steps, {"batch_size": 128}, **network) for name, steps in updates.items()}
    models[_PLAIN] = learned("dae", x, scaled(2500, effort), {"batch_size": 128}, walkback=1, **network)
    test, size = ring(scaled(2000, effort, 50), _DEVIATION), scaled(2000, effort, 50)
    return {_DISTANCE: {name: apart(model.sample(size), test) for name, model in models.items()}}


CLAIM = Claim(
    name="denoising_chains",
    says="Chains trained on their own states, by infusion or walkback, sample better than a plain denoising chain.",
    source=(
        "Bordes, Honari, Vincent (2017). Learning to Generate Samples from Noise through Infusion Training. Goyal, Ke, "
        "Ganguli, Bengio (2017). Variational Walkback."
    ),
    test=(
        "`dae` without its walkback, `infusion` and `walkback`, with the same network and otherwise default "
        "options, learn eight Gaussians on a ring for 2500, 500 and 400 updates, which take about equally long. "
        "2000 samples of each are measured against 2000 new rows of data, by the U-statistic of the energy distance."
    ),
    comparisons=(
        Difference(_DISTANCE, larger=_PLAIN, smaller="infusion"),
        Difference(_DISTANCE, larger=_PLAIN, smaller="walkback"),
    ),
    trial=_trial,
    seeds=3,
)
