"""A sparse Gaussian process with Gaussian inputs: its variational bound, and the training of its posterior."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.models.variational.rbf import RBF, Expectations, pairs

__all__ = ["SparseGP", "Statistics"]

_JITTER = 1e-8  # of the kernel's variance: inducing inputs that coincide then leave its matrix positive definite
_LEAST = 1e-12  # variance of rows that are all alike


@dataclass(frozen=True)
class Statistics:
    """The statistics of rows that determine the best q(u), as means over rows, float64."""

    outputs: Tensor  # (M, D), of E k(z, h) y^T
    products: Tensor  # (M, M), of E k(z, h) k(h, z)

    @classmethod
    def mean(cls, parts: Sequence["Statistics"], shares: Sequence[float]) -> "Statistics":
        """The statistics of parts of the rows combined, with their shares."""
        return cls(
            torch.stack([share * part.outputs for part, share in zip(parts, shares, strict=True)]).sum(0),
            torch.stack([share * part.products for part, share in zip(parts, shares, strict=True)]).sum(0),
        )


class SparseGP(nn.Module):
    """D independent functions f_d ~ GP(mean_d, k) of inputs h, seen as y_d = f_d(h) + N(0, noise).

        u = f(Z) - mean = L v,  L L^T = k(Z, Z),  p(v_d) = N(0, I),  q(v_d) = N(P^-1 r_d, P^-1)

    The functions share their kernel and noise, and therefore the covariance of the best q. The values u at M inducing
    inputs Z represent the functions; given u, rows are independent, and the bound is a sum over rows minus KL(q(u) |
    p(u)). P and r, the natural parameters of q, are buffers: they are learned by natural-gradient steps, not by an
    optimizer. All is computed in float64.

    Args:
        inputs: dimensions of h.
        outputs: D.
        inducing: M.

    References:
        Titsias, Lawrence (2010). Bayesian Gaussian Process Latent Variable Model.
        Hensman, Fusi, Lawrence (2013). Gaussian Processes for Big Data.
    """

    mean: Tensor
    precision: Tensor
    shift: Tensor

    def __init__(self, inputs: int, outputs: int, inducing: int) -> None:
        super().__init__()
        self.kernel = RBF(inputs)
        self.log_noise = nn.Parameter(torch.zeros(()))
        self.inducing = nn.Parameter(torch.randn(inducing, inputs))
        self.register_buffer("mean", torch.zeros(outputs))
        self.register_buffer("precision", torch.eye(inducing, dtype=torch.float64))  # P
        self.register_buffer("shift", torch.zeros(inducing, outputs, dtype=torch.float64))  # r

    @torch.no_grad()
    def fix_noise(self, variance: float) -> None:
        """Fix the variance of the noise."""
        self.log_noise.fill_(math.log(variance))
        self.log_noise.requires_grad_(False)

    @property
    def fixed_noise(self) -> Tensor | None:
        """The variance of the noise, (), if it is fixed."""
        return None if self.log_noise.requires_grad else self.log_noise.exp()

    @torch.no_grad()
    def start(self, h: Tensor, y: Tensor, noise: Tensor) -> None:
        """Start with a smooth function from inputs (S, inputs) to outputs (S, D), and inducing inputs among the inputs.

        Raises:
            ValueError: there are fewer rows than inducing inputs.
        """
        self.mean.copy_(y.mean(0))
        self.inducing.copy_(_centres(h, len(self.inducing)))
        self.kernel.log_variance.copy_(y.var(0, correction=0).mean().clamp_min(_LEAST).log())
        # Rows are about sqrt(2) lengths apart: shorter, the function would say nothing between them.
        self.kernel.log_lengths.fill_(0.5 * float(h.var(0, correction=0).sum().clamp_min(_LEAST).log()))
        self.log_noise.copy_(noise.log())

    def expectations(self, h: DiagonalGaussian) -> Expectations:
        """Of the kernel between inputs (B, inputs) and the inducing inputs."""
        return self.kernel.expectations(h.mean, h.log_variance.exp(), self.inducing)

    def log_likelihood(self, h: DiagonalGaussian, y: DiagonalGaussian) -> Tensor:
        """E log N(y; f(h), noise I) of each row in nats, (B,), over q(f) and inputs and outputs that are Gaussian.

            -D/2 log(2 pi noise) - (|y|^2 + sum of variances - 2 y^T E f + E |f|^2) / (2 noise)

        Args:
            h: the inputs, (B, inputs).
            y: the outputs, (B, D), independent of the inputs; known ones have a log-variance of minus infinity.
        """
        psi, factor, (mean, covariance) = self.expectations(h), self._factor(), self._posterior()
        target, noise, outputs = (y.mean - self.mean).double(), self.log_noise.double().exp(), len(self.mean)
        # E |f|^2 = D psi0 + sum of psi2 * C: C holds what q(u) knows, and takes away what p(u) would leave open.
        moment = mean @ mean.T + outputs * (covariance - torch.eye(len(mean), dtype=mean.dtype, device=mean.device))
        within = _unwhitened(factor, _unwhitened(factor, moment).T)  # (M, M)
        expected = psi.psi1 @ _unwhitened(factor, mean)  # (B, D), E f
        first, second = pairs(len(mean), mean.device)
        of_pairs = within[first, second] * (2 - (first == second).double())  # a pair i < j stands for two entries
        squares = (target.square() + y.log_variance.double().exp() - 2 * target * expected).sum(1)
        squares = squares + outputs * psi.psi0 + psi.psi2 @ of_pairs
        log_likelihood: Tensor = -0.5 * (squares / noise + outputs * (self.log_noise.double() + math.log(2 * math.pi)))
        return log_likelihood

    def kl_from_prior(self) -> Tensor:
        """KL(q(u) | p(u)) of all D functions in nats, ()."""
        mean, covariance = self._posterior()
        inducing, outputs = mean.shape
        log_det = torch.linalg.slogdet(self.precision.double()).logabsdet
        kl: Tensor = 0.5 * (mean.square().sum() + outputs * (covariance.trace() - inducing + log_det))
        return kl

    @torch.no_grad()
    def statistics(self, h: DiagonalGaussian, y: DiagonalGaussian) -> Statistics:
        """The statistics for the best q(u) of rows with inputs (B, inputs) and outputs (B, D)."""
        psi = self.expectations(h)
        first, second = pairs(len(self.inducing), self.mean.device)
        products = psi.psi2.new_empty(len(self.inducing), len(self.inducing))
        products[first, second] = products[second, first] = psi.psi2.mean(0)
        return Statistics(psi.psi1.T @ (y.mean - self.mean).double() / len(y.mean), products)

    @torch.no_grad()
    def step(self, statistics: Statistics, rows: Tensor | int, rate: float) -> None:
        """Move q(u) by a natural-gradient step on the bound of so many rows with those statistics.

            P <- (1 - rate) P + rate (I + rows / noise L^-1 E[psi2] L^-T)
            r <- (1 - rate) r + rate rows / noise L^-1 E[psi1^T y]

        A step of rate 1 ends at the maximum of the bound.
        """
        factor, weight = self._factor(), rows / self.log_noise.double().exp()
        products = _whitened(factor, _whitened(factor, statistics.products).T)
        best = torch.eye(len(factor), dtype=factor.dtype, device=factor.device) + weight * (products + products.T) / 2
        self.precision.lerp_(best, rate)
        self.shift.lerp_(weight * _whitened(factor, statistics.outputs), rate)

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Means (B, D) and the variance (B, 1), that of all D alike, of y at inputs (B, inputs), noise included."""
        mean, covariance = self._posterior()
        across = _whitened(self._factor(), self.kernel(self.inducing, h))  # (M, B)
        left = self.kernel.variance - across.square().sum(0) + (across * (covariance @ across)).sum(0)
        return across.T @ mean + self.mean, (left.clamp_min(0) + self.log_noise.double().exp())[:, None]

    def _posterior(self) -> tuple[Tensor, Tensor]:
        """Means (M, D) and covariance (M, M) of q(v)."""
        factor = torch.linalg.cholesky(self.precision.double())
        return torch.cholesky_solve(self.shift.double(), factor), torch.cholesky_inverse(factor)

    def _factor(self) -> Tensor:
        """L, (M, M), lower triangular."""
        inner = self.kernel(self.inducing, self.inducing)
        ridge = _JITTER * self.kernel.variance * torch.eye(len(inner), dtype=inner.dtype, device=inner.device)
        factor: Tensor
        factor, failed = torch.linalg.cholesky_ex(inner + ridge)
        if bool(failed):
            raise FloatingPointError(
                f"vae_dgp: the kernel of {len(inner)} inducing inputs is not finite and positive definite: training "
                "has diverged; lower its lr"
            )
        return factor


def _centres(h: Tensor, count: int) -> Tensor:
    """Centres of k-means, (count, dim): inputs that are distributed like the data."""
    from sklearn.cluster import KMeans

    if len(h) < count:
        raise ValueError(
            f"inducing: must be at most the number of training rows, {len(h)}, got {count}; set inducing={len(h)} or "
            "less, or give more data"
        )
    seed = int(torch.randint(2**31, ()))
    found = KMeans(count, n_init=1, random_state=seed).fit(h.double().cpu().numpy())
    return torch.from_numpy(found.cluster_centers_).to(h)


def _whitened(factor: Tensor, values: Tensor) -> Tensor:
    """L^-1 values."""
    whitened: Tensor = torch.linalg.solve_triangular(factor, values, upper=False)
    return whitened


def _unwhitened(factor: Tensor, values: Tensor) -> Tensor:
    """L^-T values: what multiplies a row k(h, Z) to be multiplied with v."""
    unwhitened: Tensor = torch.linalg.solve_triangular(factor.T, values, upper=True)
    return unwhitened
