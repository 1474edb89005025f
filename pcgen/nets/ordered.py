"""A perceptron that is masked for one of several orderings of its inputs, with the same weights for all of them."""

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
    """W x + b with some of W put to 0 by a mask, and what the numbers that are left bring by being there at all.

    (W * M) x + (U * M) 1 + b
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.present = nn.Parameter(torch.zeros(outputs, inputs))  # U

    def masked(self, mask: Tensor) -> Layer:
        """The weight and the bias under a mask, (outputs, inputs) bool."""
        return self.weight * mask, self.bias + (self.present * mask).sum(1)


class OrderedMLP(nn.Module):
    """Numbers of each input that depend on the inputs before it in an ordering, of several that share the weights.

    The k-th of the masks has an ordering and a connectivity of its own, both drawn at random. Input i has its place in
    the ordering as its degree, 1 to D; hidden units have degrees 1 to D - 1, each as often as any other. A unit sees
    the units below that have at most its degree, the outputs of an input those of a degree below its own. As in the
    paper, inputs also reach the outputs directly, and weights U tell units which of the others they see, so that a 0
    is not taken for an input that is not there. A condition is seen by all. All outputs are 0 until it learns.

    Args:
        dim: inputs, D.
        widths: of the hidden layers; () is the linear map.
        outputs: numbers for each input.
        masks: how many.
        condition: numbers that are seen by all, C.
        dropout: probability that a hidden unit is zeroed.

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
        # The condition's share of the first layer and of the outputs.
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
        """Inputs, (n, dim), that are chosen one after another in the k-th ordering; no unit is evaluated twice.

        Args:
            n: rows.
            k: the ordering.
            choose: the numbers (n,) of input i, from i and its outputs (n, outputs), which depend on the inputs before.
            condition: (n, C).
        """
        layers, last, direct = self._masked(k)
        x = direct[0].new_zeros(n, self.dim)
        hidden = [x.new_zeros(n, len(bias)) for _, bias in layers]
        known = [part(condition) for part in self.known] if condition is not None else []
        for rank, i in enumerate(self.order(k).tolist(), start=1):
            own = slice(i * self.outputs, (i + 1) * self.outputs)
            out = linear(x, direct[0][own], direct[1][own])
            if last is not None:  # of units that wait for their inputs the weights are masked here
                out = out + linear(hidden[-1], last[0][own], last[1][own])
            if known:
                out = out + known[-1][:, own]
            x[:, i] = choose(i, out)
            below = x
            for layer, (weight, bias) in enumerate(layers):  # the units that have all their inputs now
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
