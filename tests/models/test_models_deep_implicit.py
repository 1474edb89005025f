from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pcgen.models.implicit.deep_implicit import DeepImplicit
from pcgen.statistics import energy_distance
from pcgen.training import fit

CONTRACT = {"deep_implicit": {"layers": 2, "noise_dim": 3, "width": 16, "discriminator_widths": [16, 16]}}


def hierarchy(n: int) -> Tensor:
    """Three pairs of numbers, each made of the pair above it and of chance of its own, (n, 6)."""
    top = torch.randn(n, 2)
    middle = 0.7 * (top.square() - 1) + 0.6 * torch.randn(n, 2)
    return torch.cat([top, middle, (2 * middle).sin() + 0.6 * torch.randn(n, 2)], dim=1)


def test_it_fits_a_hierarchy_that_one_layer_of_noise_misses(measured: Callable[..., None]) -> None:
    distances = []
    for layers in (3, 1):
        torch.manual_seed(0)
        model = DeepImplicit((6,), layers, noise_dim=2, width=64, discriminator_widths=(64, 64))
        fit(model, hierarchy(20_000), seed=0, steps=1200, batch_size=128, schedule="cosine")
        distances.append(float(energy_distance(model.sample(2000), hierarchy(2000))))
    measured(
        "energy distance to a hierarchy by three layers of noise, by that of one",
        distances[0] / distances[1],
        "below 1",
    )
    assert distances[0] < 0.5 * distances[1], distances


def test_every_layer_has_noise_of_its_own() -> None:
    model = DeepImplicit((2,), layers=3, noise_dim=2, width=8)
    noise = model.latents(1)
    assert noise.shape == (1, 6)
    slope = torch.autograd.functional.jacobian(lambda e: model.generator(e)[0], noise)[:, 0]  # (2, 6)
    assert (slope.abs().sum(0) > 0).all()


def test_clouds_are_refused() -> None:
    with pytest.raises(ValueError, match="deep_implicit: shape must be"):
        DeepImplicit((16, 3))


@pytest.mark.parametrize("noise", ["ball", "mixture"])
def test_the_noise_of_every_layer_is_a_draw_of_the_prior(noise: str) -> None:
    torch.manual_seed(0)
    model = DeepImplicit((2,), layers=3, noise_dim=2, width=8, noise=noise)
    parts = model.latents(4000).split(2, dim=1)
    alone = model.prior.draw(4000).square().sum(1).mean()
    for part in parts:  # in one ball, the layers would share its radius
        assert part.square().sum(1).mean() == pytest.approx(float(alone), rel=0.1)
    sizes = torch.stack([part.norm(dim=1) for part in parts])
    assert (torch.corrcoef(sizes) - torch.eye(3)).abs().max() < 0.06
