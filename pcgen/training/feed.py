"""The training data as a model is fed with it: checked, shuffled, thinned, augmented."""

import torch
from torch import Tensor

from pcgen import ranks
from pcgen.data.clouds import Clouds
from pcgen.data.thinning import thin
from pcgen.models.base import Batch, Learner
from pcgen.models.domains import check_domain
from pcgen.ops import farthest_points, take_points
from pcgen.training.options import Options, batches
from pcgen.training.state import State

__all__ = ["Feed", "as_rows", "check_labels", "check_rows", "shaped"]


class Feed:
    """The training data as batches for one model.

    Every epoch is a permutation of the rows. A last uneven batch is kept if it has two rows for every rank, since batch
    normalisation cannot learn from one, and dropped otherwise, unless it is the only one. Ranks share every batch, one
    row more or less each, and their gradients weigh the same.

    Args:
        model: tells by `learns` what a row must be; clouds of more points are thinned afresh at each draw.
        data: (S, dim) vectors or (S, M, C) sets, M at least the model's number of members.
        labels: (S,) int64; None for a model without classes.
        options: of the training, settled.

    Raises:
        ValueError: a shape does not fit the model, a value is not finite or not of the model's domain, labels are
            missing or no places in its classes, or the batches are too small.
    """

    def __init__(self, model: Learner, data: Tensor, labels: Tensor | None, options: Options) -> None:
        check_rows(model, data)
        check_labels(model, labels, len(data))
        self.data = data
        self.labels = labels
        self.augment = options.augment
        self.device = model.device
        self.shape = model.learns
        self.even = model.even
        self.batch_size = options.batch_size or len(data)
        least = 2 * ranks.count() if ranks.count() > 1 else 1
        if self.batch_size < least:
            raise ValueError(
                f"batch_size: must be at least {least} for {ranks.count()} processes (two rows each), "
                f"got {self.batch_size}"
            )
        self.per_epoch = batches(len(data), self.batch_size)

    def all(self) -> Batch:
        """The whole data on the model's device, each cloud with as many points as the model has, not augmented."""
        labels = None if self.labels is None else self.labels.to(self.device)
        rows = torch.arange(len(self.data), device=self.device)
        return Batch(shaped(self.data, self.shape, self.device), rows, labels)

    def draw(self, state: State, progress: float = 0.0) -> Batch:
        """This rank's share of the next batch; `state` moves on by one batch."""
        if not len(state.order) or state.batch >= self.per_epoch:  # more, if more ranks go on
            state.epoch += state.batch > 0
            state.order, state.batch = ranks.first(torch.randperm(len(self.data))), 0
        start = state.batch * self.batch_size
        rows = state.order[start : start + self.batch_size].tensor_split(ranks.count())[ranks.index()]
        state.batch += 1
        return self.batch(rows, progress)

    def batch(self, rows: Tensor, progress: float = 0.0) -> Batch:
        """The given rows of the data, (B,)."""
        x = self._points(rows.to(self.data.device)).to(self.device, torch.float32)
        labels = None if self.labels is None else self.labels[rows.to(self.labels.device)].to(self.device)
        return Batch(x if self.augment is None else self.augment(x), rows.to(self.device), labels, progress)

    def _points(self, rows: Tensor) -> Tensor:
        """The rows, each cloud with as many of its points as the model has.

        One draw of places serves the whole batch: each cloud's points are uniform without replacement, and there are no
        keys to be drawn and sorted for every point of every cloud. Where the model wants them even, each point is the
        farthest from those before it, from one drawn at random on.
        """
        if len(self.shape) == 1 or self.data.shape[1] == self.shape[0]:
            return self.data[rows]
        if self.even:
            clouds = self.data[rows]
            start = torch.randint(clouds.shape[1], (len(clouds),), device=clouds.device)
            return take_points(clouds, farthest_points(clouds, self.shape[0], start))
        places = torch.randperm(self.data.shape[1], device=self.data.device)[: self.shape[0]]
        return self.data[rows[:, None], places]


