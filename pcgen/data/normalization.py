"""Normalisation of position and size of clouds before training, and its inverse for generated clouds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pcgen.data.boxes import move
from pcgen.data.clouds import Clouds
from pcgen.data.origin import ZERO, Triple, common_origin
from pcgen.data.placement import EACH, Placement
from pcgen.errors import choose

__all__ = ["NORMALIZATIONS", "Normalization"]

_AT_ONCE = 256  # clouds per step in float64


NORMALIZATIONS = ("none", *EACH, "global_std")


@dataclass(frozen=True)
class Normalization:
    """A change of position and size of clouds, `(x - offset) / size`, by name.

    - `none`: the identity on the points of `Clouds`, which are true coordinates minus the training set's origin.
    - `unit_sphere`: each cloud's mean becomes 0 and its farthest point has norm 1.
    - `unit_box`: each cloud's bounding box is centred at 0 and its longest side becomes 1.
    - `bbox`: the same with the longest side 2, from -1 to 1 (Luo and Hu, 2021, Diffusion probabilistic models for 3D
      point cloud generation).
    - `global_std`: the mean (3,) and the standard deviation of all coordinates of the training set, the same for every
      cloud (Yang et al., 2019, PointFlow: 3D point cloud generation with continuous normalizing flows).

    Clouds are normalised with all their points, before they are thinned. So a cloud's position and size do not depend
    on the points that are used; those of a surface are of the same 2048 points, however many are sampled. `Clouds` that
    were thinned first may know theirs (`Clouds.whole`). A tensor has true coordinates; `Clouds` may be relative to an
    origin. All computations are in float64.

    A generated cloud has no position and size of its own. `undo` gives it `offset` and `size`, which `fit` computes
    from the training set: the mean and standard deviation for `global_std`, otherwise the mean offset and size of its
    clouds. `undo(apply(x))` is x for `none` and `global_std`; otherwise it is x at the training set's mean position and
    size. `place` also returns the clouds' own positions and sizes, whose `undo` is the inverse for every name.
    """

    name: str
    offset: Triple = ZERO  # true coordinates
    size: float = 1.0
    fitted: bool = False
    origin: Triple = ZERO  # not 0 if float32 is not precise enough for the training set's true coordinates

    def __post_init__(self) -> None:
        choose(self.name, NORMALIZATIONS, "normalization")
        if not (math.isfinite(self.size) and self.size > 0):
            raise ValueError(f"normalization: size must be a positive number, got {self.size}")

    @property
    def each(self) -> bool:
        """Whether every cloud is normalised by its own position and size."""
        return self.name in EACH

    def fit(self, points: Tensor | Clouds) -> "Normalization":
        """The normalisation of the same name, fitted to training clouds, (S, N, 3) or `Clouds`.

        Raises:
            ValueError: a cloud is one point repeated, so that it has no size, or all points are equal.
        """
        _check(points)
        if self.each:
            return self.fit_placement(self.place(points)[1])
        clouds = points if isinstance(points, Clouds) else Clouds.of(points.detach())
        if self.name == "none":
            return Normalization(self.name, clouds.origin, fitted=True, origin=clouds.origin)
        # Relative to the clouds' origin, since large coordinates would lose precision in the mean of squares.
        wide = clouds.points.double()
        mean = wide.mean((0, 1))
        deviation = float((wide - mean).square().mean().sqrt())
        if not deviation > 0:
            raise ValueError(f"points: all {wide.shape[0] * wide.shape[1]} are equal, global_std needs a spread")
        offset = _triple(mean + mean.new_tensor(clouds.origin))
        return Normalization(self.name, offset, deviation, fitted=True, origin=clouds.origin)

    def fit_placement(self, placement: Placement) -> "Normalization":
        """The normalisation fitted to the positions and sizes of training clouds, if each cloud has its own."""
        offset, size = placement.offset[:, 0], placement.size[:, 0]  # (S, 3), (S, 1)
        low, high = ((offset + side * size).detach().cpu().numpy() for side in (-1, 1))
        origin = common_origin(low, high)
        return Normalization(self.name, _triple(offset.mean(0)), float(size.mean()), fitted=True, origin=origin)

    def apply(self, points: Tensor | Clouds) -> Tensor:
        """Clouds (S, N, 3) in normalised units, float32.

        Raises:
            ValueError: a cloud has no size, or `global_std` has not been fitted.
        """
        return self.place(points)[0]

    def place(self, points: Tensor | Clouds) -> tuple[Tensor, Placement]:
        """Clouds (S, N, 3) in normalised units, float32, and the position and size of each, which undo it.

        Raises:
            ValueError: a cloud has no size, or `global_std` has not been fitted.
        """
        _check(points)
        if self.name == "none":
            clouds = points if isinstance(points, Clouds) else Clouds.of(points)
            clouds = clouds.at(self.origin) if self.fitted else clouds
            return clouds.points, Placement(*_same(clouds.origin, 1.0, clouds.points), self._dtype(points))
        known = None
        if isinstance(points, Clouds):
            stored, origin = points.points, points.origin
            if points.whole is not None and points.whole[0] == self.name:
                known = points.whole[1]
        else:
            stored, origin = points, ZERO
        parts = []
        for part, rows in zip(stored.split(_AT_ONCE), torch.arange(len(stored)).split(_AT_ONCE), strict=True):
            wide = part.double() + part.new_tensor(origin, dtype=torch.float64)
            parts.append(self._place(wide, None if known is None else known.select(rows)))
        offset, size, placed = (torch.cat(each) for each in zip(*parts, strict=True))
        flat = (size <= 0).flatten()
        if flat.any():
            raise ValueError(
                f"points: cloud {int(flat.int().argmax())} is one point repeated ({int(flat.sum())} of {len(stored)} "
                f"are), and {self.name} needs a size to divide by; leave such clouds out"
            )
        return placed, Placement(offset, size, self._dtype(points))

    def apply_to(self, clouds: Clouds) -> Clouds:
        """The clouds in normalised units, with all their properties; boxes are transformed like the points.

        Raises:
            ValueError: as for `apply`.
        """
        if self.name == "none":
            return clouds
        points, place = self.place(clouds)
        offset = place.offset - place.offset.new_tensor(clouds.origin)
        boxes = None if clouds.boxes is None else move(clouds.boxes, offset, place.size)
        return replace(clouds, points=points, boxes=boxes, origin=ZERO, whole=None)

    def undo(self, points: Tensor) -> Tensor:
        """Normalised clouds (S, N, 3) in the data's units, at the training set's position and size.

        They are true coordinates: float64 if float32 is not precise enough for the training set, otherwise of the same
        type.

        Raises:
            ValueError: the normalisation is not fitted.
        """
        _check(points)
        if self.name == "none" and self.origin == ZERO:
            return points
        self._need_fit()
        undone = points.clone() if self.origin == ZERO else points.to(torch.float64, copy=True)
        return undone.mul_(self.size).add_(undone.new_tensor(self.offset))  # in place: samples may fill the memory

    def to_dict(self) -> dict[str, Any]:
        """The normalisation as JSON values."""
        about = {"name": self.name, "offset": list(self.offset), "size": self.size, "fitted": self.fitted}
        return about if self.origin == ZERO else {**about, "origin": list(self.origin)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Normalization":
        """The normalisation from the values of `to_dict`.

        Raises:
            ValueError: the name is unknown, or a value is missing or not a number.
        """
        try:
            x, y, z = (float(value) for value in values["offset"])
            a, b, c = (float(value) for value in values.get("origin", ZERO))
            name, size, fitted = str(values["name"]), float(values["size"]), bool(values["fitted"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"normalization: must have name, offset of three numbers, size and fitted, got {dict(values)} ({error})"
            ) from None
        return cls(name, (x, y, z), size, fitted, (a, b, c))

    def _place(self, wide: Tensor, known: Placement | None) -> tuple[Tensor, Tensor, Tensor]:
        """Offsets (S, 1, 3) and sizes (S, 1, 1) of true coordinates (S, N, 3), and the normalised clouds, float32."""
        if known is not None:
            offset, size = known.offset.to(wide.device), known.size.to(wide.device)
        elif self.each:
            offset, size = EACH[self.name](wide)
        else:
            self._need_fit()
            offset, size = _same(self.offset, self.size, wide)
        return offset, size, ((wide - offset) / size).float()

    def _dtype(self, points: Tensor | Clouds) -> torch.dtype:
        """The type of the clouds' true coordinates: float64 if float32 may not be precise enough."""
        given = (
            points.dtype if isinstance(points, Tensor) else torch.float32 if points.origin == ZERO else torch.float64
        )
        return torch.float32 if given == torch.float32 and self.origin == ZERO else torch.float64

    def _need_fit(self) -> None:
        if not self.fitted:
            raise ValueError(f"normalization: {self.name} must be fitted to training clouds first; call fit(points)")


def _same(offset: Triple, size: float, points: Tensor) -> tuple[Tensor, Tensor]:
    """The same offset and size for every cloud of (S, N, 3), float64: (S, 1, 3) and (S, 1, 1)."""
    place = points.new_tensor(offset, dtype=torch.float64).expand(len(points), 1, 3)
    return place, torch.full_like(place[..., :1], size)


def _check(points: Tensor | Clouds) -> None:
    shape = points.shape if isinstance(points, Tensor) else points.points.shape
    if len(shape) != 3 or shape[-1] != 3 or 0 in shape:
        raise ValueError(f"points: must be clouds (S, N, 3) with S and N at least 1, got {tuple(shape)}")


def _triple(vector: Tensor) -> Triple:
    x, y, z = vector.tolist()
    return x, y, z
