"""Tables and marks of reports, and clouds beside their nearest training clouds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pcgen.data.thinning import thin
from pcgen.metrics.comparable import check_comparable, mean_and_deviation, one_by_one, shared_notes
from pcgen.metrics.copies import CopySearch
from pcgen.metrics.novelty import novelty
from pcgen.metrics.pairs import pair_matrices
from pcgen.metrics.report import Report, label_of
from pcgen.metrics.row import Row, merged
from pcgen.metrics.sets import SECOND, TRAINING, measured_set
from pcgen.metrics.tables import Column, chance_rows, copying_columns, number, shown_columns
from pcgen.metrics.verdict import more, too_near, worse
from pcgen.models import MODELS
from pcgen.ops import chamfer_matrix
from pcgen.report.content import Cell, Gallery, Mark, Table

__all__ = ["Beside", "marks", "tables"]

_ABOUT = {
    "jsd": "Jensen-Shannon divergence of the distributions of points, in bits; lower is better",
    "mmd": "mean distance of a reference cloud to the nearest sample; lower is more faithful",
    "cov": "share of reference clouds that are nearest to a sample; higher covers more",
    "one_nna": "accuracy of a nearest-neighbour classifier between samples and reference; best at chance",
    "z_u": "whether samples are nearer to the training set than held-out data; far below 0 means copying",
    "c_t": "mean of Z_U within cells of the training set",
    "authenticity": "share of samples farther from their nearest training cloud than that one is from all others",
    "copies": "share as near to a training cloud as a second sampling of that cloud; new data has the reference's",
    "novelty": "median distance to the nearest training cloud, divided by that of a copy; a copy has 1",
    "vendi": "effective number of different clouds in the set",
}
_READ = [
    "1-NNA is best at chance, the score of equal distributions. Small print: 95% intervals, or deviations over sets.",
    "Green: as good as the training set, within the intervals of both; red: not.",
]
_LESS = ("jsd", "mmd")
_NEAR = 512  # points that samples and reference clouds are compared on, for the order in which they are shown


def tables(reports: Mapping[str, Sequence[Report]], protocol: str) -> list[Table]:
    """The main metrics of each model's reports under one protocol, and the metrics of copying.

    Args:
        reports: of each model, one for each set of samples.
        protocol: what the tables are called by.

    Raises:
        ValueError: two reports differ in protocol or reference; the message names both.
    """
    named = one_by_one(reports)
    check_comparable(named)
    shared = shared_notes([report for _, report in named])
    first = next(iter(reports.values()))[0]
    every = {name: [row for report in found for row in report.rows[1:]] for name, found in reports.items()}
    oracles = merged(every)
    rows = [row for found in reports.values() for row in (found[0].rows[0],)]
    train = next((row for row in oracles if row.name == TRAINING), None)
    made = []
    for title, columns, notes in (
        (f"Metrics: protocol {label_of(first)}", shown_columns([*rows, *oracles]), [*_READ, *shared]),
        ("Copying", shown_columns([*rows, *oracles], copying_columns("cd")), []),
    ):
        if not columns:
            continue
        beside = [*oracles, *chance_rows([first.rows[0]])]
        of_models = [(name, _cells_of_model(found, columns, train)) for name, found in reports.items()]
        of_oracles = [(row.name, _cells(row, columns, None)) for row in beside if shown_columns([row], columns)]
        heads = [("", f"under {protocol}"), *((" ".join(head.split()), _about(key)) for key, head, _ in columns)]
        made.append(Table(title, heads, of_models, of_oracles, notes))
    return made


def marks(reports: Mapping[str, Sequence[Report]]) -> list[Mark]:
    """Models and oracles in the plane of MMD-CD and COV-CD; none if these were not measured.

    The second sample is left out: it is so far from all others that their marks would overlap.
    """
    found = []
    first = next(iter(reports.values()))[0]
    for name, row, family in [
        *((name, Row(name, 0, _means(each)), _family(name)) for name, each in reports.items()),
        *((row.name, row, None) for row in first.rows[1:] if row.name != SECOND),
    ]:
        if {"mmd_cd", "cov_cd"} <= row.values.keys():
            found.append(Mark(name, row.values["mmd_cd"], 100 * row.values["cov_cd"], family))
    return found


def _family(name: str) -> str:
    """Of a model of the suite; another is its own."""
    return MODELS.family(name) if name in MODELS else name


def _means(reports: Sequence[Report]) -> dict[str, float]:
    return {key: mean for key, (mean, _) in mean_and_deviation(reports).items()}


def _cells_of_model(reports: Sequence[Report], columns: Sequence[Column], train: Row | None) -> list[Cell]:
    """One report's numbers with their intervals, or the means of several with their deviations."""
    if len(reports) == 1:
        return _cells(reports[0].rows[0], columns, train)
    spread = mean_and_deviation(reports)
    found = []
    for key, _, share in columns:
        mean, deviation = spread.get(key, (None, 0.0))
        beside = "" if mean is None else f"± {number(deviation, share)}"
        found.append(Cell(number(mean, share, ""), mean, beside))
    return found