def shaped(x: Tensor, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Rows of data as a model takes them: float32 on its device, each set with as many members as it has."""
    x = x.to(device, torch.float32)
    return x if len(shape) == 1 else thin(x, shape[0])


def check_rows(model: Learner, data: Tensor, name: str = "data") -> None:
    """Refuse data that is not of rows as the model learns them.

    Raises:
        ValueError: the shapes differ, a set has too few members, there is no row, a value is not finite, or not of the
            model's domain.
    """
    shape = getattr(model, "learns", None)
    kind = type(model).__name__
    if shape is None:
        raise ValueError(f"model: {kind} has no `shape`: give it (dim,) for vectors, (points, 3) for clouds")
    if data.dim() != 1 + len(shape) or data.shape[-1] != shape[-1] or not len(data):
        wanted = f"(S, {shape[0]})" if len(shape) == 1 else f"(S, M, {shape[1]}) with M >= {shape[0]}"
        raise ValueError(f"{name}: must be {wanted} with S >= 1 for this {kind}, got {tuple(data.shape)}")
    if len(shape) == 2 and data.shape[1] < shape[0]:
        raise ValueError(
            f"{name}: clouds must have at least the {shape[0]} points of this {kind}, got {data.shape[1]}; "
            "make the model with fewer points"
        )
    finite = torch.isfinite(data.flatten(1)).all(1)
    if not finite.all():
        bad = (~finite).nonzero().flatten()
        raise ValueError(f"{name}: row {int(bad[0])} has NaN or infinite values ({len(bad)} of {len(data)} rows have)")
    check_domain(model.domain, data, kind)


def check_labels(model: Learner, labels: Tensor | None, rows: int, name: str = "labels", of: str = "data") -> None:
    """Refuse labels that a model cannot learn from: those of a model with classes must be indices into them.

    Raises:
        ValueError: labels are not integers, not one per row, are missing, or are no indices into the model's classes.
    """
    if labels is not None and labels.shape != (rows,):
        raise ValueError(f"{name}: must be one per row of {of}, ({rows},), got {tuple(labels.shape)}")
    if labels is not None and (labels.is_floating_point() or labels.is_complex()):
        raise ValueError(f"{name}: must be integers, got {labels.dtype}; convert them with .long()")
    if not model.classes:
        return
    known = f"the {len(model.classes)} classes {', '.join(model.classes)} of this {type(model).__name__}"
    if labels is None:
        raise ValueError(f"{name}: must be one per row of {of}, indices into {known}, got none; give {name}=")
    if not 0 <= int(labels.min()) <= int(labels.max()) < len(model.classes):
        raise ValueError(
            f"{name}: must be indices into {known}, from 0 on, got {int(labels.min())} to {int(labels.max())}; make "
            "the model with the data's classes"
        )


def as_rows(model: Learner, data: Tensor | Clouds, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Data as tensors: a set of clouds gives its points, and its labels where none are given.

    Returns:
        rows (S, ...), and labels (S,) int64: indices into the classes of the model, where it has some.

    Raises:
        ValueError: the data is of another type, or has clouds of a class that the model has not.
    """
    if isinstance(data, Clouds):
        return data.points, _labels(model, data) if labels is None else _integers(labels)
    if not isinstance(data, Tensor):
        raise ValueError(f"data: must be a tensor or pcgen.data.Clouds, got {type(data).__name__}; try torch.as_tensor")
    return data, _integers(labels)


def _labels(model: Learner, clouds: Clouds) -> Tensor | None:
    """The labels of clouds, whose classes may be others than the model's, or in another order."""
    if clouds.labels is None or not model.classes or clouds.classes == tuple(model.classes):
        return clouds.labels
    used = [clouds.classes[place] for place in clouds.labels.unique().tolist()]
    if lacking := sorted(set(used) - set(model.classes)):
        raise ValueError(
            f"data: must be of the classes {', '.join(model.classes)} of this {type(model).__name__}, got clouds of "
            f"{', '.join(lacking)} (from {clouds.source}); make the model with the data's classes, or give labels="
        )
    places = {name: place for place, name in enumerate(model.classes)}
    return torch.tensor([places.get(name, -1) for name in clouds.classes], device=clouds.labels.device)[clouds.labels]


def _integers(labels: Tensor | None) -> Tensor | None:
    """Labels of any type of integers as int64; others are left to `check_labels`."""
    if labels is None or labels.is_floating_point() or labels.is_complex():
        return labels
    return labels.long()
