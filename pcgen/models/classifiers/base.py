"""The base of all classifiers of clouds: their classes, the fully connected layers, cross-entropy."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, fraction
from pcgen.models.base import Batch, Facts, GradientLearner, Recipe
from pcgen.models.inference import in_batches
from pcgen.models.shape import accepted
from pcgen.nets.pointwise import PointwiseMLP

__all__ = ["Classifier", "in_unit_sphere"]


class Classifier(GradientLearner):
    """Classes of clouds, learned from labels.

        loss = mean over the batch of -log softmax(logits(x))[label]

    A subclass encodes clouds that are normalised to the unit sphere (mean 0, farthest point at distance 1), as in both
    papers: the position, size and unit of a cloud do not matter.

    Args:
        shape: (points, 3) of the clouds in training; any number of points can be classified.
        classes: the names of the classes, which labels are indices into.
        code: width of what `encode` returns.
        dropout: probability of zeroing a unit of the two hidden layers, of 512 and 256, in training.
        name: of the model, for messages.
    """

    accepts: ClassVar[tuple[str, ...]] = ("cloud",)

    def __init__(self, shape: Sequence[int], classes: Sequence[str], code: int, dropout: float, name: str) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, name)
        if isinstance(classes, str) or len(classes) < 2 or len(set(classes)) < len(classes):
            raise ValueError(f"classes: must be two different names or more, got {classes!r}")
        at_least(1, code=code)
        fraction(dropout=dropout)
        self.classes = tuple(classes)
        self.hidden = nn.Sequential(PointwiseMLP((code, 512)), nn.Dropout(dropout), PointwiseMLP((512, 256)))
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(256, len(self.classes))

    @classmethod
    def arguments(cls, facts: Facts) -> dict[str, Any]:
        return {"shape": facts.shape, "classes": facts.classes}

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=5000, batch_size=32)

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Codes (B, code) of clouds (B, N, 3) in the unit sphere."""

    def features(self, x: Tensor) -> Tensor:
        """The last layer before the logits, (B, 256), of clouds (B, N, 3): the features for Frechet distances."""
        hidden: Tensor = self.hidden(self.encode(in_unit_sphere(x)))
        return hidden

    def logits(self, x: Tensor) -> Tensor:
        """Unnormalised log-probabilities of the classes, (B, K), of clouds (B, N, 3)."""
        return self._logits(self.encode(in_unit_sphere(x)))

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """The most likely class of each cloud, (B,) int64, without a graph."""
        return self.logits(x).argmax(1)

    def accuracy(self, x: Tensor, labels: Tensor) -> float:
        """Share of clouds (B, N, 3) that are classified correctly, a batch at a time in evaluation mode."""
        right = in_batches(self, self.predict, x) == labels.to(self.device)
        return float(right.double().mean())

    def update(self, batch: Batch) -> dict[str, Tensor]:
        if len(batch) < 2:
            raise ValueError("batch_size: must be at least 2 for a classifier's batch norms, got a batch of one cloud")
        return super().update(batch)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return self.cross_entropy(self.encode(in_unit_sphere(batch.x)), batch.labels)

    def cross_entropy(self, codes: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """The loss of codes (B, code) whose clouds have these labels, (B,)."""
        if labels is None:
            raise ValueError(
                f"labels: a {type(self).__name__} learns from labels, got none; give labels= to the training (and "
                "validation= as clouds with labels)"
            )
        if int(labels.min()) < 0 or int(labels.max()) >= len(self.classes):
            raise ValueError(
                f"labels: must be indices into the {len(self.classes)} classes of the model, got "
                f"{int(labels.min())} to {int(labels.max())}; make it with the data's classes"
            )
        return {"cross_entropy": nn.functional.cross_entropy(self._logits(codes), labels)}

    def _logits(self, codes: Tensor) -> Tensor:
        logits: Tensor = self.last(self.dropout(self.hidden(codes)))
        return logits


def in_unit_sphere(x: Tensor) -> Tensor:
    """Clouds (B, N, 3 + F) with their mean at 0 and their outermost point at distance 1; a single point stays at 0.

    The features of points stay as they are.
    """
    points, features = x[..., :3], x[..., 3:]
    points = points - points.mean(1, keepdim=True)
    size = points.norm(dim=2).amax(1)[:, None, None]  # (B, 1, 1)
    return torch.cat((points / torch.where(size > 0, size, torch.ones_like(size)), features), 2)
