"""The predictions of diffusion and flow matching for Gaussian data, in closed form; networks only correct them."""

import torch
from torch import Tensor, nn

__all__ = ["GaussianPart"]


class GaussianPart(nn.Module):
    """The affine prediction of data x1 and noise x0 from x = a x1 + b x0, by the mean m and covariance C of the data.

        x = a x1 + b x0,  x1 ~ (m, C),  x0 ~ (0, I),  cov(x0, x1) = diag(r) C^(1/2) in the axes of C

    For Gaussian data these are the exact conditional expectations; for other data, the best affine predictions. The
    correlation r is 0 if noise and data are independent. It is 1 if x1 = m + C^(1/2) x0, the optimal transport map from
    N(0, I) to N(m, C). Rows are vectors (dim,), or sets (members, channels) whose members all have the same m and C.

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
        """Estimate m and C from rows, (R, *shape)."""
        rows = x.flatten(0, -2).double()
        spectrum, basis = torch.linalg.eigh(torch.cov(rows.T, correction=0).reshape(rows.shape[1], rows.shape[1]))
        self.mean.copy_(rows.mean(0))
        self.basis.copy_(basis)
        self.spectrum.copy_(spectrum.clamp_min(0))

    def floored(self, least: float) -> Tensor:
        """The eigenvalues of C, each at least the share `least` of the largest, and above 0, (channels,)."""
        return torch.maximum(self.spectrum, least * self.spectrum.max().clamp_min(least))

    @torch.no_grad()
    def fit_correlation(self, noise: Tensor, x: Tensor) -> None:
        """Estimate r from noise, (R, *shape), and the rows of data with which it is coupled; call `fit` before."""
        along = ((x - self.mean) @ self.basis).flatten(0, -2).double()
        product = (along * (noise @ self.basis).flatten(0, -2).double()).mean(0)
        self.correlation.copy_((product / along.square().mean(0).sqrt().clamp_min(1e-12)).clamp(-1, 1))

    def stretch(self, drawn: Tensor) -> Tensor:
        """The factor for each axis of C, (D,), by which samples, (R, D), must be scaled to have the variances of C."""
        variance = ((drawn - drawn.mean(0)) @ self.basis).double().var(0, correction=0)
        ratio = self.spectrum / variance.clamp_min(1e-12).to(self.spectrum)
        return ratio.sqrt().clamp(1 / _MOST, _MOST)

    def stretched(self, x: Tensor, by: Tensor) -> Tensor:
        """Rows (B, D), scaled around m along the axes of C by the factors `by`, (D,)."""
        return self.mean + (((x - self.mean) @ self.basis) * by) @ self.basis.T

    def noise(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """E[x0 | x], of the shape of x, (B, *shape); a and b must broadcast to it."""
        return self._predicted(x, a, self._with_noise(a, b) / self._variance(a, b))

    def velocity(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """E[x1 - x0 | x], of the shape of x, (B, *shape); a and b must broadcast to it."""
        deviation = self.spectrum.sqrt()
        with_data = a * self.spectrum + b * self.correlation * deviation  # cov(x1, x)
        ratio = (with_data - self._with_noise(a, b)) / self._variance(a, b)
        return self.mean + self._predicted(x, a, ratio)

    def _with_noise(self, a: Tensor, b: Tensor) -> Tensor:
        return b + a * self.correlation * self.spectrum.sqrt()  # cov(x0, x)

    def _variance(self, a: Tensor, b: Tensor) -> Tensor:
        cross = 2 * a * b * self.correlation * self.spectrum.sqrt()
        # At b = 0 the variance is 0 only along an axis on which data is constant; there, no prediction is needed.
        return (a.square() * self.spectrum + cross + b.square()).clamp_min(1e-12)

    def _predicted(self, x: Tensor, a: Tensor, ratio: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # in bfloat16, the error would be 1%
            along = (x - a * self.mean) @ self.basis  # in the axes of C, where it is diagonal
            return (ratio * along) @ self.basis.T


_MOST = 2.0  # samples that need a larger factor are too different from the data for scaling to help
