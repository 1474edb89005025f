"""Mixture of Gaussians whose number of components is inferred by a Dirichlet process."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least, positive
from pcgen.models.base import Batch, Facts, GenerativeModel, Recipe
from pcgen.models.mixtures.components import alone, check_components, fit_on, shaped, squared_distances
from pcgen.models.shape import accepted

if TYPE_CHECKING:
    from sklearn.mixture import BayesianGaussianMixture

__all__ = ["DPGMM"]

# Of the data's mean variance, added in every direction of the prior, which a dimension that is constant would make
# singular.
_LEAST = 1e-6


class DPGMM(GenerativeModel):
    """A Dirichlet process mixture of Gaussians by variational inference: components that are not needed stay empty.

        v_k ~ Beta(1, concentration),  w_k = v_k prod over j < k of (1 - v_j)
        P_k ~ Wishart with dim + 2 degrees of freedom, so that E[P_k^-1] = spread * C,  m_k ~ N(m, P_k^-1)
        x ~ sum over k of w_k N(m_k, P_k^-1)

    m and C are mean and covariance of the training rows. The posterior is assumed to factorise into Beta v_k,
    Normal-Wishart (m_k, P_k), and the assignments of rows to components. One update is one iteration of coordinate
    ascent on the bound, by scikit-learn, on the whole training set. `setup` starts from the clusters of k-means, which
    updates then merge. In many dimensions, rows hardly ever lie between components, so none merge: for codes, all
    components stay in use.

    Samples and `log_prob` use the predictive density: the mixture with its parameters integrated out under that
    posterior, which is exact, instead of plugging in their means,

        p(x) = sum over k of E[w_k] St(x; m_k, S_k (1 + 1 / b_k) / d_k, d_k),  d_k = n_k + 3

    where St is Student's t with d_k degrees of freedom, n_k the expected number of rows of component k, b_k = 1 + n_k
    and S_k the inverse of its Wishart's scale. In many dimensions E[P_k]^-1, the plug-in of scikit-learn, is smaller
    than the covariance of the rows by the factor n_k / (n_k + dim).

    Args:
        shape: (dim,).
        components: the largest number, at which the process is truncated; the weight of the rest is distributed in
            proportion.
        concentration: of the process: larger values expect more components a priori.
        spread: expected covariance of a component, as a share of that of the data.

    Logged:
        bound: minus the variational bound on the log-evidence, without its constants, in nats per row; it never rises.
        components: number of components with an expected row or more.

    Raises:
        ValueError: a shape that is not (dim,), or an argument out of range; in `setup`, fewer rows than components, or
            rows that are all equal; in `update`, several processes.

    References:
        Blei, Jordan (2006). Variational Inference for Dirichlet Process Mixtures.
        Bishop (2006). Pattern Recognition and Machine Learning. (Normal-Wishart components, and their predictive
        density.)
    """

    objective: ClassVar[str] = "a lower bound on the log-evidence"
    learning: ClassVar[str] = "coordinate ascent of a factorised posterior"
    sampling: ClassVar[str] = "a component, then a Student's t"
    sticks: Tensor
    mean_precision: Tensor
    means: Tensor
    degrees: Tensor
    precision_factors: Tensor
    prior_mean: Tensor
    prior_scatter: Tensor

    def __init__(
        self, shape: Sequence[int], components: int = 20, concentration: float = 1.0, spread: float = 1.0
    ) -> None:
        super().__init__()
        at_least(1, components=components)
        positive(concentration=concentration, spread=spread)
        self.shape = accepted(self.accepts, shape, "dp_gmm")
        (dim,) = self.shape
        self.concentration, self.spread = concentration, spread
        # In float64: scikit-learn goes on from these numbers.
        parts = torch.ones(components, dtype=torch.float64)
        eye = torch.eye(dim, dtype=torch.float64)
        self.register_buffer("sticks", torch.stack([parts, concentration * parts]))  # Beta's parameters, (2, K)
        self.register_buffer("mean_precision", parts.clone())  # b, (K,)
        self.register_buffer("means", parts[:, None] * eye.new_zeros(dim))  # (K, D)
        self.register_buffer("degrees", (dim + 2) * parts)  # of the Wisharts, (K,)
        # Upper triangular U with E[P_k] = U U^T, (K, D, D).
        self.register_buffer("precision_factors", eye.repeat(components, 1, 1))
        self.register_buffer("prior_mean", eye.new_zeros(dim))
        self.register_buffer("prior_scatter", eye.clone())  # the inverse of the prior Wishart's scale, (D, D)

    @classmethod
    def arguments(cls, facts: Facts) -> dict[str, Any]:
        """At most one component for every ten rows, which are counted as in `gmm`."""
        return {"shape": facts.shape, "components": max(1, min(20, facts.rows // 10))}

    @property
    def recipe(self) -> Recipe:
        """In many dimensions an update costs more, and rows settle in few of them."""
        return Recipe(steps=max(30, min(200, 4000 // self.shape[0])), batch_size=None)

    @property
    def weights(self) -> Tensor:
        """E[w_k], (K,), which sum to 1."""
        first, second = self.sticks
        share = first / (first + second)
        left = (1 - share).cumprod(0)  # of the stick, after each piece
        weights: Tensor = share * torch.cat([left.new_ones(1), left[:-1]])
        return weights / weights.sum()

    def occupied(self) -> int:
        """The number of components with an expected row or more."""
        return int((self.sticks[0] - 1 >= 1).sum())

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        check_components(len(self.means), len(data))
        x = data.x.double()  # all rows, on one rank, so that nothing is summed over ranks
        mean = x.mean(0)
        covariance = (x - mean).T @ (x - mean) / len(x)
        variance = covariance.diagonal().mean()
        if variance == 0:
            raise ValueError("data: all rows are equal, so that no component has a covariance; give other rows")
        least = _LEAST * variance * torch.eye(len(mean), dtype=mean.dtype, device=mean.device)
        self.prior_mean.copy_(mean)
        self.prior_scatter.copy_(self.spread * (covariance + least))
        self._fit(self._estimator(iterations=0), data.x)

    @torch.no_grad()
    def update(self, batch: Batch) -> dict[str, Tensor]:
        alone("dp_gmm")
        estimator = self._estimator(iterations=1)
        # With warm_start scikit-learn goes on from fitted attributes.
        estimator.weight_concentration_ = tuple(self.sticks.cpu().numpy())
        estimator.mean_precision_ = self.mean_precision.cpu().numpy()
        estimator.means_ = self.means.cpu().numpy()
        estimator.degrees_of_freedom_ = self.degrees.cpu().numpy()
        estimator.precisions_cholesky_ = self.precision_factors.cpu().numpy()
        estimator.converged_, estimator.lower_bound_ = False, -math.inf
        self._fit(estimator, batch.x)
        return {
            "bound": batch.x.new_tensor(-estimator.lower_bound_ / len(batch)),
            "components": batch.x.new_tensor(float(self.occupied())),
        }

    def log_prob(self, x: Tensor) -> Tensor:
        """Natural logarithm of the predictive density at each row of x, (B, D) -> (B,)."""
        dim = x.shape[1]
        free, wide = self._student()
        squared = squared_distances(x.double(), self.means, self.precision_factors) / wide  # (B, K)
        half_log_det = self.precision_factors.diagonal(dim1=1, dim2=2).log().sum(1) - dim / 2 * wide.log()
        constant = torch.lgamma((free + dim) / 2) - torch.lgamma(free / 2) - dim / 2 * (free * math.pi).log()
        students = constant + half_log_det - (free + dim) / 2 * torch.log1p(squared / free)
        return torch.logsumexp(self.weights.log() + students, dim=1).to(x.dtype)

    @torch.no_grad()
    def draw(self, n: int) -> Tensor:
        free, wide = self._student()
        k = torch.multinomial(self.weights, n, replacement=True)  # (n,)
        noise = torch.randn(n, *self.shape, dtype=free.dtype, device=self.device)
        size = wide[k] * free[k] / torch.distributions.Chi2(free[k]).sample()
        return (self.means[k] + size.sqrt()[:, None] * shaped(noise, k, self.precision_factors)).float()

    def _student(self) -> tuple[Tensor, Tensor]:
        """Of each component's predictive density the degrees of freedom, and its scale matrix by E[P_k]^-1, (K,)."""
        free = self.degrees + 1 - self.means.shape[1]
        return free, self.degrees * (1 + 1 / self.mean_precision) / free

    def _estimator(self, iterations: int) -> "BayesianGaussianMixture":
        from sklearn.mixture import BayesianGaussianMixture

        return BayesianGaussianMixture(
            n_components=len(self.means),
            reg_covar=0.0,
            max_iter=iterations,
            weight_concentration_prior=self.concentration,
            mean_precision_prior=1.0,
            mean_prior=self.prior_mean.cpu().numpy(),
            degrees_of_freedom_prior=self.means.shape[1] + 2,
            covariance_prior=self.prior_scatter.cpu().numpy(),
            warm_start=True,
            random_state=int(torch.randint(2**31, ())),
        )

    def _fit(self, estimator: "BayesianGaussianMixture", data: Tensor) -> None:
        fit_on(estimator, data, f"dp_gmm: the ascent cannot go on with spread {self.spread:g}")
        for buffer, found in (
            (self.sticks, torch.stack([torch.from_numpy(each) for each in estimator.weight_concentration_])),
            (self.mean_precision, torch.from_numpy(estimator.mean_precision_)),
            (self.means, torch.from_numpy(estimator.means_)),
            (self.degrees, torch.from_numpy(estimator.degrees_of_freedom_)),
            (self.precision_factors, torch.from_numpy(estimator.precisions_cholesky_)),
        ):
            buffer.copy_(found)
