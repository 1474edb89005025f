import itertools
from collections.abc import Callable

import pytest
import torch
from clusters import agreement, mean_bound, mixture_log_prob
from scipy.special import betaln
from scipy.stats import multivariate_normal
from torch import Tensor
from torch.distributions import Beta, Independent, Normal, kl_divergence

from pcgen.models.base import Batch
from pcgen.models.variational.ncrp_vae import NCRPVAE, grown
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.models.variational.trees import NestedCRP
from pcgen.training import fit, steps

CONTRACT = {"ncrp_vae": {"branching": 2, "code": 3, "widths": [16]}}

MIX = torch.tensor([[1.0, 0.2], [0.5, -1.0], [-0.8, 0.4], [0.1, 0.9], [0.6, 0.6]])


def ancestors(levels: int, branching: int) -> list[set[tuple[int, ...]]]:
    """Of every node, level by level, the nodes from the root to it: all beginnings of its path."""
    paths = [path for level in range(levels) for path in itertools.product(range(branching), repeat=level)]
    return [{path[:end] for end in range(len(path) + 1)} for path in paths]


def walk_covariance(levels: int, branching: int, step: float) -> Tensor:
    """Of the places of two nodes: step^2 for every node that is on both their paths."""
    nodes = ancestors(levels, branching)
    return step**2 * torch.tensor([[float(len(one & other)) for other in nodes] for one in nodes], dtype=torch.float64)


def known_tree(n: int, dim: int = 8, branching: int = 3, spread: float = 2.0) -> tuple[Tensor, Tensor]:
    """n codes about the leaves of a tree of three levels, and leaves; it is always the same tree."""
    fixed = torch.Generator().manual_seed(2)
    groups = 2 * spread * torch.randn(branching, 1, dim, generator=fixed)
    leaves = (groups + spread * torch.randn(branching, branching, dim, generator=fixed)).flatten(0, 1)
    leaf = torch.arange(n) % len(leaves)
    return leaves[leaf] + torch.randn(n, dim), leaf


def points(z: Tensor, log_variance: float = -18.0) -> DiagonalGaussian:
    return DiagonalGaussian(z, torch.full_like(z, log_variance))


def bound_of_codes(tree: NestedCRP, q: DiagonalGaussian) -> float:
    """The bound without the decoder's part: what the tree's update is to bring up."""
    belief = tree.belief()
    divergences = belief.divergences(q)
    log_shares = belief.log_shares(divergences)
    terms = log_shares.exp() * (belief.expected_log_weights - divergences - log_shares)
    return float(terms.sum() - belief.cost)


@pytest.mark.parametrize(("levels", "branching"), [(2, 3), (3, 2), (4, 2)])
def test_places_walk_down_the_tree(levels: int, branching: int) -> None:
    tree = NestedCRP(2, levels, branching, concentration=1.0, step=0.7)
    torch.testing.assert_close(torch.linalg.inv(tree.walk), walk_covariance(levels, branching, 0.7))


def test_the_bound_is_the_exact_evidence_of_rows_whose_leaves_are_known(measured: Callable[..., None]) -> None:
    """What is believed is then the exact posterior; against the Gaussian of all rows, and Beta's integrals."""
    z, leaf = known_tree(30, dim=2, branching=2)
    leaf = torch.where(leaf == 3, 0, leaf)  # One leaf has no rows.
    tree, q = NestedCRP(2, 3, 2, concentration=1.5, step=0.8), points(z)
    tree.start(q, leaf)
    belief = tree.belief()
    entropy = float(0.5 * (q.log_variance + torch.log(torch.tensor(2 * torch.pi)) + 1).sum())
    at_leaf = (belief.expected_log_weights - belief.divergences(q).double())[torch.arange(30), leaf]
    found = float(at_leaf.sum() - belief.cost) - entropy

    of_leaves = walk_covariance(3, 2, 0.8)[-4:, -4:]
    covariance = of_leaves[leaf][:, leaf] + torch.eye(30, dtype=torch.float64)
    exact = -0.5 * float((belief.variance.log() + 1 / belief.variance - 1).sum())  # of the prior of the unit of length
    for column, variance in zip(z.T, belief.variance, strict=True):
        exact += multivariate_normal.logpdf(column.numpy(), cov=(variance * covariance).numpy())
    counts = torch.bincount(leaf, minlength=4).view(2, 2)
    for first, second in torch.cat([counts.sum(1)[None], counts]).tolist():
        exact += float(betaln(1 + first, 1.5 + second) - betaln(1, 1.5))
    measured("evidence of codes at known leaves, nats", found, f"{exact:.3f}")
    assert found == pytest.approx(exact, abs=2e-3)


