"""The truncation trick: noise near 0 alone."""

import torch

from pcgen.metrics.manifolds import manifolds
from pcgen.studies.claims.claim import Claim, Numbers, scaled
from pcgen.studies.claims.clouds import codes
from pcgen.studies.claims.judging import Difference
from pcgen.studies.claims.learning import learned

__all__ = ["CLAIM"]

_FIDELITY, _COVERAGE = "precision, the share of samples near data", "recall, the share of data near samples"
_CUT, _WHOLE = "truncated", "whole"
_TRUNCATION = 0.5


def _trial(seed: int, effort: float) -> Numbers:
    train, real = codes(scaled(600, effort, 12), scaled(300, effort, 12), seed, scaled(150, effort))
    model = learned("gan", train, scaled(1500, effort))
    found: dict[str, dict[str, float]] = {_FIDELITY: {}, _COVERAGE: {}}
    for name, truncation in ((_WHOLE, None), (_CUT, _TRUNCATION)):
        drawn = model.sample(len(real), truncation=truncation)
        balls = manifolds(torch.cdist(drawn, real), torch.cdist(drawn, drawn), torch.cdist(real, real))
        found[_FIDELITY][name], found[_COVERAGE][name] = balls.precision, balls.recall
    return found


CLAIM = Claim(
    name="truncation",
    says="Truncating a GAN's noise raises fidelity and lowers coverage.",
    source="Brock, Donahue, Simonyan (2019). Large Scale GAN Training for High Fidelity Natural Image Synthesis.",
    test=(
        "`gan` learns codes of 600 chairs for 1500 updates; 300 samples are compared with the codes of 300 other "
        "chairs by precision and recall (Kynkäänniemi et al. 2019, 5 neighbours), with normal noise, and with "
        f"noise that is redrawn if it is more than {_TRUNCATION} standard deviations from 0."
    ),
    comparisons=(
        Difference(_FIDELITY, larger=_CUT, smaller=_WHOLE),
        Difference(_COVERAGE, larger=_WHOLE, smaller=_CUT),
    ),
    trial=_trial,
)
