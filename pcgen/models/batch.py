"""What models are given of data: batches of its rows, and the facts that their shapes may depend on."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor

__all__ = ["Batch", "Facts", "check_rows"]


@dataclass(frozen=True)
class Facts:
    """What of the data the shapes of a model may depend on."""

    shape: tuple[int, ...]  # of a row: (dim,) vectors, (members, channels) sets, (points, 3) clouds
    rows: int = 0  # of the training data
    classes: tuple[str, ...] = ()  # which labels are places in; () where there are no labels
    repeats: int = 1  # rows of each thing: row i is of thing i mod (rows / repeats), as codes of samplings are


@dataclass(frozen=True)
class Batch:
    """Some rows of data, with what is known of each."""

    x: Tensor  # (B, *shape)
    rows: Tensor | None = None  # (B,) int64, their places in the training data; None: held out
    labels: Tensor | None = None  # (B,) int64, places in the data's classes
    progress: float = 0.0  # of the training, or of its present phase: in [0, 1)

    def __len__(self) -> int:
        return len(self.x)

    def split(self, size: int) -> Iterator["Batch"]:
        """The rows in parts of at most `size`."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield replace(
                self,
                x=self.x[part],
                rows=None if self.rows is None else self.rows[part],
                labels=None if self.labels is None else self.labels[part],
            )


def check_rows(data: Batch, rows: int) -> None:
    """Refuse training data of another number of rows than the model was made for.

    Raises:
        ValueError: it has another.
    """
    if len(data) != rows:
        raise ValueError(f"rows: must be the {len(data)} rows of the data, got {rows}")
