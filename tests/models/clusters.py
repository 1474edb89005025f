"""Rows of known clusters, and how well found clusters agree with them."""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.distributions import MultivariateNormal

from pcgen.models.variational.clustering import Clustering


def agreement(found: Tensor, labels: Tensor) -> float:
    """Share of rows whose found cluster is their label, under the best matching of clusters to labels."""
    count = int(max(found.max(), labels.max())) + 1
    table = torch.bincount(count * found + labels, minlength=count**2).view(count, count)
    clusters, classes = linear_sum_assignment(table.numpy(), maximize=True)
    return float(table[clusters, classes].sum()) / len(labels)


def unlike_clusters(n: int) -> tuple[Tensor, Tensor]:
    """n rows of 6 dimensions on a curved sheet, in a wide cluster and two small ones at its rim, and labels."""
    labels = torch.arange(n) % 3
    centres, deviations = torch.tensor([[0.0, 0.0], [2.2, 0.0], [-1.5, 1.8]]), torch.tensor([1.0, 0.15, 0.15])
    z = centres[labels] + deviations[labels, None] * torch.randn(n, 2)
    turn = torch.linalg.qr(torch.randn(6, 6)).Q[:4]
    return torch.cat([z, 0.3 * z.square()], dim=1) @ turn + 0.05 * torch.randn(n, 6), labels


def mixture_log_prob(x: Tensor, weights: Tensor, means: Tensor, covariances: Tensor) -> Tensor:
    """log of sum_k weights_k N(x; means_k, covariances_k) of each row, (B,)."""
    parts = [
        MultivariateNormal(mean, covariance).log_prob(x) for mean, covariance in zip(means, covariances, strict=True)
    ]
    return (weights.log()[:, None] + torch.stack(parts)).logsumexp(0)


def mean_bound(model: Clustering, x: Tensor, draws: int) -> tuple[float, float]:
    """The bound over the rows, and its standard error."""
    times = 40 if draws < 100 else 5
    with torch.no_grad():
        found = torch.stack([model.log_prob_bound(x, draws=draws).mean() for _ in range(times)])
    return float(found.mean()), float(found.std()) / times**0.5
