import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pcgen.models.base import Batch
from pcgen.models.chains.helmholtz import Helmholtz, SigmoidLayer

# Bits change with their seed the same but where a rate is large.
CONTRACT = {"helmholtz": {"widths": [6, 4], "lr": 0.3}}


def all_bits(count: int) -> Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=count)))


def law() -> tuple[Tensor, Tensor]:
    """Eight rows of six bits, four and their complements, with probabilities of their own."""
    rows = torch.tensor([[1.0, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1], [1, 0, 1, 0, 1, 0]])
    rows = torch.cat([rows, 1 - rows])
    return rows, torch.tensor([0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])


@torch.no_grad()
def exact(model: Helmholtz, x: Tensor) -> Tensor:
    """log p(x), (B,), by all settings of both hidden layers."""
    first, second = (all_bits(layer.bias.numel()) for layer in model.recognition)
    found = [model.log_joint([x, low.expand(len(x), -1), high.expand(len(x), -1)]) for low in first for high in second]
    return torch.stack(found).logsumexp(0)


@pytest.mark.parametrize("lateral", [False, True])
def test_the_exact_log_likelihood_rises_over_training(lateral: bool, measured: Callable[..., None]) -> None:
    torch.manual_seed(0)
    model = Helmholtz((6,), widths=(5, 3), lateral=lateral, lr=2e-2)
    rows, chances = law()
    best = float((chances * chances.log()).sum())
    found = []
    for updates in (0, 50, 150, 500):
        for _ in range(updates):
            model.update(Batch(rows[torch.multinomial(chances, 128, replacement=True)]))
        found.append(float((chances * exact(model, rows)).sum()))
    word = "with" if lateral else "without"
    for updates, each in zip((0, 50, 200, 700), found, strict=True):
        measured(
            f"exact log-likelihood {word} lateral weights after {updates} updates, nats", each, f"up to {best:.4f}"
        )
    assert found == sorted(found) and found[-1] < best
    assert found[-1] > found[0] + 1 and (not lateral or found[-1] > best - 0.4)


def stirred(lateral: bool) -> Helmholtz:
    torch.manual_seed(3)
    model = Helmholtz((4,), widths=(3, 2), lateral=lateral)
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return model


@pytest.mark.parametrize("lateral", [False, True])
def test_the_bound_is_below_the_exact_value_and_its_exponentials_mean_is_it(lateral: bool) -> None:
    model = stirred(lateral)
    x = all_bits(4)
    likelihood = exact(model, x)
    assert float(likelihood.exp().sum()) == pytest.approx(1, abs=1e-5)
    with torch.no_grad():
        drawn = model.log_prob_bound(x.repeat(20_000, 1)).view(-1, 16)
    assert (drawn.mean(0) < likelihood).all()
    torch.testing.assert_close(drawn.logsumexp(0) - math.log(len(drawn)), likelihood, atol=0.15, rtol=0)


@pytest.mark.parametrize("lateral", [False, True])
def test_dreams_are_drawn_as_the_model_says(lateral: bool) -> None:
    model = stirred(lateral)
    chances = exact(model, all_bits(4)).exp()
    drawn = model.sample(20_000)
    found = torch.bincount((drawn @ torch.tensor([8.0, 4.0, 2.0, 1.0])).long(), minlength=16)
    assert ((found - 20_000 * chances).abs() < 5 * (20_000 * chances * (1 - chances)).sqrt() + 1).all()


def test_what_a_layer_ascends_by_is_the_delta_rule() -> None:
    layer = SigmoidLayer(3, 2, lateral=True)
    b, u = torch.tensor([[1.0, 0.0, 1.0]]), torch.tensor([[1.0, 0.0]])
    expected = (layer._from(u) + b @ layer.before.tril(-1).T).sigmoid()
    weight, bias, before = torch.autograd.grad(layer.log_prob(b, u).sum(), [layer.weight, layer.bias, layer.before])
    torch.testing.assert_close(bias, (b - expected)[0])
    torch.testing.assert_close(weight, (b - expected).T @ u)
    torch.testing.assert_close(before, ((b - expected).T @ b).tril(-1))


def test_each_phase_teaches_its_own_half() -> None:
    model = stirred(True)
    rows = all_bits(4)
    before = {key: value.clone() for key, value in model.named_parameters()}
    model.sleep_optimizer.param_groups[0]["lr"] = 0.0
    model.update(Batch(rows))
    for key, value in model.named_parameters():
        assert torch.equal(value, before[key]) == key.startswith("recognition")
