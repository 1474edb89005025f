"""The claims of the papers that the suite is made after, each an experiment that gives a verdict with intervals.

>>> from pcgen.studies.claims import CLAIMS
>>> verdict = CLAIMS["control_variates"].examine(seeds=3, effort=0.02)
>>> [found.seeds for found in verdict.found]
[3, 3]
"""

from collections.abc import Mapping

from pcgen.studies.claims import (
    control_variates,
    denoising_chains,
    divergences,
    emd_autoencoders,
    exact_inverse,
    iwae_bound,
    kept_modes,
    latent_gans,
    mixing,
    parts,
    truncation,
    unseen_counts,
    untrained_floor,
)
from pcgen.studies.claims.claim import Claim, Verdict
from pcgen.studies.claims.judging import Comparison, Difference, Found, Quotient, judge

__all__ = ["CLAIMS", "Claim", "Comparison", "Difference", "Found", "Quotient", "Verdict", "judge"]

CLAIMS: Mapping[str, Claim] = {
    module.CLAIM.name: module.CLAIM
    for module in (
        latent_gans,
        emd_autoencoders,
        kept_modes,
        truncation,
        parts,
        control_variates,
        divergences,
        exact_inverse,
        iwae_bound,
        mixing,
        denoising_chains,
        unseen_counts,
        untrained_floor,
    )
}
"""By name. `CLAIMS[name].examine()` runs one."""
