"""Optimal transport beyond one-to-one matching, by the solvers of POT.

Plans are found in float64; the value is then written in terms of the clouds with the plan held fixed, so that its
gradient is that of the optimum (the envelope theorem). Clouds may have any dimension. Pairs are solved one by one.
"""

from typing import Any

import torch
from torch import Tensor

__all__ = ["gromov_wasserstein", "sinkhorn", "sliced_wasserstein", "unbalanced", "wasserstein"]

_MARGINS = 1e-6  # how far a plan's margins may be off in sum, of a mass of 1


def wasserstein(x: Tensor, y: Tensor, x_weights: Tensor | None = None, y_weights: Tensor | None = None) -> Tensor:
    """Exact Wasserstein-1 distance of each pair of weighted clouds, of equal or different sizes.

    min over plans T with margins a and b of the sum of T_ij |x_i - y_j|

    In the clouds' unit, not squared. With equal sizes and no weights it is `pcgen.ops.emd`, which is much faster.

    Args:
        x: (B, N, D), float32 or float64.
        y: (B, M, D), of the same type.
        x_weights: (B, N), positive, normalised to sum 1 in each cloud; uniform unless given.
        y_weights: (B, M), likewise.

    Returns:
        (B,), of the clouds' type.

    Raises:
        ValueError: wrong shape or type, an empty cloud, a coordinate that is not finite, a weight that is not positive.
        RuntimeError: the solver stopped before the optimum.

    Bonneel, van de Panne, Paris and Heidrich, 2011, Displacement Interpolation Using Lagrangian Mass Transport.
    """
    import ot

    _check(x, y, same_dimension=True)
    a, b = _weights(x_weights, x, "x_weights"), _weights(y_weights, y, "y_weights")
    values = []
    for row in range(len(x)):
        costs = _distances(x[row], y[row])
        plan, log = ot.emd(_numpy(a[row]), _numpy(b[row]), _numpy(costs), numItermax=10**8, log=True)
        if log["warning"] is not None:
            raise RuntimeError(f"wasserstein: POT stopped before the optimum of pair {row}: {log['warning']}")
        values.append((torch.as_tensor(plan) * costs).sum())
    return _stack(values, x)


def sinkhorn(x: Tensor, y: Tensor, regularization: float = 0.05, *, iterations: int = 10_000) -> Tensor:
    """Sinkhorn divergence of each pair of clouds.

    S(x, y) = W(x, y) - W(x, x)/2 - W(y, y)/2, W(x, y) = min over plans T of sum T_ij |x_i - y_j| + eps KL(T | a b'),

    a and b uniform weights. Not negative, 0 on equal clouds, and the Earth Mover's distance as eps goes to 0.

    Args:
        x: (B, N, D), float32 or float64.
        y: (B, M, D), of the same type.
        regularization: eps, in the clouds' unit; the smaller, the more iterations.
        iterations: bound on Sinkhorn's iterations.

    Returns:
        (B,), of the clouds' type, in the clouds' unit.

    Raises:
        ValueError: wrong shape or type, an empty cloud, a coordinate that is not finite, regularization not positive.
        RuntimeError: not converged within `iterations`.

    Feydy, Séjourné, Vialard, Amari, Trouvé and Peyré, 2019, Interpolating between Optimal Transport and MMD using
    Sinkhorn Divergences.
    """
    import ot

    _check(x, y, same_dimension=True)
    _positive(regularization, "regularization")

    def entropic(p: Tensor, q: Tensor) -> Tensor:
        costs = _distances(p, q)
        a, b = _uniform(len(p)), _uniform(len(q))
        plan, log = ot.bregman.sinkhorn_log(
            _numpy(a),
            _numpy(b),
            _numpy(costs),
            regularization,
            numItermax=iterations,
            stopThr=_MARGINS,
            log=True,
            warn=False,
        )
        if not log["err"][-1] <= _MARGINS:
            raise RuntimeError(
                f"sinkhorn: margins are off by {log['err'][-1]:.1g} after {iterations} iterations; raise them, or "
                f"regularization above {regularization}"
            )
        moved = torch.as_tensor(plan)
        return (moved * costs).sum() + regularization * _relative_entropy(moved, torch.outer(a, b))

    values = [entropic(p, q) - entropic(p, p) / 2 - entropic(q, q) / 2 for p, q in zip(x, y, strict=True)]
    return _stack(values, x)


