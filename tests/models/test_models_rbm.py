import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from enumeration import all_bits, follow, places
from torch import Tensor

from pcgen.models.energy.rbm import RBM
from pcgen.training import fit

CONTRACT = {"rbm": {"hidden": 6, "particles": 16}}

VISIBLE, HIDDEN = 6, 4
V, H = all_bits(VISIBLE), all_bits(HIDDEN)


def tangled(algorithm: str = "cd", steps: int = 1, scale: float = 1.0, particles: int = 2000) -> RBM:
    """A machine in float64 whose weights are all random, and its units far from their centres."""
    torch.manual_seed(3)
    model = RBM((VISIBLE,), HIDDEN, algorithm, steps, particles).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, scale)
        model.layer.mean.copy_(0.2 + 0.6 * torch.rand(VISIBLE))
    return model


def log_weights(model: RBM) -> Tensor:
    """log of the unnormalised probability of every state, (2^visible,), from the energy as the docstring has it."""
    layer = model.layer
    outer = (V - layer.mean) @ layer.weight @ (H - 0.5).T  # (2^visible, 2^hidden)
    return (outer + (V @ layer.visible_bias)[:, None] + (H @ layer.hidden_bias)[None]).logsumexp(1)


def rows() -> Tensor:
    return torch.tensor([[0, 1, 1, 0, 1, 0], [1, 1, 0, 0, 0, 1], [1, 1, 1, 1, 0, 0]], dtype=torch.float64)


def gradient(model: RBM, value: Tensor) -> Tensor:
    return torch.cat([slope.flatten() for slope in torch.autograd.grad(value, list(model.layer.parameters()))])


def exact_gradient(model: RBM, x: Tensor) -> Tensor:
    """Of minus the mean log-likelihood."""
    log_p = log_weights(model) - log_weights(model).logsumexp(0)
    return gradient(model, -log_p[places(x)].mean())


def expected_cd(model: RBM, x: Tensor, k: int) -> Tensor:
    """The mean of CD-k's gradient, by the transition matrix of k sweeps over all states."""
    layer = model.layer
    with torch.no_grad():
        up = layer.hidden_logits(V).sigmoid()[:, None]  # (V, 1, hidden)
        down = (layer.visible_bias + (H - 0.5) @ layer.weight.T).sigmoid()[:, None]
        to_h = (H * up + (1 - H) * (1 - up)).prod(2)  # (V, H)
        to_v = (V * down + (1 - V) * (1 - down)).prod(2)  # (H, V)
        reached = torch.linalg.matrix_power(to_h @ to_v, k)[places(x)].mean(0)
    return gradient(model, model.free_energy(x).mean() - reached @ model.free_energy(V))


def test_the_free_energy_is_the_sum_over_hidden_states() -> None:
    model = tangled()
    torch.testing.assert_close(-model.free_energy(V), log_weights(model))


def test_the_gradient_of_cd_nears_the_exact_one_as_k_grows(measured: Callable[..., None]) -> None:
    x, gaps = rows(), {}
    exact = exact_gradient(tangled(), x)
    for k in (1, 3, 10, 30):
        model = tangled(steps=k)
        drawn = torch.stack([gradient(model, model.layer.contrast(x.repeat(500, 1))) for _ in range(12)])
        expected = expected_cd(model, x, k)
        error = drawn.std(0) / math.sqrt(len(drawn))
        assert ((drawn.mean(0) - expected).abs() < 6 * error + 1e-9).all()
        gaps[k] = float((expected - exact).norm() / exact.norm())
        measured(f"CD-{k}'s mean gradient, distance to the exact one by its length", gaps[k], "falling to 0")
    assert all(more > 1.5 * less for more, less in pairwise(gaps.values()))
    assert gaps[1] > 0.05 and gaps[30] < 0.01


def test_the_gradient_of_persistent_chains_is_the_exact_one() -> None:
    x, model = rows(), tangled("pcd")
    for _ in range(100):
        model.layer.contrast(x)
    drawn = torch.stack([gradient(model, model.layer.contrast(x)) for _ in range(100)]).mean(0)
    exact = exact_gradient(model, x)
    assert float((drawn - exact).norm() / exact.norm()) < 0.03


