import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from enumeration import all_bits, follow, places
from torch import Tensor

from pcgen.models.base import Batch
from pcgen.models.energy.boltzmann import Boltzmann
from pcgen.training import fit

CONTRACT = {"boltzmann": {"hidden": 3, "particles": 16}}

VISIBLE, HIDDEN = 4, 2
S = all_bits(VISIBLE + HIDDEN)  # the data's bits first: 4 states of the hidden ones for each of theirs


def tangled(hidden: int = HIDDEN, particles: int = 3000) -> Boltzmann:
    """A machine of six units in float64 whose weights are all random, and its units far from their centres."""
    torch.manual_seed(5)
    model = Boltzmann((VISIBLE + HIDDEN - hidden,), hidden, particles=particles).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.8)
        model.mean.copy_(0.2 + 0.6 * torch.rand(VISIBLE + HIDDEN))
    return model


def log_weights(model: Boltzmann) -> Tensor:
    """log of the unnormalised probability of every state of all units, (64,), pair by pair."""
    total = S @ model.bias
    for i in range(S.shape[1]):
        for j in range(i + 1, S.shape[1]):
            total = total + model.weight[i, j] * (S[:, i] - model.mean[i]) * (S[:, j] - model.mean[j])
    return total


def gradient(model: Boltzmann, value: Tensor) -> Tensor:
    return torch.cat([slope.flatten() for slope in torch.autograd.grad(value, list(model.parameters()))])


def exact_gradient(model: Boltzmann, x: Tensor) -> Tensor:
    """Of minus the mean log-likelihood of the data's bits."""
    joint = log_weights(model)
    log_p = joint.view(2**VISIBLE, -1).logsumexp(1) - joint.logsumexp(0)
    return gradient(model, -log_p[places(x)].mean())


def test_the_sampled_gradient_is_the_exact_one(measured: Callable[..., None]) -> None:
    x = torch.tensor([[0, 1, 1, 0], [1, 1, 0, 1], [1, 0, 1, 0]], dtype=torch.float64)
    model = tangled()
    model.particles.copy_(model.gibbs(model.particles, 100))
    drawn = torch.stack([gradient(model, model.loss(Batch(x.repeat(1000, 1)))["contrast"]) for _ in range(60)])
    exact = exact_gradient(model, x)
    off = float((drawn.mean(0) - exact).norm() / exact.norm())
    measured("mean sampled gradient of six units, distance to the exact one by its length", off, 0)
    assert off < 0.02
    # Neither phase alone is near.
    held = gradient(model, model.energy(model._settled(x.repeat(1000, 1))).mean())
    assert float((held - exact).norm() / exact.norm()) > 0.5


def test_a_sweep_keeps_the_models_distribution_at_every_temperature() -> None:
    model = tangled()
    for temperature in (0.7, 1.0, 3.0):
        p = (log_weights(model) / temperature).softmax(0).detach()
        drawn = S[torch.multinomial(p, 30000, replacement=True)]
        assert follow(model.gibbs(drawn, 1, temperature), p)


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_a_chain_keeps_the_law_of_the_datas_bits_at_every_temperature(temperature: float) -> None:
    """Hidden units, which it draws first, are at the same temperature."""
    model = tangled()
    p = (log_weights(model) / temperature).softmax(0).view(2**VISIBLE, -1).sum(1).detach()
    x = all_bits(VISIBLE)[torch.multinomial(p, 100_000, replacement=True)]
    assert follow(model.chain(x, 1, temperature), p)


def test_the_free_energy_is_the_energy_where_nothing_is_hidden() -> None:
    model = tangled(hidden=0)
    torch.testing.assert_close(-model.free_energy(S), log_weights(model))
    with pytest.raises(ValueError, match="free_energy: is for a machine without hidden units, this one has 2"):
        tangled().free_energy(S[:, :4])


def test_log_z_is_that_of_enumeration(measured: Callable[..., None]) -> None:
    model = tangled()
    exact = float(log_weights(model).detach().logsumexp(0))
    found = model.log_partition(temperatures=60)
    measured("log Z of six units by annealed importance sampling, nats", found.value, exact)
    assert found.error < 0.1
    assert found.value == pytest.approx(exact, abs=4 * found.error)


