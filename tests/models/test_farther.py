"""How far deformed clouds are from the training clouds: by construction, and against brute force."""

import pytest
import torch

from pcgen.metrics import z_u
from pcgen.models.clouds.farther import FACTORS, as_far_apart, distances
from pcgen.ops import chamfer_matrix


@pytest.mark.parametrize("wanted", [0.6, 0.9, 1.0, 1.2, 1.9])
def test_the_factor_is_that_at_which_a_quarter_is_nearer_than_the_nearer_half(wanted: float) -> None:
    """The nearer half is uniform on [0, 1/2], so P(s d < a) is 1 - 2 s mean d, which is 1/4 at s = 3 / (8 mean d)."""
    apart = (torch.randperm(1000) + 0.5) / 1000
    d = torch.rand(500) * 0.05
    d += 0.375 / wanted - d.mean()
    assert as_far_apart(lambda s: s * d, apart) == pytest.approx(wanted, abs=2e-3)


def test_beyond_its_ends_the_factor_is_the_end() -> None:
    apart = torch.ones(10)
    assert as_far_apart(lambda s: torch.full((10,), 0.1 * s), apart) == FACTORS[-1]
    assert as_far_apart(lambda s: torch.full((10,), 10.0 * s), apart) == FACTORS[0]
    assert as_far_apart(lambda s: torch.full((10,), s), apart) == 1.0  # all are the same distance: half of each


@pytest.mark.parametrize("count", [300, 301, 3, 2])
def test_samples_that_are_as_far_as_training_clouds_stay(count: int) -> None:
    drawn = torch.distributions.LogNormal(0.0, 1.0).icdf((torch.arange(4000) + 0.5) / 4000)
    apart = torch.distributions.LogNormal(0.0, 1.0).icdf((torch.arange(count) + 0.5) / count)
    assert as_far_apart(lambda s: s * drawn, apart) == pytest.approx(1.0, abs=0.02 if count > 3 else 0.2)
    assert abs(float(z_u(drawn, apart))) < 0.1


def test_training_clouds_themselves_are_as_far_apart_as_they_are() -> None:
    apart = torch.rand(25, generator=torch.Generator().manual_seed(0)).repeat_interleave(5)  # an odd number, with ties
    assert as_far_apart(lambda s: s * apart, apart) == 1.0


def test_training_clouds_far_from_all_others_move_no_samples() -> None:
    drawn, apart = torch.randn(400, generator=torch.Generator().manual_seed(0)).exp(), torch.linspace(0.1, 4, 300)
    found = as_far_apart(lambda s: s * drawn, apart)
    assert FACTORS[0] < found < FACTORS[-1]
    alone = torch.where(apart > 2.1, 1e3 * apart, apart)
    assert as_far_apart(lambda s: s * drawn, alone) == found
    assert float(z_u(found * drawn, alone)) < float(z_u(found * drawn, apart)) - 0.5  # as the median rule would see it


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
