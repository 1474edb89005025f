import math
from collections.abc import Callable

import pytest
import torch
from shifted import check_moves_to_the_data
from torch import Tensor

from pcgen.models.adversarial.dan import DAN, SampleCritic
from pcgen.optim import descend

CONTRACT = {"dan": {"noise_dim": 4, "generator_widths": [16], "discriminator_widths": [16, 16], "features": 4}}


def ring(n: int) -> Tensor:
    """Eight Gaussians of deviation 0.05 on a circle of radius 2, (n, 2)."""
    angle = 2 * math.pi * torch.randint(8, (n,)) / 8
    return 2 * torch.stack((angle.cos(), angle.sin()), dim=1) + 0.05 * torch.randn(n, 2)


@pytest.mark.parametrize("form", ["sample", "two_sample"])
def test_the_sample_critic_sees_a_missing_mode_that_single_rows_hardly_show(
    measured: Callable[..., None], form: str
) -> None:
    """Of rows from eight modes and from seven of them no critic is right in more than 9 of 16 cases: seven eighths of
    both are alike. Samples of 128 rows from eight modes almost surely hold the missing one."""
    torch.manual_seed(0)
    model = DAN((2,), form, discriminator_widths=(64, 64), r1=0.0)

    def samples() -> tuple[Tensor, Tensor]:
        rows = ring(1000)
        return rows[:128], rows[rows[:, 0] < 1.8][-128:]  # without the mode at (2, 0)

    for _ in range(400):
        descend(torch.stack(list(model.critic_loss(*samples()).values())).sum(), model.critic_optimizer)
    rows, sets = [], []
    with torch.no_grad():
        for real, fake in (samples() for _ in range(100)):
            rows += [(model.critic(real) > 0).float().mean(), (model.critic(fake) < 0).float().mean()]
            same, other = model.judged(real, fake)
            sets += [(same > 0).float().mean(), (other < 0).float().mean()]
    measured(f"a missing mode of 8, accuracy of the critic of samples ({form})", float(torch.stack(sets).mean()), 1)
    measured(f"of the critic of rows ({form})", float(torch.stack(rows).mean()), "at most 0.5625")
    assert float(torch.stack(rows).mean()) < 9 / 16 + 0.02
    assert float(torch.stack(sets).mean()) > 0.8


def test_a_sample_is_seen_whatever_the_order_of_its_rows_and_two_in_either_order() -> None:
    critic = SampleCritic(torch.nn.Linear(3, 5), 5)
    x, y = torch.randn(16, 3), torch.randn(16, 3)
    first, second = critic.mean(x), critic.mean(y)
    torch.testing.assert_close(first, critic.mean(x[torch.randperm(16)]))
    torch.testing.assert_close(critic(first, second), critic(second, first))
    assert not torch.allclose(critic(first, second), critic(first, first))


@pytest.mark.parametrize(("form", "weight"), [("sample", 0.0), ("sample", 5.0), ("two_sample", 5.0)])
def test_a_generated_gaussian_moves_to_the_data(form: str, weight: float) -> None:
    torch.manual_seed(0)
    widths = {"generator_widths": (16,), "discriminator_widths": (32,)}
    check_moves_to_the_data(DAN((2,), form, weight, features=8, noise_dim=2, r1=0.5, lr=1e-2, **widths))


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="form: must be one of sample, two_sample; got 'two'"):
        DAN((2,), form="two")
