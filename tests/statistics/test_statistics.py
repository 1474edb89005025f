import math

import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from pcgen.statistics import energy_distance, kernel_mmd, sliced_wasserstein


def normal(n: int, dim: int, mean: float = 0.0, deviation: float = 1.0) -> Tensor:
    return mean + deviation * torch.randn(n, dim, dtype=torch.float64)


def test_energy_distance_is_the_sum_over_pairs_written_out() -> None:
    x, y = normal(5, 3), normal(7, 3, mean=1.0)

    def mean_distance(a: Tensor, b: Tensor) -> float:
        return sum(math.dist(p, q) for p in a.tolist() for q in b.tolist()) / (len(a) * len(b))

    expected = 2 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y)
    assert energy_distance(x, y).item() == pytest.approx(expected, rel=1e-9)
    assert energy_distance(x, x.flip(0)).item() == pytest.approx(0, abs=1e-12)


def test_energy_distance_of_two_gaussians_in_closed_form() -> None:
    # x - y ~ N(delta, 2): a folded normal; E|x - x'| = 2 / sqrt(pi) as x - x' ~ N(0, 2). The V-statistic adds a floor.
    delta, n = 1.5, 2500
    folded = 2 * math.exp(-(delta**2) / 4) / math.sqrt(math.pi) + delta * math.erf(delta / 2)
    expected = 2 * folded - 4 / math.sqrt(math.pi) + (2 / n) * 2 / math.sqrt(math.pi)
    assert energy_distance(normal(n, 1), normal(n, 1, mean=delta)).item() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("unbiased", [True, False])
def test_kernel_mmd_is_the_sum_over_pairs_written_out(unbiased: bool) -> None:
    x, y, bandwidths = normal(4, 2), normal(6, 2, mean=0.5), [0.5, 2.0]

    def k(p: list[float], q: list[float]) -> float:
        return sum(math.exp(-(math.dist(p, q) ** 2) / (2 * h * h)) for h in bandwidths)

    def within(a: list[list[float]]) -> float:
        pairs = [(i, j) for i in range(len(a)) for j in range(len(a)) if i != j or not unbiased]
        return sum(k(a[i], a[j]) for i, j in pairs) / len(pairs)

    a, b = x.tolist(), y.tolist()
    expected = within(a) + within(b) - 2 * sum(k(p, q) for p in a for q in b) / (len(a) * len(b))
    assert kernel_mmd(x, y, bandwidths, unbiased=unbiased).item() == pytest.approx(expected, rel=1e-9)


def test_kernel_mmd_of_two_gaussians_in_closed_form() -> None:
    # E k(a, b) for a - b ~ N(m, s2 I_d) is (h2 / (h2 + s2))^(d/2) exp(-|m|^2 / 2 (h2 + s2)).
    h2, shift, dim, n = 1.0, 1.0, 2, 1500
    equal = (h2 / (h2 + 2)) ** (dim / 2)
    expected = 2 * equal * (1 - math.exp(-dim * shift**2 / (2 * (h2 + 2))))
    assert kernel_mmd(normal(n, dim), normal(n, dim, mean=shift), [1.0]).item() == pytest.approx(expected, rel=0.1)


def test_unbiased_mmd_has_mean_zero_on_equal_distributions_and_the_biased_one_has_not() -> None:
    draws = [(normal(20, 3), normal(30, 3)) for _ in range(300)]
    unbiased = torch.stack([kernel_mmd(x, y, [1.0]) for x, y in draws])
    biased = torch.stack([kernel_mmd(x, y, [1.0], unbiased=False) for x, y in draws])
    assert abs(unbiased.mean()) < 4 * unbiased.std() / math.sqrt(len(draws))
    assert biased.mean() > 10 * biased.std() / math.sqrt(len(draws))
    assert biased.min() >= 0


def test_default_bandwidths_follow_the_scale_of_the_data() -> None:
    x, y = normal(50, 4), normal(60, 4, deviation=1.5)
    assert kernel_mmd(x, y).item() == pytest.approx(kernel_mmd(1000 * x, 1000 * y).item(), rel=1e-9)


def test_kernel_mmd_has_finite_gradients_at_equal_rows() -> None:
    x = normal(5, 3).requires_grad_()
    kernel_mmd(x, x.detach().clone()).backward()
    assert x.grad is not None and torch.isfinite(x.grad).all()


@pytest.mark.parametrize(("s", "r"), [(8, 8), (6, 9), (1, 5)])
def test_sliced_wasserstein_in_one_dimension_is_scipys(s: int, r: int) -> None:
    x, y = normal(s, 1), normal(r, 1, mean=0.7)
    expected = wasserstein_distance(x[:, 0].numpy(), y[:, 0].numpy())
    assert sliced_wasserstein(x, y, projections=3, order=1).item() == pytest.approx(expected, rel=1e-9)


def test_sliced_wasserstein_of_a_shift_is_its_length_over_the_root_of_the_dimension() -> None:
    # On every direction the distance is |<theta, shift>|, whose mean square is |shift|^2 / D.
    x, shift = normal(10, 4), torch.tensor([3.0, 0, 4.0, 0], dtype=torch.float64)
    assert sliced_wasserstein(x, (x + shift).flip(0), 20_000).item() == pytest.approx(5 / 2, rel=0.02)


