"""Labels of a model with classes, from the classes' names."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pcgen.errors import choose

__all__ = ["labels_of", "spread_labels"]


def labels_of(classes: Sequence[str], names: Sequence[str]) -> Tensor:
    """Labels (S,) of the classes of those names, in order.

    Raises:
        ValueError: the model has no classes, or a name is none of theirs.
    """
    if not classes:
        raise ValueError(
            "labels: this model takes none; leave them out, or train one that learns by label (`pcgen models` says "
            "which) on data of two classes or more"
        )
    return torch.tensor([list(classes).index(choose(name, classes, "labels")) for name in names])


def spread_labels(classes: Sequence[str], names: Sequence[str], n: int) -> Tensor:
    """Labels (n,) of the classes of those names, in order, as many of each (the first ones may have one more).

    Raises:
        ValueError: the model has no classes, a name is none of theirs, or n is less than the names.
    """
    places = labels_of(classes, names)
    if not 0 < len(places) <= n:
        raise ValueError(f"labels: must be 1 to {n} classes, which share the {n} clouds, got {len(places)}")
    counts = [n // len(places) + (place < n % len(places)) for place in range(len(places))]
    return places.repeat_interleave(torch.tensor(counts))
