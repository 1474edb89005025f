"""The labelled clouds of a source: those to learn from and those to be tested on."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pcgen import data
from pcgen.data import Clouds
from pcgen.training.identity import data_identity

__all__ = ["Sets", "check_points", "labelled"]


@dataclass(frozen=True)
class Sets:
    """The labelled clouds to learn from, and those to be tested on, of one source."""

    train: Clouds
    test: Clouds
    labels: Tensor  # (S,), of train
    test_labels: Tensor  # (R,)

    @property
    def about(self) -> dict[str, Any]:
        """What a table's rows must have in common, as JSON values."""
        return {
            "train": {"clouds": len(self.train), **data_identity(self.train.points, self.labels)},
            "test": {"clouds": len(self.test), **data_identity(self.test.points, self.test_labels)},
            "classes": list(self.train.classes),
        }


def labelled(spec: str, **options: Any) -> Sets:
    """Read a labelled set: @train is learned, @test is tested on, and @val is left alone.

    Args:
        spec: SOURCE[:CLASS,CLASS].
        options: of `pcgen.data.load`.

    Raises:
        ValueError: the clouds have no labels, fewer than two classes, no @test, or a class has fewer than two clouds in
            @train; or what `load` raises.
    """
    clouds = data.load(spec, **options)
    present = _labels(clouds, spec).unique().tolist()
    train, test = clouds.split("train"), clouds.split("test")
    sets = Sets(train, test, _labels(train, spec), _labels(test, spec))
    names = [clouds.classes[label] for label in present]
    if len(names) < 2:
        raise ValueError(
            f"{spec}: has one class, {names[0]}, and classification needs two; name more, or the whole set"
        )
    counts = Counter(clouds.classes[label] for label in sets.labels.tolist())
    few = [name for name in names if counts[name] < 2]
    if few:
        named = ", ".join(f"{name} ({counts[name]})" for name in few)
        rest = [name for name in names if name not in few]
        others = f", or name the others: SOURCE:{','.join(rest)}" if len(rest) > 1 else ""
        raise ValueError(
            f"{spec}: every class must have two clouds in @train, for cross-validation; too few has {named}; give "
            f"more{others}"
        )
    return sets


def check_points(sets: Sets, points: int, argument: str) -> None:
    """Hold a number of points against those of the clouds.

    Raises:
        ValueError: the clouds have fewer; the text names the argument.
    """
    stored = sets.train.points.shape[1]
    if stored < points:
        raise ValueError(
            f"{argument}: must be at most {stored}, which the clouds of {sets.train.source} have, got {points}"
        )


def _labels(clouds: Clouds, spec: str) -> Tensor:
    if clouds.labels is None:
        raise ValueError(
            f"{spec}: its clouds have no labels, and classification needs them; give an npz with `labels`, or a folder "
            "with a folder for each class"
        )
    return clouds.labels
