"""Unbalanced optimal transport, which may remove or create mass at a cost."""

import math

import torch
from torch import Tensor

from pcgen.errors import positive
from pcgen.ops._transport import check, distances, relative_entropy, stack, to_numpy, uniform

__all__ = ["unbalanced"]


def unbalanced(x: Tensor, y: Tensor, penalty: float = 1.0) -> Tensor:
    """Unbalanced optimal transport between each pair of clouds: mass may be removed or created at a cost.

    min over T >= 0 of sum T_ij |x_i - y_j| + penalty (KL(T 1 | a) + KL(T' 1 | b)), uniform weights a and b,
    KL(p | q) = sum p log(p / q) - p + q.

    To move mass farther than about 2 penalty costs more than to remove it, so outliers count little. As penalty grows,
    the value approaches the Earth Mover's distance.

    Args:
        x: (B, N, D), float32 or float64.
        y: (B, M, D), of the same type.
        penalty: in the clouds' unit.

    Returns:
        (B,), of the clouds' type, in the clouds' unit.

    Raises:
        ValueError: wrong shape or type, an empty cloud, a coordinate that is not finite, penalty not positive or not
            finite.
        RuntimeError: the value of the solver is more than 1% above its lower bound.

    Chapel, Flamary, Wu, Févotte and Gasso, 2021, Unbalanced Optimal Transport through Non-negative Penalized Linear
    Regression.
    """
    x, y = check(x, y, same_dimension=True)
    positive(penalty=penalty)
    values = []
    for p, q in zip(x, y, strict=True):
        costs = distances(p, q)
        a, b = uniform(len(p)), uniform(len(q))
        plans, prices = zip(*_plans(costs.detach(), a, b, penalty), strict=True)
        value = min((_cost(costs, plan, a, b, penalty) for plan in plans), key=Tensor.item)
        found, bound = value.item(), max(_bound(costs.detach(), g, penalty) for g in prices)
        # If the optimum is 0, as between equal clouds, both are 0 up to rounding.
        rounding = 1e-12 * min(penalty, costs.max().item())
        if not found - bound <= 0.01 * found + rounding:
            raise RuntimeError(
                f"unbalanced: the solver stopped at {found:.4g}, but the lower bound is {bound:.4g}; give a penalty "
                f"below {penalty:g}, or, if it is much larger than the clouds, use pcgen.ops.wasserstein"
            )
        values.append(value.clamp(min=0))
    return stack(values, x)


def _plans(costs: Tensor, a: Tensor, b: Tensor, penalty: float) -> list[tuple[Tensor, Tensor]]:
    """Candidate plans, and dual variables (M,) of y's points from each.

    The first is the limit of majorisation-minimisation, which converges slowly if little mass is removed. In that case
    the second is good: the plan of balanced transport, exact between equal clouds.
    """
    import ot

    problem = (to_numpy(a), to_numpy(b), to_numpy(costs))
    plan = torch.as_tensor(ot.unbalanced.mm_unbalanced(*problem, penalty, div="kl", numItermax=20_000, stopThr=1e-10))
    # Infinite where no mass arrives; 20 penalties have the same effect.
    prices = (-penalty * (plan.sum(0) / b).log()).clamp(max=min(20 * penalty, float(costs.max())))
    balanced, log = ot.emd(*problem, numItermax=10**8, log=True)
    return [(plan, prices), (torch.as_tensor(balanced), torch.as_tensor(log["v"]))]


def _cost(costs: Tensor, plan: Tensor, a: Tensor, b: Tensor, penalty: float) -> Tensor:
    entropies = relative_entropy(plan.sum(1), a) + relative_entropy(plan.sum(0), b)
    return (plan * costs).sum() + penalty * entropies


def _bound(costs: Tensor, g: Tensor, penalty: float) -> float:
    """A lower bound on the unbalanced problem: its dual at the variables g (M,), made feasible, with the best shift.

    The dual is m (2 - A - B), where A and B are the means of exp(-f / m) and exp(-g / m). A constant may be added to f
    and subtracted from g; with the best constant, the dual is 2 m (1 - sqrt(A B)).
    """
    f = (costs - g).amin(1)
    g = (costs - f[:, None]).amin(0)
    log_a, log_b = (torch.logsumexp(-prices / penalty, 0) - math.log(len(prices)) for prices in (f, g))
    return float(-2 * penalty * torch.expm1((log_a + log_b) / 2))
