"""Putting clouds in a common place and size before training, and generated clouds back in the data's own units."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pcgen.errors import choose

__all__ = ["NORMALIZATIONS", "Normalization"]

Placement = tuple[Tensor, Tensor]  # offsets (S, 1, 3) and sizes (S, 1, 1)


def _none(points: Tensor) -> Placement:
    count = len(points)
    return points.new_zeros(count, 1, 3), points.new_ones(count, 1, 1)


def _unit_sphere(points: Tensor) -> Placement:
    mean = points.mean(1, keepdim=True)
    return mean, (points - mean).norm(dim=-1).amax(1)[:, None, None]


def _box(points: Tensor) -> Placement:
    low, high = points.amin(1, keepdim=True), points.amax(1, keepdim=True)
    return (low + high) / 2, (high - low).amax(-1, keepdim=True)


def _half_box(points: Tensor) -> Placement:
    middle, side = _box(points)
    return middle, side / 2


_EACH: dict[str, Callable[[Tensor], Placement]] = {
    "none": _none,
    "unit_sphere": _unit_sphere,
    "unit_box": _box,
    "bbox": _half_box,
}

NORMALIZATIONS = (*_EACH, "global_std")


@dataclass(frozen=True)
class Normalization:
    """A change of place and size of clouds, `(x - offset) / size`, by name.

    - `none`: the identity.
    - `unit_sphere`: each cloud's mean becomes 0 and its farthest point has norm 1.
    - `unit_box`: each cloud's bounding box is centred at 0 and its longest side becomes 1.
    - `bbox`: the same with the longest side 2, from -1 to 1 (Luo and Hu, 2021, Diffusion probabilistic models for 3D
      point cloud generation).
    - `global_std`: one mean (3,) and one standard deviation of all coordinates about it, of the training set, for every
      cloud (Yang et al., 2019, PointFlow: 3D point cloud generation with continuous normalizing flows).

    A generated cloud has no place and size of its own: `undo` puts it at `offset` with `size`, which `fit` takes from
    the training set: its mean and deviation under `global_std`, and otherwise the mean over its clouds of their offsets
    and sizes. `undo(apply(x))` is x for `none` and `global_std`; elsewhere it is x at the training set's typical place
    and size.
    """

    name: str
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    size: float = 1.0
    fitted: bool = False

    def __post_init__(self) -> None:
        choose(self.name, NORMALIZATIONS, "normalization")

    def fit(self, points: Tensor) -> "Normalization":
        """The normalisation of the same name that remembers the training clouds (S, N, 3).

        Raises:
            ValueError: a cloud is one point repeated, so that it has no size, or all points are one.
        """
        _check(points)
        if self.name == "global_std":
            wide = points.double()
            mean = wide.mean((0, 1))
            deviation = float((wide - mean).square().mean().sqrt())
            if not deviation > 0:
                raise ValueError(
                    f"points: all {points.shape[0] * points.shape[1]} are equal, global_std needs a spread"
                )
            return Normalization(self.name, _triple(mean), deviation, fitted=True)
        offset, size = self._placement(points)
        return Normalization(self.name, _triple(offset.double().mean((0, 1))), float(size.double().mean()), fitted=True)

    def apply(self, points: Tensor) -> Tensor:
        """Clouds (S, N, 3) in normalised units, new float tensor of the same type.

        Raises:
            ValueError: a cloud has no size, or `global_std` has not been fitted.
        """
        _check(points)
        if self.name == "none":
            return points
        offset, size = self._placement(points)
        return (points - offset) / size

    def undo(self, points: Tensor) -> Tensor:
        """Normalised clouds (S, N, 3) in the data's units, at the training set's place and size.

        Raises:
            ValueError: nothing has been fitted.
        """
        _check(points)
        if self.name == "none":
            return points
        self._need_fit()
        return points * self.size + points.new_tensor(self.offset)

    def to_dict(self) -> dict[str, Any]:
        """The normalisation as JSON values."""
        return {"name": self.name, "offset": list(self.offset), "size": self.size, "fitted": self.fitted}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Normalization":
        """The normalisation that `to_dict` described.

        Raises:
            ValueError: the name is unknown, or a value is missing or no number.
        """
        try:
            x, y, z = (float(value) for value in values["offset"])
            return cls(str(values["name"]), (x, y, z), float(values["size"]), bool(values["fitted"]))
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"normalization: must have name, offset of three numbers, size and fitted, got {dict(values)} ({error})"
            ) from None

    def _placement(self, points: Tensor) -> Placement:
        if self.name == "global_std":
            self._need_fit()
            return points.new_tensor(self.offset).expand(len(points), 1, 3), points.new_tensor(self.size)
        offset, size = _EACH[self.name](points)
        flat = (size <= 0).flatten()
        if flat.any():
            raise ValueError(
                f"points: cloud {int(flat.int().argmax())} is one point repeated ({int(flat.sum())} of {len(points)} "
                f"are), and {self.name} needs a size to divide by; leave such clouds out"
            )
        return offset, size

    def _need_fit(self) -> None:
        if not self.fitted:
            raise ValueError(f"normalization: {self.name} must be fitted to training clouds first; call fit(points)")


def _check(points: Tensor) -> None:
    if points.ndim != 3 or points.shape[-1] != 3 or 0 in points.shape:
        raise ValueError(f"points: must be clouds (S, N, 3) with S and N at least 1, got {tuple(points.shape)}")


def _triple(vector: Tensor) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z
