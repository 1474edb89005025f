"""Rows of a set of clouds, as indices."""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["row_index"]


def row_index(rows: Tensor | Sequence[int], count: int) -> Tensor:
    """The rows as indices, (k,) int64; of a mask (count,) of truth values, those where it is true.

    Raises:
        ValueError: a mask of another length, or numbers that are not whole.
    """
    index = torch.as_tensor(rows)
    if index.dtype == torch.bool:
        if index.shape != (count,):
            raise ValueError(
                f"rows: must be a mask of one truth value for each of {count} clouds, got {tuple(index.shape)}; make "
                "it of this set"
            )
        return index.nonzero().flatten()
    if index.numel() and (index.is_floating_point() or index.is_complex()):  # an empty list is a float tensor
        raise ValueError(f"rows: must be whole numbers, or a mask of truth values, got {index.dtype}; give indices")
    return index.long()
