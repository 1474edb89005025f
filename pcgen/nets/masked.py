"""A masked perceptron for autoregressive models: each output depends on the inputs before its own."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, silu

from pcgen.errors import at_least
from pcgen.errors import widths as check_widths

__all__ = ["MaskedMLP"]


class MaskedLinear(nn.Linear):
    """A linear map in which a mask keeps some weights at 0.

    Args:
        mask: (out, in) bool, True where a weight is kept.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, bias: bool = True) -> None:
        super().__init__(mask.shape[1], mask.shape[0], bias)
        self.register_buffer("mask", mask.to(self.weight.dtype), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight * self.mask, self.bias)


class MaskedMLP(nn.Module):
    """Outputs for each input that depend on the inputs before it, and on a condition: (B, dim) -> (B, dim, outputs).

    Each hidden unit has a degree m and may depend on the inputs m - window + 1 to m, counted from 1. The outputs of
    input i have the degree i - 1. A connection is kept if the target may depend on all inputs on which the source
    depends. All units see the condition. As in the paper, a linear map also connects inputs to outputs directly. All
    outputs start at 0.

    Args:
        dim: inputs, D.
        widths: of the hidden layers, whose degrees cycle from the least to the greatest; () for the linear map.
        outputs: outputs for each input.
        condition: width of the condition.
        window: number of inputs before its own that an output sees, the nearest ones; by default all, 0 for none. With
            fewer than all, a hidden layer is nearly a separate small layer for each degree.

    Raises:
        ValueError: a number below 1, or a condition or window below 0.

    References:
        Germain, Gregor, Murray, Larochelle (2015). MADE: Masked Autoencoder for Distribution Estimation.
    """

    def __init__(
        self, dim: int, widths: Sequence[int], outputs: int = 1, condition: int = 0, window: int | None = None
    ) -> None:
        super().__init__()
        at_least(1, dim=dim, outputs=outputs)
        at_least(0, condition=condition)
        check_widths(least=0, widths=widths)
        if window is not None:
            at_least(0, window=window)
        self.dim, self.outputs = dim, outputs
        sight = dim if window is None else window
        # The condition acts as an input of degree 0, which all units see.
        before = torch.cat([torch.arange(1, dim + 1), torch.zeros(condition, dtype=torch.int64)])
        after = torch.arange(dim).repeat_interleave(outputs)  # degree i - 1 for the outputs of input i
        # Units of degree 0 see only the condition; without one they are useless.
        least = 0 if condition or dim == 1 else 1
        hidden = [least + torch.arange(width) % (dim - least) for width in widths]
        self.direct = MaskedLinear(_in_sight(before, after, sight, seen=1))
        layers = [before, *hidden, after]
        found = [
            MaskedLinear(_in_sight(low, high, sight, seen=1 if place == 0 else sight))
            for place, (low, high) in enumerate(pairwise(layers))
        ]
        self.layers = nn.ModuleList(found)
        for part in (self.direct, found[-1]):
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        given = x if condition is None else torch.cat([x, condition], dim=1)
        hidden = given
        for layer in self.layers[:-1]:
            hidden = silu(layer(hidden))
        out: Tensor = self.direct(given)
        if len(self.layers) > 1:
            out = out + self.layers[-1](hidden)
        return out.view(-1, self.dim, self.outputs)


def _in_sight(source: Tensor, target: Tensor, sight: int, seen: int) -> Tensor:
    """Whether the last `seen` inputs up to a source's degree are among the last `sight` up to a target's, (T, S)."""
    first = (source - seen).clamp_min(0)  # one less than the first input that a source sees
    furthest = (target - sight).clamp_min(0)
    inside = (source <= target[:, None]) & (first >= furthest[:, None])
    return inside | (source == 0)
