import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from pcgen.solvers import METHODS, adaptive_steps, divergence, hutchinson, solve, solve_adaptive, steps_of

ORDERS = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}
WEIGHT = torch.ones((), dtype=torch.float64, requires_grad=True)  # as of a network that has no use of its input
START = torch.tensor([[0.5], [1.0], [2.0]], dtype=torch.float64)


def falling(t: float, x: Tensor) -> Tensor:
    """x' = -x^2 cos t, nonlinear and of changing time; solved by x0 / (1 + x0 sin t)."""
    return -x.square() * math.cos(t)


def exact(t: float) -> Tensor:
    return START / (1 + START * math.sin(t))


def test_every_method_has_an_order_to_be_measured() -> None:
    assert set(ORDERS) == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_the_error_falls_with_the_methods_order(method: str) -> None:
    errors = []
    for steps in (20, 40, 80):
        times = [1.5 * i / steps for i in range(steps + 1)]
        errors.append((solve(falling, START, times, method) - exact(1.5)).abs().max().item())
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(ORDERS[method], abs=0.25)


def test_states_on_the_way_are_those_of_their_times() -> None:
    times = [1.5 * (i / 60) ** 2 for i in range(61)]
    on_the_way = list(steps_of(falling, START, times, "rk4"))
    assert [t for t, _ in on_the_way] == times[1:]
    assert all((x - exact(t)).abs().max() < 1e-6 for t, x in on_the_way)
    assert torch.equal(on_the_way[-1][1], solve(falling, START, times, "rk4"))
    found = list(adaptive_steps(falling, START, 0.0, 1.5, rtol=1e-6, atol=1e-6))
    assert found[0].t == 0 and torch.equal(found[0].x, START) and found[-1].t == 1.5
    assert all(before.t < after.t and before.evaluations < after.evaluations for before, after in pairwise(found))
    assert all((each.x - exact(each.t)).abs().max() < 1e-5 for each in found)
    assert torch.equal(found[-1].x, solve_adaptive(falling, START, 0.0, 1.5, rtol=1e-6, atol=1e-6).x)


@pytest.mark.parametrize("method", METHODS)
def test_there_and_back_is_where_it_was(method: str) -> None:
    times = [i / 400 for i in range(401)]
    there = solve(falling, START, times, method)
    torch.testing.assert_close(solve(falling, there, times[::-1], method), START, atol=0.05, rtol=0)


def test_the_adaptive_pair_keeps_its_tolerance_and_counts_what_it_asks() -> None:
    asked = []

    def counted(t: float, x: Tensor) -> Tensor:
        asked.append(t)
        return falling(t, x)

    found = {}
    for tolerance in (1e-3, 1e-6, 1e-9):
        asked.clear()
        found[tolerance] = solve_adaptive(counted, START, 0.0, 1.5, rtol=tolerance, atol=tolerance)
        assert found[tolerance].evaluations == len(asked)
        assert (found[tolerance].x - exact(1.5)).abs().max() < 10 * tolerance
    assert found[1e-3].evaluations < found[1e-6].evaluations < found[1e-9].evaluations
    # Of order 5: a tolerance a million times finer costs about 1e6^(1/5) = 16 times the steps.
    assert found[1e-9].evaluations < 40 * found[1e-3].evaluations
    back = solve_adaptive(falling, found[1e-9].x, 1.5, 0.0, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(back.x, START, atol=1e-7, rtol=0)


def test_steps_are_refused_where_the_field_jumps() -> None:
    found = solve_adaptive(lambda t, x: x * 0 + (5.0 if t > 0.7 else 0.0), START, 0.0, 1.0, rtol=1e-6, atol=1e-6)
    assert found.refused > 0
    torch.testing.assert_close(found.x, START + 1.5, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    "field",
    [
        lambda t, x: x.square(),  # the solution from 1 is infinite at time 1
        lambda t, x: x * (math.nan if t > 0.5 else 1.0),
    ],
)
def test_a_step_that_shrinks_to_nothing_is_told_with_numbers(field) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(FloatingPointError, match=r"solver: stopped at time .* from 0 to 2, .* evaluations.*; raise"):
        solve_adaptive(field, torch.ones(1, 1, dtype=torch.float64), 0.0, 2.0)


def twisted(t: float, x: Tensor) -> Tensor:
    return torch.stack([x[:, 0] * x[:, 1], x[:, 1].sin() + t * x[:, 2], x[:, 2].pow(3) - x[:, 0]], dim=1)


def test_the_divergence_is_the_trace_of_the_jacobian() -> None:
    x = torch.randn(7, 3, dtype=torch.float64)
    out, found = divergence(twisted, 0.3, x)
    torch.testing.assert_close(out, twisted(0.3, x))
    torch.testing.assert_close(found, x[:, 1] + x[:, 1].cos() + 3 * x[:, 2].square())  # by hand
    assert not out.requires_grad and not found.requires_grad


@pytest.mark.parametrize("field", [lambda t, x: torch.full_like(x, t), lambda t, x: WEIGHT.expand_as(x) * t])
def test_a_field_that_does_not_depend_on_the_state_has_no_divergence(field) -> None:  # type: ignore[no-untyped-def]
    x = torch.randn(4, 3, dtype=torch.float64)
    for out, found in (divergence(field, 0.3, x), hutchinson(field, 0.3, x, torch.ones_like(x))):
        assert torch.equal(out, field(0.3, x)) and torch.equal(found, torch.zeros(4, dtype=torch.float64))
    partly = lambda t, x: torch.stack([x[:, 0] ** 2, torch.ones_like(x[:, 1])], 1)  # noqa: E731
    torch.testing.assert_close(divergence(partly, 0.0, x[:, :2])[1], 2 * x[:, 0])


def test_states_of_any_shape_are_solved() -> None:
    one = solve_adaptive(falling, START[:, 0], 0.0, 1.5, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(one.x, exact(1.5)[:, 0], rtol=1e-5, atol=0)
    assert one.evaluations == solve_adaptive(falling, START, 0.0, 1.5, rtol=1e-6, atol=1e-6).evaluations
    for shape in ((0,), (0, 3), (0, 2, 3), (2, 0)):
        nothing = solve_adaptive(falling, torch.zeros(shape), 0.0, 1.0)
        assert nothing.t == 1.0 and nothing.x.shape == shape
    x = torch.rand(5, dtype=torch.float64)
    torch.testing.assert_close(hutchinson(falling, 0.0, x, torch.ones_like(x))[1], -2 * x)
    assert hutchinson(falling, 0.0, x[:0], x[:0])[1].shape == (0,)


def test_hutchinsons_estimate_is_right_in_the_mean_and_not_in_each_draw() -> None:
    x = torch.randn(5, 3, dtype=torch.float64)
    probes = torch.randint(2, (4000, 5, 3)).double() * 2 - 1
    estimates = torch.stack([hutchinson(twisted, 0.3, x, probe)[1] for probe in probes])
    error = estimates.std(dim=0) / math.sqrt(len(probes))
    assert (error > 0).all()
    assert ((estimates.mean(dim=0) - divergence(twisted, 0.3, x)[1]).abs() < 4.5 * error).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: solve(falling, START, [0, 1], "rk5"), "method: must be one of euler, midpoint, heun, rk4; got 'rk5'"),
        (lambda: solve(falling, START, [0]), "times: must be at least 2, got 1"),
        (lambda: solve_adaptive(falling, START, 0, 1, rtol=0), "rtol: must be a positive number, got 0"),
    ],
)
def test_bad_arguments_are_named(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()
