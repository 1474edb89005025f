"""Models whose samples are each near one of their own rows."""

from abc import abstractmethod

from torch import Tensor

from pcgen.models.base import GenerativeModel

__all__ = ["Windows"]


class Windows(GenerativeModel):
    """A model with a window about each of its rows: every sample is near one of them, and which one is known.

    On codes of clouds, samples are then training clouds that are deformed (`DeformedCloudModel`).
    """

    centres: Tensor  # (S, dim)

    @abstractmethod
    def draw_about(self, n: int) -> tuple[Tensor, Tensor]:
        """Draw n rows (n, dim), and the index in `centres` of the one that each is near, (n,) int64."""
