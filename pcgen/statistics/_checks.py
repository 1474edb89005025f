"""Samples of vectors as statistics take them."""

from torch import Tensor

__all__ = ["check_samples"]


def check_samples(x: Tensor, y: Tensor, least: int) -> None:
    """Refuse x and y that are not (S, D) and (R, D), or have fewer than `least` rows."""
    if x.dim() != 2 or y.dim() != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"x, y: must be (S, D) and (R, D), got {tuple(x.shape)} and {tuple(y.shape)}")
    if min(len(x), len(y)) < least:
        raise ValueError(f"x, y: must have at least {least} rows each, got {len(x)} and {len(y)}")
