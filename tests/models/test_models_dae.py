from collections.abc import Callable

import pytest
import torch
from discrete_chains import Choice, stationary, variation
from torch import Tensor, nn
from torch.distributions import Normal

from pcgen.models.base import Batch
from pcgen.models.chains.dae import DAE
from pcgen.models.chains.operators import corruption
from pcgen.models.conditional import Known
from pcgen.training import fit

CONTRACT = {"dae": {"steps": 5, "width": 16, "blocks": 1}}

LAW = torch.tensor([0.35, 0.05, 0.2, 0.1, 0.3])
"""Of the data on five places in a ring."""
CORRUPTION = 0.5 * torch.eye(5) + 0.25 * (torch.eye(5).roll(1, 1) + torch.eye(5).roll(-1, 1))
"""To a place, or to one beside it, (5, 5)."""


class Discrete(DAE):
    """The denoiser of places, with a table of log-probabilities in the place of a network."""

    def __init__(self, table: Tensor) -> None:
        super().__init__((1,), walkback=1, width=1, blocks=1)
        self.table = nn.Parameter(table)
        self.optimizer = torch.optim.Adam([self.table], 0.05)

    def corrupt(self, y: Tensor) -> Tensor:
        return Choice(CORRUPTION.log()[y[:, 0].long()]).draw()

    def restored(self, y: Tensor, known: Known | None = None) -> Choice:
        return Choice(self.table[y[:, 0].long()])


def drawn(n: int) -> Tensor:
    return torch.multinomial(LAW, n, replacement=True)[:, None].float()


def test_with_the_exact_conditional_the_chains_law_is_the_datas(measured: Callable[..., None]) -> None:
    joint = LAW[:, None].double() * CORRUPTION.double()  # (x, x~)
    table = (joint / joint.sum(0)).T  # p(x | x~), (x~, x)
    exact = variation(stationary(CORRUPTION.double() @ table), LAW)
    measured("total variation of the data's law and that of the exact chain, by its eigenvector", exact, 0)
    assert exact < 1e-7
    model = Discrete(table.float().log())
    states = model.chain(torch.randint(5, (40_000, 1)).float(), 40)
    found = torch.bincount(states[:, 0].long(), minlength=5) / len(states)
    error = (LAW * (1 - LAW) / len(states)).sqrt()
    assert ((found - LAW).abs() < 5 * error).all()


def test_the_chain_of_a_learned_conditional_comes_near_the_datas_law(measured: Callable[..., None]) -> None:
    model = Discrete(torch.zeros(5, 5))
    for step in range(400):
        for group in model.optimizer.param_groups:
            group["lr"] = 0.05 * (1 - step / 400)
        model.update(Batch(drawn(2000)))
    found = variation(stationary(CORRUPTION @ model.table.detach().softmax(1)), LAW)
    measured("total variation of the data's law and that of the learned chain, by its eigenvector", found, "near 0")
    assert found < 0.02 < variation(torch.full((5,), 0.2), LAW)


def modes(n: int) -> Tensor:
    """Two Gaussians on a line, of weights .3 and .7."""
    return torch.where(torch.rand(n, 1) < 0.3, -1.3, 1.0) + 0.5 * torch.randn(n, 1)


def test_the_chain_of_a_trained_network_comes_near_the_density_by_integration(measured: Callable[..., None]) -> None:
    torch.manual_seed(0)
    model = DAE((1,), noise=0.25, walkback=1, width=32, blocks=2, dropout=0.0)
    fit(model, modes(20_000), seed=0, steps=1500, batch_size=256)
    grid = torch.linspace(-5, 5, 601)[:, None]
    with torch.no_grad():
        law = model.eval().restored(model.along(grid))
        mean, deviation = model.back(law.mean), (law.log_variance / 2).exp()
    noise = corruption(model.variance, 0.25).sqrt().expand_as(grid)
    ways = [Normal(grid, noise), Normal(mean, deviation)]  # to x~, and from there to x
    matrices = [way.log_prob(grid.T).double().softmax(1) for way in ways]
    found = torch.linalg.matrix_power(matrices[0] @ matrices[1], 4096)[300]
    density = 0.3 * Normal(-1.3, 0.5).log_prob(grid[:, 0]).exp() + 0.7 * Normal(1.0, 0.5).log_prob(grid[:, 0]).exp()
    single = Normal(model.gaussian.mean, model.gaussian.spectrum.sqrt()).log_prob(grid[:, 0]).exp()
    near, far = (variation(each / each.sum(), density / density.sum()) for each in (found, single))
    measured("total variation of a density of two modes and that of a trained chain", near, "near 0")
    measured("the same of one Gaussian", far, "above it")
    assert near < 0.06 and near < far / 3


def test_before_it_learns_its_chain_is_that_of_the_gaussian_of_the_data() -> None:
    x = torch.randn(2000, 3) @ torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.3, 2.0], [0.1, 0.0, 0.4]]) + 1
    model = DAE((3,), noise=0.7, width=8, blocks=1)
    model.setup(Batch(x))
    states = model.chain(model.start(20_000), 10)
    torch.testing.assert_close(states.mean(0), x.mean(0), atol=0.08, rtol=0)
    torch.testing.assert_close(torch.cov(states.T), torch.cov(x.T), atol=0.15, rtol=0)


def test_a_chain_of_no_steps_stays_and_one_that_diverges_says_so() -> None:
    model = DAE((2,), width=8, blocks=1)
    x = torch.randn(3, 2)
    assert torch.equal(model.chain(x, 0), x)
    with pytest.raises(ValueError, match="steps: must be at least 0, got -1"):
        model.chain(x, -1)
    with torch.no_grad():
        model.operator.network.leave.bias.fill_(float("inf"))
    with pytest.raises(FloatingPointError, match=r"chain: 3 of 3 states are not finite after 2 transitions .*lower"):
        model.chain(x, 2)
