"""Some of the points of each cloud."""

from torch import Tensor

__all__ = ["take_points"]


def take_points(clouds: Tensor, places: Tensor) -> Tensor:
    """The points of each cloud (B, N, C) at its own places, (B, P) of any whole type: (B, P, C), with the graph."""
    return clouds.gather(1, places.long()[..., None].expand(-1, -1, clouds.shape[2]))
