"""How far deformed clouds are from the training clouds: by construction, and against brute force."""

import pytest
import torch

from pcgen.metrics import z_u
from pcgen.models.clouds.farther import FACTORS, as_far_apart, distances
from pcgen.ops import chamfer_matrix


@pytest.mark.parametrize("wanted", [0.6, 0.9, 1.0, 1.2, 1.9])
def test_the_factor_is_that_at_which_half_of_the_samples_are_farther(wanted: float) -> None:
    """Distances apart are uniform on [0, 1], so P(s d > apart) is s mean d: linear, and 1/2 at s = 1 / (2 mean d)."""
    apart = (torch.arange(1000) + 0.5) / 1000
    d = torch.rand(500) * 0.2
    d += 0.5 / wanted - d.mean()
    assert as_far_apart(lambda s: s * d, apart) == pytest.approx(wanted, abs=2e-3)


def test_beyond_its_ends_the_factor_is_the_end() -> None:
    apart = torch.ones(10)
    assert as_far_apart(lambda s: torch.full((10,), 0.1 * s), apart) == FACTORS[-1]
    assert as_far_apart(lambda s: torch.full((10,), 10.0 * s), apart) == FACTORS[0]
    assert as_far_apart(lambda s: torch.full((10,), s), apart) == 1.0  # all are the same distance: half of each


def test_z_u_is_zero_at_the_factor() -> None:
    drawn, apart = torch.randn(400, generator=torch.Generator().manual_seed(0)).exp(), torch.linspace(0.1, 4, 300)
    found = as_far_apart(lambda s: s * drawn, apart)
    assert FACTORS[0] < found < FACTORS[-1]
    assert abs(float(z_u(found * drawn, apart))) < 0.3
    assert abs(float(z_u(drawn, apart))) > 2


def test_the_nearest_training_cloud_is_that_of_all_pairs() -> None:
    torch.manual_seed(0)
    sides = 0.5 + torch.rand(60, 1, 3)
    training, clouds = torch.rand(60, 400, 3) * sides, torch.rand(10, 300, 3) * (0.5 + torch.rand(10, 1, 3))
    torch.testing.assert_close(distances(clouds, training), chamfer_matrix(clouds, training).amin(1).float())
    own = torch.randperm(60)[:20]
    matrix = chamfer_matrix(training[own], training).scatter(1, own[:, None], torch.inf)
    torch.testing.assert_close(distances(training[own], training, own), matrix.amin(1).float())
    assert distances(training[own], training).eq(0).all()
    few = training[:2], training[:2]  # fewer clouds than candidates, and fewer points than are compared at first
    alone = chamfer_matrix(*few)[0, 1].float()
    torch.testing.assert_close(distances(*few, torch.arange(2)), alone.expand(2))
