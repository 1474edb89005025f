"""The autoencoder whose code is a set: its order does not matter, its divergence is right, heads learn its tokens."""

from collections.abc import Callable

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from pcgen import ops
from pcgen.models import Batch
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.clouds.set_autoencoder import SetAutoencoder
from pcgen.models.diffusion.diffusion import Diffusion
from pcgen.training import fit

SMALL = {"tokens": 4, "channels": 3, "width": 16, "features": 8, "heads": 2, "depth": 1}
CONTRACT = {"set_autoencoder": SMALL}
MODEL = "set_autoencoder"


def boxes(count: int, points: int) -> torch.Tensor:
    """Points uniform in boxes of random sides, (count, points, 3): a cloud is known by three numbers."""
    return (torch.rand(count, points, 3) - 0.5) * (0.2 + torch.rand(count, 1, 3))


def test_reconstructs_better_than_the_mean_shape(measured: Callable[..., None]) -> None:
    train, held_out = boxes(64, 64), boxes(16, 64)
    model = SetAutoencoder((64, 3), tokens=8, channels=4, width=32, features=32, heads=2, depth=1, lr=5e-3).train()
    for i in range(200):
        model.optimizer.param_groups[0]["lr"] = 5e-3 * (1 - i / 200)
        rows = torch.randint(64, (32,))
        model.update(Batch(train[rows], rows))
    model.eval()
    with torch.no_grad():
        distance = ops.emd(model.decode(model.encode(held_out)), held_out).mean()
    # The mean shape of clouds without an order: the training cloud that is nearest to all others on average.
    among = torch.stack([ops.emd(train[i].expand(64, -1, -1).contiguous(), train).mean() for i in range(64)])
    medoid = train[among.argmin()].expand(16, -1, -1).contiguous()
    ratio = float(distance / ops.emd(medoid, held_out).mean())
    measured("EMD of reconstructions of held-out boxes, of that of the medoid of training", ratio, "below 1")
    assert ratio < 0.8


def test_neither_the_order_of_points_nor_that_of_tokens_matters(measured: Callable[..., None]) -> None:
    model, clouds = SetAutoencoder((64, 3), **SMALL).eval(), boxes(4, 200)  # of any size
    codes = model.encode(clouds)
    assert codes.shape == (4, 4, 3) == (4, *model.code_shape)
    torch.testing.assert_close(model.encode(clouds[:, torch.randperm(200)]), codes, atol=1e-5, rtol=1e-5)
    moved = ops.emd(model.decode(codes[:, torch.tensor([2, 0, 3, 1])]), model.decode(codes)).max()
    measured("EMD between the clouds of a code and of its tokens in another order", float(moved), 0)
    assert moved < 1e-6


def test_the_loss_is_the_distance_and_the_divergence_per_number_of_the_code() -> None:
    model, clouds = SetAutoencoder((64, 3), **SMALL, kl=0.5).eval(), boxes(5, 64)
    posterior = model._posterior(clouds)
    exact = kl_divergence(Normal(posterior.mean, (posterior.log_variance / 2).exp()), Normal(0.0, 1.0)).mean()
    loss = model.loss(Batch(clouds))
    torch.testing.assert_close(loss["kl"], 0.5 * exact)
    torch.testing.assert_close(loss["emd"], ops.emd(model.decode(model.encode(clouds)), clouds).mean())


def test_in_training_the_code_is_drawn_with_the_posteriors_mean_and_deviation() -> None:
    model, clouds = SetAutoencoder((64, 3), **SMALL).eval(), boxes(1, 64)
    posterior = model._posterior(clouds.expand(4000, -1, -1))
    drawn = posterior.draw()
    deviation = (posterior.log_variance[0] / 2).exp()
    assert ((drawn.mean(0) - posterior.mean[0]).abs() < 5 * deviation / 4000**0.5).all()
    torch.testing.assert_close(drawn.std(0), deviation, rtol=0.08, atol=0)
    model.train()
    with torch.autocast("cpu", torch.bfloat16):
        assert model.loss(Batch(clouds.expand(2, -1, -1)))["kl"].dtype == torch.float32
    losses = [model.loss(Batch(clouds))["emd"] for _ in range(2)]
    assert losses[0] != losses[1]


def test_a_head_learns_tokens_standardised_by_channel_and_permutes_with_them() -> None:
    model = LatentCloudModel(SetAutoencoder((64, 3), **SMALL), Diffusion((4, 3), times=10, width=8, blocks=1))
    codes = model.encode(boxes(40, 64))
    fit(model, codes, steps=4, batch_size=20)
    seen = model.to_head(codes)
    torch.testing.assert_close(seen.mean((0, 1)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.flatten(0, 1).std(0, correction=0), torch.ones(3), atol=1e-5, rtol=0)
    order = torch.tensor([3, 1, 0, 2])
    torch.testing.assert_close(model.to_head(codes[:, order]), seen[:, order])
    assert model.sample(3).shape == (3, 64, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": 65}, "tokens: must be at most the points of shape, 64, got 65"),
        ({"width": 15}, "heads: must divide width, 15, got 2"),
        ({"features": 9}, "heads: must divide features, 9, got 2"),
        ({"heads": 0}, "heads: must be at least 1, got 0"),
        ({"kl": -1.0}, "kl: must be 0 or more, got -1.0"),
    ],
)
def test_arguments_are_checked(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SetAutoencoder((64, 3), **SMALL | arguments)


def test_a_cloud_of_fewer_points_than_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="tokens: must be at most the points of a cloud, 3, got 4"):
        SetAutoencoder((64, 3), **SMALL).encode(torch.randn(2, 3, 3))
