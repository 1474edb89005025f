"""Restricted Boltzmann machine of bits."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from pcgen.errors import at_least
from pcgen.models.base import Batch
from pcgen.models.domains import check_domain
from pcgen.models.energy.annealing import Path
from pcgen.models.energy.layers import BinaryLayer, path_of_bits
from pcgen.models.energy.learning import Learning
from pcgen.models.energy.restricted import Restricted
from pcgen.models.shape import accepted

__all__ = ["RBM"]


class RBM(Restricted):
    """A restricted Boltzmann machine: hidden bits, each connected to all bits of the data but not to each other.

        E(v, h) = -b^T v - c^T h - (v - m)^T W (h - 1/2),  p(v) = sum over h of exp(-E(v, h)) / Z

        "cd":   each update's chains start at its batch (contrastive divergence, CD-k)
        "pcd":  they start at the last states of the update before (persistent contrastive divergence)

    The gradient of the log-likelihood is -grad F(x) at the data minus the same at samples of the model, which are
    replaced by the ends of the chains; the gradient uses probabilities of the hidden units. The data's mean m and 1/2
    are subtracted from the units. This is the same family of models as in the papers, and learns faster. Hinton's guide
    raises the momentum after the first updates; here the learning rate warms up instead.

    Args:
        shape: (dim,).
        hidden: hidden units.
        algorithm: "cd" or "pcd".
        steps: sweeps of each chain in an update, the k of CD-k.
        particles: persistent chains, of "pcd".
        lr: learning rate.
        momentum: share of the last step that is added to the next.
        weight_decay: share of each weight that an update subtracts, times lr.

    Logged:
        contrast: mean free energy of the batch minus that of the ends of the chains, in nats; near 0 if both are
            similar.

    Raises:
        ValueError: a shape that is not (dim,), or an argument out of range.

    References:
        Hinton (2002). Training Products of Experts by Minimizing Contrastive Divergence.
        Tieleman (2008). Training Restricted Boltzmann Machines using Approximations to the Likelihood Gradient.
        Hinton (2010). A Practical Guide to Training Restricted Boltzmann Machines.
        Salakhutdinov, Murray (2008). On the Quantitative Analysis of Deep Belief Networks.
        Montavon, Müller (2012). Deep Boltzmann Machines and the Centering Trick.
    """

    domain: ClassVar[str] = "binary"

    layer: BinaryLayer

    def __init__(
        self,
        shape: Sequence[int],
        hidden: int = 256,
        algorithm: str = "pcd",
        steps: int = 1,
        particles: int = 128,
        lr: float = 0.003,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "rbm")
        at_least(1, hidden=hidden)
        learning = Learning(algorithm, steps, particles, lr, momentum, weight_decay)
        self.code_shape = (hidden,)
        self.layer = BinaryLayer(self.shape[0], hidden, learning)

    def setup(self, data: Batch) -> None:
        self.layer.fit(data.x)

    def path(self) -> Path:
        """From independent bits with the means of the data."""
        return path_of_bits(self.layer)

    @torch.no_grad()
    def log_pseudo_likelihood(self, x: Tensor) -> Tensor:
        """The pseudo-likelihood: the sum over bits of log p(x_i | all others) in nats, (B, dim) -> (B,).

        It is exact and needs no Z, but it is not a log-likelihood.

        Raises:
            ValueError: a value is neither 0 nor 1.

        References:
            Besag (1975). Statistical Analysis of Non-Lattice Data.
        """
        check_domain("binary", x, "rbm")
        layer = self.layer
        logits, flip = layer.hidden_logits(x), 1 - 2 * x  # (B, hidden), (B, dim): what a flip adds to a bit
        active, total = softplus(logits).sum(1), torch.zeros(len(x), dtype=x.dtype, device=x.device)
        for bit, row in enumerate(layer.weight):
            by = flip[:, bit]
            hidden = softplus(logits + by[:, None] * row).sum(1) - active - 0.5 * by * row.sum()
            # p(x_i | others) = sigmoid(F(flipped) - F(x))
            total += logsigmoid(-by * layer.visible_bias[bit] - hidden)
        return total
