"""Transport through POT: closed forms, independent solvers, limits."""

import itertools
import math

import pytest
import torch
from scipy.optimize import linprog
from scipy.stats import wasserstein_distance
from torch import Tensor

from pcgen import ops


def _clouds(n: int, m: int, batch: int = 2, dim: int = 3) -> tuple[Tensor, Tensor]:
    return torch.rand(batch, n, dim, dtype=torch.float64), torch.rand(batch, m, dim, dtype=torch.float64)


def test_wasserstein_is_emd_for_equal_sizes() -> None:
    x, y = _clouds(40, 40)
    torch.testing.assert_close(ops.wasserstein(x, y), ops.emd(x, y), rtol=1e-10, atol=0)


def test_wasserstein_with_weights_equals_a_linear_program() -> None:
    x, y = _clouds(6, 9, batch=1)
    a, b = torch.rand(1, 6, dtype=torch.float64) + 0.1, torch.rand(1, 9, dtype=torch.float64) + 0.1
    costs = torch.cdist(x[0], y[0])
    rows = torch.block_diag(*[torch.ones(1, 9, dtype=torch.float64)] * 6)
    columns = torch.eye(9, dtype=torch.float64).repeat(1, 6)
    margins = torch.cat([a[0] / a.sum(), b[0] / b.sum()])
    program = linprog(costs.flatten().numpy(), A_eq=torch.cat([rows, columns]).numpy(), b_eq=margins.numpy())
    assert ops.wasserstein(x, y, a, b).item() == pytest.approx(program.fun, rel=1e-9)


def test_wasserstein_gradient_is_that_of_the_plan() -> None:
    x, y = (t.requires_grad_() for t in _clouds(4, 6, batch=1))
    assert torch.autograd.gradcheck(ops.wasserstein, (x, y))


def _log_sinkhorn(costs: Tensor, eps: float) -> Tensor:
    """Value of the entropic problem by its dual, at convergence the sum of the means of the potentials."""
    f, g = costs.new_zeros(len(costs)), costs.new_zeros(costs.shape[1])
    log_n, log_m = torch.tensor(costs.shape, dtype=costs.dtype).log()
    for _ in range(3000):
        f = -eps * (torch.logsumexp((g - costs) / eps, 1) - log_m)
        g = -eps * (torch.logsumexp((f[:, None] - costs) / eps, 0) - log_n)
    return f.mean() + g.mean()


def test_sinkhorn_equals_the_dual_of_an_own_iteration() -> None:
    x, y = _clouds(20, 25)
    for a, b, value in zip(x, y, ops.sinkhorn(x, y, 0.1), strict=True):
        expected = (
            _log_sinkhorn(torch.cdist(a, b), 0.1)
            - _log_sinkhorn(torch.cdist(a, a), 0.1) / 2
            - _log_sinkhorn(torch.cdist(b, b), 0.1) / 2
        )
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)


def test_sinkhorn_limits() -> None:
    x, y = _clouds(8, 8)
    assert ops.sinkhorn(x, x[:, torch.randperm(8)]).abs().max() < 1e-6
    torch.testing.assert_close(ops.sinkhorn(x, y, 0.03), ops.emd(x, y), rtol=5e-2, atol=0)
    with pytest.raises(RuntimeError, match=r"marginals have an error of .* after 3 iterations; give more"):
        ops.sinkhorn(x, y, 1e-3, iterations=3)


def test_sinkhorn_gradient() -> None:
    x, y = (t.requires_grad_() for t in _clouds(4, 5, batch=1))
    assert torch.autograd.gradcheck(lambda a, b: ops.sinkhorn(a, b, 0.5), (x, y), atol=1e-5)


def test_unbalanced_between_two_points() -> None:
    # One point c from another: if t of the mass is moved, t c + 2 m (t log t - t + 1) is least at t = exp(-c / 2m).
    distance, penalty = torch.tensor([0.1, 1.0, 5.0], dtype=torch.float64), 0.7
    x = torch.zeros(3, 1, 3, dtype=torch.float64)
    y = torch.zeros_like(x)
    y[:, 0, 1] = distance
    expected = 2 * penalty * (1 - torch.exp(-distance / (2 * penalty)))
    torch.testing.assert_close(ops.unbalanced(x, y, penalty), expected, rtol=1e-6, atol=0)


def test_unbalanced_forgives_an_outlier_and_becomes_emd() -> None:
    x, _ = _clouds(20, 1, batch=1)
    y = x.clone()
    y[0, 0] += 100
    assert ops.unbalanced(x, y, 1.0).item() < 0.2 < 1 < ops.emd(x, y).item()
    x, y = _clouds(10, 10, batch=1)
    assert 0.97 * ops.emd(x, y) < ops.unbalanced(x, y, 10.0) < ops.emd(x, y)


