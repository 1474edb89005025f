"""Models of the suite by name, trained for an experiment."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pcgen.models import Facts, make
from pcgen.training import fit

__all__ = ["learned", "new"]


def new(name: str, rows: Tensor, **config: Any) -> Any:
    """A model of rows (S, *shape) that has learned nothing; config are arguments of its constructor."""
    return make(name, Facts(tuple(rows.shape[1:]), len(rows)), **config)


def learned(name: str, rows: Tensor, updates: int, options: Mapping[str, Any] | None = None, **config: Any) -> Any:
    """A model after so many updates on rows (S, *shape); options are the training's, the others its recipe's."""
    return fit(new(name, rows, **config), rows, steps=updates, **(options or {}))
