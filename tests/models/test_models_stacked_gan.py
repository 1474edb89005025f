from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pcgen.models.adversarial.gan import GAN
from pcgen.models.adversarial.stacked_gan import StackedGAN
from pcgen.statistics import energy_distance
from pcgen.training import fit

CONTRACT = {
    "stacked_gan": {
        "level_widths": [4, 2],
        "encoder_widths": [8],
        "noise_dim": 3,
        "generator_widths": [16],
        "discriminator_widths": [16],
    }
}


def centres() -> Tensor:
    """Five clusters of five clusters each, in eight dimensions, (25, 8)."""
    generator = torch.Generator().manual_seed(1)
    above = 1.5 * torch.randn(5, 1, 8, generator=generator)
    return (above + 0.5 * torch.randn(5, 5, 8, generator=generator)).reshape(25, 8)


def rows(n: int) -> Tensor:
    return centres()[torch.randint(25, (n,))] + 0.05 * torch.randn(n, 8)


def covered(samples: Tensor) -> int:
    """How many of the clusters have at least a quarter of their share of the samples near them."""
    distance, cluster = torch.cdist(samples, centres()).min(1)
    return int((torch.bincount(cluster[distance < 0.5], minlength=25) >= len(samples) / 25 / 4).sum())


def size(*parts: torch.nn.Module) -> int:
    return sum(p.numel() for part in parts for p in part.parameters())


@pytest.fixture(scope="module")
def trained() -> StackedGAN:
    torch.manual_seed(0)
    model = StackedGAN(
        (8,), (6, 2), (64,), noise_dim=4, generator_widths=(64, 64), discriminator_widths=(64, 64), r1=0.0
    )
    return fit(model, rows(4000), seed=0, steps=1500, batch_size=128, average=None).eval()


def test_each_stage_inverts_its_encoder_layer(measured: Callable[..., None], trained: StackedGAN) -> None:
    """What is made under a level of the data has that level: the mean square of the difference, of levels of
    variance 1, against that of another row's level, which is 2."""
    with torch.no_grad():
        levels = [x := rows(1000), *trained.levels(x)]
        made = trained.made([trained.prior.draw(1000) for _ in levels], levels)
        for encoder, below, above in zip(trained.encoders, made, levels[1:], strict=False):
            error = float((encoder(below) - above).square().mean())
            measured("level of what is made under a level: mean square of the difference", error, 0)
            assert float((encoder(below) - above).square().mean()) < 0.2
            assert float((encoder(below) - above.roll(1, 0)).square().mean()) > 1.5


def test_it_beats_one_gan_of_equal_size_on_clusters_of_clusters(
    measured: Callable[..., None], trained: StackedGAN
) -> None:
    torch.manual_seed(0)
    single = GAN((8,), noise_dim=12, generator_widths=(128, 128), discriminator_widths=(144, 144), r1=0.0)
    # As many updates as the stack has, its encoder's among them.
    fit(single, rows(4000), seed=0, steps=1500, batch_size=128, average=None).eval()
    stack = size(trained.generators, trained.critics, trained.recognitions)
    assert size(single) == pytest.approx(stack, rel=0.05)
    distances = [float(energy_distance(model.sample(2000), rows(2000))) for model in (trained, single)]
    measured(
        "energy distance to clusters of clusters, by that of one gan of equal size",
        distances[0] / distances[1],
        "below 1",
    )
    assert distances[0] < 0.3 * distances[1], distances


def test_under_a_level_the_noise_of_a_stage_alone_changes_what_is_made(trained: StackedGAN) -> None:
    """The entropy term: Q reads the noise from a row that is made, where a guess of 0 is off by its variance, 1."""
    with torch.no_grad():
        noise = [trained.prior.draw(2000) for _ in trained.generators]
        for level, q, z in zip(trained.made(noise), trained.recognitions, noise, strict=True):
            assert float((q(level) - z).square().mean()) < 0.7


def test_levels_are_standardised_and_the_joint_phase_leaves_them(trained: StackedGAN) -> None:
    with torch.no_grad():
        for level in trained.levels(rows(4000)):
            torch.testing.assert_close(level.mean(0), torch.zeros(level.shape[1]), atol=0.1, rtol=0)
            torch.testing.assert_close(level.std(0), torch.ones(level.shape[1]), atol=0.1, rtol=0)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="level_widths: must be one or more widths of at least 1, got"):
        StackedGAN((4,), level_widths=())
    with pytest.raises(ValueError, match="entropy: must be 0 or more, got -1"):
        StackedGAN((4,), entropy=-1.0)