def unbalanced(x: Tensor, y: Tensor, penalty: float = 1.0) -> Tensor:
    """Unbalanced transport between each pair of clouds: mass may be dropped or made, at a price.

    min over T >= 0 of sum T_ij |x_i - y_j| + penalty (KL(T 1 | a) + KL(T' 1 | b)), uniform weights a and b, with
    KL(p | q) = sum p log(p / q) - p + q. Moving farther than about 2 penalty costs more than dropping: outliers count
    little. As penalty grows it becomes the Earth Mover's distance.

    Args:
        x: (B, N, D), float32 or float64.
        y: (B, M, D), of the same type.
        penalty: in the clouds' unit.

    Returns:
        (B,), of the clouds' type, in the clouds' unit.

    Raises:
        ValueError: wrong shape or type, an empty cloud, a coordinate that is not finite, penalty not positive.
        RuntimeError: the solver's value is more than 1% above a lower bound.

    Chapel, Flamary, Wu, Févotte and Gasso, 2021, Unbalanced Optimal Transport through Non-negative Penalized Linear
    Regression.
    """
    import ot

    _check(x, y, same_dimension=True)
    _positive(penalty, "penalty")
    values = []
    for p, q in zip(x, y, strict=True):
        costs = _distances(p, q)
        a, b = _uniform(len(p)), _uniform(len(q))
        plan = ot.unbalanced.mm_unbalanced(
            *(_numpy(a), _numpy(b), _numpy(costs)), penalty, div="kl", numItermax=20_000, stopThr=1e-10
        )
        moved = torch.as_tensor(plan)
        entropies = _relative_entropy(moved.sum(1), a) + _relative_entropy(moved.sum(0), b)
        value = (moved * costs).sum() + penalty * entropies
        bound = _unbalanced_bound(moved, costs, penalty, b)
        if not value - bound <= 0.01 * value:
            raise RuntimeError(
                f"unbalanced: the solver stopped at {value:.4g}, certified to {bound:.4g} only; take a smaller penalty "
                f"than {penalty:g}, or, where it is far above the clouds' extent, pcgen.ops.wasserstein"
            )
        values.append(value)
    return _stack(values, x)


def sliced_wasserstein(x: Tensor, y: Tensor, projections: int = 128, p: int = 2) -> Tensor:
    """Sliced Wasserstein distance of each pair of clouds: transport along random lines, where it is sorting.

    SW(x, y) = ( mean over directions t of W_p(t.x, t.y)^p )^(1/p)

    Directions are uniform on the sphere, drawn from torch's global generator, the same for all pairs of a call. In the
    clouds' unit.

    Args:
        x: (B, N, D), float32 or float64.
        y: (B, M, D), of the same type.
        projections: how many directions.
        p: the order, 1 or 2.

    Returns:
        (B,), of the clouds' type.

    Raises:
        ValueError: wrong shape or type, an empty cloud, a coordinate that is not finite, no projections, p not 1 or 2.

    Bonneel, Rabin, Peyré and Pfister, 2015, Sliced and Radon Wasserstein Barycenters of Measures.
    """
    import ot

    _check(x, y, same_dimension=True)
    if projections < 1:
        raise ValueError(f"projections: must be at least 1, got {projections}")
    if p not in (1, 2):
        raise ValueError(f"p: must be 1 or 2, got {p}")
    directions = torch.nn.functional.normalize(
        torch.randn(x.shape[2], projections, dtype=x.dtype, device=x.device), dim=0
    )
    return _stack(
        [ot.sliced_wasserstein_distance(a, b, p=p, projections=directions) for a, b in zip(x, y, strict=True)], x
    )


def gromov_wasserstein(x: Tensor, y: Tensor) -> Tensor:
    """Gromov-Wasserstein discrepancy of each pair of clouds, which may differ in dimension and size.

    min over plans T of sum over i, j, k, l of (|x_i - x_k| - |y_j - y_l|)^2 T_ij T_kl, uniform weights

    In the square of the clouds' unit; 0 only if a rigid motion takes one cloud onto the other. The problem is not
    convex: the value is that of a local optimum, an upper bound, found by conditional gradient from the uniform plan
    and from the plan that matches points by the quantiles of their distances to their own cloud, whichever ends lower.

    Args:
        x: (B, N, D), float32 or float64.
        y: (B, M, E), of the same type.

    Returns:
        (B,), of the clouds' type.

    Raises:
        ValueError: wrong shape or type, an empty cloud, or a coordinate that is not finite.

    Mémoli, 2011, Gromov-Wasserstein Distances and the Metric Approach to Object Matching; Peyré, Cuturi and Solomon,
    2016, Gromov-Wasserstein Averaging of Kernel and Distance Matrices.
    """
    import ot

    _check(x, y, same_dimension=False)
    values = []
    for p, q in zip(x, y, strict=True):
        inner_x, inner_y = _distances(p, p), _distances(q, q)
        a, b = _uniform(len(p)), _uniform(len(q))
        problem = (_numpy(inner_x), _numpy(inner_y), _numpy(a), _numpy(b))
        starts = [torch.outer(a, b), _profile_plan(inner_x, inner_y)]
        plans = [ot.gromov.gromov_wasserstein(*problem, symmetric=True, G0=_numpy(start)) for start in starts]
        costs = [_gromov_cost(inner_x, inner_y, torch.as_tensor(plan)) for plan in plans]
        values.append(torch.stack(costs).amin(0))
    return _stack(values, x)


