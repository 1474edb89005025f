"""How good a model is on rows that it does not learn from, without a trace in the training's random numbers."""

import torch
from torch import Tensor

from pcgen.models.base import Batch, GenerativeModel, Learner
from pcgen.nets.modes import evaluating
from pcgen.seeds import isolated
from pcgen.training.feed import check_labels, check_rows, shaped

__all__ = ["Validation"]

_MOST_VECTORS, _MOST_SETS = 1000, 64


class Validation:
    """The model's own measure (`Learner.validate`), lower for a better model, on held-out rows.

    It is taken in evaluation mode and from one seed, so that two checkpoints meet the same noise. A measure that
    compares samples with rows grows with the square of their number: it gets at most 1000 vectors or 64 clouds, the
    same ones each time; a loss gets all rows.
    """

    def __init__(self, model: Learner, data: Tensor, labels: Tensor | None = None, *, seed: int = 0) -> None:
        """Check the rows, (V, dim) or (V, M, C) with M at least the model's number of members.

        Raises:
            ValueError: the rows are not of the kind that the model learns from, or their labels not of its classes.
        """
        check_rows(model, data, "validation")
        check_labels(model, labels, len(data), "validation_labels", "validation")
        if type(model.learner).validate is GenerativeModel.validate:  # by samples
            most = _MOST_VECTORS if data.dim() == 2 else _MOST_SETS
            chosen = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[:most].sort().values
            data = data[chosen.to(data.device)]
            labels = None if labels is None else labels[chosen.to(labels.device)]
        self.data, self.labels, self.seed = data, labels, seed

    def __call__(self, model: Learner) -> float:
        """The measure of the model as it is."""
        labels = None if self.labels is None else self.labels.to(model.device)
        with isolated(self.seed, model.device), evaluating(model):
            return float(model.validate(Batch(shaped(self.data, model.learns, model.device), labels=labels)))
