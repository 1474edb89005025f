"""A summary of a report in a few sentences: what limits a set of samples, and how certain that is."""

from pcgen.metrics.report import Report
from pcgen.metrics.row import Row
from pcgen.metrics.sets import SECOND, TRAINING

__all__ = ["DECODED", "too_near", "verdict"]

DECODED = "training set decoded"
_FEW = 100  # with fewer clouds per set, an interval of a 1-NNA is wider than 18 percentage points
_COPIES = 0.05  # the share of second samplings beyond the threshold of a copy
_NEARER = -3.0  # with a Z_U below it, samples are significantly nearer to the training set than new data
_NAMES = {"one_nna_cd": "1-NNA-CD", "one_nna_emd": "1-NNA-EMD"}


def verdict(report: Report, decoded: bool = True) -> list[str]:
    """Sentences about the samples of a report, the most important first; none if the report lacks the metrics.

    Copying comes first, since it makes every other metric good. Then quality: whether samples differ from the
    reference significantly more than the training set does. If so, the row of decoded training clouds shows whether
    the autoencoder or the head causes it. Then coverage, and whether there are enough clouds for these statements.

    Args:
        report: of the samples and the oracles.
        decoded: whether the samples are decoded codes, so that decoded training clouds are the best they can be.
    """
    samples = report.rows[0]
    oracles = {row.name: row for row in report.rows[1:]}
    found = [_copying(samples, oracles.get(SECOND)), _quality(samples, oracles, decoded), _coverage(samples, oracles)]
    reference = report.reference.get("clouds", samples.clouds)
    if any(found) and min(samples.clouds, reference) < _FEW:
        found.append(f"{min(samples.clouds, reference)} clouds per set are few: use {_FEW} or more.")
    return [sentence for sentence in found if sentence]


def _copying(samples: Row, second: Row | None) -> str:
    copies, nearer = samples.values.get("copies"), samples.values.get("z_u_cd")
    usual = max(_COPIES, 2 * (second.values.get("copies", 0.0) if second else 0.0))
    if copies is not None and copies > usual:
        beside = f" ({_percent(second.values['copies'])} of new data)" if second and "copies" in second.values else ""
        return f"Copies: {_percent(copies)} of the samples{beside} are as near to a training cloud as a copy of it."
    if nearer is not None and nearer < _NEARER:
        return f"Nearer to the training set than new data: Z_U is {nearer:.1f}, for new data between -2 and 2."
    return ""


def _quality(samples: Row, oracles: dict[str, Row], decoded: bool) -> str:
    key = next((key for key in _NAMES if key in samples.values), None)
    if key is None:
        return ""
    own, chance = samples.values[key], samples.values.get(f"{key}_chance", 0.5)
    low, high = samples.intervals.get(key, (own, own))
    known = TRAINING in oracles and key in oracles[TRAINING].values
    best = max(oracles[TRAINING].values[key], chance) if known else chance
    what = "the training set has" if best > chance else "chance is"
    told = f"{_NAMES[key]} {_percent(own)} ({100 * low:.0f} to {100 * high:.0f})"
    if too_near(samples, key, best):
        return f"Too near to the reference: {told}, below chance: samples repeat reference clouds, or each other."
    if low <= best:
        unsure = f"No difference from {'the training set' if known else 'data'} found with {samples.clouds} clouds"
        return f"{unsure}: {told}, {what} {_percent(best)}."
    middle = oracles[DECODED].values.get(key) if decoded and DECODED in oracles else None
    if middle is None:
        return f"Different from data: {told}, {what} {_percent(best)}."
    by_code, by_head = middle - best, own - middle
    blame = "the autoencoder" if by_code > by_head else "the head"
    return f"Limited by {blame}: {told}; decoded training clouds have {_percent(middle)}, {what} {_percent(best)}."


def too_near(row: Row, key: str, best: float) -> bool:
    """Whether the 1-NNA of that key is below the best one, and its interval below chance: the row repeats clouds."""
    own = row.values[key]
    _, high = row.intervals.get(key, (own, own))
    return own < best and high < row.values.get(f"{key}_chance", 0.5)


def _coverage(samples: Row, oracles: dict[str, Row]) -> str:
    own, train = samples.values.get("cov_cd"), oracles.get(TRAINING)
    if own is None or train is None or "cov_cd" not in train.intervals:
        return ""
    if own < train.intervals["cov_cd"][0]:
        return f"Shapes are missing: COV-CD {_percent(own)}, the training set has {_percent(train.values['cov_cd'])}."
    return ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%".replace(".0%", "%")
