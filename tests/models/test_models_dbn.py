import copy
import math
from collections.abc import Callable

import pytest
import torch
from enumeration import all_bits, follow, places
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from pcgen.models.base import Batch
from pcgen.models.energy.dbn import DBN
from pcgen.models.energy.unrolling import unrolled
from pcgen.optim import descend
from pcgen.training import fit, steps

CONTRACT = {"dbn": {"widths": [6, 5], "particles": 16}}

VISIBLE, HIDDEN = 6, 4
V, H = all_bits(VISIBLE), all_bits(HIDDEN)


def bernoulli(states: Tensor, logits: Tensor) -> Tensor:
    """log p of every state, (S, K), of independent bits with these log-odds, (B, K) -> (B, S)."""
    return (logits[:, None] * states - torch.nn.functional.softplus(logits)[:, None]).sum(2)


def log_prior(model: DBN) -> Tensor:
    """log p(h_1), (2^hidden,), by the sum over all states of both layers of the top machine."""
    top = model.stack[-1]
    above = all_bits(top.weight.shape[1]).to(top.weight)
    h = H.to(top.weight)
    joint = (h - top.mean) @ top.weight @ (above - 0.5).T + (h @ top.visible_bias)[:, None] + above @ top.hidden_bias
    return joint.logsumexp(1) - joint.logsumexp((0, 1))


def log_prob(model: DBN, x: Tensor) -> Tensor:
    """The exact log-likelihood of rows, of the first layer alone or of two."""
    first = model.stack[0]
    if len(model.stack) == 1:
        free = first.free_energy(V.to(x))
        return -first.free_energy(x) - (-free).logsumexp(0)
    down = bernoulli(V.to(x), first.visible_logits(H.to(x)))  # (2^hidden, 2^visible)
    return (log_prior(model)[:, None] + down).logsumexp(0)[places(x)]


def exact_bound(model: DBN, x: Tensor) -> Tensor:
    """E_q[log p(x | h) + log p(h) - log q(h | x)] by the sum over all h."""
    first, h = model.stack[0], H.to(x)
    log_q = bernoulli(h, first.hidden_logits(x))  # (B, 2^hidden)
    down = bernoulli(V.to(x), first.visible_logits(h))[:, places(x)].T  # (B, 2^hidden)
    return (log_q.exp() * (down + log_prior(model) - log_q)).sum(1)


def rows(n: int) -> Tensor:
    """Two groups of three bits, all alike but for one in twenty, and four times in five both groups are alike."""
    first = torch.randint(2, (n, 1))
    second = first ^ (torch.rand(n, 1) < 0.2)
    groups = torch.cat([first.expand(-1, 3), second.expand(-1, 3)], dim=1)
    return (groups ^ (torch.rand(n, 6) < 0.05)).float()


def updates(model: DBN, x: Tensor, count: int) -> None:
    for _ in range(count):
        model.update(Batch(x[torch.randint(len(x), (100,))]))


def test_a_second_layer_does_not_lower_the_bound_and_its_training_raises_it(measured: Callable[..., None]) -> None:
    model, x = DBN((VISIBLE,), (HIDDEN, VISIBLE), particles=200, lr=0.02), rows(2000)
    model.setup(Batch(x))
    updates(model, x, 1000)
    with torch.no_grad():
        alone = log_prob(model, x).mean()
        model.phase.fill_(1)
        model.enter("layer_2", Batch(x))
        begun = exact_bound(model, x).mean()
        torch.testing.assert_close(log_prob(model, x).mean(), alone, atol=1e-4, rtol=0)
    measured(
        "bound with a second layer as the first upside down, above that of one layer, nats", float(begun - alone), 0
    )
    assert float(begun) == pytest.approx(float(alone), abs=1e-4)
    updates(model, x, 300)
    with torch.no_grad():
        learned, exact = exact_bound(model, x).mean(), log_prob(model, x).mean()
    measured("bound after the second layer has learned, above that before, nats", float(learned - begun), "above 0")
    assert learned > begun + 0.1
    assert learned <= exact + 1e-5


def tangled() -> DBN:
    """A network of two layers in float64 whose weights are all random."""
    torch.manual_seed(3)
    model = DBN((VISIBLE,), (HIDDEN, 5), particles=2000).double()
    model.phase.fill_(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.8)
        for layer in model.stack:
            layer.mean.copy_(0.2 + 0.6 * torch.rand(len(layer.mean)))
    return model


