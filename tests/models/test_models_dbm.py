import warnings
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from enumeration import all_bits, follow, places
from torch import Tensor

from pcgen.models.energy.dbm import DBM
from pcgen.models.energy.learning import Learning
from pcgen.models.energy.rbm import RBM
from pcgen.models.energy.tied import TiedLayer
from pcgen.training import fit

CONTRACT = {"dbm": {"first": 6, "second": 4, "particles": 16}}

VISIBLE, FIRST, SECOND = 5, 4, 3
V, F, S = all_bits(VISIBLE), all_bits(FIRST), all_bits(SECOND)


def tangled(scale: float = 0.8) -> DBM:
    """A machine in float64 whose weights are all random, and its units far from their centres."""
    torch.manual_seed(3)
    model = DBM((VISIBLE,), FIRST, SECOND).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, scale)
        for layer in (model.machine.lower, model.machine.upper):
            layer.mean.copy_(0.2 + 0.6 * torch.rand(len(layer.mean)))
    return model


def log_weights(model: DBM) -> Tensor:
    """log of the unnormalised probability of every state, (2^visible, 2^first, 2^second)."""
    lower, upper = model.machine.lower, model.machine.upper
    first_bias = (lower.hidden_bias + upper.visible_bias) / 2
    total = ((V - lower.mean) @ lower.weight @ (F - 0.5).T)[:, :, None]
    total = total + (F - upper.mean) @ upper.weight @ (S - 0.5).T
    return total + (V @ lower.visible_bias)[:, None, None] + (F @ first_bias)[:, None] + S @ upper.hidden_bias


def test_energies_are_those_of_enumeration() -> None:
    model = tangled()
    joint = log_weights(model)
    rows = torch.cartesian_prod(torch.arange(2**VISIBLE), torch.arange(2**FIRST), torch.arange(2**SECOND)).T
    with torch.no_grad():
        torch.testing.assert_close(-model.machine.energy(V[rows[0]], F[rows[1]], S[rows[2]]), joint.flatten())
        torch.testing.assert_close(-model.machine.first_energy(F), joint.logsumexp((0, 2)))


