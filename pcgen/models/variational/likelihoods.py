"""The loss of decoded data: minus a log-likelihood for vectors, an error for clouds."""

import math

import torch
from torch import Tensor, nn

from pcgen.errors import choose, positive
from pcgen.models.base import check_finite
from pcgen.nets.parts import RECONSTRUCTIONS

__all__ = ["AxisGaussian", "CloudError", "VectorGaussian"]

_LITTLE = 1e-3  # of the least variance: what is added to it at first where the code tells of an axis
_CONSTANT = 1e-6  # of the largest variance: the least of an axis on which the data does not vary


class VectorGaussian(nn.Module):
    """p(x | z) = N(decode(z), scale^2 I) of vectors.

    Args:
        scale: standard deviation, in the units of x.
        learned: whether the scale is learned.
    """

    def __init__(self, scale: float, learned: bool) -> None:
        super().__init__()
        positive(scale=scale)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)), requires_grad=learned)

    def fit(self, covariance: Tensor, left: Tensor) -> None:
        """Set what depends on covariances (D, D) of the data and of the initial residuals: nothing."""

    def nll(self, x: Tensor, decoded: Tensor) -> Tensor:
        """-log p(x | z) of each row in nats, (B,), for decoded = decode(z)."""
        constant = x.shape[1] * (self.log_scale + 0.5 * math.log(2 * math.pi))
        return 0.5 * (-2 * self.log_scale).exp() * (x - decoded).square().sum(dim=1) + constant

    def draw(self, decoded: Tensor) -> Tensor:
        """A draw of p(x | z) for each row."""
        return decoded + self.log_scale.exp() * torch.randn_like(decoded)


class AxisGaussian(VectorGaussian):
    """p(x | z) = N(decode(z), V diag(n) V^T) of vectors, with a separate variance for each principal axis.

        n_i = min(scale^2, l_i) + exp(a_i)

    with V the axes, l the data's variances along them, and a learned. Along axes where the data varies more than the
    scale, the noise is at least the scale, so that codes of few rows leave no holes in the prior. Along other axes, the
    noise can be as small as the data's variance. Axes that codes do not explain become noise, as in a Gaussian with the
    data's covariance.

    Args:
        dim: of the vectors. Before `fit`, the axes are the coordinates, and the data is assumed to vary more than the
            scale.
        scale: in the units of x.
    """

    axes: Tensor
    least: Tensor

    def __init__(self, dim: int, scale: float) -> None:
        super().__init__(scale, learned=False)
        self.register_buffer("axes", torch.eye(dim))  # V, in columns
        self.register_buffer("least", torch.full((dim,), scale**2))
        self.log_more = nn.Parameter(torch.full((dim,), math.log(_LITTLE * scale**2)))  # a

    @torch.no_grad()
    def fit(self, covariance: Tensor, left: Tensor) -> None:
        """Set the axes and their smallest noise from the data's covariance, and the noise from that of residuals.

        With the residuals of a linear decoder by `principal_factors`, x is the Gaussian with the data's covariance.

        Args:
            covariance: (D, D).
            left: the covariance (D, D) of the residuals x - decode(z), z ~ q(z | x).
        """
        variances, axes = torch.linalg.eigh(covariance.double())
        variances = variances.flip(0).clamp_min(_CONSTANT * float(variances.max().clamp_min(1e-12)))
        least = variances.clamp_max(float((2 * self.log_scale).exp()))
        axes = axes.flip(1)
        more = (axes * (left.double() @ axes)).sum(0) - least
        self.axes.copy_(axes)
        self.least.copy_(least)
        self.log_more.copy_(torch.maximum(more, _LITTLE * least).log())

    @property
    def variances(self) -> Tensor:
        """Variances n of the noise along the axes, (D,)."""
        return self.least + self.log_more.exp()

    def nll(self, x: Tensor, decoded: Tensor) -> Tensor:
        variances = self.variances
        squares = ((x - decoded) @ self.axes).square() / variances
        return 0.5 * (squares + variances.log() + math.log(2 * math.pi)).sum(dim=1)

    def draw(self, decoded: Tensor) -> Tensor:
        return decoded + (self.variances.sqrt() * torch.randn_like(decoded)) @ self.axes.T


class CloudError(nn.Module):
    """d(x, decode(z)) / (2 scale^2) for clouds, d a squared error, instead of -log p(x | z).

    Points have no order, so there is no simple density of clouds; nothing computed from this error is a bound.

    Args:
        reconstruction: "chamfer" (mean squared), or "emd" (exact; a mean distance, which is squared here).
        scale: the distance between clouds at which they count as different, in the units of x.
    """

    def __init__(self, reconstruction: str, scale: float) -> None:
        super().__init__()
        positive(scale=scale)
        self.reconstruction = choose(reconstruction, RECONSTRUCTIONS, "reconstruction")
        self.register_buffer("precision", torch.tensor(scale**-2))
        self.precision: Tensor

    def nll(self, x: Tensor, decoded: Tensor) -> Tensor:
        """The error of each row, (B,)."""
        check_finite(decoded, "a decoded cloud")
        error = RECONSTRUCTIONS[self.reconstruction](decoded, x)
        return 0.5 * self.precision * (error.square() if self.reconstruction == "emd" else error)

    def draw(self, decoded: Tensor) -> Tensor:
        """The decoded clouds: the error has no noise of its own."""
        return decoded
