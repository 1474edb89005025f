"""How many clouds a classifier gets right: of all, of each class, and how sure that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from torch import Tensor

from pcgen.metrics.intervals import share_interval

__all__ = ["Accuracy", "accuracy"]


@dataclass(frozen=True)
class Accuracy:
    """What a classifier reached on test rows.

    Attributes:
        overall: share of rows classified rightly.
        by_class: mean over the rows' classes of the share within each.
        interval: of `overall` over other draws of test rows, 95%; not over other trainings.
        rows: the number of test rows.
        shares: of each class among the rows, by its label, the share classified rightly.
    """

    overall: float
    by_class: float
    interval: tuple[float, float]
    rows: int
    shares: Mapping[int, float]


def accuracy(predicted: Tensor, labels: Tensor, *, seed: int = 0) -> Accuracy:
    """Hold predictions against labels.

    Args:
        predicted: (R,) whole numbers.
        labels: (R,) whole numbers.
        seed: of the interval; torch's global generator is not touched.

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
    return Accuracy(float(right.mean()), fmean(shares.values()), interval, len(right), shares)
