"""A deep belief network as a deep autoencoder, to be fine-tuned."""

from itertools import pairwise

import torch
from torch import nn

from pcgen.models.energy.dbn import DBN

__all__ = ["unrolled"]


@torch.no_grad()
def unrolled(model: DBN) -> tuple[nn.Sequential, nn.Sequential]:
    """The encoder and the decoder of a deep autoencoder of bits that begins as the layers of a trained network.

        encoder(x) = model.encode(x),   sigmoid(decoder(z)) = model.decode(z)

    The decoder gives log-odds, for `torch.nn.functional.binary_cross_entropy_with_logits`. Both have weights of their
    own, which the fine-tuning may change; from random weights a deep autoencoder of logistic units hardly learns. The
    paper's code is of linear units, learned by a top layer with Gaussian ones; ours is of probabilities.

    References:
        Hinton, Salakhutdinov (2006). Reducing the Dimensionality of Data with Neural Networks.
    """
    sizes = (*model.shape, *(len(layer.hidden_bias) for layer in model.stack))
    up = [nn.Linear(below, above) for below, above in pairwise(sizes)]
    down = [nn.Linear(above, below) for below, above in pairwise(sizes)]
    for layer, rise, fall in zip(model.stack, up, down, strict=True):
        rise.weight.copy_(layer.weight.T)
        rise.bias.copy_(layer.hidden_bias - layer.mean @ layer.weight)
        fall.weight.copy_(layer.weight)
        fall.bias.copy_(layer.visible_bias - 0.5 * layer.weight.sum(1))
    encoder = [part for linear in up for part in (linear, nn.Sigmoid())]
    decoder = [part for linear in reversed(down) for part in (linear, nn.Sigmoid())][:-1]
    device = model.device
    return nn.Sequential(*encoder).to(device), nn.Sequential(*decoder).to(device)