def test_unbalanced_equals_a_dual_ascent() -> None:
    x, y = _clouds(8, 12, batch=1)
    costs, penalty = torch.cdist(x[0], y[0]), 0.3
    # Any prices g are feasible with f = min over j of c_ij - g_j; the dual value never exceeds the optimum.
    g = torch.zeros(12, dtype=torch.float64, requires_grad=True)
    ascent = torch.optim.LBFGS([g], max_iter=2000, line_search_fn="strong_wolfe", tolerance_grad=1e-12)

    def dual(smooth: float = 1e-4) -> Tensor:
        f = -smooth * torch.logsumexp((g - costs) / smooth, 1)
        return penalty * ((1 - torch.exp(-f / penalty)).mean() + (1 - torch.exp(-g / penalty)).mean())

    def step() -> Tensor:
        ascent.zero_grad()
        loss = -dual()
        loss.backward()
        return loss

    ascent.step(step)
    assert ops.unbalanced(x, y, penalty).item() == pytest.approx(dual().item(), rel=5e-3)


def test_unbalanced_at_a_large_penalty_is_wasserstein_to_the_certified_percent() -> None:
    x, y = _clouds(60, 40, batch=1)
    for penalty in (20.0, 100.0, 1e5):
        torch.testing.assert_close(ops.unbalanced(x, y, penalty), ops.wasserstein(x, y), rtol=1.2e-2, atol=0)


def test_unbalanced_says_when_it_cannot_certify_its_value() -> None:
    x, y = _clouds(60, 60, batch=1)
    with pytest.raises(RuntimeError, match=r"unbalanced: the solver stopped at .* bound is .* give a penalty below"):
        ops.unbalanced(x, y, 1e15)


