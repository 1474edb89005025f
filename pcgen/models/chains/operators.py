"""Gaussian transitions: a network corrects those that are exact for Gaussian data."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, positive
from pcgen.models import name_of
from pcgen.models.base import GradientLearner
from pcgen.models.chains.base import AlongAxes
from pcgen.models.conditional import Known, Labels
from pcgen.models.shape import accepted
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.nets.denoiser import Denoiser
from pcgen.nets.gaussian import GaussianPart

__all__ = ["GaussianOperator", "OperatorChain", "corrected", "corruption", "denoised"]

_MOST = 10.0  # how far a network may move the logarithm of a variance


def corrected(y: Tensor, kept: Tensor, variance: Tensor, correction: Tensor) -> DiagonalGaussian:
    """N(kept y + sqrt(variance) m, diag variance e^v) of states y, (B, dim).

    Args:
        y: the states that the transition is from.
        kept: share of each coordinate that is kept, (dim,), or (B, 1) of each row.
        variance: of what is added, (dim,) or (B, dim).
        correction: m and v side by side, (B, 2 dim); v counts as 10 tanh(v / 10), so that no variance becomes 0.
    """
    shift, log_factor = correction.chunk(2, dim=1)
    log_factor = _MOST * (log_factor / _MOST).tanh()
    return DiagonalGaussian(kept * y + variance.sqrt() * shift, variance.log() + log_factor)


def corruption(variance: Tensor, noise: float) -> Tensor:
    """Variance of noise along each axis, (dim,), for data of those variances: noise^2 (variance + its mean over axes).

    Noise of one size for all axes would be small compared with the data along a long axis. A chain would need hundreds
    of steps to move along it, and an error of a hundredth in each step would change the chain's distribution by a half.
    """
    return noise**2 * (variance + variance.mean())


def denoised(variance: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """The posterior of Gaussian data with the given variances, (dim,), after noise of other variances, (dim,).

    N(k y~, diag s^2) of noisy states y~:  k = variance / (variance + noise),  s^2 = noise k;  k and s^2, (dim,).
    """
    kept = variance / (variance + noise)
    return kept, noise * kept


class GaussianOperator(nn.Module):
    """A Gaussian transition of vectors, corrected by a network that starts at zero and sees the time and the label.

        N(kept y + sqrt(variance) m(y, t), diag variance e^v(y, t))

    If shares and variances are exact for Gaussian data with independent coordinates, training starts from that
    transition. Guidance g is that of m and of v:

        m(y, t) + g (m(y, t, label) - m(y, t)),  and v alike

    Where the label does not change the variance, this is the normalised p(y' | y)^(1 - g) p(y' | y, label)^g. Where it
    does, that density would combine inverse variances, which may become negative; here their logarithms are combined.

    Args:
        dim: of the states.
        width, blocks, dropout: of the network, `pcgen.nets.denoiser`.
        classes: number of classes.
        context: number of further inputs for each state besides the time and the label.

    References:
        Ho, Salimans (2022). Classifier-Free Diffusion Guidance.
    """

    def __init__(self, dim: int, width: int, blocks: int, dropout: float, classes: int = 0, context: int = 0) -> None:
        super().__init__()
        self.classes = classes
        self.network = Denoiser((dim,), width, blocks, classes + context, dropout=dropout, outputs=2 * dim)

    def forward(
        self,
        y: Tensor,
        time: Tensor,
        kept: Tensor,
        variance: Tensor,
        known: Known | None = None,
        context: Tensor | None = None,
    ) -> DiagonalGaussian:
        """The distribution of the state after y, (B, dim), at times (B,) in [0, 1], with its context, (B, context).

        `known` is None if no label is known. Other arguments are those of `corrected`.
        """
        known = Known(y.new_zeros(len(y), self.classes)) if known is None else known
        context = y.new_zeros(len(y), 0) if context is None else context
        correction = known.guided(lambda labels: self.network(y, time, torch.cat([labels, context], dim=1)))
        return corrected(y, kept, variance, correction)


class OperatorChain(GradientLearner, AlongAxes):
    """A chain with Gaussian transitions, one network for all of them, which sees the label of the row.

    In training a tenth of the labels is hidden. Guidance is that of each transition (`GaussianOperator`). What a guided
    chain comes to is not the data's density p(x)^(1 - g) p(x | label)^g: its transitions are guided, not its law.

    Args are those of the subclasses, which define the shares, variances and times of the transitions.
    """

    def __init__(
        self,
        shape: Sequence[int],
        *,
        steps: int,
        width: int,
        blocks: int,
        dropout: float,
        classes: Sequence[str],
        lr: float,
        context: int = 0,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, name_of(type(self)))
        at_least(1, steps=steps)
        positive(lr=lr)
        self.steps = steps
        (dim,) = self.shape
        self.labels = Labels(classes)
        self.gaussian = GaussianPart(dim)
        self.operator = GaussianOperator(dim, width, blocks, dropout, len(self.labels), context)
        self.optimizer = torch.optim.Adam(self.operator.parameters(), lr, fused=True)

    def begun(self, like: Tensor) -> DiagonalGaussian:
        """N(0, L), the distribution of the chain's start along the axes, for each row of `like`, (B, dim)."""
        return DiagonalGaussian(torch.zeros_like(like), self.variance.log().expand_as(like))
