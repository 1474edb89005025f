from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pcgen.models.adversarial.base import Adversarial
from pcgen.models.adversarial.gan import GAN
from pcgen.models.adversarial.wgan_gp import WGANGP
from pcgen.models.base import Batch
from pcgen.nets import MLP
from pcgen.optim import descend

CONTRACT = {"wgan_gp": {"noise_dim": 4, "generator_widths": [16], "critic_widths": [16, 16]}}


def test_the_critics_gap_of_two_shifted_gaussians_is_their_distance(measured: Callable[..., None]) -> None:
    # A linear critic's slope s maximises s * delta - penalty * (s - 1)^2: the gap is delta (1 + delta / 2 penalty).
    delta, penalty = 1.0, 10.0
    model = WGANGP((2,), critic_widths=(32, 32), penalty=penalty, lr=2e-3)
    shift = delta * torch.tensor([0.6, 0.8])
    for _ in range(300):
        terms = model.critic_loss(torch.randn(256, 2) + shift, torch.randn(256, 2))
        descend(terms["gap"] + terms["penalty"], model.critic_optimizer)
    x = torch.randn(20_000, 2)
    gap = (model.critic(x + shift) - model.critic(x)).mean().item()
    measured("gap of the critic between two Gaussians that are 1 apart", gap, delta * (1 + delta / (2 * penalty)))
    assert gap == pytest.approx(delta, rel=0.1)
    assert gap == pytest.approx(delta * (1 + delta / (2 * penalty)), rel=0.03)


def test_a_finite_penalty_makes_the_gap_of_two_far_points_larger_than_their_distance() -> None:
    distance, penalty = 5.0, 10.0
    model = WGANGP((2,), critic_widths=(32, 32), penalty=penalty, lr=3e-3)
    fake = torch.tensor([1.0, -1.0]).expand(256, 2)
    real = fake + distance * torch.tensor([0.6, 0.8])
    for step in range(400):
        for group in model.critic_optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - step / 400)
        terms = model.critic_loss(real, fake)
        descend(terms["gap"] + terms["penalty"], model.critic_optimizer)
    assert -terms["gap"].item() == pytest.approx(distance * (1 + distance / (2 * penalty)), rel=0.02)


def test_the_penalty_is_that_of_each_row_alone() -> None:
    # Of a linear critic w x the slope is |w| everywhere.
    model = WGANGP((3,), penalty=10.0)
    model.critic = MLP((3, 1))
    weight = model.critic[0].weight
    expected = 10.0 * (weight.norm() - 1) ** 2
    penalty = model.critic_loss(torch.randn(7, 3), torch.randn(7, 3))["penalty"]
    torch.testing.assert_close(penalty, expected)


def test_an_update_takes_the_given_number_of_critic_steps_each_on_its_own_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    model = WGANGP((2,), critic_steps=3)
    seen: list[Tensor] = []
    original = model.critic_loss
    monkeypatch.setattr(model, "critic_loss", lambda real, fake: (seen.append(real), original(real, fake))[1])
    x = torch.randn(6, 2)
    model.update(Batch(x, torch.arange(6)))
    assert torch.equal(torch.cat(seen), x) and len(seen) == 3
    seen.clear()
    model.update(Batch(x[:2], torch.arange(2)))
    assert [len(real) for real in seen] == [1, 1, 1]


def ring(n: int, modes: int = 8) -> tuple[Tensor, Tensor]:
    angles = 2 * torch.pi * torch.arange(modes) / modes
    centres = torch.stack([angles.cos(), angles.sin()], dim=1)
    return centres[torch.randint(modes, (n,))] + 0.02 * torch.randn(n, 2), centres


def covered(model: Adversarial) -> int:
    """Modes of the ring that at least a quarter of their share of the samples is near to."""
    _, centres = ring(1)
    distance, mode = torch.cdist(model.sample(2000), centres).min(dim=1)
    return int((mode[distance < 0.2].bincount(minlength=8) >= 2000 / 8 / 4).sum())


def test_it_covers_a_ring_of_modes_that_the_plain_gan_drops(measured: Callable[..., None]) -> None:
    networks = {"noise_dim": 8, "generator_widths": (64, 64), "lr": 1e-3, "betas": (0.5, 0.9)}
    plain = GAN((2,), discriminator_widths=(64, 64), r1=0.0, **networks)  # type: ignore[arg-type]
    # The ring is small, its radius 1: a smaller penalty than the default lets the critic follow it.
    wasserstein = WGANGP((2,), critic_widths=(64, 64), penalty=1.0, critic_steps=3, **networks)  # type: ignore[arg-type]
    for model, batch in ((plain, 64), (wasserstein, 192)):
        for _ in range(500):
            model.update(Batch(ring(batch)[0], torch.arange(batch)))
    measured("modes covered of a ring of 8", covered(wasserstein), "8")
    measured("modes that the plain gan covers", covered(plain), "fewer")
    assert covered(wasserstein) >= 7
    assert covered(plain) <= 5