@pytest.mark.parametrize("distance", ["wasserstein", "unbalanced", "sinkhorn", "sliced", "sliced_1", "gromov"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["same", "permuted", "doubled", "one_point", "one_place", "small", "large"])
@pytest.mark.filterwarnings("error")
def test_equal_clouds_are_0_apart_with_a_gradient_of_0(kind: str, dtype: torch.dtype, distance: str) -> None:
    clouds = torch.rand(2, 12, 3, dtype=dtype)
    scale = {"small": 1e-3, "large": 1e3}.get(kind, 1.0)
    x = {"one_point": clouds[:, :1], "one_place": clouds[:, :1].repeat(1, 7, 1)}.get(kind, clouds) * scale
    y = {"permuted": x[:, torch.randperm(x.shape[1])], "doubled": x.repeat(1, 2, 1), "one_place": x[:, :4]}.get(kind, x)
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    value = {
        "wasserstein": ops.wasserstein,
        "unbalanced": ops.unbalanced,
        "sinkhorn": lambda a, b: ops.sinkhorn(a, b, 0.5 * scale),
        "sliced": ops.sliced_wasserstein,
        "sliced_1": lambda a, b: ops.sliced_wasserstein(a, b, p=1),
        "gromov": ops.gromov_wasserstein,
    }[distance](x, y)
    unit = scale**2 if distance == "gromov" else scale
    value.sum().backward()
    # The root of rounding errors of 1e-16 is 1e-8.
    assert (value >= 0).all() and (value <= 1e-6 * unit).all()
    assert x.grad.isfinite().all() and y.grad.isfinite().all()
    # Projections of equal points may differ by rounding, which gives the slope of a cone; elsewhere the gradient is 0.
    assert x.grad.abs().max() <= (1 if distance.startswith("sliced") else 2e-6 * unit / scale)


@pytest.mark.parametrize("p", [1, 2])
def test_sliced_in_one_dimension_is_wasserstein(p: int) -> None:
    x, y = _clouds(30, 30, dim=1)
    sorted_gap = (x.sort(1).values - y.sort(1).values).abs().pow(p).mean((1, 2)).pow(1 / p)
    torch.testing.assert_close(ops.sliced_wasserstein(x, y, 3, p), sorted_gap, rtol=1e-12, atol=0)


def test_sliced_of_different_sizes_averages_scipy_over_the_same_directions() -> None:
    x, y = _clouds(30, 17, batch=1)
    torch.manual_seed(3)
    directions = torch.nn.functional.normalize(torch.randn(3, 8, dtype=torch.float64), dim=0)
    expected = sum(wasserstein_distance(x[0] @ d, y[0] @ d) for d in directions.T) / 8
    torch.manual_seed(3)
    assert ops.sliced_wasserstein(x, y, 8, 1).item() == pytest.approx(expected, rel=1e-9)


def test_sliced_of_a_shift() -> None:
    x, _ = _clouds(50, 1)
    shift = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    # Mean of (t . shift)^2 over the sphere is |shift|^2 / 3.
    torch.testing.assert_close(
        ops.sliced_wasserstein(x, x + shift, 20_000), torch.full((2,), 3**-0.5).double(), rtol=2e-2, atol=0
    )


@pytest.mark.parametrize("p", [1, 2])
def test_sliced_is_in_full_precision_under_autocast(p: int) -> None:
    x, y = (cloud.float() for cloud in _clouds(50, 40))

    def distance() -> Tensor:
        torch.manual_seed(0)
        return ops.sliced_wasserstein(x, y, p=p)

    expected = distance()
    with torch.autocast("cpu", torch.bfloat16):
        found = distance()
        rounded = ops.wasserstein(x.bfloat16(), y.bfloat16())  # half precision is converted, as in other ops
    assert found.dtype == torch.float32 and torch.equal(found, expected)
    assert torch.equal(rounded, ops.wasserstein(x.bfloat16().float(), y.bfloat16().float()))


def test_gromov_of_two_segments() -> None:
    # Two points a apart and two b apart: the diagonal plan leaves (a - b)^2 on half of the four pairs.
    x = torch.tensor([[[0.0, 0, 0], [3, 0, 0]]]).double()
    y = torch.tensor([[[0.0, 0], [0, 1]]]).double()
    assert ops.gromov_wasserstein(x, y).item() == pytest.approx(2.0, rel=1e-9)


def test_gromov_is_zero_under_a_motion_into_another_space() -> None:
    x, _ = _clouds(12, 1, dim=2)
    basis, _ = torch.linalg.qr(torch.randn(5, 2, dtype=torch.float64))
    y = (x @ basis.T + 3)[:, torch.randperm(12)]
    assert y.shape == (2, 12, 5)
    assert (ops.gromov_wasserstein(x, y) < 1e-9).all()


def test_gromov_against_all_permutations() -> None:
    x, y = _clouds(5, 5, batch=6)
    best, typical = [], []
    for a, b in zip(x, y, strict=True):
        inner_a, inner_b = torch.cdist(a, a), torch.cdist(b, b)
        costs = [(inner_a - inner_b[list(p)][:, list(p)]).square().mean() for p in itertools.permutations(range(5))]
        best.append(torch.stack(costs).amin())
        typical.append(torch.stack(costs).mean())
    ours = ops.gromov_wasserstein(x, y)
    assert (ours < torch.stack(typical)).all()
    assert (ours / torch.stack(best)).median() < 1.1


def test_gromov_gradient() -> None:
    x, y = (t.requires_grad_() for t in _clouds(4, 5, batch=1))
    assert torch.autograd.gradcheck(ops.gromov_wasserstein, (x, y), atol=1e-4)


def test_bad_input_is_named() -> None:
    x, y = _clouds(4, 5)
    with pytest.raises(
        ValueError, match=r"x: must have the shape \(batch, points, dimension\), without empty clouds, got \(4, 3\)"
    ):
        ops.wasserstein(x[0], y)
    with pytest.raises(ValueError, match="y: must have the dimension of x, 3, got 2; gromov_wasserstein compares"):
        ops.sinkhorn(x, y[..., :2])
    with pytest.raises(ValueError, match="x: must be finite"):
        ops.unbalanced(x * float("nan"), y)
    with pytest.raises(ValueError, match="y: must have as many clouds as x"):
        ops.gromov_wasserstein(x, y[:1])
    for bad in (0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=f"regularization: must be a positive number, got {bad}"):
            ops.sinkhorn(x, y, bad)
        with pytest.raises(ValueError, match=f"penalty: must be a positive number, got {bad}"):
            ops.unbalanced(x, y, bad)
    with pytest.raises(ValueError, match="iterations: must be at least 1, got 0"):
        ops.sinkhorn(x, y, iterations=0)
    with pytest.raises(ValueError, match="y: must be on the device of x, cpu, got meta; move one with"):
        ops.wasserstein(x, y.to("meta"))
    with pytest.raises(ValueError, match=r"y: must be float32 or float64, got torch\.bfloat16; convert"):
        ops.sliced_wasserstein(x, y.bfloat16())
    with pytest.raises(ValueError, match=r"x_weights: must be positive and finite, \(2, 4\), got \(2, 4\) from 0 to 0"):
        ops.wasserstein(x, y, torch.zeros(2, 4))
    with pytest.raises(ValueError, match="p: must be 1 or 2, got 3"):
        ops.sliced_wasserstein(x, y, p=3)
