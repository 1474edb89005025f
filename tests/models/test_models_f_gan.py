import math
from collections.abc import Callable

import pytest
import torch
from shifted import check_moves_to_the_data
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal

from pcgen.models.adversarial.f_gan import FGAN
from pcgen.models.base import Batch
from pcgen.optim import descend
from pcgen.statistics import DIVERGENCES

CONTRACT = {"f_gan": {"noise_dim": 4, "generator_widths": [16], "critic_widths": [16, 16]}}

# Of N(0, 1) from N(1, 1.25^2), by integration.
P, Q = Normal(0.0, 1.0), Normal(1.0, 1.25)


def integrand(name: str, p: Tensor, q: Tensor) -> Tensor:
    m = (p + q) / 2
    return {
        "kl": p * (p / q).log(),
        "reverse_kl": q * (q / p).log(),
        "js": p * (p / m).log() + q * (q / m).log(),
        "pearson": (p - q).square() / q,
        "hellinger": (p.sqrt() - q.sqrt()).square(),
    }[name]


def exact(name: str) -> float:
    x = torch.linspace(-12, 12, 200001, dtype=torch.float64)
    return float(torch.trapezoid(integrand(name, *(each.log_prob(x).exp() for each in (P, Q))), x))


@pytest.mark.parametrize("name", DIVERGENCES)
def test_the_bound_stays_below_the_divergence_and_comes_close(measured: Callable[..., None], name: str) -> None:
    torch.manual_seed(0)
    model = FGAN((1,), divergence=name, critic_widths=(32, 32), r1=0.0, lr=3e-3, betas=(0.9, 0.99))
    for step in range(500):
        for group in model.critic_optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - step / 500)
        descend(-model.bound(P.sample((1024, 1)), Q.sample((1024, 1))), model.critic_optimizer)
    with torch.no_grad():
        parts = torch.stack([model.bound(P.sample((20000, 1)), Q.sample((20000, 1))) for _ in range(20)])
    measured(f"bound on {name} of N(0, 1) from N(1, 1.25^2)", float(parts.mean()), exact(name))
    error = float(parts.std()) / math.sqrt(20)
    assert float(parts.mean()) < exact(name) + 4 * error
    assert float(parts.mean()) == pytest.approx(exact(name), rel=0.1, abs=4 * error)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_output_and_conjugate_belong_together(name: str) -> None:
    """At the optimum v* the bound's integrand is f: p g(v*) - q f*(g(v*)) = q f(p / q), and the slopes cancel."""
    ratio = torch.linspace(0.2, 5, 25, dtype=torch.float64)
    f = {
        "kl": ratio * ratio.log(),
        "reverse_kl": -ratio.log(),
        "js": ratio * ratio.log() - (ratio + 1) * ((ratio + 1) / 2).log(),
        "pearson": (ratio - 1).square(),
        "hellinger": (ratio.sqrt() - 1).square(),
    }[name]
    divergence = DIVERGENCES[name]
    v = torch.linspace(-20, 20, 400001, dtype=torch.float64)
    best = torch.stack([(r * divergence.output(v) - divergence.conjugate(v)).max() for r in ratio])
    torch.testing.assert_close(best, f, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["kl", "reverse_kl"])
def test_where_the_generator_cannot_reach_the_data_the_divergence_decides_what_is_lost(
    measured: Callable[..., None], name: str
) -> None:
    """A Gaussian for a mixture of two: the best by the forward divergence has the mixture's mean and deviation, by the
    reverse one those of the larger part."""
    data = MixtureSameFamily(Categorical(torch.tensor([0.65, 0.35])), Normal(torch.tensor([-2.0, 2.0]), 0.7))
    torch.manual_seed(0)
    game = {"saturating": True, "r1": 0.0, "lr": 3e-3, "betas": (0.5, 0.99)}
    model = FGAN((1,), name, noise_dim=1, generator_widths=(), critic_widths=(32, 32), **game)  # type: ignore[arg-type]
    line = next(part for part in model.generator.modules() if isinstance(part, torch.nn.Linear))
    with torch.no_grad():  # N(-1.5, 1) is neither
        line.weight.fill_(1.0)
        line.bias.fill_(-1.5)
    for step in range(900):
        for group in model.generator_optimizer.param_groups:
            group["lr"] = 4e-3 * (1 - step / 900)
        model.update(Batch(data.sample((512, 1))))
    mean, deviation = (float(data.mean), float(data.stddev)) if name == "kl" else (-2.0, 0.7)
    measured(f"mean of one Gaussian fitted to two by {name}, saturating", line.bias.item(), mean)
    measured(f"its deviation by {name}, saturating", abs(line.weight.item()), deviation)
    assert line.bias.item() == pytest.approx(mean, abs=0.2)
    assert abs(line.weight.item()) == pytest.approx(deviation, abs=0.2)


class Best(torch.nn.Module):
    """The critic with which the bound is the divergence of P from another Gaussian."""

    def __init__(self, name: str, q: Normal) -> None:
        super().__init__()
        self.best, self.q = DIVERGENCES[name].best, q
        self.one = torch.nn.Parameter(torch.ones((), dtype=torch.float64))  # an update needs something to learn

    def forward(self, x: Tensor) -> Tensor:
        return self.one * self.best(P.log_prob(x) - self.q.log_prob(x))


@pytest.mark.parametrize("saturating", [True, False])
@pytest.mark.parametrize("name", DIVERGENCES)
def test_with_the_best_critic_the_generators_gradient_is_that_of_the_divergence_that_is_stated(
    monkeypatch: pytest.MonkeyPatch, name: str, saturating: bool
) -> None:
    """Of mean and deviation of a generated Gaussian, both sides by integration; the saturating one is the bound's."""
    at = torch.tensor([0.5, 0.95], dtype=torch.float64, requires_grad=True)
    x = torch.linspace(-12, 12, 20001, dtype=torch.float64)
    p, q = P.log_prob(x).exp(), Normal(*at).log_prob(x).exp()
    stated = {
        "kl": q * (q / p).log(),
        "reverse_kl": (q - p).square() / (2 * p),
        "js": q * (q / p).log() - integrand("js", p, q),
        "pearson": 2 * p * (p / q).log(),
        "hellinger": 2 / 3 * q * (q / p).sqrt(),  # h'' = f'' / r = r^(-5/2) / 2
    }
    loss = torch.trapezoid(integrand(name, p, q) if saturating else stated[name], x)
    (wanted,) = torch.autograd.grad(loss, at)
    model = FGAN((1,), name, saturating, noise_dim=1, generator_widths=(), r1=0.0).double()
    line = next(part for part in model.generator.modules() if isinstance(part, torch.nn.Linear))
    with torch.no_grad():
        line.bias.fill_(at[0])
        line.weight.fill_(at[1])
    z = Normal(0.0, 1.0).icdf((torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000)[:, None]
    monkeypatch.setattr(model, "latents", lambda n, truncation=None: z)
    model.critic = Best(name, Normal(*at.detach()))
    model.update(Batch(z))
    torch.testing.assert_close(torch.cat([line.bias.grad, line.weight.grad[0]]), wanted, rtol=5e-3, atol=1e-4)


@pytest.mark.parametrize("saturating", [True, False])
def test_a_generated_gaussian_moves_to_the_data(saturating: bool) -> None:
    torch.manual_seed(0)
    model = FGAN((2,), "kl", saturating, noise_dim=2, generator_widths=(16,), critic_widths=(32,), r1=0.5, lr=1e-2)
    check_moves_to_the_data(model)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"divergence: must be one of kl, .*; got 'jss'"):
        FGAN((2,), divergence="jss")
