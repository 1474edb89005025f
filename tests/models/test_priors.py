import math

import pytest
import torch
from torch.distributions import Normal as Gaussian

from pcgen.models.priors import PRIORS, Ball, Censored, Mixture, Normal, Uniform


def test_normal_draws_have_their_scale_and_density() -> None:
    prior = Normal(2, 0.2)
    z = prior.draw(20_000)
    assert z.shape == (20_000, 2)
    assert float(z.std()) == pytest.approx(0.2, rel=0.02)
    torch.testing.assert_close(prior.log_prob(z), Gaussian(0.0, 0.2).log_prob(z).sum(1))


def test_truncated_draws_have_the_variance_of_the_truncated_normal() -> None:
    z = Normal(2, 0.2).draw(20_000, 0.5)
    assert z.abs().max() <= 0.1
    # The variance of N(0, 1) within (-t, t) is 1 - 2 t phi(t) / (2 Phi(t) - 1).
    t = torch.tensor(0.5)
    density, mass = Gaussian(0.0, 1.0).log_prob(t).exp(), torch.erf(t / 2**0.5)
    assert float(z.var()) == pytest.approx(0.04 * float(1 - 2 * t * density / mass), rel=0.03)


def test_censored_draws_are_half_zero() -> None:
    z = Censored(2).draw(20_000)
    assert z.min() == 0
    assert float((z == 0).float().mean()) == pytest.approx(0.5, abs=0.01)
    assert float(z.mean()) == pytest.approx((2 * math.pi) ** -0.5, rel=0.02)


def test_uniform_draws_fill_the_cube_and_the_ball() -> None:
    z = Uniform(3, 2.0).draw(20_000)
    assert z.abs().max() <= 2
    assert float(z.var()) == pytest.approx(4 / 3, rel=0.03)
    radius = Ball(5, 2.0).draw(20_000).norm(dim=1)
    assert radius.max() <= 2
    assert float((radius < 1).float().mean()) == pytest.approx(2**-5, abs=0.005)  # the share of the volume


def test_a_mixture_has_its_parts_around_the_circle() -> None:
    z = Mixture(3, 0.1, parts=4, radius=2.0).draw(20_000)
    place = torch.tensor([[2.0, 0, 0], [0, 2, 0], [-2, 0, 0], [0, -2, 0]])
    distance, nearest = torch.cdist(z, place).min(1)
    assert distance.max() < 0.7
    assert float(torch.bincount(nearest).float().std()) < 200
    assert sorted(Mixture(1, 0.01, parts=3, radius=1.0).draw(1000).round().unique().tolist()) == [-1, 0, 1]


@pytest.mark.parametrize("name", ["uniform", "ball"])
def test_what_has_no_tails_is_not_truncated(name: str) -> None:
    with pytest.raises(ValueError, match=f"truncation: must be None for a prior {name}, which has no tails, got 1"):
        PRIORS[name](3).draw(2, 1.0)


@pytest.mark.parametrize("name", PRIORS)
def test_bad_sizes_are_named(name: str) -> None:
    with pytest.raises(ValueError, match="dim: must be at least 1, got 0"):
        PRIORS[name](0)
    with pytest.raises(ValueError, match="scale: must be a positive number, got -1"):
        PRIORS[name](2, -1.0)
