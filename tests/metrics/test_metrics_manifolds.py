"""Precision, recall, density and coverage against loops written from the papers' definitions."""

import math

import pytest
import torch

from pcgen.metrics import manifolds


def ball(x: list[float], own: list[list[float]], k: int) -> float:
    """Distance of x to its k-th nearest other point of its own set."""
    return sorted(math.dist(x, other) for other in own if other is not x)[k - 1]


@pytest.mark.parametrize(("s", "r", "k"), [(9, 6, 5), (5, 12, 3), (4, 4, 1)])
def test_against_loops(s: int, r: int, k: int) -> None:
    x, y = torch.randn(s, 2, dtype=torch.float64) * 0.8, torch.randn(r, 2, dtype=torch.float64) + 0.5
    a, b = x.tolist(), y.tolist()
    in_y = [[math.dist(p, q) <= ball(q, b, k) for q in b] for p in a]  # sample in the ball of a reference cloud
    in_x = [[math.dist(p, q) <= ball(p, a, k) for p in a] for q in b]  # reference cloud in the ball of a sample
    result = manifolds(torch.cdist(x, y), torch.cdist(x, x), torch.cdist(y, y), k)
    assert result.precision == pytest.approx(sum(map(any, in_y)) / s)
    assert result.recall == pytest.approx(sum(map(any, in_x)) / r)
    assert result.density == pytest.approx(sum(map(sum, in_y)) / (k * s))
    assert result.coverage == pytest.approx(sum(map(any, zip(*in_y, strict=True))) / r)


def test_equal_distributions_have_the_papers_expectations() -> None:
    x, y = torch.randn(400, 4, dtype=torch.float64), torch.randn(400, 4, dtype=torch.float64)
    result = manifolds(torch.cdist(x, y), torch.cdist(x, x), torch.cdist(y, y), 5)
    assert result.density == pytest.approx(1.0, abs=0.1)
    assert result.coverage == pytest.approx(1 - 2**-5, abs=0.03)


def test_k_must_fit_the_sets() -> None:
    with pytest.raises(ValueError, match="k: must be at least 1 and less than both sets' sizes, 3 and 7; got 3"):
        manifolds(torch.ones(3, 7), torch.ones(3, 3), torch.ones(7, 7), 3)
