"""Trees of Gaussians: a prior of codes whose clusters are leaves, and the posterior of the tree in closed form."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Beta, kl_divergence

from pcgen.errors import at_least, positive
from pcgen.models.priors import Density
from pcgen.models.variational.mixture import Components
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.models.variational.stick_breaking import log_weights
from pcgen.ranks import reduce_sum

__all__ = ["NestedCRP", "TreeBelief"]


@dataclass(frozen=True)
class TreeBelief:
    """The posterior of a tree with C leaves and P nodes, given the shares of the leaves in rows of codes."""

    mean: Tensor  # (P, D), of the nodes' places, level by level from the root
    covariance: Tensor  # (P, P), of nodes in units of `variance`, the same in every dimension
    variance: Tensor  # (D,), of codes about their leaf
    expected_log_weights: Tensor  # (C,), E log w
    mean_weights: Tensor  # (C,), E w
    cost: Tensor  # (), in nats: the divergence of all that is believed from the tree's prior

    @property
    def leaves(self) -> Tensor:
        """The posterior means of the leaves, (C, D)."""
        return self.mean[-len(self.mean_weights) :]

    @property
    def doubt(self) -> Tensor:
        """The posterior variance of each leaf's mean in units of `variance`, (C,)."""
        return self.covariance.diagonal()[-len(self.mean_weights) :]

    def divergences(self, q: DiagonalGaussian) -> Tensor:
        """E KL(q(z | x) | N(mean of leaf c, variance)) in nats, (B, C), E over the posterior of the means."""
        at_the_mean = Components(self.leaves, self.variance.log()).divergences(q)
        return at_the_mean + 0.5 * q.mean.shape[1] * self.doubt

    def log_shares(self, divergences: Tensor) -> Tensor:
        """The log probabilities of leaves that maximise the bound, for rows with these divergences, (B, C)."""
        return (self.expected_log_weights - divergences).log_softmax(1)

    def predicted(self) -> tuple[Tensor, Components]:
        """Weights (C,) and Gaussians (C, D) of the predictive mixture of a new code."""
        spread = (1 + self.doubt)[:, None] * self.variance
        return self.mean_weights, Components(self.leaves, spread.log())


