"""Markov chains between modes."""

import torch
from torch import Tensor

from pcgen.studies.claims.claim import Claim, Numbers, scaled
from pcgen.studies.claims.judging import Difference
from pcgen.studies.claims.learning import learned

__all__ = ["CLAIM"]

_CHANGED = "share of rows in another mode"
_LEFT = "what is left of the beginning after 100 sweeps, 1 all to 0 as by chance"
_BITS, _MODES = 32, 4
_FLIPS = 0.05  # share of a row's bits that are not its mode's
_SWEEPS = 100


def _trial(seed: int, effort: float) -> Numbers:
    modes = torch.rand(_MODES, _BITS).round()
    x = _drawn(modes, 5000)
    model = learned("rbm", x, scaled(2000, effort), hidden=64)
    before, other = _drawn(modes, scaled(1000, effort, 50)), _drawn(modes, scaled(1000, effort, 50))
    after = model.chain(before, _SWEEPS)
    started, ended, drawn = (_mode(each, modes) for each in (before, after, other))
    changed, by_chance = float((started != ended).double().mean()), float((started != drawn).double().mean())
    within = torch.stack([(each != modes[_mode(each, modes)]).flatten() for each in (before, after)]).double()
    return {
        _CHANGED: {"chains": changed, "independent draws": by_chance},
        _LEFT: {"the mode": 1 - changed / by_chance, "bits within the mode": _correlation(within)},
    }


def _drawn(modes: Tensor, n: int) -> Tensor:
    """Rows of bits, (n, bits): of a mode each, with some flipped."""
    chosen = modes[torch.randint(len(modes), (n,))]
    return torch.where(torch.rand(chosen.shape) < _FLIPS, 1 - chosen, chosen)


def _mode(x: Tensor, modes: Tensor) -> Tensor:
    """The mode that each row of bits is nearest to, (S,)."""
    return torch.cdist(x, modes, p=1).argmin(1)


def _correlation(both: Tensor) -> float:
    """Of two rows of numbers, (2, n); 0 if one is constant."""
    centred = both - both.mean(1, keepdim=True)
    return float((centred[0] * centred[1]).sum() / centred.norm(dim=1).prod().clamp_min(1e-12))


CLAIM = Claim(
    name="mixing",
    says="A Markov chain moves within modes of the data, but rarely from one to another.",
    source="Bengio, Mesnil, Dauphin, Rifai (2013). Better Mixing via Deep Representations.",
    test=(
        "Rows of 32 bits: each is one of four random patterns, with 5% of the bits flipped. `rbm` learns them for "
        "2000 updates. Then 1000 chains of Gibbs sampling start from data and run for 100 sweeps. Two things are "
        "measured: how many have reached another pattern, and how similar the flipped bits at the end are to "
        "those at the start."
    ),
    comparisons=(
        Difference(_CHANGED, larger="independent draws", smaller="chains", least=0.1),
        Difference(_LEFT, larger="the mode", smaller="bits within the mode", least=0.1),
    ),
    trial=_trial,
)
