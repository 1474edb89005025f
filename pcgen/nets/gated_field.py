"""The vector field of a continuous flow: a perceptron on every point, given a context, with directional derivatives."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from pcgen.errors import at_least
from pcgen.errors import widths as check_widths

__all__ = ["GatedField"]


class GatedField(nn.Module):
    """f(x, c), a perceptron on every point of a set; the context c of the set gates and shifts its layers.

        h_l = tanh(g_l(c) (W_l h_(l-1) + b_l) + s_l(c)),  f = g(c) (W h_L + b) + s(c),  g = sigmoid(linear(c))

    f is smooth, and bounded by its last weights for every x, since hidden units are between -1 and 1. So it is nowhere
    too steep for a solver. f starts at zero.

    Directional derivatives are computed in forward mode. So the trace of the Jacobian is differentiable, at the cost of
    one more forward pass per direction. The divergences of `pcgen.solvers` use backward passes and have no gradient.

    Args:
        channels: of a point, C.
        context: width of the context of a set, K.
        widths: of the hidden layers, at least one.

    Shapes: x (B, N, C), context (B, K) -> (B, N, C).

    Raises:
        ValueError: an argument out of range.

    References:
        Grathwohl, Chen, Bettencourt, Sutskever, Duvenaud (2019). FFJORD: Free-form Continuous Dynamics for Scalable
        Reversible Generative Models.
    """

    def __init__(self, channels: int, context: int, widths: Sequence[int]) -> None:
        super().__init__()
        at_least(1, channels=channels, context=context)
        check_widths(widths=widths)
        self.layers = nn.ModuleList(_Gated(low, high, context) for low, high in pairwise((channels, *widths, channels)))
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = layer(x, context).tanh()
        out: Tensor = self.layers[-1](x, context)
        return out

    def trace(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """f, (B, N, C), and the trace of its Jacobian at each point, (B, N), by C directions."""
        channels = x.shape[-1]
        basis = torch.eye(channels, dtype=x.dtype, device=x.device).view(channels, 1, 1, channels)
        out, slopes = self._with_slopes(x, context, basis)
        return out, slopes.diagonal(dim1=0, dim2=3).sum(-1)

    def traced_by(self, probe: Tensor, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """f and an unbiased estimate of each trace, probe . J probe; the probe (B, N, C) has mean 0 and covariance I.

        Hutchinson (1989). A stochastic estimator of the trace of the influence matrix for Laplacian smoothing splines.
        """
        out, slopes = self._with_slopes(x, context, probe[None])
        return out, (slopes[0] * probe).sum(-1)

    def _with_slopes(self, x: Tensor, context: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """f, and J v for each direction v, (V, B, N, C); directions have this shape or broadcast to it."""
        layers = [cast(_Gated, layer) for layer in self.layers]
        for layer in layers[:-1]:
            x = layer(x, context).tanh()
            directions = (1 - x.square()) * layer.pushed(directions, context)
        return layers[-1](x, context), layers[-1].pushed(directions, context).expand(-1, *x.shape[:2], -1)


class _Gated(nn.Module):
    """gate(c) (W x + b) + shift(c)."""

    def __init__(self, inputs: int, outputs: int, context: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.gate = nn.Linear(context, outputs)
        self.shift = nn.Linear(context, outputs, bias=False)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        out: Tensor = self._opened(context) * self.linear(x) + self.shift(context)[:, None]
        return out

    def pushed(self, directions: Tensor, context: Tensor) -> Tensor:
        """The derivative of the output along directions of x, (V, B, N, inputs) -> (V, B, N, outputs)."""
        return self._opened(context) * (directions @ self.linear.weight.T)

    def _opened(self, context: Tensor) -> Tensor:
        """The gate of each output, (B, 1, outputs)."""
        share: Tensor = self.gate(context).sigmoid()
        return share[:, None]
