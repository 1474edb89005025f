"""Penalties added to the loss: for sparse units, and for nonnegative weights."""

import torch
from torch import Tensor, nn

from pcgen.errors import positive

__all__ = ["SparseUnits", "negative_weights"]

_KEPT = 0.9  # decay of the running mean
_INSIDE = 1e-6  # least distance of a mean activation from 0 and 1, where the divergence is infinite


class SparseUnits(nn.Module):
    """Units in (0, 1), a = sigmoid(W h + b), and the divergence of their mean activations r_j from a target rho.

        divergence = sum over units j of rho log(rho / r_j) + (1 - rho) log((1 - rho) / (1 - r_j))

    r_j should be the mean over all rows. Here it is a running mean over batches, with the gradient of the current
    batch. The mean of few rows differs from rho by chance, and a penalty on that difference would make the units
    constant. The biases start at values with a = rho.

    Args:
        width: number of units, and of their inputs.
        target: rho, in (0, 1).

    Shapes: (B, width) -> (B, width).

    Raises:
        ValueError: a target that is not positive.

    References:
        Ng (2011). Sparse autoencoder.
    """

    activation: Tensor

    def __init__(self, width: int, target: float) -> None:
        super().__init__()
        positive(target=target)
        self.target = target
        self.linear = nn.Linear(width, width)
        nn.init.constant_(self.linear.bias, float(torch.logit(torch.tensor(target))))
        self.register_buffer("activation", torch.full((width,), target))  # r

    def forward(self, h: Tensor) -> Tensor:
        a: Tensor = self.linear(h).sigmoid()
        return a

    def divergence(self, a: Tensor) -> Tensor:
        """The divergence, (), after the mean is updated by a batch of activations, (B, width)."""
        mean = a.float().mean(0)
        self.activation.lerp_(mean.detach(), 1 - _KEPT)
        # The value of the running mean with the gradient of the batch.
        r = (mean + (self.activation - mean).detach()).clamp(_INSIDE, 1 - _INSIDE)
        rho = torch.full_like(r, self.target)
        off = (1 - rho) * ((1 - rho).log() - (1 - r).log())
        return (rho * (rho.log() - r.log()) + off).sum()


def negative_weights(network: nn.Module) -> Tensor:
    """Half the sum of the squares of all negative weights of a network's linear layers, ().

    Its gradient is min(w, 0): it moves negative weights towards 0 and does not change the others. Then units add and do
    not cancel each other, and each comes to represent a part.

    Raises:
        ValueError: the network has no linear layer.

    References:
        Hosseini-Asl, Zurada, Nasraoui (2016). Deep Learning of Part-Based Representation of Data Using Sparse
        Autoencoders With Nonnegativity Constraints.
        Lemme, Reinhart, Steil (2012). Online learning and generalization of parts-based image representations by
        non-negative sparse autoencoders.
    """
    weights = [part.weight for part in network.modules() if isinstance(part, nn.Linear)]
    if not weights:
        raise ValueError(f"nonnegative: must be 0 for a {type(network).__name__}, which has no linear layers")
    return 0.5 * torch.stack([weight.clamp_max(0).square().sum() for weight in weights]).sum()