def test_the_bound_on_the_free_energy_is_that_of_enumeration() -> None:
    model, copies = tangled(), 2000
    top = model.stack[-1]
    with torch.no_grad():
        log_z = (-top.free_energy(H)).logsumexp(0)
        drawn = model.free_energy_bound(V[:8].repeat(copies, 1)).view(copies, 8)
        expected = -exact_bound(model, V[:8]) - log_z
        assert (expected > -log_prob(model, V[:8]) - log_z).all()
    assert ((drawn.mean(0) - expected).abs() < 4.5 * drawn.std(0) / math.sqrt(copies)).all()
    found = model.log_partition(temperatures=200)
    assert found.value == pytest.approx(float(log_z), abs=4 * found.error)


def test_samples_are_of_the_model() -> None:
    model = tangled()
    p = log_prob(model, V).exp().detach()
    assert float(p.sum()) == pytest.approx(1)
    assert follow(model.draw(20000, steps=50), p)


def test_a_wider_layer_begins_with_idle_units_and_a_narrower_one_anew() -> None:
    x = rows(500)
    for width, inverted in ((9, True), (3, False)):
        torch.manual_seed(1)
        model = DBN((VISIBLE,), (HIDDEN, width), particles=50, lr=0.05)
        model.setup(Batch(x))
        updates(model, x, 200)
        with torch.no_grad():
            alone = log_prob(model, x).mean()
            model.phase.fill_(1)
            model.enter("layer_2", Batch(x))
            near = abs(float(exact_bound(model, x).mean() - alone)) < 0.01
        assert near == inverted


def test_three_layers_learn_one_after_another() -> None:
    model, x, seen = DBN((VISIBLE,), (HIDDEN, 6, 4), particles=20), rows(200), []
    before = [layer.weight.detach().clone() for layer in model.layers]
    for step in steps(model, x, steps=6, batch_size=50):
        moved = [not torch.equal(a, b.weight) for a, b in zip(before, model.layers, strict=True)]
        seen.append((step.phase, sum(moved)))
    assert [phase for phase, _ in seen] == ["layer_1"] * 2 + ["layer_2"] * 2 + ["layer_3"] * 2
    assert [count for _, count in seen] == [1, 1, 2, 2, 3, 3]
    assert [tuple(level.shape) for level in model.levels(x)] == [(200, 4), (200, 6), (200, 4)]
    assert model.sample(5).shape == (5, VISIBLE)


def test_a_deep_autoencoder_fine_tuned_from_its_layers_stays_below_one_from_random_weights(
    measured: Callable[..., None],
) -> None:
    """Cross entropy in nats, of 32 bits from a code of 4, at the beginning of fine-tuning and after it."""
    x = torch.randint(2, (1000, 4)).float().repeat_interleave(8, 1)
    x = (x - (torch.rand_like(x) < 0.1).float()).abs()
    model = DBN((32,), (24, 12, 4), particles=50, lr=0.05)
    fit(model, x, seed=0, steps=900, batch_size=100)
    pretrained = unrolled(model.stack)
    with torch.no_grad():
        torch.testing.assert_close(pretrained[0](x), model.encode(x))
        torch.testing.assert_close(pretrained[1](model.encode(x)).sigmoid(), model.decode(model.encode(x)))
    torch.manual_seed(1)
    found = {
        "pretrained": fine_tuned(*pretrained, x),
        "random": fine_tuned(*(begun_anew(each) for each in pretrained), x),
    }
    for moment, pair in zip(("before", "after"), zip(*found.values(), strict=True), strict=True):
        measured(
            f"cross entropy {moment} fine-tuning, below that from random weights, nats", pair[1] - pair[0], "above 0"
        )
        assert pair[0] < pair[1] - 1.0, found


def begun_anew(network: torch.nn.Sequential) -> torch.nn.Sequential:
    """A network of the same layers with torch's own random weights."""
    network = copy.deepcopy(network)
    for part in network:
        if isinstance(part, torch.nn.Linear):
            part.reset_parameters()
    return network


def fine_tuned(encoder: torch.nn.Sequential, decoder: torch.nn.Sequential, x: Tensor) -> tuple[float, float]:
    """The cross entropy of a row before and after 200 steps of Adam."""
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3)
    errors = []
    for _ in range(200):
        error = binary_cross_entropy_with_logits(decoder(encoder(x)), x) * x.shape[1]
        errors.append(float(error.detach()))
        descend(error, optimizer)
    return errors[0], errors[-1]
