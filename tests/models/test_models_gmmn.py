import math
from collections.abc import Callable

import pytest
import torch
from shifted import check_moves_to_the_data

from pcgen.models.base import Batch
from pcgen.models.implicit.gmmn import GMMN, energy
from pcgen.statistics import energy_distance
from pcgen.training import fit

CONTRACT = {"gmmn": {"noise_dim": 4, "generator_widths": [16], "critic_widths": [16], "features": 4}}


def test_the_discrepancy_of_equal_laws_is_0_on_average_and_that_of_others_is_not(measured: Callable[..., None]) -> None:
    torch.manual_seed(0)
    model = GMMN((3,))
    model.setup(Batch(torch.randn(500, 3)))
    same = torch.stack([model.discrepancy(torch.randn(40, 3), torch.randn(40, 3), unbiased=True) for _ in range(400)])
    error = float(same.std()) / math.sqrt(len(same))
    assert abs(float(same.mean())) < 4 * error
    measured(
        "mean unbiased squared MMD of equal laws, in standard errors",
        float(same.mean()) / error,
        "within 4 of 0",
    )
    shifted = model.discrepancy(torch.randn(400, 3), torch.randn(400, 3) + 0.5, unbiased=True)
    assert float(shifted) > 4 * float(same.std())


def test_the_penalty_is_the_slope_of_the_witness() -> None:
    torch.manual_seed(0)
    model = GMMN((2,), kernel="learned").double()
    real, fake = torch.randn(6, 2, dtype=torch.float64), torch.randn(6, 2, dtype=torch.float64)
    torch.manual_seed(1)
    penalty = model.critic_loss(real, fake)["penalty"]
    torch.manual_seed(1)
    share = torch.rand(6, 1)
    between = share * real + (1 - share) * fake

    def witness(x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = model.critic(x[None])
        return (found - model.critic(fake)).norm(dim=1).mean() - (found - model.critic(real)).norm(dim=1).mean()

    slopes = torch.stack([torch.autograd.functional.jacobian(witness, row) for row in between])
    torch.testing.assert_close(penalty, (slopes.norm(dim=1) - 1).square().mean())


@pytest.mark.parametrize("rows", [6, 60])  # torch takes the distances of few rows and of many in different ways
def test_the_penalty_teaches_the_kernel(rows: int) -> None:
    torch.manual_seed(0)
    model = GMMN((2,), kernel="learned").double()
    real, fake = torch.randn(rows, 2, dtype=torch.float64), torch.randn(rows, 2, dtype=torch.float64)
    weight = next(model.critic.parameters())
    direction = torch.randn_like(weight)

    def penalty() -> torch.Tensor:
        torch.manual_seed(1)
        return model.critic_loss(real, fake)["penalty"]

    (slope,) = torch.autograd.grad(penalty(), weight)
    sides = []
    for step in (1e-6, -2e-6):  # to one side of the weight, and from there to the other
        with torch.no_grad():
            weight.add_(step * direction)
        sides.append(penalty().detach())
    torch.testing.assert_close((slope * direction).sum(), (sides[0] - sides[1]) / 2e-6, rtol=1e-4, atol=1e-6)


def test_the_learned_kernels_discrepancy_is_the_energy_distance_without_its_bias() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(30, 3), torch.randn(30, 3) + 1
    whole = energy_distance(x, y)
    bias = sum(torch.pdist(each).mean() for each in (x, y)) / 30  # pairs of a row with itself count as 0 in it
    torch.testing.assert_close(energy(x, y), whole - bias, atol=1e-5, rtol=1e-5)


def clusters(n: int) -> torch.Tensor:
    """Four Gaussians of deviation 0.5 in the plane."""
    centres = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
    return centres[torch.randint(4, (n,))] + 0.5 * torch.randn(n, 2)


def test_the_generators_discrepancy_falls_to_that_of_a_second_sample(measured: Callable[..., None]) -> None:
    """As far as samples of the size of its batches can tell."""
    torch.manual_seed(0)
    model = GMMN((2,), noise_dim=4, generator_widths=(64, 64))
    fit(model, clusters(20_000), seed=0, steps=500, batch_size=256, average=None)
    found, floor = (
        torch.stack([model.discrepancy(draw(256), clusters(256), unbiased=False) for _ in range(40)])
        for draw in (model.sample, clusters)
    )
    measured("squared MMD of samples and data", float(found.mean()), float(floor.mean()))
    assert float(found.mean()) < float(floor.mean() + 2 * floor.std())


def test_with_a_learned_kernel_a_generated_gaussian_moves_to_the_data() -> None:
    torch.manual_seed(0)
    nets = {"noise_dim": 2, "generator_widths": (16,), "critic_widths": (32,), "features": 8}
    check_moves_to_the_data(GMMN((2,), kernel="learned", lr=1e-2, **nets))


def test_a_learned_kernel_learns_to_tell_data_from_samples() -> None:
    torch.manual_seed(0)
    model = GMMN((2,), kernel="learned", noise_dim=2, critic_widths=(32,), features=8, lr=1e-2)
    model.generator_optimizer.param_groups[0]["lr"] = 0.0
    x = torch.randn(64, 2) + 2
    found = torch.stack([model.update(Batch(x))["squared_mmd"] for _ in range(40)])
    assert found[-10:].mean() > found[0]


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="kernel: must be one of fixed, learned; got 'rbf'"):
        GMMN((2,), kernel="rbf")
    with pytest.raises(ValueError, match="median distance is 0"):
        GMMN((2,)).setup(Batch(torch.zeros(10, 2)))