def test_the_unit_of_length_makes_the_evidence_highest() -> None:
    z, leaf = known_tree(60, dim=3, branching=2)
    tree = NestedCRP(3, 3, 2, concentration=1.0, step=1.0)
    tree.start(points(z), leaf)
    covariance = walk_covariance(3, 2, 1.0)[-4:, -4:][leaf][:, leaf] + torch.eye(60, dtype=torch.float64)
    log_variance = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_variance], max_iter=50)

    def minus_evidence() -> Tensor:
        quadratic = (z.double() * torch.linalg.solve(covariance, z.double())).sum(0)
        loss = 0.5 * ((1 + quadratic) * (-log_variance).exp() + 61 * log_variance).sum()
        optimizer.zero_grad()
        loss.backward()
        return loss

    optimizer.step(minus_evidence)
    torch.testing.assert_close(tree.belief().variance.double(), log_variance.detach().exp(), rtol=1e-4, atol=0)


def test_the_means_are_those_that_the_papers_updates_of_one_node_after_another_come_to() -> None:
    z, leaf = known_tree(50, dim=3, branching=2)
    tree = NestedCRP(3, 3, 2, concentration=1.0, step=0.6)
    tree.start(points(z), leaf)
    counts, sums = torch.bincount(leaf, minlength=4), torch.zeros(4, 3).index_add(0, leaf, z)
    mean = torch.zeros(7, 3)
    for _, node in itertools.product(range(200), range(7)):
        parent = mean[(node - 1) // 2] if node else torch.zeros(3)
        if node < 3:
            mean[node] = (parent + mean[2 * node + 1] + mean[2 * node + 2]) / 3
        else:
            at = node - 3
            mean[node] = (parent / 0.36 + sums[at]) / (1 / 0.36 + counts[at])
    torch.testing.assert_close(tree.belief().mean, mean, atol=1e-4, rtol=1e-4)


def test_updates_in_closed_form_never_lower_the_bound(measured: Callable[..., None]) -> None:
    z, leaf = known_tree(200, dim=4, spread=0.7)  # Leaves that overlap.
    tree, q = NestedCRP(4, 3, 3, concentration=2.0, step=1.0).double(), points(z.double(), log_variance=-1.0)
    tree.start(q, leaf[torch.randperm(200)])
    bounds = [bound_of_codes(tree, q)]
    for _ in range(60):
        tree.learn(q)
        bounds.append(bound_of_codes(tree, q))
    rises = torch.tensor(bounds, dtype=torch.float64).diff()
    measured("least rise of the bound in 60 updates of the tree, nats", float(rises.min()), "not below 0")
    assert rises.min() > -1e-8 and bounds[-1] > bounds[0] + 10


def test_branches_that_are_not_needed_lose_their_rows_and_their_weight(measured: Callable[..., None]) -> None:
    """Three branches of three, in a tree of four of four, where a fifth of the rows start at any leaf of all 16."""
    z, leaf = known_tree(900)
    tree, q = NestedCRP(8, 3, 4, concentration=1.0, step=1.0), points(z)
    right = 4 * (leaf // 3) + leaf % 3
    tree.start(q, torch.where(torch.rand(900) < 0.2, torch.randint(16, (900,)), right))
    spare = torch.ones(16, dtype=torch.bool).index_fill(0, right.unique(), False)
    assert tree.belief().mean_weights[spare].sum() > 0.05
    for _ in range(100):
        tree.learn(q)
    measured("rows at leaves that are not needed, of 900", float(tree.counts[spare].sum()), 0)
    assert tree.counts[spare].sum() < 1
    assert tree.belief().mean_weights[spare].sum() < 0.02


def test_a_part_of_the_rows_counts_as_all_and_moves_belief_by_its_share() -> None:
    z, leaf = known_tree(90, branching=3)
    tree, q = NestedCRP(8, 3, 3, concentration=1.0, step=2.0), points(z)
    tree.start(q, leaf)
    part = leaf < 3  # a third of the rows, all of the first branch
    tree.learn(points(z[part]))
    torch.testing.assert_close(
        tree.counts, torch.tensor([10 * 2 / 3 + 10] * 3 + [10 * 2 / 3] * 6).double(), atol=0.01, rtol=0
    )
    torch.testing.assert_close(tree.counts.sum(), torch.tensor(90.0).double())


def test_a_new_code_is_drawn_from_the_mean_of_all_believed_trees() -> None:
    z, leaf = known_tree(12, dim=2, branching=2)
    tree = NestedCRP(2, 3, 2, concentration=1.5, step=1.0)
    tree.start(points(z), torch.where(leaf == 3, 2, leaf))
    belief, new, draws = tree.belief(), 2 * torch.randn(6, 2), 40_000
    counts = tree.counts.float().view(2, 2)
    first, second, third = (Beta(1 + a, 1.5 + b).sample((draws,)) for a, b in [counts.sum(1), *counts])
    weights = torch.stack([first * second, first * (1 - second), (1 - first) * third, (1 - first) * (1 - third)], 1)
    noise = torch.randn(draws, 2, 7) @ torch.linalg.cholesky(belief.covariance).T
    places = belief.mean + (belief.variance.sqrt()[:, None] * noise).transpose(1, 2)  # (draws, 7, 2)
    leaves = Independent(Normal(places[:, 3:], belief.variance.sqrt()), 1)
    each = torch.stack([(weights * leaves.log_prob(row).exp()).sum(1) for row in new])
    error = each.std(1) / draws**0.5
    assert ((tree.log_prob(new).exp() - each.mean(1)).abs() < 4 * error).all()

    codes = tree.draw(100_000)
    mean_weights, components = belief.predicted()
    torch.testing.assert_close(codes.mean(0), mean_weights @ components.mean, atol=0.05, rtol=0)
    square = mean_weights @ (components.mean.square() + components.log_variance.exp())
    torch.testing.assert_close(codes.square().mean(0), square, atol=0, rtol=0.03)

    q = DiagonalGaussian(torch.randn(1, 2), torch.randn(1, 2))
    own = Independent(Normal(q.mean, (q.log_variance / 2).exp()), 1)
    drawn = kl_divergence(own.expand((draws, 4)), leaves)
    errors = 4 * drawn.std(0) / draws**0.5
    assert ((belief.divergences(q)[0] - drawn.mean(0)).abs() < errors).all()


def linear_model() -> NCRPVAE:
    """A linear decoder, a tree of four leaves, and an encoder that knows nothing of it: that of z ~ N(0, 9 I)."""
    model = NCRPVAE((5,), levels=3, branching=2, step=2.0, code=2, widths=(), scale=0.4)
    inverse = torch.linalg.inv(MIX.T @ MIX / 0.16 + torch.eye(2) / 9)
    with torch.no_grad():
        model.decoder.linear.weight.copy_(MIX)
        model.decoder.linear.bias.zero_()
        model.encoder.linear.weight.copy_(torch.cat([inverse @ MIX.T / 0.16, torch.zeros(2, 5)]))
        model.encoder.linear.bias.copy_(torch.cat([torch.zeros(2), inverse.diagonal().log()]))
    centres = torch.tensor([[-3.0, 0.0], [-3.0, 2.5], [2.0, 2.0], [1.0, -3.0]])
    leaf = torch.tensor([0] * 400 + [1] * 200 + [2] * 200 + [3] * 200)
    model.prior.start(points(centres[leaf] + 0.5 * torch.randn(1000, 2)), leaf)
    return model


def test_the_bound_stays_below_the_exact_density_and_rises_to_it_with_draws(measured: Callable[..., None]) -> None:
    model = linear_model()
    x = model.sample(300)
    weights, leaves = model.prior.belief().predicted()
    covariances = MIX @ leaves.log_variance.exp().diag_embed() @ MIX.T + 0.16 * torch.eye(5)
    exact = float(mixture_log_prob(x, weights, leaves.mean @ MIX.T, covariances).mean())
    bounds = [mean_bound(model, x, draws) for draws in (1, 5, 1000)]
    for draws, (bound, _) in zip((1, 5, 1000), bounds, strict=True):
        measured(f"bound of {draws} draws on a known tree, nats", bound, f"rising to {exact:.4f}")
    assert all(bound < exact + 4 * error for bound, error in bounds)
    assert bounds[0][0] < bounds[1][0] - 0.02 < exact - 0.04
    assert bounds[2][0] == pytest.approx(exact, abs=0.01)


def test_the_loss_is_minus_the_bound_and_an_update_tells_what_the_tree_costs_a_row() -> None:
    model, x = linear_model(), torch.randn(20, 5)
    torch.manual_seed(1)
    loss = sum(model.loss(Batch(x)).values())
    torch.manual_seed(1)
    torch.testing.assert_close(loss, -model.log_prob_bound(x).mean())
    torch.testing.assert_close(model.update(Batch(x))["tree"], model.prior.belief().cost / 1000)


def bent(z: Tensor) -> Tensor:
    """Codes of 8 dimensions on a curved sheet in 12, with a little noise."""
    turn = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(1))).Q
    x = torch.cat([z, 0.05 * z[:, :4].square()], dim=1) @ turn
    return (x - x.mean(0)) / x.std() + 0.05 * torch.randn(len(x), 12)