def parity(n: int) -> Tensor:
    """Three bits, the third of which is one where the others differ: no two of them are correlated."""
    first = torch.randint(2, (n, 2))
    return torch.cat([first, first[:, :1] ^ first[:, 1:]], dim=1).float()


@pytest.mark.parametrize("hidden", [0, 4])
def test_hidden_units_tell_what_pairs_of_bits_cannot(hidden: int) -> None:
    """In nats, per row: 2 log 2 is the data's entropy, 3 log 2 that of three bits of which nothing is known."""
    model = Boltzmann((3,), hidden, particles=200, lr=0.3, weight_decay=0.0)
    with torch.no_grad():
        model.weight.mul_(50)
    fit(model, parity(2000), seed=0, steps=500, batch_size=100)
    with torch.no_grad():
        joint = -model.energy(all_bits(3 + hidden).float())
        log_p = joint.view(8, -1).logsumexp(1) - joint.logsumexp(0)
        found = -float(log_p[places(parity(2000))].mean())
    if hidden:
        assert found < 2.5 * math.log(2)
    else:
        assert found == pytest.approx(3 * math.log(2), abs=0.05)


def hopfield(patterns: int, units: int = 100) -> tuple[Boltzmann, Tensor]:
    stored = torch.randint(2, (patterns, units)).float()
    model = Boltzmann((units,), hidden=0)
    model.store(stored)
    return model, stored


def overlap(x: Tensor, patterns: Tensor) -> Tensor:
    """Of each row with the pattern that it began from, -1 to 1."""
    return ((2 * x - 1) * (2 * patterns - 1)).mean(1)


def test_stored_patterns_are_fixed_points_at_temperature_0(measured: Callable[..., None]) -> None:
    model, stored = hopfield(5)
    kept = model.chain(stored, 3, temperature=0.0)
    measured(
        "share of bits of 5 stored patterns of 100 that stay at temperature 0",
        float((kept == stored).double().mean()),
        1,
    )
    assert torch.equal(kept, stored)
    wrong = (torch.rand_like(stored) < 0.15).float()
    assert torch.equal(model.chain((stored - wrong).abs(), 10, temperature=0.0), stored)


def test_patterns_melt_as_the_temperature_rises() -> None:
    """The units of temperature are those of theory, where a few patterns are lost at 1."""
    model, stored = hopfield(3, units=300)
    kept = [float(overlap(model.chain(stored, 40, temperature=each), stored).mean()) for each in (0.3, 0.8, 2.0)]
    assert kept[0] > 0.95 and 0.4 < kept[1] < 0.95 and abs(kept[2]) < 0.2


def test_more_patterns_than_there_is_room_for_are_lost() -> None:
    model, stored = hopfield(60)
    assert float(overlap(model.chain(stored, 20, temperature=0.0), stored).mean()) < 0.7


def test_at_temperature_0_the_energy_never_rises() -> None:
    model, _ = hopfield(30)
    x = torch.randint(2, (40, 100)).float()
    energies = [model.free_energy(x := model.chain(x, 1, temperature=0.0)) for _ in range(15)]
    assert all((later <= before + 1e-4).all() for before, later in pairwise(energies))
    assert torch.equal(x, model.chain(x, 1, temperature=0.0))


def test_what_is_drawn_of_a_store_are_its_patterns() -> None:
    model, stored = hopfield(2)
    drawn = model.sample(64, steps=20, temperature=0.1)
    near = ((2 * drawn - 1) @ (2 * stored - 1).T / 100).abs().amax(1)
    assert float(near.mean()) > 0.9


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="hidden: must be 0 to store patterns, got 2; make the machine without"):
        tangled().store(S[:2, :4])
    with pytest.raises(ValueError, match=r"patterns: must be \(P, 6\), got \(2, 4\)"):
        tangled(hidden=0).store(S[:2, :4])
    with pytest.raises(ValueError, match="data: must be 0 or 1 for boltzmann, got numbers from"):
        tangled(hidden=0).store(S[:2] - 1)
    with pytest.raises(ValueError, match="temperature: must be 0 or more, got -1"):
        tangled().sample(2, temperature=-1)
