"""An invertible map with triangular Jacobian: each coordinate is shifted and scaled given those before it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pcgen.nets.masked import MaskedMLP

__all__ = ["AffineAutoregressive", "bounded"]

_REACH = 3.0  # of a log-scale: far from the data a network's output grows without bound, and its exponential faster


class AffineAutoregressive(nn.Module):
    """u_i = (x_i - m_i(x_<i)) exp(-s_i(x_<i)), with m and s of one masked perceptron; the identity until it learns.

    u is computed at once, its inverse one coordinate after another. If u is standard normal, x is autoregressive: its
    i-th coordinate, given those before, has the distribution N(m_i, exp(2 s_i)).

    Args:
        dim: dimensions of x.
        widths: hidden widths of the perceptron; () makes m and s linear.
        window: how many of the preceding coordinates m_i and s_i depend on; None is all of them.

    References:
        Papamakarios, Pavlakou, Murray (2017). Masked Autoregressive Flow for Density Estimation.
        Kingma, Salimans, Jozefowicz, Chen, Sutskever, Welling (2016). Improving Variational Inference with Inverse
        Autoregressive Flow.
    """

    def __init__(self, dim: int, widths: Sequence[int], window: int | None = None) -> None:
        super().__init__()
        self.network = MaskedMLP(dim, widths, outputs=2, window=window)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """u, (B, dim), and the logarithm of |du / dx|, (B,), of x, (B, dim)."""
        shift, log_scale = self._moments(x)
        return (x - shift) * (-log_scale).exp(), -log_scale.sum(1)

    def inverse(self, u: Tensor) -> Tensor:
        """x, (B, dim), of u."""
        x = torch.zeros_like(u)
        for i in range(u.shape[1]):
            shift, log_scale = self._moments(x)
            x = torch.cat([x[:, :i], (shift + u * log_scale.exp())[:, i : i + 1], x[:, i + 1 :]], dim=1)
        return x

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self.network(x).unbind(2)
        return shift, bounded(log_scale)


def bounded(log_scale: Tensor, reach: float = _REACH) -> Tensor:
    """A logarithm of a scale between -reach and reach, nearly itself when small."""
    return reach * (log_scale / reach).tanh()
