"""How the recognition networks of a chain of latents begin: with principal components."""

import torch
from torch import Tensor

from pcgen.nets.corrected import CorrectedLinear

__all__ = ["start_linear"]

_LEAST = 1e-2  # of the variance: noise to start with where the components leave less, as in the paper


@torch.no_grad()
def start_linear(network: CorrectedLinear, y: Tensor, noise: Tensor | None, white: bool) -> Tensor:
    """Let a recognition network give the leading principal components of y, (S, D); returns the noise of y, ().

    That is what the components leave of the variance, if it is not given.

    White, all have variance 1, as the prior; else the first has. The others' smaller ones leave an order to the layer
    above, which keeps the first. Components that y does not have are 0.
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
