"""Mixtures of diagonal Gaussians of codes: as a learned prior, and as one that depends on another latent."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from pcgen.errors import at_least
from pcgen.models.priors import Density, Normal, Prior
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.nets.corrected import CorrectedLinear

__all__ = ["Components", "LearnedMixture", "MovedMixture", "divergence_of_shares", "fitted", "found_clusters"]


@dataclass(frozen=True)
class Components:
    """K diagonal Gaussians N(mean_k, diag exp(log_variance_k)): of all rows, (K, D), or each row's own, (B, K, D)."""

    mean: Tensor
    log_variance: Tensor

    def log_prob(self, z: Tensor) -> Tensor:
        """log N(z; component k) in nats, (..., D) -> (..., K)."""
        squares = (z[..., None, :] - self.mean).square() * (-self.log_variance).exp()
        return -0.5 * (squares + self.log_variance + math.log(2 * math.pi)).sum(-1)

    def divergences(self, q: DiagonalGaussian) -> Tensor:
        """KL(q(z | x) | component k) in nats, (B, K), of q of codes (B, D)."""
        squares = (q.mean[:, None] - self.mean).square() + q.log_variance[:, None].exp()
        ratio = self.log_variance - q.log_variance[:, None]
        return 0.5 * (squares * (-self.log_variance).exp() - 1 + ratio).sum(2)


