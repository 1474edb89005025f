"""Optimal transport beyond one-to-one matching, by the solvers of POT.

Plans are computed in float64. The value is then computed from the clouds with the plan as a constant, so that its
gradient is that of the optimum (the envelope theorem). Clouds may have any dimension. Pairs are solved one by one.
"""

from typing import Any

import torch
from torch import Tensor

from pcgen.errors import at_least, positive
from pcgen.ops._transport import (
    check,
    distances,
    relative_entropy,
    root,
    stack,
    to_numpy,
    uniform,
    weights_of,
)

__all__ = ["gromov_wasserstein", "sinkhorn", "sliced_wasserstein", "wasserstein"]

_MARGINS = 1e-6  # tolerance of a plan's marginals, of total mass 1


def wasserstein(x: Tensor, y: Tensor, x_weights: Tensor | None = None, y_weights: Tensor | None = None) -> Tensor:
    """Exact Wasserstein-1 distance of each pair of weighted clouds, of equal or different sizes.

    min over plans T with marginals a and b of the sum of T_ij |x_i - y_j|

    In the clouds' unit, not squared. For equal sizes and no weights it equals `pcgen.ops.emd`, which is much faster.

    Args:
        x: (B, N, D), float32 or float64.
        y: (B, M, D), of the same type.
        x_weights: (B, N), positive; normalised to sum 1 in each cloud; by default uniform. Weights get no gradient.
        y_weights: (B, M), likewise.

    Returns:
        (B,), of the clouds' type.

    Raises:
        ValueError: wrong shape or type, an empty cloud, a coordinate that is not finite, a weight that is not positive.
        RuntimeError: the solver stopped before the optimum.

    Bonneel, van de Panne, Paris and Heidrich, 2011, Displacement Interpolation Using Lagrangian Mass Transport.
    """
    import ot

    x, y = check(x, y, same_dimension=True)
    a, b = weights_of(x_weights, x, "x_weights"), weights_of(y_weights, y, "y_weights")
    values = []
    for row in range(len(x)):
        costs = distances(x[row], y[row])
        plan, log = ot.emd(to_numpy(a[row]), to_numpy(b[row]), to_numpy(costs), numItermax=10**8, log=True)
        if log["warning"] is not None:
            raise RuntimeError(f"wasserstein: POT stopped before the optimum of pair {row}: {log['warning']}")
        values.append((torch.as_tensor(plan) * costs).sum())
    return stack(values, x)


def sinkhorn(x: Tensor, y: Tensor, regularization: float = 0.05, *, iterations: int = 10_000) -> Tensor:
    """Sinkhorn divergence of each pair of clouds.

    S(x, y) = W(x, y) - W(x, x)/2 - W(y, y)/2, W(x, y) = min over plans T of sum T_ij |x_i - y_j| + eps KL(T | a b'),

    where a and b are uniform weights. It is nonnegative, 0 for equal clouds, and approaches the Earth Mover's distance
    as eps goes to 0.

    Args:
        x: (B, N, D), float32 or float64.
        y: (B, M, D), of the same type.
        regularization: eps, in the clouds' unit; a smaller one needs more iterations.
        iterations: maximum number of Sinkhorn's iterations.

    Returns:
        (B,), of the clouds' type, in the clouds' unit.

    Raises:
        ValueError: wrong shape or type, an empty cloud, a coordinate that is not finite, regularization not positive or
            not finite, iterations below 1.
        RuntimeError: not converged within `iterations`.

    Feydy, Séjourné, Vialard, Amari, Trouvé and Peyré, 2019, Interpolating between Optimal Transport and MMD using
    Sinkhorn Divergences.
    """
    import ot

    x, y = check(x, y, same_dimension=True)
    positive(regularization=regularization)
    at_least(1, iterations=iterations)

    def entropic(p: Tensor, q: Tensor) -> Tensor:
        costs = distances(p, q)
        a, b = uniform(len(p)), uniform(len(q))
        plan, log = ot.bregman.sinkhorn_log(
            to_numpy(a),
            to_numpy(b),
            to_numpy(costs),
            regularization,
            numItermax=iterations,
            stopThr=_MARGINS,
            log=True,
            warn=False,
        )
        if not log["err"][-1] <= _MARGINS:
            raise RuntimeError(
                f"sinkhorn: marginals have an error of {log['err'][-1]:.1g} after {iterations} iterations; give more "
                f"iterations, or a regularization above {regularization}"
            )
        moved = torch.as_tensor(plan)
        return (moved * costs).sum() + regularization * relative_entropy(moved, torch.outer(a, b))

    values = [entropic(p, q) - entropic(p, p) / 2 - entropic(q, q) / 2 for p, q in zip(x, y, strict=True)]
    return stack(values, x).clamp(min=0)  # negative by rounding, or by the tolerance of convergence


