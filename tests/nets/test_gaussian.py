import pytest
import torch
from torch import Tensor

from pcgen.nets.gaussian import GaussianPart

MIX = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-0.5, 0.3, 0.2]])
MEAN = torch.tensor([0.5, -1.0, 2.0])


def joint(n: int, correlation: float) -> tuple[Tensor, Tensor]:
    """Noise N(0, I) and data N(MEAN, MIX MIX^T), correlated along the axes of the covariance."""
    values, axes = torch.linalg.eigh(MIX @ MIX.T)
    noise = torch.randn(n, 3)
    apart = (correlation * noise @ axes + (1 - correlation**2) ** 0.5 * torch.randn(n, 3)) * values.sqrt()
    return noise, MEAN + apart @ axes.T


def fitted(correlation: float, n: int = 100_000) -> tuple[GaussianPart, Tensor, Tensor]:
    noise, data = joint(n, correlation)
    part = GaussianPart(3)
    part.fit(data)
    if correlation:
        part.fit_correlation(noise, data)
    return part, noise, data


@pytest.mark.parametrize("correlation", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("time", [0.1, 0.5, 0.9])
def test_the_predictions_are_those_of_least_squares(correlation: float, time: float) -> None:
    part, noise, data = fitted(correlation)
    a, b = torch.tensor(time), torch.tensor(1 - time)
    x = a * data + b * noise
    design = torch.cat([x, torch.ones(len(x), 1)], dim=1).double()
    for predicted, wanted in ((part.noise(x, a, b), noise), (part.velocity(x, a, b), data - noise)):
        weights = torch.linalg.lstsq(design, wanted.double()).solution
        torch.testing.assert_close(predicted, (design @ weights).float(), atol=0.04, rtol=0.02)


def test_the_correlation_is_found_along_each_axis() -> None:
    part, _, _ = fitted(0.7)
    torch.testing.assert_close(part.correlation, torch.full((3,), 0.7), atol=0.01, rtol=0)


def test_members_of_sets_are_fitted_together() -> None:
    x = torch.randn(50, 4, 3) @ MIX.T + MEAN
    of_sets, of_rows = GaussianPart(3), GaussianPart(3)
    of_sets.fit(x)
    of_rows.fit(x.flatten(0, 1))
    a, b, seen = torch.tensor(0.6), torch.tensor(0.4), torch.randn(2, 4, 3)
    torch.testing.assert_close(of_sets.velocity(seen, a, b).flatten(0, 1), of_rows.velocity(seen.flatten(0, 1), a, b))


def test_an_axis_without_spread_stays_finite_to_the_end() -> None:
    part = GaussianPart(2)
    part.fit(torch.randn(100, 1) * torch.tensor([[1.0, 0.0]]))
    end, none = torch.tensor(1.0), torch.tensor(0.0)
    assert part.velocity(torch.randn(5, 2), end, none).isfinite().all()
    assert part.noise(torch.randn(5, 2), end, none).isfinite().all()
