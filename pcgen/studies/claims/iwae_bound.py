"""The bound by several draws against the bound by one. The draws make it a dear claim: minutes on one thread."""

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
    says="The bound by several draws is tighter than the one by one, and what is trained by it is likelier.",
    source="Burda, Grosse, Salakhutdinov (2016). Importance Weighted Autoencoders.",
    test=(
        "`vae` and `iwae` of 16 draws, of the same networks with a code of 16 numbers, learn the 128-number codes of "
        "600 chairs for 800 updates each. Codes of 200 other chairs are measured by each one's own bound, and by one "
        "of 200 draws, which is nearer to the likelihood."
    ),
    comparisons=(
        Difference(_BOUND, larger="iwae", smaller="vae"),
        Difference(_LIKELIHOOD, larger="iwae", smaller="vae"),
    ),
    trial=_trial,
)