def _unbalanced_bound(plan: Tensor, costs: Tensor, penalty: float, b: Tensor) -> Tensor:
    """A lower bound of the unbalanced problem: its dual at the prices that the plan suggests, made feasible."""
    # Infinite where nothing is moved; 20 penalties are as good.
    g = (-penalty * (plan.sum(0) / b).log()).clamp(max=min(20 * penalty, float(costs.max())))
    f = (costs - g).amin(1)
    g = (costs - f[:, None]).amin(0)
    return penalty * ((1 - torch.exp(-f / penalty)).mean() + (1 - torch.exp(-g / penalty)).mean())


def _profile_plan(inner_x: Tensor, inner_y: Tensor) -> Tensor:
    """The plan that matches points by the quantiles of their distances to their own cloud, which rigid motions keep.

    Its cost is Mémoli's third lower bound, up to the number of quantiles.
    """
    import ot

    quantiles = torch.linspace(0, 1, 65, dtype=torch.float64)
    p, q = (inner.detach().quantile(quantiles, 1).T for inner in (inner_x, inner_y))
    plan: Any = ot.emd(_numpy(_uniform(len(p))), _numpy(_uniform(len(q))), _numpy(torch.cdist(p, q).square()))
    return torch.as_tensor(plan)


def _gromov_cost(inner_x: Tensor, inner_y: Tensor, plan: Tensor) -> Tensor:
    """The sum of (C_ik - D_jl)^2 T_ij T_kl, by expanding the square, which needs no four-fold sum."""
    a, b = plan.sum(1), plan.sum(0)
    own = a @ inner_x.square() @ a + b @ inner_y.square() @ b
    return (own - 2 * (inner_x @ plan @ inner_y * plan).sum()).clamp(min=0)


def _distances(p: Tensor, q: Tensor) -> Tensor:
    """Euclidean distances (N, M) in float64 on the CPU, by differences, with gradient 0 where points are equal."""
    squares = (p.cpu().double()[:, None] - q.cpu().double()[None]).square().sum(2)
    return squares.where(squares > 0, 1).sqrt().where(squares > 0, 0)


def _relative_entropy(p: Tensor, q: Tensor) -> Tensor:
    """sum of p log(p / q) - p + q, 0 log 0 being 0."""
    return (torch.xlogy(p, p / q) - p + q).sum()


def _uniform(n: int) -> Tensor:
    return torch.full((n,), 1 / n, dtype=torch.float64)


def _numpy(value: Tensor) -> Any:
    return value.detach().cpu().numpy()


def _stack(values: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(values).to(like) if values else like.new_zeros(0)


def _check(x: Tensor, y: Tensor, *, same_dimension: bool) -> None:
    for name, value in (("x", x), ("y", y)):
        if value.ndim != 3 or 0 in value.shape[1:]:
            raise ValueError(
                f"{name}: must have the shape (batch, points, dimension), no cloud empty, got {tuple(value.shape)}"
            )
        if value.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"{name}: must be float32 or float64, got {value.dtype}; convert it with {name}.float()")
        if not bool(value.isfinite().all()):
            raise ValueError(
                f"{name}: must be finite, got NaN or infinite coordinates; drop or repair such clouds first"
            )
    if len(x) != len(y) or x.dtype != y.dtype:
        raise ValueError(
            f"y: must have as many clouds as x and its type, {len(x)} of {x.dtype}, got {len(y)} of {y.dtype}; pair "
            "them one to one"
        )
    if same_dimension and x.shape[2] != y.shape[2]:
        raise ValueError(
            f"y: must have the dimension of x, {x.shape[2]}, got {y.shape[2]}; gromov_wasserstein compares any two"
        )


def _weights(weights: Tensor | None, cloud: Tensor, name: str) -> Tensor:
    if weights is None:
        return torch.full(cloud.shape[:2], 1 / cloud.shape[1], dtype=torch.float64)
    if weights.shape != cloud.shape[:2] or not bool((weights > 0).all() and weights.isfinite().all()):
        raise ValueError(
            f"{name}: must be positive and finite, {tuple(cloud.shape[:2])}, got {tuple(weights.shape)} from "
            f"{weights.min():g} to {weights.max():g}; drop points of no weight"
        )
    weights = weights.detach().cpu().double()
    return weights / weights.sum(1, keepdim=True)


def _positive(value: float, name: str) -> None:
    if not value > 0:
        raise ValueError(f"{name}: must be positive, got {value}")
