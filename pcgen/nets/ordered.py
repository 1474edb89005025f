"""A masked perceptron with several orderings of its inputs, which share the weights."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, silu

from pcgen.errors import at_least, fraction
from pcgen.errors import widths as check_widths

__all__ = ["OrderedMLP"]

Layer = tuple[Tensor, Tensor]


class _Masked(NamedTuple):
    """Weights and biases under one mask."""

    hidden: list[Layer]
    last: Layer | None
    direct: Layer


class _Shared(nn.Linear):
    """A linear map under a mask M, which also sees which inputs the mask keeps.

    (W * M) x + (U * M) 1 + b
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.present = nn.Parameter(torch.zeros(outputs, inputs))  # U

    def masked(self, mask: Tensor) -> Layer:
        """The weight and the bias under a mask, (outputs, inputs) bool."""
        return self.weight * mask, self.bias + (self.present * mask).sum(1)


class OrderedMLP(nn.Module):
    """Outputs for each input that depend on the inputs before it, in one of several orderings that share the weights.

    Each mask k has a random ordering and a random connectivity. The degree of an input is its position in the ordering,
    1 to D; hidden units have degrees 1 to D - 1, all equally often. A unit sees the units of the previous layer with at
    most its own degree; the outputs of an input see those with a lower degree. As in the paper, a linear map also
    connects inputs to outputs directly. Weights U tell a unit which inputs it sees, so that it distinguishes an input 0
    from a masked one. All units see the condition. All outputs start at 0.

    Args:
        dim: inputs, D.
        widths: of the hidden layers; () for the linear map.
        outputs: outputs for each input.
        masks: number of masks.
        condition: width of the condition, C.
        dropout: of the hidden units.

    Shapes: x (B, dim), condition (B, C) -> (B, dim, outputs).

    Raises:
        ValueError: an argument out of range.

    References:
        Germain, Gregor, Murray, Larochelle (2015). MADE: Masked Autoencoder for Distribution Estimation.
    """

    ranks: Tensor

    def __init__(
        self,
        dim: int,
        widths: Sequence[int],
        outputs: int,
        masks: int,
        condition: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        at_least(1, dim=dim, outputs=outputs, masks=masks)
        check_widths(least=0, widths=widths)
        fraction(dropout=dropout)
        self.dim, self.outputs = dim, outputs
        self.register_buffer("ranks", torch.stack([torch.randperm(dim) + 1 for _ in range(masks)]))  # (K, D)
        for layer, width in enumerate(widths):
            degrees = 1 + torch.arange(width) * (dim - 1) // width
            drawn = torch.stack([degrees[torch.randperm(width)] for _ in range(masks)])
            self.register_buffer(f"degrees_{layer}", drawn)  # (K, width)
        self.layers = nn.ModuleList(_Shared(low, high) for low, high in pairwise((dim, *widths)))
        self.last = _Shared(widths[-1], dim * outputs) if widths else None
        self.direct = _Shared(dim, dim * outputs)
        # The linear map of the condition to the first layer and to the outputs.
        to = (*widths[:1], dim * outputs) if condition else ()
        self.known = nn.ModuleList(nn.Linear(condition, width, bias=False) for width in to)
        self.dropout = nn.Dropout(dropout)
        for part in (self.direct, *([] if self.last is None else [self.last]), *self.known[-1:]):
            for parameter in part.parameters():
                nn.init.zeros_(parameter)

    def order(self, k: int) -> Tensor:
        """The inputs in the k-th ordering, (dim,)."""
        return self.ranks[k].argsort()

    def forward(self, x: Tensor, k: int, condition: Tensor | None = None) -> Tensor:
        hidden, (layers, last, direct) = x, self._masked(k)
        for place, (weight, bias) in enumerate(layers):
            hidden = linear(hidden, weight, bias)
            if place == 0 and condition is not None and len(self.known):
                hidden = hidden + self.known[0](condition)
            hidden = self.dropout(silu(hidden))
        out: Tensor = linear(x, *direct)
        if last is not None:
            out = out + linear(hidden, *last)
        if condition is not None and len(self.known):
            out = out + self.known[-1](condition)
        return out.view(-1, self.dim, self.outputs)

    @torch.no_grad()
    def one_by_one(
        self, n: int, k: int, choose: Callable[[int, Tensor], Tensor], condition: Tensor | None = None
    ) -> Tensor:
        """Generate inputs, (n, dim), one after another in the k-th ordering; each unit is evaluated once.

        Args:
            n: number of rows.
            k: index of the ordering.
            choose: gives the values (n,) of input i, from i and its outputs (n, outputs), which depend on the inputs
                before it.
            condition: (n, C).
        """
        layers, last, direct = self._masked(k)
        x = direct[0].new_zeros(n, self.dim)
        hidden = [x.new_zeros(n, len(bias)) for _, bias in layers]
        known = [part(condition) for part in self.known] if condition is not None else []
        for rank, i in enumerate(self.order(k).tolist(), start=1):
            own = slice(i * self.outputs, (i + 1) * self.outputs)
            out = linear(x, direct[0][own], direct[1][own])
            if last is not None:  # the weights of units that do not have all their inputs yet
                out = out + linear(hidden[-1], last[0][own], last[1][own])
            if known:
                out = out + known[-1][:, own]
            x[:, i] = choose(i, out)
            below = x
            for layer, (weight, bias) in enumerate(layers):  # the units that now have all their inputs
                units = (self._degrees(layer)[k] == rank).nonzero()[:, 0]
                told = linear(below, weight[units], bias[units])
                if layer == 0 and known:
                    told = told + known[0][:, units]
                hidden[layer][:, units] = silu(told)
                below = hidden[layer]
        return x

    def _degrees(self, layer: int) -> Tensor:
        degrees: Tensor = self.get_buffer(f"degrees_{layer}")
        return degrees

    def _masked(self, k: int) -> _Masked:
        below = self.ranks[k]
        hidden: list[Layer] = []
        for place, layer in enumerate(self.layers):
            degrees = self._degrees(place)[k]
            hidden.append(cast(_Shared, layer).masked(below <= degrees[:, None]))
            below = degrees
        own = self.ranks[k].repeat_interleave(self.outputs)[:, None]
        last = None if self.last is None else self.last.masked(below < own)
        return _Masked(hidden, last, self.direct.masked(self.ranks[k] < own))
