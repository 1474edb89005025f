"""A perceptron on every point, a common part of PointNet and its variants."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

__all__ = ["PointwiseMLP"]


class PointwiseMLP(nn.Sequential):
    """One perceptron on every row, with batch norm and ReLU after each layer, also after the last.

    A linear layer before batch norm needs no bias: the mean is subtracted.

    Args:
        widths: from the input to the output, at least two.

    Shapes: (rows, widths[0]) -> (rows, widths[-1]).

    Raises:
        ValueError: fewer than two widths, or a width below 1.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        if len(widths) < 2 or min(widths) < 1:
            raise ValueError(f"widths: must be at least two widths of at least 1, got {list(widths)}")
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU(inplace=True)]
        super().__init__(*layers)