def purity(found: Tensor, labels: Tensor) -> float:
    """Share of rows that have the commonest label of their cluster."""
    return sum(int(torch.bincount(labels[found == each]).max()) for each in found.unique()) / len(labels)


def learned(x: Tensor, branching: int) -> NCRPVAE:
    model = NCRPVAE((12,), branching=branching, code=8, widths=(64,), scale=0.1, lr=3e-3)
    list(steps(model, x, steps=400, batch_size=128))
    return model.eval()


def test_it_recovers_a_known_tree_of_two_levels(measured: Callable[..., None]) -> None:
    z, leaf = known_tree(900)
    x = bent(z)
    model = learned(x, branching=3)
    clusters, groups = agreement(model.cluster(x), leaf), agreement(model.path(x)[:, 0], leaf // 3)
    measured("share of rows in the right one of nine clusters", clusters, 1)
    measured("share of rows in the right one of three branches of three clusters", groups, 1)
    assert clusters > 0.95 and groups > 0.99


def test_with_branches_to_spare_it_finds_the_clusters_and_no_branch_has_two_groups() -> None:
    """A group may then have two branches, and a cluster that k-means has cut two leaves."""
    z, leaf = known_tree(900)
    x = bent(z)
    model = learned(x, branching=4)
    assert agreement(model.cluster(x), leaf) > 0.9
    assert purity(model.cluster(x), leaf) > 0.99 and purity(model.path(x)[:, 0], leaf // 3) > 0.99
    assert (model.prior.belief().mean_weights > 0.02).sum() <= 11  # of 16


def test_what_samples_and_the_tree_are_of_one_encoder() -> None:
    """The tree follows the encoder as it is; weights that are averaged would encode otherwise."""
    x = torch.randn(80, 4)
    model = fit(NCRPVAE((4,), branching=2, code=2, widths=(8,), lr=1e-2), x, steps=40, batch_size=80)
    q = model.codes(x)
    torch.testing.assert_close(model.prior.sums.sum(0), q.mean.double().sum(0), atol=1e-3, rtol=0)


def test_paths_are_read_from_the_root_to_the_leaf() -> None:
    tree = NestedCRP(2, 3, 4, concentration=1.0, step=1.0)
    assert tree.path(torch.tensor([0, 3, 4, 15])).tolist() == [[0, 0], [0, 3], [1, 0], [3, 3]]


def test_a_tree_grows_by_k_means_of_k_means_with_the_largest_branch_first() -> None:
    x = torch.tensor([0.0, 0.0, 0.0, 1.0, 20.0, 20.0, 21.0])[:, None]
    assert grown(x, 3, 2).tolist() == [0, 0, 0, 1, 2, 2, 3]
    assert grown(torch.ones(3, 2), 3, 2).tolist() == [0, 0, 0]  # Equal rows, and fewer than leaves.