def sliced_wasserstein(x: Tensor, y: Tensor, projections: int = 128, p: int = 2) -> Tensor:
    """Sliced Wasserstein distance of each pair of clouds: transport of projections on random lines, by sorting.

    SW(x, y) = ( mean over directions t of W_p(t.x, t.y)^p )^(1/p)

    Directions are uniform on the sphere, from torch's global generator, and the same for all pairs of a call. The
    distance is in the clouds' unit.

    Args:
        x: (B, N, D), float32 or float64.
        y: (B, M, D), of the same type.
        projections: number of directions.
        p: order, 1 or 2.

    Returns:
        (B,), of the clouds' type.

    Raises:
        ValueError: wrong shape or type, an empty cloud, a coordinate that is not finite, no projections, p not 1 or 2.

    Bonneel, Rabin, Peyré and Pfister, 2015, Sliced and Radon Wasserstein Barycenters of Measures.
    """
    import ot

    x, y = check(x, y, same_dimension=True)
    if projections < 1:
        raise ValueError(f"projections: must be at least 1, got {projections}")
    if p not in (1, 2):
        raise ValueError(f"p: must be 1 or 2, got {p}")
    directions = torch.nn.functional.normalize(
        torch.randn(x.shape[2], projections, dtype=x.dtype, device=x.device), dim=0
    )
    with torch.autocast(x.device.type, enabled=False):  # which would compute the projections in half precision
        powers = [ot.wasserstein_1d(a @ directions, b @ directions, p=p).mean() for a, b in zip(x, y, strict=True)]
        return root(stack(powers, x)) if p == 2 else stack(powers, x)


def gromov_wasserstein(x: Tensor, y: Tensor) -> Tensor:
    """Gromov-Wasserstein discrepancy of each pair of clouds, which may differ in dimension and size.

    min over plans T of sum over i, j, k, l of (|x_i - x_k| - |y_j - y_l|)^2 T_ij T_kl, uniform weights

    In the square of the clouds' unit; 0 only if a rigid motion maps one cloud onto the other. The problem is not
    convex, so the value is that of a local optimum, which is an upper bound. It is the lower of two, found by
    conditional gradient from the uniform plan, and from the plan that matches points by the quantiles of their
    distances to their own cloud.

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

    x, y = check(x, y, same_dimension=False)
    values = []
    for p, q in zip(x, y, strict=True):
        inner_x, inner_y = distances(p, p), distances(q, q)
        a, b = uniform(len(p)), uniform(len(q))
        problem = (to_numpy(inner_x), to_numpy(inner_y), to_numpy(a), to_numpy(b))
        starts = [torch.outer(a, b), _profile_plan(inner_x, inner_y)]
        plans = [ot.gromov.gromov_wasserstein(*problem, symmetric=True, G0=to_numpy(start)) for start in starts]
        costs = [_gromov_cost(inner_x, inner_y, torch.as_tensor(plan)) for plan in plans]
        values.append(torch.stack(costs).amin(0))
    return stack(values, x)


def _profile_plan(inner_x: Tensor, inner_y: Tensor) -> Tensor:
    """The plan that matches points by the quantiles of their distances to the points of their own cloud.

    These do not change under rigid motions. The cost of the plan is Mémoli's third lower bound, up to the number of
    quantiles.
    """
    import ot

    quantiles = torch.linspace(0, 1, 65, dtype=torch.float64)
    p, q = (inner.detach().quantile(quantiles, 1).T for inner in (inner_x, inner_y))
    plan: Any = ot.emd(to_numpy(uniform(len(p))), to_numpy(uniform(len(q))), to_numpy(torch.cdist(p, q).square()))
    return torch.as_tensor(plan)


def _gromov_cost(inner_x: Tensor, inner_y: Tensor, plan: Tensor) -> Tensor:
    """The sum of (C_ik - D_jl)^2 T_ij T_kl; the square is expanded to avoid the sum over four indices."""
    a, b = plan.sum(1), plan.sum(0)
    own = a @ inner_x.square() @ a + b @ inner_y.square() @ b
    return (own - 2 * (inner_x @ plan @ inner_y * plan).sum()).clamp(min=0)
