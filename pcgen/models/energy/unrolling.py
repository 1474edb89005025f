"""A stack of restricted Boltzmann machines as a deep autoencoder, to be fine-tuned."""

from collections.abc import Sequence

import torch
from torch import nn

from pcgen.models.energy.layers import Layer

__all__ = ["unrolled"]


@torch.no_grad()
def unrolled(layers: Sequence[Layer]) -> tuple[nn.Sequential, nn.Sequential]:
    """The encoder and the decoder of a deep autoencoder that starts as a stack of trained layers, from the data up.

        encoder(x) = the probabilities of the top layer's hidden units, from those below as if they were bits
        decoder(z) = the log-odds of the data's bits, or the means of real numbers, in the same way from z down

    Both have separate weights, which fine-tuning can change. For bits, the loss is
    `torch.nn.functional.binary_cross_entropy_with_logits`. The paper found that deep autoencoders learn badly from
    random weights. Its code has linear units, learned by a top layer with Gaussian ones; ours has probabilities.

    References:
        Hinton, Salakhutdinov (2006). Reducing the Dimensionality of Data with Neural Networks.
    """
    encoder: list[nn.Module] = []
    decoder: list[nn.Module] = []
    for layer in layers:
        up, down = _directions(layer)
        encoder += [up, nn.Sigmoid()]
        decoder = [down, nn.Sigmoid(), *decoder]
    return nn.Sequential(*encoder), nn.Sequential(*decoder[:-1])


def _directions(layer: Layer) -> tuple[nn.Linear, nn.Linear]:
    """The log-odds of a layer's hidden units as a map of the visible ones, and what those are given the hidden ones."""
    visible, hidden = layer.weight.shape
    up, down = (
        nn.Linear(a, b, device=layer.weight.device, dtype=layer.weight.dtype)
        for a, b in ((visible, hidden), (hidden, visible))
    )
    none = torch.zeros_like(layer.visible_bias)[None]
    shift = layer.centred(none)[0]  # centred(v) is slope * v + shift, each number by itself
    slope = layer.centred(none + 1)[0] - shift
    up.weight.copy_((slope[:, None] * layer.weight).T)
    up.bias.copy_(layer.hidden_bias + shift @ layer.weight)
    down.weight.copy_(layer.weight)
    down.bias.copy_(layer.visible_bias - 0.5 * layer.weight.sum(1))
    return up, down
