"""The classes of a conditional model: labels sampled, checked, and as vectors for its networks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import not_negative
from pcgen.models.base import Batch, Facts, GenerativeModel

__all__ = ["Conditional", "Known", "Labels", "guided"]

_DROPPED = 0.1  # share of training labels that are hidden, as in Ho & Salimans


class Labels(nn.Module):
    """Labels of `classes`, as vectors (B, K) that are 1 at the label; a row without a known label is 0.

    A tenth of the labels is hidden in training, so that a model also works without labels (Ho, Salimans, 2022,
    Classifier-Free Diffusion Guidance).

    Args:
        classes: K names, which labels are indices into; none is a model without labels, with vectors (B, 0).

    Raises:
        ValueError: a name occurs twice.
    """

    frequencies: Tensor

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__()
        if isinstance(classes, str) or len(set(classes)) < len(classes):
            raise ValueError(f"classes: must be different names, got {classes!r}")
        self.classes = tuple(classes)
        self.register_buffer("frequencies", torch.full((len(self.classes),), 1 / max(1, len(self.classes))))

    def __len__(self) -> int:
        return len(self.classes)

    def fit(self, data: Batch, model: str) -> None:
        """Take the frequency of each class from the training labels.

        Raises:
            ValueError: there are classes, and the data has no labels, or not one for each row.
        """
        if not self.classes:
            return
        if data.labels is None:
            raise ValueError(
                f"labels: {model} has the classes {', '.join(self.classes)} and needs a label of each row, got none; "
                "give labels=, or make it without classes"
            )
        counts = torch.bincount(self.checked(data.labels, len(data)), minlength=len(self.classes))
        self.frequencies.copy_(counts / len(data))

    def draw(self, n: int) -> Tensor | None:
        """Labels as frequent as in training, (n,) int64; None without classes."""
        return torch.multinomial(self.frequencies, n, replacement=True) if self.classes else None

    def vectors(self, labels: Tensor | None, like: Tensor) -> Tensor:
        """Labels (B,) as vectors (B, K) of the type and device of `like` (B, ...); None is known of no row.

        Raises:
            ValueError: labels of a model without classes, not one for each row, or not indices into the classes.
        """
        return self._vectors(None if labels is None else self.checked(labels, len(like)), like)

    def known(self, labels: Tensor | None, like: Tensor, guidance: float = 1.0) -> "Known":
        """Labels (B,) as vectors for rows `like`, (B, ...), with their guidance; None is known of no row.

        Raises:
            ValueError: labels are refused by `vectors`; guidance is below 0, or is not 1 without labels.
        """
        self.check_guidance(guidance, labels)
        return Known(self.vectors(labels, like), guidance)

    def check_guidance(self, guidance: float, labels: Tensor | None) -> None:
        """Raise an error for guidance without labels.

        Raises:
            ValueError: guidance is below 0, or is not 1 without labels.
        """
        not_negative(guidance=guidance)
        if guidance == 1 or (self.classes and labels is not None):
            return
        if self.classes:
            raise ValueError(
                f"guidance: must be 1 where no label is known, got {guidance:g}; give labels=, or leave it out"
            )
        raise ValueError(
            f"guidance: must be 1 for a model without classes, got {guidance:g}: it moves samples towards their label; "
            "leave it out, or train on data of two classes or more"
        )

    def hidden(self, labels: Tensor | None, like: Tensor) -> Tensor:
        """The vectors (B, K) for a loss: in training mode a tenth of the rows is set to 0.

        The training has already checked the labels; checking again would make a device wait at every update.
        """
        vectors = self._vectors(labels, like)
        if not self.classes or not self.training:
            return vectors
        return vectors * (torch.rand(len(vectors), 1, device=vectors.device) >= _DROPPED)

    def _vectors(self, labels: Tensor | None, like: Tensor) -> Tensor:
        out = like.new_zeros(len(like), len(self.classes))
        if labels is None or not self.classes:
            return out
        return out.scatter_(1, labels.to(like.device)[:, None], 1.0)

    def checked(self, labels: Tensor, rows: int) -> Tensor:
        """The labels, if there is one for each row, and all are places in the classes."""
        if not self.classes:
            raise ValueError("labels: this model takes none: it has no classes; leave them out")
        if labels.shape != (rows,):
            raise ValueError(f"labels: must be one for each of {rows} rows, got shape {tuple(labels.shape)}")
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(self.classes):
            raise ValueError(
                f"labels: must be indices into the {len(self.classes)} classes {', '.join(self.classes)}, from 0 on, "
                f"got {int(labels.min())} to {int(labels.max())}"
            )
        return labels


@dataclass(frozen=True)
class Known:
    """What a network is told of the class of some rows.

    Attributes:
        labels: as vectors, (B, K), 0 where no label is known.
        guidance: 1 is the prediction for the label, 0 that without one; more exaggerates the label.
    """

    labels: Tensor
    guidance: float = 1.0

    def guided(self, predict: Callable[[Tensor], Tensor]) -> Tensor:
        """A prediction from labels as vectors, with this guidance."""
        return guided(predict, self.labels, self.guidance)


def guided(predict: Callable[[Tensor], Tensor], y: Tensor, guidance: float) -> Tensor:
    """A network's prediction with guidance: p(0) + guidance (p(y) - p(0)).

    Args:
        predict: p, a function of labels as vectors; 0 is no label.
        y: labels as vectors, (B, K); with K = 0 there is nothing to exaggerate.
        guidance: 1 is p(y), which takes one evaluation; every other value takes two.

    Ho, Salimans (2022). Classifier-Free Diffusion Guidance.
    """
    known = predict(y)
    if guidance == 1 or not y.shape[1]:
        return known
    without = predict(torch.zeros_like(y))
    return without + guidance * (known - without)


class Conditional(GenerativeModel):
    """A generative model that uses labels if the data has two classes or more; it sets `self.labels`."""

    conditional: ClassVar[bool] = True
    """False in a subclass whose networks could take labels, and which leaves them out."""

    labels: Labels

    @classmethod
    def arguments(cls, facts: Facts) -> dict[str, Any]:
        return {"shape": facts.shape, "classes": facts.classes if len(facts.classes) > 1 else ()}

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the classes that labels are places in."""
        return self.labels.classes

    def draw_labels(self, n: int) -> Tensor | None:
        return self.labels.draw(n)
