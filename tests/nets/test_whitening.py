import pytest
import torch
from sklearn.covariance import oas
from torch.distributions import MultivariateNormal

from pcgen.nets.whitening import Whitening

MIX = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-0.5, 0.3, 0.5]])
MEAN = torch.tensor([0.5, -1.0, 2.0])


def fitted(x: torch.Tensor) -> Whitening:
    whitening = Whitening(x.shape[-1])
    whitening.fit(x)
    return whitening


def test_it_takes_mean_and_covariance_away_and_gives_them_back() -> None:
    x = MEAN + torch.randn(5000, 3) @ MIX.T
    whitening = fitted(x)
    e = whitening(x)
    torch.testing.assert_close(e.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.cov(e.T, correction=0), torch.eye(3), atol=0.02, rtol=0)
    torch.testing.assert_close(whitening.inverse(e), x, atol=1e-5, rtol=1e-5)


def test_its_numbers_are_places_along_the_principal_axes_from_the_longest_on() -> None:
    x = MEAN + torch.randn(5000, 3) @ MIX.T
    whitening = fitted(x)
    assert (whitening.deviation.diff() < 0).all()
    torch.testing.assert_close(whitening.axes.T @ whitening.axes, torch.eye(3), atol=1e-5, rtol=0)
    variances = torch.linalg.eigvalsh(torch.as_tensor(oas(x.double().numpy())[0])).float().flip(0)
    torch.testing.assert_close(whitening.deviation.square(), variances)
    slopes = torch.autograd.functional.jacobian(lambda x: whitening(x[None])[0], torch.randn(3))
    torch.testing.assert_close(torch.linalg.slogdet(slopes).logabsdet, whitening.log_det)


def test_a_standard_normal_in_it_is_the_gaussian_of_the_shrunk_covariance() -> None:
    x = MEAN + torch.randn(12, 3) @ MIX.T
    whitening = fitted(x)
    covariance = torch.as_tensor(oas(x.double().numpy())[0]).float()
    e = whitening(x)
    found = torch.distributions.Normal(0.0, 1.0).log_prob(e).sum(1) + whitening.log_det
    torch.testing.assert_close(found, MultivariateNormal(x.mean(0), covariance).log_prob(x), atol=1e-3, rtol=1e-3)


def test_members_of_sets_are_whitened_as_vectors_are() -> None:
    sets = MEAN + torch.randn(40, 7, 3) @ MIX.T
    whitening = fitted(sets)
    torch.testing.assert_close(whitening(sets).flatten(0, 1), fitted(sets.flatten(0, 1))(sets.flatten(0, 1)))


@pytest.mark.parametrize("x", [torch.ones(10, 3), torch.ones(10, 1), torch.eye(3)[:2]])
def test_data_that_does_not_vary_in_some_direction_can_be_whitened(x: torch.Tensor) -> None:
    whitening = fitted(x)
    assert torch.isfinite(whitening(x)).all() and torch.isfinite(whitening.log_det)
    torch.testing.assert_close(whitening.inverse(whitening(x)), x, atol=1e-4, rtol=0)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_smoothed_data_has_the_mean_and_covariance_that_it_had(share: float) -> None:
    x = torch.where(torch.rand(100_000, 1) < 0.5, -1.0, 1.0) * torch.tensor([1.0, 2.0]) + 0.1 * torch.randn(100_000, 2)
    smooth = fitted(x).smoothed(x, share)
    torch.testing.assert_close(smooth.mean(0), x.mean(0), atol=0.03, rtol=0)
    torch.testing.assert_close(torch.cov(smooth.T), torch.cov(x.T), atol=0.05, rtol=0)
    kept = torch.corrcoef(torch.stack([x[:, 0], smooth[:, 0]]))[0, 1]
    assert float(kept) == pytest.approx((1 - share) ** 0.5, abs=0.01)
