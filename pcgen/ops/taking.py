"""Selection of points of each cloud by index."""

from torch import Tensor

__all__ = ["take_points"]


def take_points(clouds: Tensor, places: Tensor) -> Tensor:
    """The points (B, P, C) of each cloud (B, N, C) at its own indices, (B, P) of any integer type; differentiable."""
    return clouds.gather(1, places.long()[..., None].expand(-1, -1, clouds.shape[2]))
