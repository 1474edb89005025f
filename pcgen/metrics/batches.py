"""Which clouds of two sets are compared with each other."""

from collections.abc import Sequence
from statistics import fmean

__all__ = ["batches", "mean_of"]


def batches(samples: int, reference: int, size: int | None) -> list[slice]:
    """Slices of both sets, whose clouds are compared with each other; one slice for each comparison.

    Without a size it is one slice of everything. Otherwise there are batches of `size` clouds, up to the end of the
    smaller set; the last one may be smaller.
    """
    if size is None:
        return [slice(None)]
    both = min(samples, reference)
    return [slice(start, min(start + size, both)) for start in range(0, both, size)]


def mean_of(values: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of every metric over the batches."""
    return {name: fmean(each[name] for each in values) for name in values[0]}