def bound(model: DBM, x: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """E_q[log weight] + H(q) by the sum over all states of the hidden units, (B,)."""
    chances = [
        (states * q + (1 - states) * (1 - q)).prod(2) for states, q in ((F, first[:, None]), (S, second[:, None]))
    ]
    q = chances[0][:, :, None] * chances[1][:, None]  # (B, 2^first, 2^second)
    return (q * (log_weights(model)[places(x)] - q.clamp_min(1e-300).log())).sum((1, 2))


def test_mean_field_converges_and_its_bound_never_falls(measured: Callable[..., None]) -> None:
    model = tangled(scale=1.5)
    with torch.no_grad():
        exact = log_weights(model).logsumexp((1, 2))
        found = [model.machine.mean_field(V, sweeps) for sweeps in (*range(1, 40), 500)]
        bounds = [bound(model, V, each.first.sigmoid(), each.second.sigmoid()) for each in found]
        assert all((later >= before - 1e-10).all() for before, later in pairwise(bounds))
        assert (bounds[-1] < exact).all() and (bounds[0] < bounds[-1]).any()
        torch.testing.assert_close(-model.free_energy_bound(V), bounds[-1], atol=1e-5, rtol=0)
    falls = min(float((later - before).min()) for before, later in pairwise(bounds))
    measured("least rise of the bound in a sweep of mean field, nats", falls, "0 or more, but for rounding")
    measured("largest change of a probability in the last of 500 sweeps", float(found[-1].change), 0)
    assert float(found[-1].change) < 1e-9


def test_mean_field_that_does_not_converge_is_told() -> None:
    model = tangled(scale=1.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pcgen.models.energy.dbm._MOST_SWEEPS", 2)
        with pytest.warns(UserWarning, match=r"after 2 sweeps .* changes by \d"):
            model.levels(V)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.levels(V)


def test_log_z_is_that_of_enumeration(measured: Callable[..., None]) -> None:
    model = tangled()
    exact = float(log_weights(model).detach().logsumexp((0, 1, 2)))
    found = model.log_partition(temperatures=200)
    measured("log Z by annealed importance sampling, nats", found.value, exact)
    assert found.error < 0.1
    assert found.value == pytest.approx(exact, abs=4 * found.error)


def test_samples_are_of_the_model() -> None:
    model = tangled()
    p = log_weights(model).logsumexp((1, 2)).softmax(0).detach()
    assert follow(model.draw(20000, steps=50), p)


def test_the_gradient_is_that_of_the_bound() -> None:
    """With q at its best the bound's gradient is that of E_q[log weight] - log Z."""
    model, x = tangled(), V[[3, 12, 27]]
    model.sweeps = 300
    model.particles = model.machine.gibbs(torch.randint(2, (4000, FIRST)).double(), 50)
    own = list(model.parameters())
    drawn = torch.stack(
        [torch.cat([slope.flatten() for slope in torch.autograd.grad(model.contrast(x)[0], own)]) for _ in range(40)]
    ).mean(0)
    q = model.machine.mean_field(x, 300)
    held = bound(model, x, q.first.sigmoid().detach(), q.second.sigmoid().detach()).mean()
    exact = torch.autograd.grad(log_weights(model).logsumexp((0, 1, 2)) - held, own)
    exact = torch.cat([slope.flatten() for slope in exact])
    assert float((drawn - exact).norm() / exact.norm()) < 0.03


def test_a_tied_layer_is_one_of_copies_with_equal_weights() -> None:
    """Of a layer whose visible units, or hidden ones, are there twice: by the sum over all states."""
    for below, above in ((2, 1), (1, 2)):
        layer = TiedLayer(3, 2, Learning("pcd", 1, 1, 0.1, 0.9, 0.0), below, above).double()
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.normal_()
            layer.mean.uniform_(0.2, 0.8)
            v, h = all_bits(3 * below), all_bits(2 * above)
            mean = layer.mean.repeat(below)
            joint = (v - mean) @ layer.weight.repeat(below, above) @ (h - 0.5).T
            joint = joint + (v @ layer.visible_bias.repeat(below))[:, None] + h @ layer.hidden_bias.repeat(above)
            means = v.view(-1, below, 3).mean(1)
            torch.testing.assert_close(-layer.free_energy(means), joint.logsumexp(1))
            reached = layer.gibbs(torch.full((30000, 3), 0.5).bernoulli().double(), 30)
            p = joint.logsumexp(1).softmax(0)
            torch.testing.assert_close(reached.mean(0), p @ means, atol=0.015, rtol=0)
            torch.testing.assert_close(
                reached.T.cov(), (p * means.T) @ means - torch.outer(p @ means, p @ means), atol=0.01, rtol=0
            )


GROUPS, COPIES, PROTOTYPES = 6, 12, 8


def two_levels(n: int) -> Tensor:
    """Six bits follow one of eight patterns, each but for one in twenty; of each there are twelve noisy copies."""
    patterns = torch.randint(2, (PROTOTYPES, GROUPS), generator=torch.Generator().manual_seed(4))
    level = patterns[torch.randint(PROTOTYPES, (n,))] ^ (torch.rand(n, GROUPS) < 0.05)
    x = level.repeat_interleave(COPIES, 1) ^ (torch.rand(n, GROUPS * COPIES) < 0.2)
    return x.float()


def log_likelihood(model: DBM | RBM, x: Tensor) -> float:
    """The exact mean of the log-likelihood, by the sum over the states of the (first) hidden units."""
    with torch.no_grad():
        if isinstance(model, RBM):
            layer = model.layer
            h = all_bits(layer.weight.shape[1]).float()
            down = layer.visible_logits(h)
            own = h @ layer.hidden_bias - (layer.mean @ layer.weight) @ (h - 0.5).T
            log_z = (own + torch.nn.functional.softplus(down).sum(1)).logsumexp(0)
            return float(-model.free_energy(x).mean() - log_z)
        h = all_bits(model.machine.lower.weight.shape[1]).float()
        down = model.machine.lower.visible_logits(h)
        given = x @ down.T - torch.nn.functional.softplus(down).sum(1)  # (B, 2^first): log p(x | h_1)
        prior = -model.machine.first_energy(h)
        return float((given + prior - prior.logsumexp(0)).logsumexp(1).mean())


def test_it_beats_an_rbm_of_equal_size_on_data_of_two_levels(measured: Callable[..., None]) -> None:
    x, held_out = two_levels(4000), two_levels(4000)
    deep = DBM((GROUPS * COPIES,), GROUPS, PROTOTYPES, lr=0.02)
    weights = sum(p.numel() for p in deep.parameters())
    shallow = RBM((GROUPS * COPIES,), round((weights - GROUPS * COPIES) / (GROUPS * COPIES + 1)), steps=5, lr=0.02)
    assert sum(p.numel() for p in shallow.parameters()) >= weights - GROUPS * COPIES / 2
    found = []
    for model in (deep, shallow):
        fit(model, x, seed=0, steps=600, batch_size=100)
        found.append(log_likelihood(model, held_out))
    measured(
        "log-likelihood of data of two levels, above that of an rbm of equal size, nats", found[0] - found[1], "above 0"
    )
    assert found[0] > found[1] + 0.2
