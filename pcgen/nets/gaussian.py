"""What diffusion and flow matching predict for Gaussian data, in closed form: their networks only correct it."""

import torch
from torch import Tensor, nn

__all__ = ["GaussianPart"]


class GaussianPart(nn.Module):
    """The affine prediction of data x1 and noise x0 from their mixture, from the data's mean m and covariance C.

        x = a x1 + b x0,  x1 ~ (m, C),  x0 ~ (0, I),  cov(x0, x1) = diag(r) C^(1/2) in the axes of C

    For Gaussian data these are the exact conditional expectations, for other data the best affine predictions. The
    correlation r is 0 where noise and data are drawn independently, and 1 where noise goes to data by the map of
    optimal transport from N(0, I) to N(m, C), x1 = m + C^(1/2) x0. Rows are (dim,) vectors, or sets (members, channels)
    whose members all have m and C.

    Args:
        channels: dim of vectors, or channels of a set's members. Before `fit`, m is 0 and C is I.
    """

    mean: Tensor
    basis: Tensor
    spectrum: Tensor
    correlation: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("basis", torch.eye(channels))  # eigenvectors of C, in columns
        self.register_buffer("spectrum", torch.ones(channels))  # eigenvalues of C
        self.register_buffer("correlation", torch.zeros(channels))  # r, along the axes of C

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Take m and C from rows, (R, *shape)."""
        rows = x.flatten(0, -2).double()
        spectrum, basis = torch.linalg.eigh(torch.cov(rows.T, correction=0).reshape(rows.shape[1], rows.shape[1]))
        self.mean.copy_(rows.mean(0))
        self.basis.copy_(basis)
        self.spectrum.copy_(spectrum.clamp_min(0))

    @torch.no_grad()
    def fit_correlation(self, noise: Tensor, x: Tensor) -> None:
        """Take r from noise, (R, *shape), and the rows of data that it is coupled to; `fit` comes first."""
        along = ((x - self.mean) @ self.basis).flatten(0, -2).double()
        product = (along * (noise @ self.basis).flatten(0, -2).double()).mean(0)
        self.correlation.copy_((product / along.square().mean(0).sqrt().clamp_min(1e-12)).clamp(-1, 1))

    def stretch(self, drawn: Tensor) -> Tensor:
        """By how much the axes of C are to be stretched for drawn rows, (R, D), to have its variances, (D,)."""
        variance = ((drawn - drawn.mean(0)) @ self.basis).double().var(0, correction=0)
        ratio = self.spectrum / variance.clamp_min(1e-12).to(self.spectrum)
        return ratio.sqrt().clamp(1 / _MOST, _MOST)

    def stretched(self, x: Tensor, by: Tensor) -> Tensor:
        """Rows (B, D), stretched about m along the axes of C, (D,)."""
        return self.mean + (((x - self.mean) @ self.basis) * by) @ self.basis.T

    def noise(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """E[x0 | x], of the shape of x, (B, *shape); a and b of a shape that goes with it."""
        return self._predicted(x, a, self._with_noise(a, b) / self._variance(a, b))

    def velocity(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """E[x1 - x0 | x], of the shape of x, (B, *shape); a and b of a shape that goes with it."""
        deviation = self.spectrum.sqrt()
        with_data = a * self.spectrum + b * self.correlation * deviation  # cov(x1, x)
        ratio = (with_data - self._with_noise(a, b)) / self._variance(a, b)
        return self.mean + self._predicted(x, a, ratio)

    def _with_noise(self, a: Tensor, b: Tensor) -> Tensor:
        return b + a * self.correlation * self.spectrum.sqrt()  # cov(x0, x)

    def _variance(self, a: Tensor, b: Tensor) -> Tensor:
        cross = 2 * a * b * self.correlation * self.spectrum.sqrt()
        # Only an axis without any spread has no variance at b = 0, and nothing is left to predict along it.
        return (a.square() * self.spectrum + cross + b.square()).clamp_min(1e-12)

    def _predicted(self, x: Tensor, a: Tensor, ratio: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # exact is exact: in bfloat16 it would be off by 1%
            along = (x - a * self.mean) @ self.basis  # in the axes of C, where it is diagonal
            return (ratio * along) @ self.basis.T


_MOST = 2.0  # beyond it what is drawn has no likeness to the data, and no stretch gives it one