class NestedCRP(Density):
    """A nested Chinese restaurant process of codes, with limited levels and branches, by its posterior.

        a_root ~ N(0, step^2 V),  a_node ~ N(a_parent, step^2 V): means of nodes, a random walk down the tree
        v_ij ~ Beta(1, concentration),  w_c = product down the path to leaf c of v_ij prod over k < j of (1 - v_ik)
        z ~ N(a_c, V),  c ~ w,  V = diag(variance)

    At node i the last branch j takes the rest of the stick. Given each row's shares q(c) of leaves c, the best
    posterior has a closed form in three sums over rows, which are buffers: counts of q(c), sums of q(c) E[z], squares
    E[z^2].

        q(a) = N(A^-1 sums, A^-1 V),  A = the walk's precision + diag(counts) of leaves, sums of leaves, 0 elsewhere
        q(v_ij) = Beta(1 + rows at branch j, concentration + rows at later branches)
        V = (1 + squares - sums' A^-1 sums) / (1 + number of rows)

    The paper's q(a) is independent for each node: its means are the same, its bound is lower. The paper's V, named
    sigma_D^2, is 1; here the unit of length of each dimension is learned, with a prior that counts as one row at a
    distance of 1. Branches without rows, which start as the last ones of their node, need no pruning: together they
    have about concentration / (the node's rows) of its mean weight.

    The density is the predictive density of a new code: sum_c E[w_c] N(z; E[a_c], (1 + A^-1_cc) V).

    Args:
        dim: of z.
        levels: of nodes, including root and leaves.
        branching: branches of a node that is not a leaf.
        concentration: larger values use more branches.
        step: standard deviation of a node's mean about its parent's, in units of that of codes about their leaf.
    """

    walk: Tensor  # (P, P), the precision of the nodes' places under the prior, in units of 1 / V
    counts: Tensor  # (C,), float64, as all three: the last is a small difference of large sums
    sums: Tensor  # (C, dim)
    squares: Tensor  # (dim,)

    def __init__(self, dim: int, levels: int, branching: int, concentration: float, step: float) -> None:
        super().__init__(dim)
        at_least(2, levels=levels, branching=branching)
        positive(concentration=concentration, step=step)
        self.levels, self.branching, self.concentration, self.step = levels, branching, concentration, step
        leaves = branching ** (levels - 1)
        self.register_buffer("walk", _precision(levels, branching) / step**2, persistent=False)
        self.register_buffer("counts", torch.zeros(leaves, dtype=torch.float64))
        self.register_buffer("sums", torch.zeros(leaves, dim, dtype=torch.float64))
        self.register_buffer("squares", torch.zeros(dim, dtype=torch.float64))

    @torch.no_grad()
    def belief(self) -> TreeBelief:
        """The posterior, from the sums over rows."""
        leaves, rows = len(self.counts), self.counts.sum()
        precision = self.walk.clone()
        precision.diagonal()[-leaves:] += self.counts
        factor = torch.linalg.cholesky_ex(precision).L  # Unlike others, these two do not wait for a device.
        covariance = torch.cholesky_inverse(factor)
        mean = covariance[:, -leaves:] @ self.sums
        variance = (1 + self.squares - (self.sums * mean[-leaves:]).sum(0)) / (1 + rows)
        sticks = self._sticks()
        parts = (
            mean,
            covariance,
            variance,
            self._down([_log_sticks(stick) for stick in sticks]),
            self._down([log_weights(stick.mean) for stick in sticks]).exp(),
            self._cost(mean, covariance, factor, variance, sticks),
        )
        return TreeBelief(*(part.to(self.scale.dtype) for part in parts))

    def _sticks(self) -> list[Beta]:
        """q(v) of each level's nodes, (nodes, branching - 1)."""
        found = []
        for level in range(1, self.levels):
            rows = self.counts.view(self.branching ** (level - 1), self.branching, -1).sum(2)
            later = rows.flip(1).cumsum(1).flip(1)[:, 1:]
            found.append(Beta(1 + rows[:, :-1], self.concentration + later, validate_args=False))
        return found

    def _down(self, levels: list[Tensor]) -> Tensor:
        """Sums along the paths to the leaves, (C,), of one value for each branch, (nodes, branching) at each level."""
        total = levels[0].flatten()
        for branches in levels[1:]:
            total = (total[:, None] + branches).flatten()
        return total

    def _cost(self, mean: Tensor, covariance: Tensor, factor: Tensor, variance: Tensor, sticks: list[Beta]) -> Tensor:
        """KL(q(a) | p(a)) + KL(q(v) | p(v)), and minus the log prior of V, which is 0 where V is 1; in nats, ()."""
        # The determinant of the walk's precision is step^-2 to the number of nodes.
        ratio = 2 * (factor.diagonal().log() + math.log(self.step)).sum()
        spread = self.dim * ((self.walk * covariance).sum() - len(mean) + ratio)
        shifts = ((mean * (self.walk @ mean)).sum(0) / variance).sum()
        units = (variance.log() + 1 / variance - 1).sum()
        prior = Beta(variance.new_ones(()), variance.new_tensor(self.concentration), validate_args=False)
        broken = torch.stack([kl_divergence(stick, prior).sum() for stick in sticks]).sum()
        return 0.5 * (spread + shifts + units) + broken

    @torch.no_grad()
    def start(self, q: DiagonalGaussian, leaf: Tensor) -> None:
        """Set the posterior from all S rows, each of which is at one leaf, (S,) int64."""
        shares = torch.nn.functional.one_hot(leaf, len(self.counts)).double()
        self.counts.zero_()
        self._move(self._sums(q, shares))

    @torch.no_grad()
    def learn(self, q: DiagonalGaussian) -> None:
        """Move by B / S towards the posterior of B rows, as if they were all S: a running mean over about S rows.

        Their shares of leaves follow from the present posterior. With all S rows at once the bound never falls.
        """
        belief = self.belief()
        shares = belief.log_shares(belief.divergences(q)).exp().double()
        sums = self._sums(q, shares)
        reduce_sum(sums)  # Ranks have different rows, and one tree.
        self._move(sums)

    def _sums(self, q: DiagonalGaussian, shares: Tensor) -> list[Tensor]:
        """What the posterior needs of rows: counts, sums and squares."""
        mean = q.mean.double()
        return [shares.sum(0), shares.T @ mean, (mean.square() + q.log_variance.double().exp()).sum(0)]

    def _move(self, sums: list[Tensor]) -> None:
        rows = sums[0].sum()
        rate = rows / torch.maximum(self.counts.sum(), rows)
        for own, new in zip((self.counts, self.sums, self.squares), sums, strict=True):
            own.lerp_(new / rate, rate)

    def path(self, leaf: Tensor) -> Tensor:
        """The branch at each level from the root to each leaf, (B,) int64 -> (B, levels - 1)."""
        places = self.branching ** torch.arange(self.levels - 2, -1, -1, device=leaf.device)
        return leaf[:, None] // places % self.branching

    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        weights, leaves = self.belief().predicted()
        leaf = torch.multinomial(weights, n, replacement=True)
        return leaves.mean[leaf] + (leaves.log_variance[leaf] / 2).exp() * self._noise(n, truncation)

    def log_prob(self, z: Tensor) -> Tensor:
        weights, leaves = self.belief().predicted()
        return (weights.log() + leaves.log_prob(z)).logsumexp(1)


def _precision(levels: int, branching: int) -> Tensor:
    """The precision of all nodes' means under a walk with variance 1, (P, P): D'D, D the differences from parents."""
    nodes = sum(branching**level for level in range(levels))
    differences = torch.eye(nodes, dtype=torch.float64)
    child = torch.arange(1, nodes)
    differences[child, (child - 1) // branching] = -1  # Nodes are numbered level by level.
    return differences.T @ differences


def _log_sticks(stick: Beta) -> Tensor:
    """E log of the weights of sticks, (nodes, branching - 1) -> (nodes, branching)."""
    taken, left, both = (
        torch.digamma(count)
        for count in (stick.concentration1, stick.concentration0, stick.concentration1 + stick.concentration0)
    )
    nothing = torch.zeros_like(taken[:, :1])
    return torch.cat([taken - both, nothing], 1) + torch.cat([nothing, (left - both).cumsum(1)], 1)
