"""Stacking of clouds, while they are read, into one float32 array with one number of points and one origin."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from pcgen.data.origin import ZERO, Floats, Stored, Triple, common_origin, held, refuse_unheld, shown
from pcgen.data.source import too_large
from pcgen.data.thinning import thinned_rows

__all__ = ["Cloud", "Pile", "thinned"]


@dataclass(frozen=True)
class Cloud:
    """A valid cloud, whole or thinned, with properties of the whole cloud."""

    points: Tensor  # (N, 3) float32, or float64 if the source has more digits
    normals: Tensor | None  # (N, 3) float32
    low: Floats  # (3,): the smallest coordinates before thinning
    high: Floats  # (3,)
    stored: int  # points before thinning
    coarse: Stored | None  # the coordinates in its file, if their type lost the shape


def thinned(cloud: Cloud, count: int, key: str, seed: int) -> Cloud:
    """The cloud with `count` of its points, or unchanged if it has no more than these."""
    if len(cloud.points) <= count:
        return cloud
    keep = thinned_rows(len(cloud.points), count, key, seed)
    normals = None if cloud.normals is None else cloud.normals[keep]
    return replace(cloud, points=cloud.points[keep], normals=normals)


class Pile:
    """An array of clouds, to which clouds are added one by one.

    Args:
        most: maximum number of clouds.
        source: name of the source, for messages.
        max_bytes: maximum memory of the array.
        base: the origin that the source gives, y up; 0 for clouds that were normalised each by itself.
        least: if given, clouds are thinned to the size of the smallest, or to as many points as `max_bytes` allows, at
            least this number.
        seed: of thinning.
    """

    def __init__(self, most: int, source: str, max_bytes: int, base: Triple, least: int | None, seed: int) -> None:
        self.most, self.source, self.max_bytes = most, source, max_bytes
        self.base, self.least, self.seed = base, least, seed
        self.rows: list[int] = []
        self.names: list[str] = []
        self.keys: list[str] = []
        self.stored: list[int] = []  # number of points of each before thinning
        self.sizes: dict[int, str] = {}  # every number of points so far, with the name of its first cloud
        self.bare: list[str] = []  # names of clouds without normals
        self.points = self.normals = np.zeros((0, 0, 3), dtype=np.float32)
        self.bounds: list[tuple[Floats, Floats]] = []  # low and high of each
        self.coarse: list[tuple[str, Stored]] = []  # stored too far from 0 for their type
        self.origins: list[Triple] = []  # the origin of each one's points, until all clouds are known

    def add(self, row: int, name: str, key: str, cloud: Cloud) -> None:
        """Add a cloud, with its row in the source, its name, and its key."""
        if not self.rows:
            self._allocate(cloud)
        if self.shrink and len(cloud.points) < self.points.shape[1]:
            self._shrink(len(cloud.points))
        if self.shrink:
            cloud = thinned(cloud, self.points.shape[1], key, self.seed)
        self.rows.append(row)
        self.names.append(name)
        self.keys.append(key)
        self.stored.append(cloud.stored)
        self.sizes.setdefault(len(cloud.points) if not self.shrink else cloud.stored, name)
        if cloud.normals is None:
            self.bare.append(name)
        if cloud.coarse is not None:
            self.coarse.append((name, cloud.coarse))
        if len(self.sizes) > 1 and not self.shrink:
            return  # they cannot be stacked; the others are read to report the whole range
        fits = bool(held(cloud.low[None], cloud.high[None], self.base))
        x, y, z = self.base if fits else ((cloud.low + cloud.high) / 2).tolist()
        self.origins.append((x, y, z))
        self.bounds.append((cloud.low, cloud.high))
        place = len(self.rows) - 1
        self.points[place] = _about(cloud.points, (x, y, z)).numpy()
        if cloud.normals is not None and len(self.normals):
            self.normals[place] = cloud.normals.numpy()

    def stacked(self) -> tuple[Tensor, Tensor | None, Triple, tuple[str, ...]]:
        """Points, normals if every cloud has them, the points' origin, and notes for the user.

        Raises:
            ValueError: the clouds have different numbers of points, or are too far from each other for float32.
        """
        small, large = min(self.sizes), max(self.sizes)
        what = f"from {small} ({self.sizes[small]}) to {large} ({self.sizes[large]}) points"
        if small != large and not self.shrink:
            raise ValueError(
                f"{self.source}: its clouds have {what}; make them equal with points={small} (--points {small}), or "
                f"for good: `pcgen data convert {self.source} --points {small} --out NEW.npz`"
            )
        count = len(self.rows)
        points, normals = np.ascontiguousarray(self.points[:count]), np.ascontiguousarray(self.normals[:count])
        origin, notes = self._place(points)
        if small != large:
            notes += (f"{self.source}: its clouds have {what}; {points.shape[1]} of each are kept",)
        if self.shrink and points.shape[1] < small:
            allowed = f"max_bytes={self.max_bytes} (--max-bytes {self.max_bytes})"
            notes += (f"{self.source}: {points.shape[1]} points of each cloud are kept, as many as {allowed} allows",)
        if self.coarse:
            name, first = self.coarse[0]
            what = f"{len(self.coarse)} clouds, such as {name}, were stored in {first.name} so far from 0"
            notes += (f"warning: {self.source}: {what} that their shape is coarse; `pcgen data check` has the numbers",)
        if self.bare:
            note = f"normals left out: {len(self.bare)} of {count} clouds, such as {self.bare[0]}, have none"
            notes += () if len(self.bare) == count else (note,)
            return torch.from_numpy(points), None, origin, notes
        return torch.from_numpy(points), torch.from_numpy(normals), origin, notes

    def _allocate(self, cloud: Cloud) -> None:
        points = len(cloud.points)
        each = self.most * 12 * (1 if cloud.normals is None else 2)  # bytes of one point of every cloud
        if self.least is not None:
            # Clouds are thinned to the smallest, and the first may be far larger.
            points = min(points, max(self.max_bytes // each, self.least))
        size = points * each
        if size > self.max_bytes:
            raise too_large(f"{self.source}: {self.most} clouds of {points} points", size, self.max_bytes)
        self.points = np.empty((self.most, points, 3), dtype=np.float32)
        self.normals = self.normals if cloud.normals is None else np.empty_like(self.points)

    @property
    def shrink(self) -> bool:
        """Whether clouds of different sizes are thinned to one."""
        return self.least is not None

    def _shrink(self, count: int) -> None:
        """Keep the first `count` points of each cloud: thinned clouds are already in the order of thinning."""
        whole = self.points.shape[1]
        for place, (stored, key) in enumerate(zip(self.stored, self.keys, strict=True)):
            if stored == whole:
                keep = thinned_rows(stored, count, key, self.seed).numpy()
                self.points[place, :count] = self.points[place, keep]
                if len(self.normals):
                    self.normals[place, :count] = self.normals[place, keep]
        self.points, self.normals = self.points[:, :count], self.normals[:, :count]

    def _place(self, points: np.ndarray) -> tuple[Triple, tuple[str, ...]]:
        """Make the clouds relative to one origin, in place; return it, and a note if it was chosen here."""
        if all(origin == self.base for origin in self.origins):
            return self.base, ()
        low, high = (np.stack(bound) for bound in zip(*self.bounds, strict=True))  # (S, 3) each
        origin = common_origin(low, high)
        refuse_unheld(low, high, origin, self.names, self.source)
        for place, own in enumerate(self.origins):
            if own != origin:
                wide = torch.from_numpy(points[place]).double() + torch.tensor(own, dtype=torch.float64)
                points[place] = _about(wide, origin).numpy()
        what = f"points are relative to the origin {shown(origin)}: the coordinates do not fit into float32"
        return origin, (f"{self.source}: {what}",)


def _about(points: Tensor, origin: Triple) -> Tensor:
    """True coordinates as float32, relative to an origin."""
    if origin == ZERO:
        return points.float()
    return (points.double() - torch.tensor(origin, dtype=torch.float64)).float()
