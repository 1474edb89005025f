"""Gibbs sampling of bits that are all connected: one unit after another."""

import torch
from torch import Tensor

__all__ = ["swept"]

_EDGE = 1e-7  # uniform numbers stay this far from 0 and 1, whose log-odds are infinite


def swept(
    s: Tensor, couplings: Tensor, threshold: Tensor, sites: range, sweeps: int = 1, temperature: float = 1.0
) -> Tensor:
    """States (B, units) after a number of sweeps, which sample the units at the given sites in turn, given all others.

        p(s_i = 1 | others) = sigmoid((L_i s + threshold_i) / temperature)

    At temperature 0 a unit takes the value of lower energy, and keeps its value if both are equal.

    Args:
        s: bits.
        couplings: L, (units, units), symmetric with nothing on its diagonal.
        threshold: (units,).
        sites: indices of the units that are sampled; the others are fixed.
        sweeps: over all sites.
        temperature: 0 or more.
    """
    units = s.T.clone(memory_format=torch.contiguous_format)  # a unit's states of all chains side by side
    for _ in range(sweeps):
        chance = torch.rand(len(sites), len(s), dtype=s.dtype, device=s.device)
        for site, level in zip(sites, temperature * chance.logit(_EDGE), strict=True):
            field = couplings[site] @ units + threshold[site]
            units[site] = torch.where(field == level, units[site], (field > level).to(s))
    return units.T.contiguous()
