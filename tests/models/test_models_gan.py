from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from pcgen.models.adversarial.gan import GAN
from pcgen.models.adversarial.losses import discriminator_terms
from pcgen.models.base import Batch
from pcgen.optim import descend

CONTRACT = {"gan": {"noise_dim": 4, "generator_widths": [16], "discriminator_widths": [16, 16]}}


def test_the_optimal_discriminator_of_two_gaussians_is_p_over_p_plus_q(measured: Callable[..., None]) -> None:
    p, q = Normal(0.0, 1.0), Normal(1.5, 0.7)
    model = GAN((1,), discriminator_widths=(32, 32), r1=0.0, lr=5e-3)
    for step in range(600):
        for group in model.critic_optimizer.param_groups:
            group["lr"] = 5e-3 * (1 - step / 600)
        terms = discriminator_terms(model.critic, p.sample((1024, 1)), q.sample((1024, 1)), r1=0)
        descend(terms["discriminator"], model.critic_optimizer)
    x = torch.linspace(-2, 3, 51)[:, None]
    expected = torch.sigmoid(p.log_prob(x) - q.log_prob(x))
    error = float((torch.sigmoid(model.critic(x)) - expected).abs().max())
    measured("trained discriminator of two Gaussians: largest difference from p / (p + q)", error, 0)
    assert (torch.sigmoid(model.critic(x)) - expected).abs().max() < 0.06


def test_the_penalty_is_half_the_mean_squared_slope_at_the_data() -> None:
    real, fake = torch.randn(7, 4, 3), torch.randn(7, 4, 3)
    line = torch.nn.Linear(12, 1)  # whose slope is its weight everywhere
    penalty = discriminator_terms(torch.nn.Sequential(torch.nn.Flatten(), line), real, fake, r1=3.0)["r1"]
    torch.testing.assert_close(penalty, 3.0 / 2 * line.weight.square().sum())

    class Square(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.square().flatten(1).sum(1, keepdim=True) / 2  # whose slope at x is x

    penalty = discriminator_terms(Square(), real, fake, r1=3.0)["r1"]
    torch.testing.assert_close(penalty, 3.0 / 2 * real.square().sum((1, 2)).mean())


@pytest.mark.parametrize(
    ("shape", "generator", "critic"),
    [
        ((128,), [256, 256, 128], [256, 512, 1]),
        ((2048, 3), [64, 128, 512, 1024, 6144], [64, 128, 256, 256, 512, 128, 64, 1]),
    ],
)
def test_default_networks(shape: tuple[int, ...], generator: list[int], critic: list[int]) -> None:
    model = GAN(shape)
    assert [w.shape[0] for w in model.generator.parameters() if w.dim() == 2] == generator
    assert [w.shape[0] for w in model.critic.parameters() if w.dim() == 2] == critic


def test_the_critic_of_clouds_ignores_the_order_of_points() -> None:
    model = GAN((16, 3))
    x = torch.randn(4, 16, 3)
    assert torch.equal(model.critic(x), model.critic(x[:, torch.randperm(16)]))
    assert len(model.critic(x).unique()) == 4


def test_a_relu_output_makes_codes_that_are_not_negative() -> None:
    samples = GAN((20,), output="relu").sample(50)
    assert samples.min() == 0 < samples.max()


def test_truncation_raises_fidelity_and_lowers_coverage(measured: Callable[..., None]) -> None:
    # Fidelity is the mean log-density of the data at the samples, coverage the share of the data's deviation they have.
    data = Normal(0.0, 1.0)
    model = GAN((2,), noise_dim=4, generator_widths=(32,), discriminator_widths=(32, 32), r1=0.5, lr=2e-3)
    for _ in range(400):
        model.update(Batch(data.sample((128, 2)), torch.arange(128)))
    whole, half, near = (model.sample(4000, truncation=t) for t in (None, 1.0, 0.3))
    fidelity = [data.log_prob(x).sum(1).mean().item() for x in (whole, half, near)]
    coverage = [x.std(0).mean().item() for x in (whole, half, near)]
    measured("deviation of samples truncated at 0.3, by that of whole ones", coverage[2] / coverage[0], "below 1")
    measured(
        "their mean log-density under the data, above that of whole ones, nats",
        fidelity[2] - fidelity[0],
        "above 0",
    )
    assert coverage[0] > 0.6
    assert fidelity == sorted(fidelity)
    assert coverage == sorted(coverage, reverse=True)
    assert coverage[2] < 0.5 * coverage[0]


def test_an_update_trains_each_network_on_its_own_loss_alone() -> None:
    model = GAN((4,), lr=1e-4)
    before = [p.clone() for p in model.critic.parameters()]
    model.update(Batch(torch.randn(8, 4), torch.arange(8)))
    # Adam's first step is learning_rate * sign(gradient): the critic took one, and none from the generator's loss.
    moved = torch.cat([(a - b).abs().flatten() for a, b in zip(model.critic.parameters(), before, strict=True)])
    assert moved.max().item() == pytest.approx(1e-4, rel=0.01)
    assert all(p.requires_grad for p in model.critic.parameters())


@pytest.mark.parametrize("truncation", [0.0, -1.0])
def test_a_bad_truncation_is_named(truncation: float) -> None:
    with pytest.raises(ValueError, match="truncation: must be a positive number of standard deviations, or None, got"):
        GAN((4,)).sample(3, truncation=truncation)
