import math
from collections.abc import Callable

import pytest
import torch
from discrete_chains import Choice, stationary, variation
from torch import Tensor, nn

from pcgen.models.base import Batch
from pcgen.models.chains.gsn import GSN
from pcgen.models.conditional import Known
from pcgen.statistics import energy_distance
from pcgen.training import fit

CONTRACT = {"gsn": {"walkback": 2, "steps": 5, "latent": 4, "width": 16, "blocks": 1}}

PLACES, LATENTS = 4, 3
LAW = torch.tensor([0.4, 0.1, 0.2, 0.3])
"""Of the data on four places."""


def latents() -> Tensor:
    """p(h' | h, x), (LATENTS, PLACES, LATENTS): what the latent state becomes, of itself and of the data."""
    return torch.randn(LATENTS, PLACES, LATENTS, generator=torch.Generator().manual_seed(0)).mul(1.5).softmax(2)


class Discrete(GSN):
    """The chain of places and of a latent one, with a table of log-probabilities of places given the latent one."""

    def __init__(self, table: Tensor) -> None:
        super().__init__((1,), walkback=6, width=1, blocks=1)
        self.table = nn.Parameter(table)
        self.optimizer = torch.optim.Adam([self.table], 0.05)

    def transition(self, y: Tensor, h: Tensor, known: Known | None = None) -> tuple[Choice, Tensor]:
        above = Choice(latents().log()[h[:, 0].long(), y[:, 0].long()]).draw()
        return Choice(self.table[above[:, 0].long()]), above


def whole(table: Tensor) -> Tensor:
    """Transitions of (x, h) together, with p(x | h) a table (LATENTS, PLACES)."""
    ways = latents().double()[:, :, :, None] * table.double()[None, None]  # (h, x, h', x')
    return ways.permute(1, 0, 3, 2).reshape(PLACES * LATENTS, -1)


def marginal(table: Tensor) -> Tensor:
    """The stationary law of x, (PLACES,)."""
    return stationary(whole(table)).view(PLACES, LATENTS).sum(1)


def test_with_the_exact_conditional_the_chains_law_of_the_data_is_the_datas(measured: Callable[..., None]) -> None:
    """Exact: of x given the latent state that a chain with that x kept has come to."""
    kept = torch.stack([stationary(latents()[:, x]) for x in range(PLACES)])  # p(h | x kept)
    joint = LAW[:, None].double() * kept
    table = (joint / joint.sum(0)).T  # p(x | h), (LATENTS, PLACES)
    exact = variation(marginal(table), LAW)
    measured("total variation of the data's law and that of the exact chain, by its eigenvector", exact, 0)
    assert exact < 1e-6
    states = Discrete(table.float().log()).chain(torch.randint(PLACES, (40_000, 1)).float(), 60)
    found = torch.bincount(states[:, 0].long(), minlength=PLACES) / len(states)
    error = (LAW * (1 - LAW) / len(states)).sqrt()
    assert ((found - LAW).abs() < 5 * error).all()


def test_the_chain_learned_on_its_own_walks_comes_near_the_datas_law(measured: Callable[..., None]) -> None:
    model = Discrete(torch.zeros(LATENTS, PLACES))
    for step in range(150):
        for group in model.optimizer.param_groups:
            group["lr"] = 0.05 * (1 - step / 150)
        model.update(Batch(torch.multinomial(LAW, 1000, replacement=True)[:, None].float()))
    found = variation(marginal(model.table.detach().softmax(1)), LAW)
    measured("total variation of the data's law and that of the learned chain, by its eigenvector", found, "near 0")
    assert found < 0.03 < variation(torch.full((PLACES,), 1 / PLACES), LAW)


def modes(n: int) -> Tensor:
    """Two Gaussians on a line, of weights .3 and .7."""
    return torch.where(torch.rand(n, 1) < 0.3, -1.3, 1.0) + 0.5 * torch.randn(n, 1)


def test_the_trained_chain_has_both_modes_of_the_data_at_their_weights(measured: Callable[..., None]) -> None:
    torch.manual_seed(0)
    model = GSN((1,), noise=0.3, latent=8, width=32, dropout=0.0)
    x = modes(20_000)
    fit(model, x, seed=0, steps=500, batch_size=256)
    gaussian = x.mean() + x.std() * torch.randn(4000, 1)
    found, single = (float(energy_distance(each, modes(4000))) for each in (model.sample(4000), gaussian))
    measured("energy distance of a trained chain to two modes, by that of one Gaussian", found / single, "below 1")
    assert found < single / 3
    assert float((model.sample(4000) < -0.15).float().mean()) == pytest.approx(0.3, abs=0.06)


def test_the_latent_state_remembers_what_the_data_was_before() -> None:
    """Two chains that are in the same place go on differently where they have been in different ones."""
    model = GSN((2,), noise=0.1, hidden_noise=0.01, width=32)
    with torch.no_grad():
        nn.init.normal_(model.operator.network.leave.weight)
        nn.init.normal_(model.onward.weight)
        _, left = model.transition(torch.full((1, 2), -3.0), model.blank(torch.zeros(1, 2)))
        _, right = model.transition(torch.full((1, 2), 3.0), model.blank(torch.zeros(1, 2)))
        torch.manual_seed(1)
        one, _ = model.transition(torch.zeros(1, 2), left)
        torch.manual_seed(1)
        other, _ = model.transition(torch.zeros(1, 2), right)
    assert not torch.allclose(one.mean, other.mean, atol=0.01)


def test_noise_that_no_weights_can_drown_bounds_what_a_unit_hands_on() -> None:
    model = GSN((1,), latent=3, hidden_noise=0.8, width=8)
    with torch.no_grad():
        nn.init.normal_(model.inward.weight, std=1e4)
        nn.init.normal_(model.onward.weight, std=1e4)
        _, h = model.transition(torch.randn(20_000, 1), torch.randn(20_000, 3))
    # A sign, of variance 1 at most, and the noise.
    assert (h.var(0) < 1 + 0.8**2 + 0.05).all() and (h.var(0) > 0.8**2 + 0.5).all()


def test_the_loss_is_the_walks_mean_over_its_transitions() -> None:
    """Before it learns each state of the walk is a draw of the Gaussian, and its law does not change."""
    x = torch.randn(40_000, 1)
    model = GSN((1,), noise=math.sqrt(0.5), walkback=3, width=4)
    found = model.loss(Batch(x))["nll"].item()
    # Of k transitions on, the state has correlation 2^-(k-1) with x; p(x | x~) is N(x~ / 2, 1/2), x~ of variance 2.
    expected = [0.5 * math.log(math.pi) + 1 + 0.5 - 2**-k for k in range(3)]
    assert found == pytest.approx(sum(expected) / 3, abs=0.02)


def test_a_walk_of_one_transition_is_refused() -> None:
    with pytest.raises(ValueError, match="walkback: must be at least 2, got 1"):
        GSN((2,), walkback=1)
