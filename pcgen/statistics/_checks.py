"""Checks of samples of vectors."""

from torch import Tensor

__all__ = ["check_finite", "check_samples"]


def check_samples(x: Tensor, y: Tensor, least: int) -> None:
    """Raise a ValueError unless x and y are (S, D) and (R, D), floating point, with at least `least` rows."""
    if x.dim() != 2 or y.dim() != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"x, y: must be (S, D) and (R, D), got {tuple(x.shape)} and {tuple(y.shape)}")
    if min(len(x), len(y)) < least:
        raise ValueError(f"x, y: must have at least {least} rows each, got {len(x)} and {len(y)}")
    if not (x.is_floating_point() and y.is_floating_point()):
        raise ValueError(f"x, y: must be floating point, got {x.dtype} and {y.dtype}; convert them with .float()")


def check_finite(**samples: Tensor) -> None:
    """Raise a ValueError if a sample (S, D), given by the name of its argument, contains NaN or infinity."""
    for name, rows in samples.items():
        if not rows.isfinite().all():
            bad = int((~rows.isfinite()).any(1).sum())
            raise ValueError(f"{name}: must be finite, got NaN or infinity in {bad} rows of {len(rows)}")
