"""A summary of a report in a few sentences: what limits a set of samples, and how certain that is."""

import math

from pcgen.metrics.report import Report
from pcgen.metrics.row import Row
from pcgen.metrics.sets import SECOND, TRAINING

__all__ = ["DECODED", "more", "too_near", "verdict", "worse"]

DECODED = "training set decoded"
_FEW = 100  # with fewer clouds per set, an interval of a 1-NNA is wider than 18 percentage points
_BY_CHANCE = 0.025  # how often new data would have as many copies, or be as near, at most
_NEARER = -3.0  # with a Z_U below it, samples are significantly nearer to the training set than new data
_NAMES = {"one_nna_cd": "1-NNA-CD", "one_nna_emd": "1-NNA-EMD"}


def verdict(report: Report, decoded: bool = True) -> list[str]:
    """Sentences about the samples of a report, the most important first; none if the report lacks the metrics.

    Copying comes first, since it makes every other metric good. Then quality: whether samples differ from the
    reference significantly more than the training set does. If so, the row of decoded training clouds shows whether
    the autoencoder, the head or both cause it, or that these clouds do not tell. Then coverage, and whether there are
    enough clouds for these statements.

    Args:
        report: of the samples and the oracles.
        decoded: whether the samples are decoded codes, so that decoded training clouds are the best they can be.
    """
    samples = report.rows[0]
    oracles = {row.name: row for row in report.rows[1:]}
    key = next((key for key in _NAMES if key in samples.values), None)
    clouds = min(_counts(report, "cd" if key is None else key.removeprefix("one_nna_")))
    found = [
        _copying(samples, oracles.get(SECOND), _counts(report, "cd")),
        "" if key is None else _quality(key, samples, oracles, decoded, clouds),
        _coverage(samples, oracles),
    ]
    if any(found) and clouds < _FEW:
        found.append(f"{clouds} clouds per set are few: use {_FEW} or more.")
    return [sentence for sentence in found if sentence]


def _counts(report: Report, column: str) -> tuple[int, int]:
    """Numbers of samples and of reference clouds that were compared under a distance."""
    counts = report.protocol["counts"][column]
    return counts["samples"], counts["reference"]


def _copying(samples: Row, second: Row | None, counts: tuple[int, int]) -> str:
    copies, nearer = samples.values.get("copies"), samples.values.get("z_u_cd")
    usual, held_out = samples.values.get("copies_reference"), counts[1]
    if usual is None and second is not None:  # a report of an earlier version
        usual, held_out = second.values.get("copies"), second.clouds
    if copies is not None and usual is not None and _as_likely(copies, counts[0], usual, held_out) < _BY_CHANCE:
        beside = f"{_percent(copies)} of the samples ({_percent(usual)} of held-out clouds)"
        return f"Copies: {beside} are as near to a training cloud as a copy of it."
    if nearer is not None and nearer < _NEARER:
        return f"Nearer to the training set than new data: Z_U is {nearer:.1f}, for new data between -2 and 2."
    return ""


def _as_likely(share: float, count: int, other: float, others: int) -> float:
    """How often, if both sets have copies with one probability, the first has this share of all copies or more.

    Given the number of copies in both sets together, that in the first is hypergeometric: Fisher's exact test of two
    binomial proportions.
    """
    from scipy.stats import hypergeom

    own = round(share * count)
    return float(hypergeom.sf(own - 1, count + others, own + round(other * others), count))


def _quality(key: str, samples: Row, oracles: dict[str, Row], decoded: bool, clouds: int) -> str:
    own, chance = samples.values[key], samples.values.get(f"{key}_chance", 0.5)
    low, high = _interval(samples, key)
    train = oracles.get(TRAINING)
    train = train if train and key in train.values else None
    best = max(train.values[key], chance) if train else chance
    what = "the training set has" if best > chance else "chance is"
    told = f"{_NAMES[key]} {_percent(own)} ({100 * low:.0f} to {100 * high:.0f})"
    if too_near(samples, key, best):
        return f"Too near to the reference: {told}, below chance: samples repeat reference clouds, or each other."
    if not worse(samples, train, key):
        unsure = f"No difference from {'the training set' if train else 'data'} found with {clouds} clouds"
        return f"{unsure}: {told}, {what} {_percent(best)}."
    middle = oracles.get(DECODED) if decoded else None
    if middle is None or key not in middle.values:
        return f"Different from data: {told}, {what} {_percent(best)}."
    by_code, by_head = worse(middle, train, key), more(samples, middle, key)
    if by_code != by_head:
        blame = "the autoencoder" if by_code else "the head"
    elif by_code:
        blame = "the autoencoder and the head"
    else:
        blame = f"the autoencoder, the head or both, which {clouds} clouds do not tell"
    beside = f"decoded training clouds have {_percent(middle.values[key])}"
    return f"Limited by {blame}: {told}; {beside}, {what} {_percent(best)}."


def worse(row: Row, train: Row | None, key: str) -> bool:
    """Whether the 1-NNA of that key is above chance, and above that of the training set, beyond the intervals."""
    low, _ = _interval(row, key)
    above = low > row.values.get(f"{key}_chance", 0.5)
    return above and (train is None or key not in train.values or more(row, train, key))


def more(row: Row, other: Row, key: str) -> bool:
    """Whether a metric of one row is greater than that of another by more than the 95% intervals of both allow.

    The interval of the difference is that of independent values: its half-width is the root of the sum of the squares
    of both. Values of rows with one reference vary together, so their difference varies no more than that.
    """
    low, high = _interval(row, key)[0], _interval(other, key)[1]
    difference = row.values[key] - other.values[key]
    return difference > math.hypot(row.values[key] - low, high - other.values[key])


def too_near(row: Row, key: str, best: float) -> bool:
    """Whether the 1-NNA of that key is below the best one, and its interval below chance: the row repeats clouds."""
    return row.values[key] < best and _interval(row, key)[1] < row.values.get(f"{key}_chance", 0.5)


def _interval(row: Row, key: str) -> tuple[float, float]:
    return row.intervals.get(key, (row.values[key], row.values[key]))


def _coverage(samples: Row, oracles: dict[str, Row]) -> str:
    train = oracles.get(TRAINING)
    if train is None or "cov_cd" not in samples.values.keys() & train.values.keys():
        return ""
    if more(train, samples, "cov_cd"):
        own, best = samples.values["cov_cd"], train.values["cov_cd"]
        return f"Shapes are missing: COV-CD {_percent(own)}, the training set has {_percent(best)}."
    return ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%".replace(".0%", "%")
