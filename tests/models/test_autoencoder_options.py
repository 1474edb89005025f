"""The autoencoder as a denoising, a sparse, a nonnegative one, and with dropout; and as if none of these were there."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pcgen.models import Batch
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.ops import chamfer
from pcgen.optim import descend
from pcgen.training import fit

MODEL = "autoencoder"

PARTS, EACH = 4, 8
CORNERS = torch.tensor([[-0.5, -0.5, 0], [-0.5, 0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0]])


def lifts(count: int) -> Tensor:
    """Four groups of eight points about the corners of a square, each lifted by itself, or not, (count, 32, 3)."""
    groups = CORNERS[:, None] + 0.1 * torch.randn(EACH, 3, generator=torch.Generator().manual_seed(5))
    lift = torch.rand(count, PARTS) * (torch.rand(count, PARTS) < 0.5)
    clouds = groups.repeat(count, 1, 1, 1)  # (count, PARTS, EACH, 3)
    clouds[..., 2] += lift[..., None]
    return clouds.flatten(1, 2)


@cache
def learned(code: int = 6, lr: float = 0.02, seed: int = 0, **options: Any) -> tuple[Autoencoder, Tensor]:
    """An autoencoder of lifts whose decoder is a linear map, with held-out ones."""
    torch.manual_seed(seed)
    train, held_out = lifts(400), lifts(100)
    model = Autoencoder(
        (PARTS * EACH, 3),
        code=code,
        encoder={"name": "pointnet", "widths": [32, 64]},
        decoder={"name": "fully_connected", "widths": [], "norm": None},
        matrix_lr=0,
        lr=lr,
        **options,
    )
    return fit(model, train, steps=500, batch_size=32).eval(), held_out


def error(model: Autoencoder, seen: Tensor, clouds: Tensor) -> float:
    with torch.no_grad():
        return float(chamfer(model.decode(model.encode(seen)), clouds).mean())


def share_moved(model: Autoencoder, clouds: Tensor) -> float:
    """The share of the decoded points that a unit of the code moves: their participation ratio, a mean over units.

    Each unit is moved by its deviation, and counts by how much that moves the cloud.
    """
    with torch.no_grad():
        codes = model.encode(clouds)
        mean = codes.mean(0)
        moved = (model.decode(mean + codes.std(0).diag()) - model.decode(mean[None])).norm(dim=2)  # (D, N)
        each = moved.sum(1).square() / moved.square().sum(1).clamp_min(1e-12) / moved.shape[1]
        return float((each * moved.sum(1)).sum() / moved.sum())


def sparseness(model: Autoencoder, clouds: Tensor) -> float:
    """Hoyer's (2004) of the codes, a mean over clouds: 0 where all units are alike, 1 where one alone is not 0."""
    with torch.no_grad():
        codes = model.encode(clouds)
    ratio = codes.abs().sum(1) / codes.norm(dim=1).clamp_min(1e-12)
    root = codes.shape[1] ** 0.5
    return float(((root - ratio) / (root - 1)).mean())


def share_negative(model: Autoencoder) -> float:
    """Of the decoder's weights, those below -1% of the largest."""
    weights = torch.cat([part.weight.flatten() for part in model.decoder.modules() if isinstance(part, nn.Linear)])
    return float((weights < -0.01 * weights.abs().max()).float().mean())


def test_without_options_it_learns_bit_for_bit_as_by_its_distance_alone() -> None:
    small: dict[str, Any] = {"code": 8, "encoder": {"name": "pointnet", "widths": [32, 64]}}
    found = []
    for by_hand in (False, True):
        torch.manual_seed(0)
        model, clouds = Autoencoder((16, 3), seen=8, **small), torch.rand(6, 16, 3)
        for _ in range(3):
            if by_hand:
                shown = clouds[:, torch.randperm(16)[:8]]
                loss = model.distance(model.decoder(model.encoder(shown)), clouds).mean()
                descend(loss, model.matrix_optimizer, model.optimizer)
            else:
                assert list(model.update(Batch(clouds))) == ["emd"]
        found.append(model.state_dict())
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_a_denoising_autoencoder_gives_clean_clouds_of_noisy_ones(measured: Callable[..., None]) -> None:
    (plain, clouds), (denoising, _) = learned(code=16), learned(code=16, noise=0.1)
    torch.manual_seed(1)
    noisy = clouds + 0.1 * torch.randn_like(clouds)
    by_plain, by_denoising = error(plain, noisy, clouds), error(denoising, noisy, clouds)
    measured("noise=0.1: error of clean clouds from noisy ones, of that without", by_denoising / by_plain, "below 1")
    assert by_denoising < 0.9 * by_plain


