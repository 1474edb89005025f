"""The accuracy of a classifier of clouds: overall, for each class, and with an interval."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

from torch import Tensor

from pcgen.metrics.intervals import share_interval

__all__ = ["Accuracy", "accuracy"]


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of a classifier on test rows.

    Attributes:
        overall: share of rows that are classified correctly.
        by_class: mean of this share over the classes of the rows.
        interval: the 95% interval of `overall` over random test sets; it does not include the variation of training.
        rows: the number of test rows.
        shares: by label, the share of this class that is classified correctly.
        right: of each row, whether it is classified correctly: two classifiers of the same rows are compared by it.
    """

    overall: float
    by_class: float
    interval: tuple[float, float]
    rows: int
    shares: Mapping[int, float]
    right: tuple[bool, ...] = field(default=(), repr=False)


def accuracy(predicted: Tensor, labels: Tensor, *, seed: int = 0) -> Accuracy:
    """Compare predictions with labels.

    Args:
        predicted: (R,) whole numbers.
        labels: (R,) whole numbers.
        seed: of the interval; torch's global generator is not used.

    Raises:
        ValueError: there is no row, or the shapes differ.
    """
    if labels.ndim != 1 or not len(labels) or predicted.shape != labels.shape:
        raise ValueError(
            f"predicted, labels: must be one number each for every row, (R,), got {tuple(predicted.shape)} and "
            f"{tuple(labels.shape)}"
        )
    right = (predicted.cpu() == labels.cpu()).double()
    shares = {label: float(right[labels.cpu() == label].mean()) for label in labels.unique().tolist()}
    interval = share_interval(right, seed=seed)
    each = tuple(map(bool, right.tolist()))
    return Accuracy(float(right.mean()), fmean(shares.values()), interval, len(right), shares, each)