@torch.no_grad()
def fitted(codes: DiagonalGaussian, decoded: Tensor, count: int) -> tuple[Tensor, Components]:
    """Weights (K,) and components (K, D) of a mixture fitted to codes by expectation maximisation.

    It starts from k-means of decoded codes, because the dimensions of a code have no common unit of length: a decoder
    may stretch any of them. It is fitted to the means of the codes; samples scatter about them, so their mean variance
    is added.

    Args:
        codes: S codes.
        decoded: their decoded means, (S, *shape).
        count: K.

    Raises:
        ValueError: there are fewer codes than components, or than two.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    mean = codes.mean.double().cpu()
    if len(mean) < max(count, 2):
        raise ValueError(
            f"clusters: must be at most the number of training rows, two of them at least, got {count} clusters "
            f"and {len(mean)} rows; set fewer, or give more data"
        )
    seed = int(torch.randint(2**31, ()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # It is where learning starts, not where it ends.
        found = KMeans(count, n_init=10, random_state=seed).fit_predict(decoded.flatten(1).cpu().numpy())
        shares = one_hot(torch.from_numpy(found).long(), count).double() + 1e-6  # (S, K), of equal rows none is empty
        weights, spread = shares.mean(0), shares / shares.sum(0)
        centres = spread.T @ mean
        variances = spread.T @ mean.square() - centres.square()
        estimator = GaussianMixture(
            count,
            covariance_type="diag",
            weights_init=(weights / weights.sum()).numpy(),
            means_init=centres.numpy(),
            precisions_init=(1 / variances.clamp_min(1e-6)).numpy(),
            random_state=seed,
        ).fit(mean.numpy())
    weights, centres, variances = (
        torch.from_numpy(value).to(codes.mean)
        for value in (estimator.weights_, estimator.means_, estimator.covariances_)
    )
    return weights, Components(centres, (variances + codes.log_variance.exp().mean(0)).log())


class Weights(nn.Module):
    """Learned probabilities of K clusters; they start equal."""

    def __init__(self, clusters: int) -> None:
        super().__init__()
        at_least(1, clusters=clusters)
        self.logits = nn.Parameter(torch.zeros(clusters))

    def __len__(self) -> int:
        return len(self.logits)

    def log(self) -> Tensor:
        """Their logarithms, (K,)."""
        return self.logits.log_softmax(0)

    @torch.no_grad()
    def start(self, weights: Tensor) -> None:
        """Begin with these probabilities, (K,)."""
        self.logits.copy_(weights.clamp_min(1e-6).log())

    def draw(self, n: int) -> Tensor:
        """Clusters, (n,) int64."""
        return torch.multinomial(self.log().exp(), n, replacement=True)


class LearnedMixture(Density):
    """p(z) = sum_c pi_c N(mean_c, diag v_c), with all parameters learned; it starts as N(0, I).

    Args:
        dim: of z.
        clusters: number of clusters.
    """

    def __init__(self, dim: int, clusters: int) -> None:
        super().__init__(dim)
        self.weights = Weights(clusters)
        self.mean = nn.Parameter(torch.zeros(clusters, dim))
        self.log_variance = nn.Parameter(torch.zeros(clusters, dim))

    @torch.no_grad()
    def start(self, codes: DiagonalGaussian, decoded: Tensor) -> None:
        """Begin with the mixture that `fitted` finds."""
        weights, components = fitted(codes, decoded, len(self.weights))
        self.weights.start(weights)
        self.mean.copy_(components.mean)
        self.log_variance.copy_(components.log_variance)

    @property
    def components(self) -> Components:
        return Components(self.mean, self.log_variance)

    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        cluster = self.weights.draw(n)
        return self.mean[cluster] + (self.log_variance[cluster] / 2).exp() * self._noise(n, truncation)

    def log_prob(self, z: Tensor) -> Tensor:
        return self._joint(z).logsumexp(1)

    def log_shares(self, z: Tensor) -> Tensor:
        """log p(c | z), (B, D) -> (B, K)."""
        return self._joint(z).log_softmax(1)

    def _joint(self, z: Tensor) -> Tensor:
        return self.weights.log() + self.components.log_prob(z)


class MovedMixture(Prior):
    """p(z | w) = sum_y pi_y N(mean_y(w), diag v_y(w)), w ~ N(0, I): clusters that are not Gaussian in general.

    The network of w is a linear map plus a perceptron that starts at zero.

    Args:
        dim: of z.
        noise: dimensions of w.
        clusters: number of clusters.
        widths: hidden widths of the network; () is linear.
    """

    def __init__(self, dim: int, noise: int, clusters: int, widths: Sequence[int]) -> None:
        super().__init__(dim)
        self.weights = Weights(clusters)
        self.noise = Normal(noise)
        self.network = CorrectedLinear((noise, *widths, clusters * 2 * dim))

    @torch.no_grad()
    def start(self, codes: DiagonalGaussian, decoded: Tensor) -> None:
        """Start with the components that `fitted` finds, independent of w."""
        weights, components = fitted(codes, decoded, len(self.weights))
        self.weights.start(weights)
        self.network.linear.weight.zero_()
        self.network.linear.bias.copy_(torch.cat([components.mean, components.log_variance], dim=1).flatten())

    def components(self, w: Tensor) -> Components:
        """The Gaussians of z for each w, (B, noise) -> (B, K, dim)."""
        mean, log_variance = self.network(w).unflatten(1, (len(self.weights), 2 * self.dim)).chunk(2, dim=2)
        return Components(mean, log_variance)

    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        components = self.components(self.noise.draw(n, truncation))
        cluster = self.weights.draw(n)
        row = torch.arange(n, device=self.scale.device)
        deviation = (components.log_variance[row, cluster] / 2).exp()
        return components.mean[row, cluster] + deviation * self._noise(n, truncation)

    def log_prob_given(self, z: Tensor, w: Tensor) -> Tensor:
        """log p(z | w) in nats, (B, dim) and (B, noise) -> (B,)."""
        return self.joint(self.components(w), z).logsumexp(1)

    def log_shares(self, z: Tensor, w: Tensor) -> Tensor:
        """log p(y | z, w), (B, K)."""
        return self.joint(self.components(w), z).log_softmax(1)

    def joint(self, components: Components, z: Tensor) -> Tensor:
        """log p(z, y | w) of components that w gives, (B, K)."""
        return self.weights.log() + components.log_prob(z)


def divergence_of_shares(log_shares: Tensor, log_weights: Tensor) -> Tensor:
    """KL of a distribution over clusters of each row, (B, K), from their weights (K,), in nats, (B,)."""
    return (log_shares.exp() * (log_shares - log_weights)).sum(1)


def found_clusters(log_shares: Tensor) -> Tensor:
    """exp of the mutual information of row and cluster, H(mean share) - mean H(share), of (B, K): between 1 and K.

    It is K if rows are divided into K clusters of equal size. It is 1 if one cluster has all rows, and also if every
    row belongs equally to all clusters, because they have merged; the entropy of the mean share alone would not detect
    that.
    """
    # In logarithms: the share of a cluster that is far from every row is 0 in floating point.
    mean = log_shares.logsumexp(0) - math.log(len(log_shares))
    return divergence_of_shares(log_shares, mean).mean().exp()