def test_sliced_wasserstein_with_a_seed_leaves_the_global_generator_alone() -> None:
    x, y = normal(5, 3), normal(5, 3)
    state = torch.get_rng_state()
    assert sliced_wasserstein(x, y, seed=3) == sliced_wasserstein(x, y, seed=3)
    assert torch.equal(state, torch.get_rng_state())
    assert sliced_wasserstein(x, y, seed=3) != sliced_wasserstein(x, y, seed=4)


@pytest.mark.parametrize("order", [1, 2])
def test_sliced_wasserstein_of_nan_is_nan(order: int) -> None:
    x, y = normal(5, 3), normal(6, 3)
    x[2, 1] = math.nan
    assert sliced_wasserstein(x, y, order=order).isnan() and sliced_wasserstein(y, x, order=order).isnan()


@pytest.mark.parametrize("divergence", [energy_distance, kernel_mmd, sliced_wasserstein])
def test_gradients_match_finite_differences(divergence) -> None:  # type: ignore[no-untyped-def]
    arguments = {"bandwidths": [0.7, 2.0]} if divergence is kernel_mmd else {}
    if divergence is sliced_wasserstein:
        arguments = {"seed": 0, "projections": 5}
    x, y = normal(4, 2).requires_grad_(), normal(5, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: divergence(a, b, **arguments), (x, y))


def clusters(offset: float) -> tuple[Tensor, Tensor]:
    """Two float32 clusters .2 apart, far from 0; on a grid of 2^-10, so that the offset rounds nothing."""
    x, y = (((normal(40, 3, mean, 0.3) * 1024).round() / 1024 + offset).float() for mean in (0.0, 0.2))
    return x, y


@pytest.mark.parametrize("divergence", [energy_distance, kernel_mmd, sliced_wasserstein])
def test_float32_far_from_the_origin_is_float64(divergence) -> None:  # type: ignore[no-untyped-def]
    arguments = {"seed": 0} if divergence is sliced_wasserstein else {}
    x, y = clusters(8192.0)
    near = divergence((x.double() - 8192), (y.double() - 8192), **arguments)
    assert divergence(x, y, **arguments).dtype == torch.float32
    assert divergence(x, y, **arguments).item() == pytest.approx(near.item(), rel=1e-5)


def test_kernel_mmd_of_two_far_clusters_sees_each_ones_own_spread() -> None:
    # One sample is in both clusters, so that no centring brings the rows near 0.
    x, y = clusters(0.0)
    rows, other = torch.cat([x, x + 8192]), torch.cat([y, y + 8192])
    want = kernel_mmd(rows.double(), other.double(), [0.3])
    assert kernel_mmd(rows, other, [0.3]).item() == pytest.approx(want.item(), rel=1e-5)
    assert want.item() == pytest.approx(_two_clusters(x.double(), y.double()), rel=1e-9)


def _two_clusters(x: Tensor, y: Tensor) -> float:
    """The same from one cluster's kernel sums: between far clusters the kernel is 0."""

    def total(a: Tensor, b: Tensor) -> float:
        return float(torch.exp((a[:, None] - b).square().sum(-1) / (-2 * 0.3**2)).sum())

    n = 2 * len(x)
    within = sum(2 * (total(a, a) - len(a)) / (n * (n - 1)) for a in (x, y))
    return within - 2 * 2 * total(x, y) / n**2


@pytest.mark.parametrize("divergence", [energy_distance, kernel_mmd, sliced_wasserstein])
def test_the_gradient_between_equal_samples_is_zero_in_their_type(divergence) -> None:  # type: ignore[no-untyped-def]
    arguments = {"unbiased": False} if divergence is kernel_mmd else {}
    for order in (1, 2) if divergence is sliced_wasserstein else (None,):
        x = torch.randn(6, 3).requires_grad_()
        value = divergence(x, x.detach(), **arguments, **({"order": order} if order else {}))
        value.backward()
        assert value.item() == pytest.approx(0, abs=1e-6)
        assert x.grad is not None and x.grad.dtype == torch.float32
        torch.testing.assert_close(x.grad, torch.zeros_like(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: energy_distance(x, x[:, :2]), r"x, y: must be \(S, D\) and \(R, D\), got \(6, 3\) and \(6, 2\)"),
        (lambda x: energy_distance(x, x[:0]), "x, y: must have at least 1 rows each, got 6 and 0"),
        (lambda x: kernel_mmd(x, x[:1]), "x, y: must have at least 2 rows each, got 6 and 1"),
        (lambda x: kernel_mmd(x, x, [1.0, 0.0]), r"bandwidths: must be positive numbers, got \[1.0, 0.0\]"),
        (lambda x: kernel_mmd(0 * x, 0 * x), "most rows are equal, so their median distance is 0; give bandwidths"),
        (lambda x: energy_distance(x.long(), x), "x, y: must be floating point, got torch.int64 and torch.float64"),
        (lambda x: sliced_wasserstein(x, x, 0), "projections: must be at least 1, got 0"),
        (lambda x: sliced_wasserstein(x, x, order=0), "order: must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call(normal(6, 3))