def test_a_sparse_autoencoders_units_have_their_mean(measured: Callable[..., None]) -> None:
    model, clouds = learned(code=12, lr=0.01, sparsity=0.1, sparsity_weight=0.2)
    with torch.no_grad():
        codes = model.encode(clouds)
    assert codes.min() > 0 and codes.max() < 1
    mean = codes.mean(0)
    measured(
        "sparsity=0.1: mean activation of the unit that is farthest from it", mean[(mean - 0.1).abs().argmax()], 0.1
    )
    torch.testing.assert_close(mean, torch.full_like(mean, 0.1), atol=0.06, rtol=0)
    assert codes.std(0).max() > 0.1  # they tell clouds apart
    assert error(model, clouds, clouds) < 0.5 * error(model, clouds.flip(0), clouds)


def test_a_decoder_that_only_adds_has_units_of_parts(measured: Callable[..., None]) -> None:
    """Means of three trainings: another order of the sums, by another number of threads, is another training."""
    moved, sparse, negative = [], [], []
    for seed in range(3):
        pair = learned(seed=seed), learned(seed=seed, nonnegative=1.0)
        moved.append([share_moved(*each) for each in pair])
        sparse.append([sparseness(*each) for each in pair])
        negative.append([share_negative(model) for model, _ in pair])
    plain, adding = torch.tensor([moved, sparse, negative]).mean(1).unbind(1)
    measured("nonnegative: share of negative weights", float(adding[2]), 0)
    assert adding[2] < 0.02 < 0.2 < plain[2]
    measured("nonnegative: share of the points that a unit moves, of clouds of four parts", float(adding[0]), 0.25)
    assert adding[0] < 0.7 * plain[0] and adding[1] > 1.5 * plain[1]


def test_after_dropout_a_code_may_lack_a_unit(measured: Callable[..., None]) -> None:
    lost, rise = [], []
    for dropout in (0.0, 0.3):
        model, clouds = learned(dropout=dropout) if dropout else learned()
        with torch.no_grad():
            lacking = model.encode(clouds).repeat(6, 1, 1)  # (unit that is lacking, cloud, unit)
            lacking[range(6), :, range(6)] = 0
            lost.append(float(chamfer(model.decode(lacking.flatten(0, 1)), clouds.repeat(6, 1, 1)).mean()))
        rise.append(lost[-1] - error(model, clouds, clouds))
    measured("dropout=0.3: rise of the error when a unit is lost, of that without", rise[1] / rise[0], "below 1")
    assert lost[1] < lost[0] and rise[1] < 0.5 * rise[0]


def test_held_out_clouds_are_measured_by_the_distance_alone() -> None:
    options: dict[str, Any] = {"noise": 1.0, "sparsity": 0.1, "nonnegative": 1.0, "dropout": 0.5}
    model, clouds = Autoencoder((8, 3), code=4, reconstruction="chamfer", **options), torch.rand(5, 8, 3)
    assert set(model.update(Batch(clouds))) == {"chamfer", "sparsity", "negative"}
    model.eval()
    assert float(model.validate(Batch(clouds))) == pytest.approx(error(model, clouds, clouds), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": 1.0}, "sparsity: must be at least 0 and below 1, got 1"),
        ({"dropout": 1.0}, "dropout: must be at least 0 and below 1, got 1"),
        ({"noise": -0.1}, "noise: must be 0 or more, got -0.1"),
        ({"nonnegative": -1}, "nonnegative: must be 0 or more, got -1"),
        (
            {"nonnegative": 1, "decoder": nn.Identity()},
            "nonnegative: must be 0 for a Identity, which has no linear layers",
        ),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Autoencoder((8, 3), **options)
