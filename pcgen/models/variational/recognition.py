"""Initialisation of the recognition networks of a chain of latents, by principal components."""

import torch
from torch import Tensor

from pcgen.nets.corrected import CorrectedLinear

__all__ = ["start_linear"]

_LEAST = 1e-2  # of the variance: noise to start with where the components leave less, as in the paper


@torch.no_grad()
def start_linear(network: CorrectedLinear, y: Tensor, noise: Tensor | None, white: bool) -> Tensor:
    """Set a recognition network to the leading principal components of y, (S, D); returns the noise of y, ().

    If the noise is not given, it is the variance that the components do not explain.

    If `white`, all components have variance 1, like the prior; otherwise only the first has. The smaller variances of
    the others give the layer above an order, of which it keeps the first. Components that y does not have are 0.
    """
    y, count = y.double(), network.linear.out_features // 2
    mean = y.mean(0)
    spectrum, basis = torch.linalg.eigh((y - mean).T @ (y - mean) / len(y))
    spectrum, basis = spectrum.flip(0).clamp_min(1e-12), basis.flip(1)
    left: Tensor = (spectrum[count:].sum() / len(spectrum)).clamp_min(_LEAST * spectrum.mean())
    left = left if noise is None else noise.to(left)
    kept = min(count, len(spectrum))
    scales = (spectrum[:kept] if white else spectrum[:1].expand(kept)).rsqrt()
    projection = y.new_zeros(count, len(spectrum))
    projection[:kept] = scales[:, None] * basis[:, :kept].T
    variance = torch.ones_like(projection[:, 0])
    variance[:kept] = scales.square() * spectrum[:kept] * left / (spectrum[:kept] + left)
    network.linear.weight.copy_(torch.cat([projection, torch.zeros_like(projection)]))
    network.linear.bias.copy_(torch.cat([-projection @ mean, variance.log()]))
    return left
