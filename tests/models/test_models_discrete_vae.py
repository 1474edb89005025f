import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli
from torch.nn.functional import one_hot

from pcgen.models.base import Batch
from pcgen.models.variational.bit_gradients import BIT_GRADIENTS, NVIL
from pcgen.models.variational.bits import BIT_PRIORS
from pcgen.models.variational.discrete_vae import DiscreteVAE

CONTRACT = {"discrete_vae": {"code": 6, "widths": [16]}}

BIASED = ("concrete", "straight_through")
UNBIASED = [name for name in BIT_GRADIENTS if name not in (*BIASED, "vimco")]
BITS = 4


def all_bits(bits: int) -> Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=bits)), dtype=torch.float64)


def tangled(estimator: str, code: int = BITS) -> DiscreteVAE:
    """A model in float64 whose weights are all random, so that nothing is exact by luck."""
    torch.manual_seed(3)
    model = DiscreteVAE((3,), estimator=estimator, code=code, widths=(5,)).double()
    with torch.no_grad():
        for part in (model.encoder, model.decoder, model.prior):
            for parameter in part.parameters():
                parameter.normal_(0, 0.1 if parameter.numel() > 1000 else 0.5)
    return model


X = torch.tensor([[0.7, -1.1, 0.4], [-0.2, 0.3, 1.5]], dtype=torch.float64)


def weights_of(model: DiscreteVAE, x: Tensor) -> tuple[Tensor, Tensor]:
    """log p(x, b) and log q(b | x) of all bits, (2^K, B) each."""
    y = x.new_zeros(len(x), 0)
    energy, q = model.energy(x, y), Bernoulli(logits=model.logits(x, y))
    every = [b.expand(len(x), -1) for b in all_bits(model.code_shape[0])]
    return torch.stack([-energy(b) for b in every]), torch.stack([q.log_prob(b).sum(1) for b in every])


def exact_bound(model: DiscreteVAE, x: Tensor) -> Tensor:
    joint, q = weights_of(model, x)
    return (q.exp() * (joint - q)).sum(0)


def slopes(model: DiscreteVAE, value: Tensor) -> Tensor:
    """Of a scalar with respect to the encoder's weights, in one vector."""
    return torch.cat([slope.flatten() for slope in torch.autograd.grad(value, list(model.encoder.parameters()))])


def deviations(model: DiscreteVAE, exact: Tensor, copies: int = 300, times: int = 40) -> Tensor:
    """How many standard errors the encoder's mean gradient by `loss` is from the exact one, for each weight."""
    model.train()
    found = []
    for _ in range(times):
        loss = torch.stack(list(model.loss(Batch(X.repeat(copies, 1))).values())).sum()
        length = model.gradient.signal.scale.clone() if isinstance(model.gradient, NVIL) else 1.0
        found.append(slopes(model, loss) * length)
    draws = torch.stack(found)
    return ((draws.mean(0) + exact) / (draws.std(0) / math.sqrt(times)).clamp_min(1e-12)).abs()


@pytest.mark.parametrize("name", UNBIASED)
def test_the_encoders_mean_gradient_is_that_of_the_bound(measured: Callable[..., None], name: str) -> None:
    model = tangled(name)
    if name == "nvil":  # what it has learned before is what it divides by
        model.gradient.signal.variance.fill_(4.0)
        model.gradient.signal.decay = 1 - 1e-9
    exact = slopes(model, exact_bound(model, X).mean())
    assert exact.norm() > 0.1
    off = deviations(model, exact).max()
    measured(f"bias of the gradient by {name}, in standard errors, the largest of all weights", float(off), "below 5")
    assert off < 5


@pytest.mark.parametrize("name", BIASED)
def test_relaxations_are_biased(measured: Callable[..., None], name: str) -> None:
    model = tangled(name)
    off = deviations(model, slopes(model, exact_bound(model, X).mean())).max()
    measured(f"bias of the gradient by {name}, in standard errors, the largest of all weights", float(off), "biased")
    assert off > 10