def _cells(row: Row, columns: Sequence[Column], train: Row | None) -> list[Cell]:
    found = []
    for key, _, share in columns:
        value, ends = row.values.get(key), row.intervals.get(key)
        beside = f"{number(ends[0], share)} to {number(ends[1], share)}" if ends and value is not None else ""
        if key == "copies" and "copies_reference" in row.values:
            beside = f"reference {number(row.values['copies_reference'], share)}"
        found.append(Cell(number(value, share, ""), value, beside, _mark(key, row, train)))
    return found


def _mark(key: str, row: Row, train: Row | None) -> str:
    """Whether a metric is as good as the training set's, within the intervals of both."""
    if train is None or key not in row.intervals or key not in train.values:
        return ""
    if key.startswith("one_nna"):
        best = max(train.values[key], row.values.get(f"{key}_chance", 0.5))
        good = not worse(row, train, key) and not too_near(row, key, best)
    else:
        good = not (more(row, train, key) if key.startswith(_LESS) else more(train, row, key))
    return "good" if good else "far"


def _about(key: str) -> str:
    return next((text for name, text in _ABOUT.items() if key.startswith(name)), "")


@dataclass
class Beside:
    """A search for what is nearest to the clouds that a page shows, and the training clouds that it found.

    Args:
        train: the training set, (T, N, 3) in the data's units; None where it is not known.
        reference: (R, N, 3), in the same units; None for no distances to it.
        points: of each cloud that is shown.
        seed: of the points that are drawn.
    """

    train: Tensor | None
    reference: Tensor | None
    points: int
    seed: int

    def __post_init__(self) -> None:
        self._search = self._floor = None
        self._pool: dict[int, int] = {}  # of training clouds that are shown: their place on the page
        if self.train is not None and self.train.shape[1] > 1:
            self._search = CopySearch.of(measured_set(self.train, TRAINING), self.train.shape[1], self.seed)
            self._floor = self._search.floor()

    def gallery(self, name: str, clouds: Tensor, titles: Sequence[str]) -> tuple[Gallery, Tensor | None]:
        """The clouds (S, N, 3) as a page shows them, and the novelty of each, (S,), where it is known."""
        numbers: dict[str, list[float]] = {}
        places: list[int] = []
        ratios = None
        if self._search is not None and self._floor is not None and clouds.shape[1] >= self._search.train.shape[1]:
            some = self._search.sampled(measured_set(clouds, name))
            coarse = pair_matrices({name: self._search.block(name, some)})[name]
            found = novelty(self._search.nearest(some, coarse).matrix(len(self._floor)), self._floor)
            places = [self._pool.setdefault(row, len(self._pool)) for row in found.rows.tolist()]
            if found.ratios.isfinite().all():  # not where training clouds are one point each
                ratios = found.ratios
                numbers["novelty"] = ratios.tolist()
        if self.reference is not None:
            few = min(_NEAR, clouds.shape[1], self.reference.shape[1])
            to = chamfer_matrix(thin(clouds, few, self.seed), thin(self.reference, few, self.seed)).amin(1)
            numbers["CD to the reference, thousandths"] = (1000 * to).tolist()
        shown = thin(clouds, min(self.points, clouds.shape[1]), self.seed)
        return Gallery(name, shown.double().numpy(), titles, numbers, places), ratios

    def shown(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None":
        """The training clouds that are shown beside others, (T, N, 3), by the indices in galleries."""
        if self.train is None or not self._pool:
            return None
        rows = self.train[torch.tensor(list(self._pool))]
        return thin(rows, min(self.points, rows.shape[1]), self.seed).double().numpy()
