"""Restricted Boltzmann machine of bits."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from pcgen.errors import at_least
from pcgen.models.base import Batch
from pcgen.models.energy.annealing import Path
from pcgen.models.energy.layers import BinaryLayer, path_of_bits
from pcgen.models.energy.learning import Learning
from pcgen.models.energy.restricted import Restricted
from pcgen.models.shape import accepted

__all__ = ["RBM"]


class RBM(Restricted):
    """A restricted Boltzmann machine: hidden bits, each connected to all bits of the data, and nothing else connected.

        E(v, h) = -b^T v - c^T h - (v - m)^T W (h - 1/2),  p(v) = sum over h of exp(-E(v, h)) / Z

        "cd":   each update's chains start at its batch (contrastive divergence, CD-k)
        "pcd":  they start where those of the update before have come to (persistent contrastive divergence)

    The gradient of the log-likelihood is -grad F(x) at the data less the same at draws of the model, for which the ends
    of the chains stand; hidden units count by their probabilities. With m, the data's mean, and 1/2 taken off the units
    it is the same family of models as the papers', and learns faster. Hinton's guide raises the momentum after the
    first updates where ours warms the learning rate up.

    Args:
        shape: (dim,).
        hidden: hidden units.
        algorithm: "cd" or "pcd".
        steps: sweeps of each chain in an update, the k of CD-k.
        particles: persistent chains, of "pcd".
        lr: learning rate.
        momentum: share of the last step that is added to the next.
        weight_decay: share of each weight that an update takes off, times lr.

    Logged:
        contrast: mean free energy of the batch less that of the chains' ends, in nats; near 0 once both are alike.

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
        """The sum over bits of log p(x_i | all others) in nats, (B, dim) -> (B,): exact, and no log-likelihood.

        It needs no Z, and says how well each bit is known from the others.

        References:
            Besag (1975). Statistical Analysis of Non-Lattice Data.
        """
        layer = self.layer
        logits, flip = layer.hidden_logits(x), 1 - 2 * x  # (B, hidden), (B, dim): what a flip adds to a bit
        active, total = softplus(logits).sum(1), torch.zeros(len(x), dtype=x.dtype, device=x.device)
        for bit, row in enumerate(layer.weight):
            by = flip[:, bit]
            hidden = softplus(logits + by[:, None] * row).sum(1) - active - 0.5 * by * row.sum()
            # p(x_i | others) = sigmoid(F(flipped) - F(x))
            total += logsigmoid(-by * layer.visible_bias[bit] - hidden)
        return total
