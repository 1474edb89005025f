"""Gibbs sampling of bits that are all connected: one unit after another."""

import torch
from torch import Tensor

__all__ = ["swept"]

_EDGE = 1e-7  # uniform numbers stay this far from 0 and 1, whose log-odds are infinite


def swept(
    s: Tensor, couplings: Tensor, threshold: Tensor, sites: range, sweeps: int = 1, temperature: float = 1.0
) -> Tensor:
    """States (B, units) after so many sweeps, in which the units at those sites are drawn in turn, given all others.

        p(s_i = 1 | others) = sigmoid((L_i s + threshold_i) / temperature)

    At temperature 0 a unit goes where its energy is less and stays where both are equal.

    Args:
        s: bits.
        couplings: L, (units, units), symmetric with nothing on its diagonal.
        threshold: (units,).
        sites: places of the units that are drawn; the others are held.
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
