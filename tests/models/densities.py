"""Rows of a known density that is far from a Gaussian, and draws held against a density on a grid."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from pcgen.models.base import Batch
from pcgen.models.flows.flow_matching import FlowMatching
from pcgen.models.likelihood import ExactLikelihood
from pcgen.statistics import energy_distance


def curved(n: int) -> Tensor:
    """A number, its square with noise, and the sum of the two with noise, (n, 3)."""
    one, bend, along = torch.randn(n, 3).unbind(1)
    two = one.square() + 0.3 * bend
    return torch.stack([one, two, one + two + 0.3 * along], dim=1)


def log_density_of_curved(x: Tensor) -> Tensor:
    rest = torch.stack([x[:, 1] - x[:, 0].square(), x[:, 2] - x[:, 0] - x[:, 1]], dim=1) / 0.3
    return Normal(0.0, 1.0).log_prob(torch.cat([x[:, :1], rest], dim=1)).sum(1) - 2 * math.log(0.3)


def check_learns_curved(
    model: ExactLikelihood, steps: int, most: float, measured: Callable[..., None], note: str = ""
) -> Tensor:
    """Train on curved rows; near the exact log-likelihood, and nearer in draws, where a full Gaussian is not.

    Returns new rows.
    """
    train, test = curved(20_000), curved(2000)
    model.setup(Batch(train))
    (rate,) = {group["lr"] for optimizer in model.optimizers().values() for group in optimizer.param_groups}
    for step in range(steps):
        for group in (group for optimizer in model.optimizers().values() for group in optimizer.param_groups):
            group["lr"] = rate * (1 - step / steps)
        model.update(Batch(train[torch.randint(20_000, (128,))]))
    gaussian = MultivariateNormal(train.mean(0), torch.cov(train.T))
    with torch.no_grad():
        exact = log_density_of_curved(test).mean()
        short, of_gaussian = (float(exact - each.log_prob(test).mean()) for each in (model.eval(), gaussian))
    measured(f"held-out log-likelihood below the exact one, nats{note}", short, f"0; a full Gaussian {of_gaussian:.2f}")
    assert short < most < 0.8 < of_gaussian
    apart = [float(energy_distance(drawn, test)) for drawn in (model.sample(2000), gaussian.sample((2000,)))]
    measured(f"energy distance of samples to new rows{note}", apart[0], f"below a full Gaussian's, {apart[1]:.3f}")
    assert apart[0] < 0.4 * apart[1]
    return test


def plane(reach: float, count: int) -> tuple[Tensor, float]:
    """Points of a square, (count^2, 2), and the area of each."""
    line = torch.linspace(-reach, reach, count)
    return torch.cartesian_prod(line, line), float(line[1] - line[0]) ** 2


def check_draws(drawn: Tensor, x: Tensor, mass: Tensor) -> None:
    """Draws (n, 2) have the moments of a density, of which so much mass lies at each point of a plane."""
    for moment in (lambda x: x[:, 0].tanh(), lambda x: x[:, 1].tanh(), lambda x: (x[:, 0] * x[:, 1]).tanh()):
        values = moment(drawn)
        error = 4.5 * float(values.std()) / math.sqrt(len(drawn)) + 3e-3
        assert float(values.mean()) == pytest.approx(float((mass * moment(x)).sum()), abs=error)


def check_learns_labels(model: ExactLikelihood | FlowMatching, rows: int, updates: int) -> None:
    """Train on two clusters of three numbers, one for each label; draws and densities are those of the label."""
    labels = torch.arange(rows) % 2
    x = torch.randn(rows, 3) / 2 + 2 * labels[:, None]
    model.setup(Batch(x, labels=labels))
    for _ in range(updates):
        model.update(Batch(x, labels=labels))
    model.eval()
    drawn = model.sample(rows, labels=labels)
    torch.testing.assert_close(drawn[labels == 1].mean(0), torch.full((3,), 2.0), atol=0.3, rtol=0)
    torch.testing.assert_close(drawn[labels == 0].mean(0), torch.zeros(3), atol=0.3, rtol=0)
    with torch.no_grad():
        own, other, either = (model.log_prob(x, each).mean() for each in (labels, 1 - labels, None))
    assert other < either < own
