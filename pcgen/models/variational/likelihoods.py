"""What a decoder's output says of the data: minus a log-likelihood of vectors, an error between clouds."""

import math

import torch
from torch import Tensor, nn

from pcgen.errors import choose, positive
from pcgen.models.base import check_finite
from pcgen.nets.parts import RECONSTRUCTIONS

__all__ = ["CloudError", "VectorGaussian"]


class VectorGaussian(nn.Module):
    """p(x | z) = N(decode(z), scale^2 I) of vectors.

    Args:
        scale: deviation, in the units of x.
        learned: whether it learns too.
    """

    def __init__(self, scale: float, learned: bool) -> None:
        super().__init__()
        positive(scale=scale)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)), requires_grad=learned)

    def nll(self, x: Tensor, decoded: Tensor) -> Tensor:
        """-log p(x | z) of each row in nats, (B,), for decoded = decode(z)."""
        constant = x.shape[1] * (self.log_scale + 0.5 * math.log(2 * math.pi))
        return 0.5 * (-2 * self.log_scale).exp() * (x - decoded).square().sum(dim=1) + constant

    def draw(self, decoded: Tensor) -> Tensor:
        """A draw of p(x | z) for each row."""
        return decoded + self.log_scale.exp() * torch.randn_like(decoded)


class CloudError(nn.Module):
    """d(x, decode(z)) / (2 scale^2) of clouds, d a squared error, in the place of -log p(x | z).

    Points have no order, so no density of theirs is at hand; nothing that is made of this error is a bound.

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
