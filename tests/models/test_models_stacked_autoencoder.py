"""The autoencoder that begins as a stack of machines: it is the stack at first, and begins below the mean cloud."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pcgen import data, ops
from pcgen.models import Batch
from pcgen.models.clouds.stacked_autoencoder import StackedAutoencoder
from pcgen.training import fit

CONTRACT = {"stacked_autoencoder": {"code": 4, "widths": [8]}}

POINTS = 128


@pytest.fixture(scope="module")
def chairs() -> tuple[Tensor, Tensor]:
    clouds = data.load("shapes:chair=360", points=POINTS, seed=0).points
    return clouds[:300].contiguous(), clouds[300:].contiguous()


def begun(clouds: Tensor, pretraining: float) -> StackedAutoencoder:
    """A model at the beginning of its fine-tuning."""
    torch.manual_seed(0)
    model = StackedAutoencoder(
        (POINTS, 3), code=24, widths=(64,), pretraining=pretraining, reconstruction="chamfer", lr=3e-3
    )
    model.setup(Batch(clouds))
    for place, phase in enumerate(model.recipe.phases if pretraining else ()):
        model.phase.fill_(place)
        model.enter(phase, Batch(clouds))
        for _ in range(300 if place < len(model.layers) else 0):
            model.update(Batch(clouds[torch.randint(len(clouds), (32,))]))
    return model


def error(model: StackedAutoencoder, clouds: Tensor) -> float:
    return float(model.eval().validate(Batch(clouds)))


def test_fine_tuning_starts_below_the_mean_cloud_and_is_ahead_of_random_weights_at_first(
    measured: Callable[..., None], chairs: tuple[Tensor, Tensor]
) -> None:
    train, held_out = chairs
    found = {}
    for name, pretraining in (("stack", 0.5), ("random", 0.0)):
        model = begun(train, pretraining)
        first = error(model, held_out)
        model.train()
        for _ in range(50):
            model.update(Batch(train[torch.randint(len(train), (32,))]))
        found[name] = (first, error(model, held_out))
    # The mean cloud tells no cloud from another.
    mean_cloud = begun(train, 0.0).leading.mean.view(1, POINTS, 3).expand_as(held_out).contiguous()
    of_mean = float(ops.chamfer(mean_cloud, held_out).mean())
    (first, last), (_, last_of_random) = found["stack"], found["random"]
    measured("Chamfer distance where fine-tuning starts, as a share of that of the mean cloud", first / of_mean, "< 1")
    measured("after 50 updates, as a share of that from random weights", last / last_of_random, "< 1")
    assert first < of_mean and last < last_of_random, found


def test_without_pretraining_it_begins_near_the_mean_cloud(chairs: tuple[Tensor, Tensor]) -> None:
    train, held_out = chairs
    model = begun(train, 0.0).eval()
    with torch.no_grad():
        mean = model.order(train).mean(0).view(POINTS, 3)
        off = model.decode(model.encode(held_out)) - mean
    assert off.square().mean().sqrt() < 0.1


def test_it_begins_as_the_stack_of_its_machines(chairs: tuple[Tensor, Tensor]) -> None:
    train, held_out = chairs
    model = begun(train, 0.5).eval()
    with torch.no_grad():
        top = model.stack[-1]
        code = top.hidden_logits(model.inferred(held_out, len(model.layers) - 1))
        torch.testing.assert_close(model.encode(held_out), code, atol=1e-3, rtol=1e-3)
        h = code.sigmoid()
        for layer in reversed(model.stack):
            h = layer.mean_visible(h)
        cloud = model.leading.inverse(h).view(-1, POINTS, 3)
        torch.testing.assert_close(model.decode(model.encode(held_out)), cloud, atol=1e-4, rtol=1e-3)


def test_neither_order_nor_number_of_points_matters(chairs: tuple[Tensor, Tensor]) -> None:
    train, held_out = chairs
    model = begun(train, 0.0).eval()
    codes = model.encode(held_out)
    torch.testing.assert_close(model.encode(held_out[:, torch.randperm(POINTS)]), codes)
    torch.testing.assert_close(model.encode(held_out.repeat(1, 2, 1)), codes)


def test_points_are_in_the_order_of_their_template(chairs: tuple[Tensor, Tensor]) -> None:
    model, clouds = begun(chairs[0], 0.0), chairs[1][:5]
    ordered = model.order(clouds).view(5, POINTS, 3)
    nearest = torch.cdist(model.order.template.expand(5, -1, -1), clouds).argmin(2)
    assert torch.equal(ordered, torch.stack([cloud[own] for cloud, own in zip(clouds, nearest, strict=True)]))


def test_the_leading_axes_are_the_data_s(chairs: tuple[Tensor, Tensor]) -> None:
    model = begun(chairs[0], 0.0)
    rows = model.order(chairs[0])
    e = model.leading(rows)
    torch.testing.assert_close(e.mean(0), torch.zeros(32), atol=1e-3, rtol=0)
    torch.testing.assert_close(e.T @ e / len(e), torch.eye(32), atol=1e-2, rtol=0)
    values = torch.linalg.svdvals(rows - rows.mean(0)).square()
    left = (rows - model.leading.inverse(e)).square().sum()
    assert float(left) == pytest.approx(float(values[32:].sum()), rel=0.01)


def test_machines_learn_one_after_another_and_then_the_whole() -> None:
    model = StackedAutoencoder((16, 3), code=4, widths=(8, 6), pretraining=0.6)
    assert list(model.recipe.phases) == ["layer_1", "layer_2", "layer_3", "fine_tuning"]
    seen: list[tuple[str, list[str]]] = []
    fit(model, torch.rand(20, 16, 3), steps=10, batch_size=8, progress=lambda s: seen.append((s.phase, [*s.losses])))
    assert [phase for phase, _ in seen] == ["layer_1"] * 2 + ["layer_2"] * 2 + ["layer_3"] * 2 + ["fine_tuning"] * 4
    assert all(losses == (["emd"] if phase == "fine_tuning" else ["contrast"]) for phase, losses in seen)
