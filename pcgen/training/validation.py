"""How good a model is on rows that it does not learn from, without a trace in the training's random numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from pcgen.data.thinning import thin
from pcgen.models.base import GradientLearner, Learner
from pcgen.models.inference import evaluating
from pcgen.training.feed import check_rows

__all__ = ["Validation"]

_MOST_VECTORS, _MOST_CLOUDS = 1000, 64


class Validation:
    """The model's own measure (`Learner.validate`), lower for a better model, on held-out rows.

    It is taken in evaluation mode and from one seed, so that two checkpoints meet the same noise. A measure that
    compares samples with rows grows with the square of their number: it gets at most 1000 vectors or 64 clouds, the
    same ones each time; a loss gets all rows.
    """

    def __init__(self, model: Learner, data: Tensor, *, seed: int = 0) -> None:
        """Check the rows, (V, dim) or (V, M, 3) with M at least the model's number of points.

        Raises:
            ValueError: the rows are not of the kind that the model learns from.
        """
        self.points = check_rows(model, data, "validation")
        if not isinstance(model, GradientLearner):
            most = _MOST_VECTORS if self.points is None else _MOST_CLOUDS
            chosen = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[:most]
            data = data[chosen.sort().values.to(data.device)]
        self.data = data
        self.seed = seed

    def __call__(self, model: Learner) -> float:
        """The measure of the model as it is."""
        with _own_randomness(model.device, self.seed), evaluating(model):
            data = self.data.to(model.device, torch.float32)
            return float(model.validate(data if self.points is None else thin(data, self.points)))


@contextmanager
def _own_randomness(device: torch.device, seed: int) -> Iterator[None]:
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield
