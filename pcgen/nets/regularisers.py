"""Penalties besides the loss: for units, to be rarely active; for weights, to be nonnegative."""

import torch
from torch import Tensor, nn

from pcgen.errors import positive

__all__ = ["SparseUnits", "negative_weights"]

_KEPT = 0.9  # of the running mean in every update
_INSIDE = 1e-6  # that a mean activation is kept from 0 and 1, where the divergence is infinite


class SparseUnits(nn.Module):
    """Units in (0, 1), a = sigmoid(W h + b), and the divergence of their mean activations r_j from a target rho.

        divergence = sum over units j of rho log(rho / r_j) + (1 - rho) log((1 - rho) / (1 - r_j))

    r_j is to be the mean over all rows. Here it is a running mean over batches, whose gradient is that of the batch at
    hand: the mean of few rows differs from rho by chance, and to be blamed for that would make the units constant. The
    biases start where a = rho.

    Args:
        width: number of units, and of the numbers that they see.
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
        """The divergence after a batch of activations, (B, width), has entered the mean: ()."""
        mean = a.float().mean(0)
        self.activation.lerp_(mean.detach(), 1 - _KEPT)
        # The running mean's value with the batch's gradient.
        r = (mean + (self.activation - mean).detach()).clamp(_INSIDE, 1 - _INSIDE)
        rho = torch.full_like(r, self.target)
        off = (1 - rho) * ((1 - rho).log() - (1 - r).log())
        return (rho * (rho.log() - r.log()) + off).sum()


def negative_weights(network: nn.Module) -> Tensor:
    """Half the sum of the squares of all negative weights of a network's linear layers, ().

    Its gradient is min(w, 0): it brings negative weights up to 0 and leaves the others, so that units come to add and
    not to cancel each other, and each to stand for a part.

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
