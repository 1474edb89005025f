"""Checks of the ops' arguments, and their conversion to the layout that the kernels expect."""

import torch
from torch import Tensor

from pcgen.ops import _library

__all__ = ["check_finite", "cloud_pairs", "cloud_sets", "clouds"]

_TYPES = (torch.float32, torch.float64)


def clouds(value: Tensor, name: str) -> Tensor:
    """Check a batch of clouds (B, N, 3), float32 or float64, N > 0, and return it contiguous.

    Under autocast, half precision is converted to float32. The CPU kernels check that every coordinate is finite, since
    they read all of them anyway. On the GPU such a check would wait for the device; there, a coordinate that is not
    finite makes the result NaN.
    """
    if not isinstance(value, Tensor):
        raise ValueError(
            f"{name}: must be a tensor (batch, points, 3), got {type(value).__name__}; use torch.as_tensor"
        )
    if value.ndim != 3 or value.shape[2] != 3:
        hint = f"; add a dimension: {name}[None]" if value.ndim == 2 and value.shape[1] == 3 else ""
        raise ValueError(f"{name}: must have the shape (batch, points, 3), got {tuple(value.shape)}{hint}")
    if value.shape[1] == 0:
        raise ValueError(
            f"{name}: must have at least one point in each cloud, got {tuple(value.shape)}; drop empty clouds"
        )
    if value.dtype in (torch.float16, torch.bfloat16) and torch.is_autocast_enabled(value.device.type):
        value = value.float()
    if value.dtype not in _TYPES:
        raise ValueError(f"{name}: must be float32 or float64, got {_dtype(value)}; convert it with {name}.float()")
    if value.device.type not in _library.DEVICES:
        built = ", ".join(sorted(_library.DEVICES))
        raise ValueError(f"{name}: must be on one of pcgen's devices, {built}, got {value.device}; move it with .cpu()")
    return value.contiguous()


def cloud_sets(
    a: Tensor, b: Tensor, names: tuple[str, str] = ("a", "b"), *, points: bool = False
) -> tuple[Tensor, Tensor]:
    """Check two sets of clouds of the same type on the same device, if `points` also of the same number of points."""
    a, b = clouds(a, names[0]), clouds(b, names[1])
    if a.dtype != b.dtype:
        raise ValueError(
            f"{names[1]}: must have the type of {names[0]}, {_dtype(a)}, got {_dtype(b)}; convert one with .to(...)"
        )
    if a.device != b.device:
        raise ValueError(
            f"{names[1]}: must be on the device of {names[0]}, {a.device}, got {b.device}; move one with .to(...)"
        )
    if points and a.shape[1] != b.shape[1]:
        raise ValueError(
            f"{names[1]}: must have as many points as {names[0]}, {a.shape[1]}, got {b.shape[1]}; subsample the larger"
        )
    return a, b


def cloud_pairs(x: Tensor, y: Tensor, *, points: bool = False) -> tuple[Tensor, Tensor]:
    """Check two batches of clouds to be compared pair by pair, x (B, N, 3) and y (B, M, 3); N = M if `points`."""
    x, y = cloud_sets(x, y, ("x", "y"), points=points)
    if x.shape[0] != y.shape[0]:
        raise ValueError(f"y: must have as many clouds as x, {x.shape[0]}, got {y.shape[0]}; pair them one to one")
    return x, y


def check_finite(**sets: Tensor) -> None:
    """Check that sets of clouds (S, N, 3), given by the names of their arguments, are finite; on the CPU alone.

    The kernels check it too, but an op that calls them for a part of a set at a time would fail late, and with the
    index of the cloud in that part.
    """
    for name, value in sets.items():
        if value.device.type != "cpu" or value.isfinite().all():
            continue
        cloud, point, axis = value.isfinite().logical_not().nonzero()[0].tolist()
        found = value[cloud, point, axis].item()
        raise ValueError(
            f"{name}: must be finite, got {found} in point {point} of cloud {cloud}; drop or repair such clouds first"
        )


def _dtype(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")
