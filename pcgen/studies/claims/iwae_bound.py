"""The bound by several draws against the bound by one. The samples make it expensive: minutes on one thread."""

import torch

from pcgen.studies.claims.claim import Claim, Numbers, scaled
from pcgen.studies.claims.clouds import codes
from pcgen.studies.claims.judging import Difference
from pcgen.studies.claims.learning import learned

__all__ = ["CLAIM"]

_BOUND = "the bound that each is trained by, of held-out rows, nats"
_LIKELIHOOD = "log-likelihood of held-out rows by 200 draws, nats"
_DRAWS = {"vae": 1, "iwae": 16}


def _trial(seed: int, effort: float) -> Numbers:
    x, test = codes(scaled(600, effort, 12), scaled(200, effort, 12), seed, scaled(150, effort))
    found: dict[str, dict[str, float]] = {_BOUND: {}, _LIKELIHOOD: {}}
    for name, draws in _DRAWS.items():
        own = {"draws": draws} if draws > 1 else {}
        model = learned(name, x, scaled(800, effort), {"batch_size": 64}, learn_scale=True, **own)
        with torch.no_grad():
            found[_BOUND][name] = float(model.log_prob_bound(test, draws=draws).mean())
            found[_LIKELIHOOD][name] = float(model.log_prob_bound(test, draws=200).mean())
    return found


CLAIM = Claim(
    name="iwae_bound",
    says="The bound of several samples is tighter than that of one, and a model trained by it has a higher likelihood.",
    source="Burda, Grosse, Salakhutdinov (2016). Importance Weighted Autoencoders.",
    test=(
        "`vae` and `iwae` with 16 samples, with the same networks and a code of 16 dimensions, learn the "
        "128-dimensional codes of 600 chairs for 800 updates each. Codes of 200 other chairs are measured by the "
        "bound of each model, and by the bound of 200 samples, which is closer to the likelihood."
    ),
    comparisons=(
        Difference(_BOUND, larger="iwae", smaller="vae"),
        Difference(_LIKELIHOOD, larger="iwae", smaller="vae"),
    ),
    trial=_trial,
)
