"""The table of docs/suite.md of what papers found: which model is better than which, and whether it is so here."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from tables import Rows, grid, number

__all__ = ["orders"]


class Order(NamedTuple):
    """That a paper has found one model better than another."""

    better: str
    than: str
    paper: str
    remark: str  # on an order that does not come out


_STABLE = "`gan` has a gradient penalty here, which its paper's has not; without it: next line"
_LINEAR = "`ppca` scores alike: what these codes have beyond a linear model, neither learns"

ORDERS = (
    Order("wgan_gp", "gan", "Gulrajani et al. 2017", _STABLE),
    Order("wgan_gp", "gan r1=0", "Gulrajani et al. 2017", ""),
    Order("dan", "gan", "Li et al. 2017", _STABLE),
    Order("dan", "gan r1=0", "Li et al. 2017", ""),
    Order("stacked_gan", "gan", "Huang et al. 2017", _STABLE),
    Order("stacked_gan", "gan r1=0", "Huang et al. 2017", ""),
    Order("gmm", "wgan_gp", "Achlioptas et al. 2018", ""),
    Order("aae", "vae", "Makhzani et al. 2016", _LINEAR),
    Order("iwae", "vae", "Burda et al. 2016", f"{_LINEAR}; the paper compares bounds ([here](claims.md))"),
    Order("info_vae", "vae", "Zhao et al. 2019", _LINEAR),
    Order("dlgmm", "vae", "Nalisnick et al. 2016", _LINEAR),
    Order("vae_dgp", "vae", "Dai et al. 2016", _LINEAR),
    Order("gm_vae", "vae", "Dilokthanakul et al. 2017", ""),
    Order("vade", "vae", "Jiang et al. 2017", ""),
    Order("ncrp_vae", "vae", "Goyal et al. 2017", ""),
    Order("vlae", "vae", "Chen et al. 2017", ""),
    Order("gmmn", "gan", "Li et al. 2015", "the paper compares Parzen estimates of log-likelihoods of images"),
    Order("dbn", "rbm", "Hinton et al. 2006", "the bound does rise with each layer ([measured](models/energy.md#dbn))"),
    Order("dbm", "dbn", "Salakhutdinov, Hinton 2009", "the paper compares bounds of images"),
    Order("gsn", "dae", "Bengio et al. 2014", "both are the same chain, of which `gsn` learns several steps"),
    Order("walkback", "dae", "Goyal et al. 2017", ""),
    Order("infusion", "dae", "Bordes et al. 2017", ""),
    Order("diffusion", "score_model", "Ho et al. 2020", "both are as near as training codes"),
    Order("diffusion", "gan", "Dhariwal, Nichol 2021", "both are as near as training codes"),
    Order("flow_matching", "diffusion", "Lipman et al. 2023", "both are as near as training codes"),
)


def orders(rows: Rows) -> str:
    """A line for each claim: both scores on each set, whether their intervals tell them apart, and why if not."""
    sets = list(dict.fromkeys(row["data"] for row in rows))
    found = {(row["model"], row["data"]): row for row in rows}
    lines = []
    for better, than, paper, remark in ORDERS:
        pairs = [
            (found[better, data], found[than, data]) for data in sets if {(better, data), (than, data)} <= found.keys()
        ]
        if not pairs:
            continue
        of = {one["data"]: f"{number(one['score'])} : {number(other['score'])}" for one, other in pairs}
        verdict = _verdict([_above(*pair) for pair in pairs])
        why = "" if verdict.startswith("yes") else remark
        lines.append((f"`{better}`", f"`{than}`", paper, *(of.get(data, "") for data in sets), verdict, why))
    return grid(("better", "than", "paper", *(f"{data}:" for data in sets), "so here", "remark"), lines)


def _above(one: dict[str, str], other: dict[str, str]) -> int:
    """1 if the first is better by more than both intervals allow, -1 if the second is, 0 if they are not told apart.

    As if the scores were independent; they share the floor and the held-out codes, so the test is weak: 0 says little.
    """
    halves = [(float(row["high"]) - float(row["low"])) / 2 for row in (one, other)]
    difference = float(other["score"]) - float(one["score"])
    return 0 if abs(difference) <= math.hypot(*halves) else int(math.copysign(1, difference))


def _verdict(signs: Sequence[int]) -> str:
    parts = [(signs.count(1), "yes"), (signs.count(-1), "the other way")]
    told = [f"{what} on {count} of {len(signs)}" for count, what in parts if count]
    return ", ".join(told) or "not told apart"