def test_vimco_follows_the_bound_of_its_draws() -> None:
    """Two bits and five draws: all 1024 of them."""
    model = tangled("vimco", code=2)
    joint, q = weights_of(model, X)
    at = torch.tensor(list(itertools.product(range(4), repeat=5)))  # (1024, 5)
    bounds = (joint - q)[at].logsumexp(1) - math.log(5)  # (1024, B)
    exact = slopes(model, (q[at].sum(1).exp() * bounds).sum(0).mean())
    assert deviations(model, exact).max() < 5


def test_the_bound_is_below_the_exact_value_and_rises_to_it_with_the_draws(measured: Callable[..., None]) -> None:
    model = tangled("nvil")
    with torch.no_grad():
        exact = weights_of(model, X)[0].logsumexp(0)
        bound = exact_bound(model, X)
        assert (bound < exact).all()
        rows = X.repeat(800, 1)
        drawn = {draws: model.log_prob_bound(rows, draws=draws).view(800, 2) for draws in (1, 5, 60)}
    means = {draws: found.mean(0) for draws, found in drawn.items()}
    for draws, mean in means.items():
        gap = float((exact - mean).mean())
        measured(f"log p(x) by enumeration less the bound of {draws} draws, nats", gap, "0 or more")
    error = drawn[1].std(0) / math.sqrt(800)
    assert ((means[1] - bound).abs() < 4.5 * error).all()
    assert (means[1] < means[5]).all() and (means[5] < means[60]).all() and (means[60] < exact).all()
    assert (exact - means[60] < 0.2 * (exact - bound)).all()


def corners(n: int) -> Tensor:
    """Four Gaussians at the corners of a square: two bits say which."""
    return torch.randint(2, (n, 2)) * 2.0 - 1 + 0.2 * torch.randn(n, 2)


@pytest.mark.parametrize("name", BIT_GRADIENTS)
def test_training_by_every_estimator_comes_near_the_best_bound(name: str) -> None:
    best = -math.log(4) - 2 * (math.log(0.2) + 0.5 * math.log(2 * math.pi * math.e))
    model = DiscreteVAE((2,), estimator=name, code=2, widths=(16,), scale=0.2, prior="factorised", lr=1e-2)
    for _ in range(400):
        model.update(Batch(corners(128)))
    model.eval()
    with torch.no_grad():
        # VIMCO's bound is that of five draws, of which one that is right is enough.
        found = float(model.log_prob_bound(corners(4000), draws=5 if name == "vimco" else 1).mean())
    assert best - 0.25 < found < best + 0.1


@pytest.mark.parametrize("prior", BIT_PRIORS)
def test_a_prior_of_bits_is_normalised_and_drawn_as_it_says(prior: str) -> None:
    p = BIT_PRIORS[prior](4, 2)
    for parameter in p.parameters():
        torch.nn.init.normal_(parameter, std=0.1 if parameter.numel() > 1000 else 0.7)
    with torch.no_grad():
        for label in range(2):
            y = one_hot(torch.tensor(label), 2).float().expand(16, -1)
            chances = p.log_prob(all_bits(4).float(), y).exp()
            assert float(chances.sum()) == pytest.approx(1, abs=1e-5)
            drawn = p.draw(y[:1].expand(20000, -1))
            counts = torch.bincount((drawn @ torch.tensor([8.0, 4.0, 2.0, 1.0])).long(), minlength=16)
            deviation = (20000 * chances * (1 - chances)).sqrt()
            assert ((counts - 20000 * chances).abs() < 4.5 * deviation + 1).all()


def test_bits_that_depend_on_each_other_are_drawn_so_by_the_autoregressive_prior_alone() -> None:
    """Four bits that are always alike."""
    bits = torch.randint(2, (2000, 1)).expand(-1, 4).float()
    y = bits.new_zeros(2000, 0)
    found = {}
    for name in BIT_PRIORS:
        prior = BIT_PRIORS[name](4, 0)
        optimizer = torch.optim.Adam(prior.parameters(), 1e-2)
        for _ in range(60):
            loss = -prior.log_prob(bits[:200], y[:200]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        drawn = prior.draw(y)
        found[name] = float((drawn == drawn[:, :1]).all(1).float().mean())
    assert found["autoregressive"] > 0.95 and found["factorised"] < 0.2