def test_log_z_is_that_of_enumeration_within_its_error(measured: Callable[..., None]) -> None:
    model = tangled()
    exact = float(log_weights(model).detach().logsumexp(0))
    found = [model.log_partition(chains=50, temperatures=20) for _ in range(40)]
    values = torch.tensor([each.value for each in found])
    error = torch.tensor([each.error for each in found])
    measured("log Z by annealed importance sampling, nats", float(values.mean()), exact)
    spread = float(values.std() / error.square().mean().sqrt())
    measured("deviation of its estimates by their standard error", spread, 1)
    assert 0.7 < spread < 1.4
    # The logarithm of an unbiased estimate is too low by half of its variance.
    assert float(values.mean()) == pytest.approx(exact - float(values.var()) / 2, abs=4 * float(values.std()) / 40**0.5)
    assert model.log_partition(temperatures=300).value == pytest.approx(exact, abs=0.1)


def test_too_few_temperatures_for_a_log_z_are_named() -> None:
    model = tangled(scale=12.0)
    with pytest.raises(ValueError, match=r"temperatures: 2 are too few .* 10 chains are worth .*temperatures=20"):
        model.log_partition(chains=10, temperatures=2)
    with pytest.raises(ValueError, match="chains: must be at least 10, got 3"):
        model.log_partition(chains=3)


def test_the_pseudo_likelihood_is_of_each_bit_given_the_others() -> None:
    model = tangled()
    log_p = log_weights(model)
    expected = torch.zeros(len(V), dtype=V.dtype)
    for bit in range(VISIBLE):
        flipped = V.clone()
        flipped[:, bit] = 1 - flipped[:, bit]
        expected += log_p - torch.logaddexp(log_p, log_p[places(flipped)])
    torch.testing.assert_close(model.log_pseudo_likelihood(V), expected)


def test_a_chain_keeps_the_models_distribution() -> None:
    model = tangled()
    p = log_weights(model).softmax(0).detach()
    assert follow(model.chain(V[torch.multinomial(p, 40000, replacement=True)], 2), p)


def two_groups(n: int) -> Tensor:
    """Two groups of four bits, each all alike but for one in twenty."""
    groups = torch.randint(2, (n, 2, 1)).expand(-1, -1, 4).flatten(1)
    return (groups ^ (torch.rand(n, 8) < 0.05)).float()


@pytest.mark.parametrize("algorithm", ["cd", "pcd"])
def test_training_comes_near_the_datas_entropy(algorithm: str) -> None:
    """In nats: of each group, a mixture of two patterns of four bits."""
    model = RBM((8,), 4, algorithm, lr=0.05)
    fit(model, two_groups(4000), seed=0, steps=800, batch_size=100)
    x, states = two_groups(4000), all_bits(8).float()
    with torch.no_grad():
        found = float(-model.free_energy(x).mean() - (-model.free_energy(states)).logsumexp(0))
    ones = states[:16, 4:].sum(1)
    mixture = 0.5 * (0.95**ones * 0.05 ** (4 - ones) + 0.05**ones * 0.95 ** (4 - ones))
    entropy = -2 * float((mixture * mixture.log()).sum())
    assert found == pytest.approx(-entropy, abs=0.1)
    drawn = model.sample(2000).view(-1, 2, 4).mean(2).round()
    corners = torch.bincount(places(drawn), minlength=4) / 2000
    assert corners.min() > 0.15


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="algorithm: must be one of cd, pcd; got 'pdc'; did you mean 'pcd'"):
        RBM((4,), algorithm="pdc")
    with pytest.raises(ValueError, match=r"momentum: must be at least 0 and below 1, got 1\.0"):
        replace(RBM((4,)).layer.learning, momentum=1.0)
    with pytest.raises(ValueError, match="steps: must be at least 1, got 0"):
        RBM((4,)).sample(2, steps=0)
    with pytest.raises(ValueError, match=r"data: must be 0 or 1 for rbm, got numbers from 0\.5 to 1"):
        RBM((2,), hidden=3).log_pseudo_likelihood(torch.tensor([[0.5, 1.0]]))
