"""A variational autoencoder whose prior is a tree of clusters, a nested Chinese restaurant process."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import positive
from pcgen.models.base import Batch, Facts, Recipe
from pcgen.models.inference import in_batches
from pcgen.models.variational.clustering import Clustering
from pcgen.models.variational.trees import NestedCRP
from pcgen.nets.parts import Part

__all__ = ["NCRPVAE", "grown"]


class NCRPVAE(Clustering):
    """A variational autoencoder whose prior is a learned tree of clusters: a nested Chinese restaurant process.

        a_root ~ N(0, step^2 V),  a_node ~ N(a_parent, step^2 V): means of nodes, a random walk down the tree
        p(c) = w_c of leaves c, by stick breaking at every node,  p(z | c) = N(a_c, V),  p(x | z) as in `vae`
        log p(rows) >= sum over x of E[log p(x | z)] - sum_c q(c | x) E[KL(q(z | x) | p(z | c)) + log(q(c | x) / w_c)]
                       - KL(q(a) | p(a)) - KL(q(w) | p(w)),  q(z | x) = N(m(x), diag v(x)),  E over z, a and w

    Encoder and decoder maximise the bound by gradient steps. After each step, the tree maximises it in closed form: q(c
    | x) is proportional to exp(E log w_c - E KL(q(z | x) | p(z | c))), and q(a), q(w) and V follow from sums over about
    as many recent rows as there are in the training data (see `trees.NestedCRP`). Training has two phases. Each starts
    with a new tree, built by k-means of decoded codes at every node, with each row at one leaf: the first from codes of
    probabilistic PCA, or of untrained networks for clouds, the second from learned codes. `cluster` gives the leaf of a
    row, and `path` the branches that lead to it.

    In the paper rows are frames of videos, and each video has its own weights; here rows are independent, and all share
    the weights. The paper's tree grows, and is pruned and merged; here its levels and branches are limited, and
    branches without rows have almost no weight. The paper's q treats the means of nodes as independent, and its V is 1;
    here their posterior is joint, and V is learned, so codes can have any unit of length. The paper's concentration is
    10, which would give the last of four branches three quarters of the prior's weight.

    Args:
        shape: (dim,) or (points, 3).
        levels: of the tree, including root and leaves.
        branching: branches of each node; there are branching^(levels - 1) leaves.
        concentration: of the sticks; larger values use more branches.
        step: standard deviation of a node about its parent, in units of that of codes about their leaf.
        code: dimensions of z.
        widths: for vectors, hidden widths of the encoder, and in reverse of the decoder; both are a linear map plus a
            perceptron that starts at zero; () is linear.
        encoder: for clouds, a part by name and arguments, or a module (B, N, 3) -> (B, 2 code).
        decoder: for clouds, in the same way, (B, code) -> (B, points, 3).
        reconstruction: for clouds, "chamfer" (mean squared), or "emd" (exact; a mean distance, which is squared here).
        scale: standard deviation of the decoder's noise, in the units of x; None is 0.3 for standardised vectors, 0.01
            for clouds.
        lr: Adam's learning rate.

    Logged:
        reconstruction: -log p(x | z) in nats at one sample of z, mean over rows; for clouds the squared error in units
            of the scale.
        kl_z: the divergence of the code in nats, mean over rows.
        kl_c: the divergence of the leaf in nats, mean over rows.
        clusters: effective number of leaves in the batch, from 1, if all have merged, to the number of leaves.
        tree: the divergence of the tree's means, weights and V in nats, divided by the number of training rows.

    Raises:
        ValueError: an unsupported shape, or an argument out of range.

    References:
        Goyal, Hu, Liang, Wang, Xing (2017). Nonparametric Variational Auto-encoders for Hierarchical Representation
        Learning.
        Blei, Griffiths, Jordan (2010). The Nested Chinese Restaurant Process and Bayesian Nonparametric Inference of
        Topic Hierarchies.
    """

    learning: ClassVar[str] = "gradient descent; the tree in closed form"
    prior: NestedCRP

    def __init__(
        self,
        shape: Sequence[int],
        levels: int = 3,
        branching: int = 4,
        concentration: float = 1.0,
        step: float = 1.0,
        code: int = 32,
        widths: Sequence[int] = (256, 256),
        encoder: Part | nn.Module = "pointnet",
        decoder: Part | nn.Module = "fully_connected",
        reconstruction: str = "chamfer",
        scale: float | None = None,
        lr: float = 1e-3,
    ) -> None:
        super().__init__(
            shape,
            code=code,
            widths=widths,
            encoder=encoder,
            decoder=decoder,
            reconstruction=reconstruction,
            scale=scale,
        )
        positive(lr=lr)
        self.prior = NestedCRP(code, levels, branching, concentration, step)
        self.optimizer = torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr, fused=True)

    @classmethod
    def arguments(cls, facts: Facts) -> dict[str, Any]:
        """No classes, since it finds clusters without labels."""
        return {"shape": facts.shape}

    @property
    def recipe(self) -> Recipe:
        """The weights are not averaged, because the tree follows the present encoder."""
        phases = {"first": 0.3, "second": 0.7}
        return replace(super().recipe, steps=3000, batch_size=64, average=None, phases=phases)

    @torch.no_grad()
    def enter(self, phase: str, data: Batch) -> None:
        """Build a new tree by k-means of decoded codes, because the dimensions of a code have no common unit."""
        codes = self.codes(data.x)
        decoded = in_batches(self, self.decode, codes.mean).flatten(1)
        self.prior.start(codes, grown(decoded, self.prior.levels, self.prior.branching))

    def parts(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        posterior, belief = self.posterior(x, x.new_zeros(len(x), 0)), self.prior.belief()
        divergences = belief.divergences(posterior)
        log_shares = belief.log_shares(divergences)
        shares = log_shares.exp()
        terms = {
            "reconstruction": self.likelihood.nll(x, self.decode(posterior.draw())),
            "kl_z": (shares * divergences).sum(1),
            "kl_c": (shares * (log_shares - belief.expected_log_weights)).sum(1),
        }
        return terms, log_shares

    def log_shares(self, x: Tensor) -> Tensor:
        belief = self.prior.belief()
        return belief.log_shares(belief.divergences(self.posterior(x, x.new_zeros(len(x), 0))))

    def path(self, x: Tensor) -> Tensor:
        """The branch at each level on the path to the most likely leaf, (B, *shape) -> (B, levels - 1)."""
        return self.prior.path(self.cluster(x))

    def update(self, batch: Batch) -> dict[str, Tensor]:
        told = super().update(batch)
        with torch.no_grad():
            self.refit(batch.x, batch.x.new_zeros(len(batch), 0))
            tree = self.prior.belief().cost / self.prior.counts.sum()
        return told | {"tree": tree.float()}

    def refit(self, x: Tensor, y: Tensor) -> None:
        self.prior.learn(self.posterior(x, y))


def grown(x: Tensor, levels: int, branching: int) -> Tensor:
    """The leaf of each of S rows, (S, dim) -> (S,), by k-means of the rows, then of those of each branch, and so on.

    The first branch of a node has the most rows, as in stick breaking.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    leaf, values = torch.zeros(len(x), dtype=torch.int64), x.cpu().numpy()
    for _ in range(levels - 1):
        branch = torch.zeros_like(leaf)
        for node in leaf.unique():
            rows = (leaf == node).nonzero()[:, 0]
            seed = int(torch.randint(2**31, ()))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # Equal rows are of one cluster, rightly.
                means = KMeans(min(branching, len(rows)), n_init=10, random_state=seed)
                found = torch.from_numpy(means.fit_predict(values[rows.numpy()])).long()
            branch[rows] = torch.bincount(found, minlength=branching).argsort(descending=True).argsort()[found]
        leaf = branching * leaf + branch
    return leaf.to(x.device)
