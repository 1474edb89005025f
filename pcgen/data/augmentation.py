"""Random rotation, scaling, mirroring and jitter of clouds."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["Augmentation"]


@dataclass(frozen=True)
class Augmentation:
    """Random rotation, scaling, stretching, mirroring and jitter of each cloud of a batch, by torch's global generator.

    x becomes s R D x + e. D is diagonal, with entries that are log-uniform in [1 / (1 + stretch), 1 + stretch]; for a
    share `mirror` of the clouds, the first entry is negative. R is a rotation about y by an angle that is uniform in
    [-rotation, rotation]; the share 1 - `rotated` of the clouds is not rotated. s is log-uniform in
    [1 / (1 + scale), 1 + scale]. D, R and s are drawn once for each cloud. e is Gaussian with standard deviation
    `jitter`, drawn for each coordinate of each point.

    Args:
        rotation: degrees about the up axis, y; 180 for all directions.
        jitter: standard deviation, in the units of the points.
        scale: largest change of size; 0.1 is 10% up or down.
        stretch: largest change of size along each axis.
        mirror: share of the clouds that are mirrored (x becomes -x).
        centred: whether changes are about the centre of each cloud's bounding box, which does not move, instead of
            about the origin.
        rotated: share of the clouds that are rotated; the others keep the direction that the data has.

    Raises:
        ValueError: an argument is negative or not finite, or `mirror` or `rotated` is above 1.
    """

    rotation: float = 0.0
    jitter: float = 0.0
    scale: float = 0.0
    stretch: float = 0.0
    mirror: float = 0.0
    centred: bool = False
    rotated: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < math.inf:
                raise ValueError(f"{name}: must be a number of at least 0, got {value}")
        for name in ("mirror", "rotated"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name}: must be a share from 0 to 1, got {getattr(self, name)}")

    def __str__(self) -> str:
        """The arguments that change clouds, with their values, and whether changes are about the clouds' centres."""
        names = [name for name in vars(self) if name not in ("centred", "rotated") and getattr(self, name)]
        amounts = {name: f"{name} {getattr(self, name):g}" for name in names}
        if "rotation" in amounts and self.rotated < 1:
            amounts["rotation"] += f" of a share of {self.rotated:g}"
        about = " about each cloud's centre" if self.centred and set(amounts) - {"jitter"} else ""
        return ", ".join(amounts.values()) + about or "no change"

    def __call__(self, points: Tensor) -> Tensor:
        """Changed clouds (B, N, 3), a new tensor; an argument of 0 uses no random numbers and changes nothing.

        Clouds (B, N, 6) have unit normals in their last three channels, which are turned with the surface: the normal n
        becomes R D^-1 n, of length 1 again; a normal of length 0 stays.

        Raises:
            ValueError: the points are neither (B, N, 3) nor (B, N, 6).
        """
        if points.ndim != 3 or points.shape[2] not in (3, 6):
            raise ValueError(
                f"points: must be a batch of clouds (B, N, 3), or (B, N, 6) with normals, got {tuple(points.shape)}"
            )
        points, normals = points[..., :3], points[..., 3:]
        if self.centred:
            middle = (points.amin(1, keepdim=True) + points.amax(1, keepdim=True)) / 2
            points, normals = self._changed(points - middle, normals)
            points = points + middle
        else:
            points, normals = self._changed(points, normals)
        return torch.cat((points, normals), 2) if normals.shape[2] else points

    def _changed(self, points: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
        """The clouds, changed about the origin, and their normals."""
        each: dict[str, Any] = {"size": (len(points),), "dtype": points.dtype, "device": points.device}
        oriented = normals.shape[2] > 0
        if self.stretch:
            exponents = 2 * torch.rand(len(points), 1, 3, dtype=points.dtype, device=points.device) - 1
            factors = (1 + self.stretch) ** exponents
            points = points * factors
            if oriented:
                normals = torch.nn.functional.normalize(normals / factors, dim=2)
        if self.mirror:
            side = 1 - 2 * (torch.rand(**each) < self.mirror).to(points.dtype)
            signs = torch.nn.functional.pad(side[:, None, None], (0, 2), value=1.0)  # (B, 1, 3): x alone
            points = points * signs
            normals = normals * signs if oriented else normals
        if self.rotation:
            angle = (2 * torch.rand(**each) - 1) * math.radians(self.rotation)
            if self.rotated < 1:
                angle = angle * (torch.rand(**each) < self.rotated)
            turn = _about_y(angle)
            points = torch.einsum("bij,bnj->bni", turn, points)
            normals = torch.einsum("bij,bnj->bni", turn, normals) if oriented else normals
        if self.scale:
            exponent = 2 * torch.rand(**each) - 1
            points = points * (1 + self.scale) ** exponent[:, None, None]
        if self.jitter:
            points = points + self.jitter * torch.randn_like(points)
        return points, normals


def _about_y(angle: Tensor) -> Tensor:
    """Rotations about y by angles in radians, (B,) -> (B, 3, 3)."""
    cosine, sine, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rows = [cosine, zero, sine, zero, one, zero, -sine, zero, cosine]
    return torch.stack(rows, dim=-1).reshape(-1, 3, 3)
