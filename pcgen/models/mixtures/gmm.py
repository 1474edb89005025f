"""Mixture of Gaussians, fitted by expectation maximisation."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least, choose, not_negative
from pcgen.models.base import Batch, Facts, GenerativeModel, Recipe
from pcgen.models.mixtures.components import alone, check_components, fit_on, shaped, squared_distances
from pcgen.models.shape import accepted

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

__all__ = ["GMM"]


class GMM(GenerativeModel):
    """A mixture of Gaussians, fitted by expectation maximisation; one update is one iteration, by scikit-learn.

        p(x) = sum_k w_k N(x; m_k, C_k)

    By its recipe, an iteration uses the whole training set; a smaller batch is fitted as if it were the whole set.
    `setup` starts from the clusters of k-means. The state is in buffers, so an iteration needs nothing else.

    Args:
        shape: (dim,).
        components: number of Gaussians.
        covariance: "full" or "diagonal".
        ridge: variance added in every direction of every component, in the squared units of x. Without it, a component
            with fewer rows than dimensions has a singular covariance. The default is for standardised vectors: a
            hundredth of their variance. EM never lowers the likelihood in the limit of ridge 0.

    Logged:
        nll: minus the log-likelihood in nats, mean over the training rows.

    Raises:
        ValueError: a shape that is not (dim,), no components, an unknown covariance, a negative ridge; in `setup`,
            fewer rows than components; in `update`, several processes.

    References:
        Dempster, Laird, Rubin (1977). Maximum Likelihood from Incomplete Data via the EM Algorithm.
        Achlioptas, Diamanti, Mitliagkas, Guibas (2018). Learning Representations and Generative Models for 3D Point
        Clouds. (32 full covariances on codes.)
    """

    objective: ClassVar[str] = "log-likelihood"
    learning: ClassVar[str] = "expectation maximisation"
    sampling: ClassVar[str] = "a component, then a Gaussian"
    weights: Tensor
    means: Tensor
    precision_factors: Tensor

    def __init__(
        self, shape: Sequence[int], components: int = 32, covariance: str = "full", ridge: float = 1e-2
    ) -> None:
        super().__init__()
        at_least(1, components=components)
        choose(covariance, ["full", "diagonal"], "covariance")
        not_negative(ridge=ridge)
        self.shape = accepted(self.accepts, shape, "gmm")
        (dim,) = self.shape
        self.diagonal = covariance == "diagonal"
        self.ridge = ridge
        self.register_buffer("weights", torch.full((components,), 1 / components))  # (K,)
        self.register_buffer("means", torch.zeros(components, dim))  # (K, D)
        # Upper triangular U with precision = U U^T; as (K, D, D) for both covariances.
        self.register_buffer("precision_factors", torch.eye(dim).repeat(components, 1, 1))

    @classmethod
    def arguments(cls, facts: Facts) -> dict[str, Any]:
        """At most one component for every ten rows: fewer rows do not determine a covariance.

        Codes of several samplings of a cloud count as rows of their own.
        """
        return {"shape": facts.shape, "components": max(1, min(32, facts.rows // 10))}

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=30, batch_size=None)

    def setup(self, data: Batch) -> None:
        check_components(len(self.weights), len(data))
        self._fit(self._estimator(iterations=0), data.x)

    @torch.no_grad()
    def update(self, batch: Batch) -> dict[str, Tensor]:
        alone("gmm")
        estimator = self._estimator(iterations=1)
        # With warm_start scikit-learn goes on from fitted attributes: from the factors, not from their inverses.
        estimator.weights_ = self.weights.double().cpu().numpy()
        estimator.means_ = self.means.double().cpu().numpy()
        factors = self.precision_factors.double().cpu()
        estimator.precisions_cholesky_ = (factors.diagonal(dim1=1, dim2=2) if self.diagonal else factors).numpy()
        estimator.converged_, estimator.lower_bound_ = False, -math.inf
        self._fit(estimator, batch.x)
        return {"nll": -self.log_prob(batch.x).mean()}

    def log_prob(self, x: Tensor) -> Tensor:
        """Natural logarithm of the density at each row of x, (B, D) -> (B,)."""
        half_log_det = self.precision_factors.diagonal(dim1=1, dim2=2).log().sum(1)  # (K,)
        squared = squared_distances(x, self.means, self.precision_factors)  # (B, K)
        normals = half_log_det - 0.5 * squared - 0.5 * x.shape[1] * math.log(2 * math.pi)
        return torch.logsumexp(self.weights.log() + normals, dim=1)

    @torch.no_grad()
    def draw(self, n: int) -> Tensor:
        k = torch.multinomial(self.weights, n, replacement=True)  # (n,)
        noise = torch.randn(n, *self.shape, device=self.device)
        return self.means[k] + shaped(noise, k, self.precision_factors)

    def _estimator(self, iterations: int) -> "GaussianMixture":
        from sklearn.mixture import GaussianMixture

        return GaussianMixture(
            n_components=len(self.weights),
            covariance_type="diag" if self.diagonal else "full",
            reg_covar=self.ridge,
            max_iter=iterations,
            warm_start=True,
            random_state=int(torch.randint(2**31, ())),
        )

    def _fit(self, estimator: "GaussianMixture", data: Tensor) -> None:
        fit_on(
            estimator,
            data,
            f"gmm: EM cannot go on with ridge {self.ridge:g} and {len(self.weights)} components",
        )
        factors = torch.from_numpy(estimator.precisions_cholesky_)
        self.weights.copy_(torch.from_numpy(estimator.weights_))
        self.means.copy_(torch.from_numpy(estimator.means_))
        self.precision_factors.copy_(torch.diag_embed(factors) if self.diagonal else factors)
