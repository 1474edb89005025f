"""Draws that are stretched until they vary as data does, of both models that are."""

import copy

import pytest
import torch
from torch import Tensor

from pcgen.models import MODELS
from pcgen.models.base import Batch
from pcgen.models.diffusion.diffusion import Diffusion
from pcgen.models.flows.flow_matching import FlowMatching
from pcgen.training import fit

KINDS = ["diffusion", "flow_matching"]


def rows(n: int) -> Tensor:
    """Six clusters in ten dimensions, whose axes differ in length."""
    centres = torch.randn(6, 10, generator=torch.Generator().manual_seed(1)) * torch.linspace(0.3, 2, 10)
    return centres[torch.randint(6, (n,))] + 0.1 * torch.randn(n, 10)


@pytest.fixture(scope="module")
def trained() -> dict[str, Diffusion | FlowMatching]:
    """Both, after too short a training."""
    torch.manual_seed(0)
    x = rows(2000)
    return {kind: fit(MODELS[kind]((10,), width=64, blocks=2), x, steps=120, seed=0).eval() for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_draws_vary_as_data_does_along_its_principal_axes(
    trained: dict[str, Diffusion | FlowMatching], kind: str
) -> None:
    model = trained[kind]
    plain, matched = (
        ((model.sample(20_000, match=match) - model.gaussian.mean) @ model.gaussian.basis).var(0)
        for match in (False, True)
    )
    assert (plain / model.gaussian.spectrum - 1).abs().max() > 0.08
    # Some draws would lie beyond the data's range, to which diffusion keeps them.
    torch.testing.assert_close(matched, model.gaussian.spectrum, rtol=0.04, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_gaussian_nothing_is_stretched(kind: str) -> None:
    model = MODELS[kind]((4,), width=4, blocks=1).eval()  # its network is 0 until it learns
    model.setup(Batch(torch.randn(1000, 4) @ torch.randn(4, 4)))
    torch.manual_seed(3)
    plain = model.sample(50, match=False, steps=400)
    torch.manual_seed(3)
    torch.testing.assert_close(model.sample(50, steps=400), plain, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_draws_whether_the_stretch_is_known_already_or_not(
    trained: dict[str, Diffusion | FlowMatching], kind: str
) -> None:
    model = copy.deepcopy(trained[kind])
    model._found = None
    drawn = []
    for _ in range(2):
        torch.manual_seed(5)
        drawn.append(model.sample(20))
    assert torch.equal(*drawn) and torch.rand(()) == torch.rand((), generator=_at(5, model))


def _at(seed: int, model: Diffusion | FlowMatching) -> torch.Generator:
    """A generator where torch's is after the seed, 20 draws and one number."""
    generator = torch.Generator().manual_seed(seed)
    torch.randn(20, *model.shape, generator=generator)
    return generator


@pytest.mark.parametrize("kind", KINDS)
def test_other_weights_have_another_stretch(trained: dict[str, Diffusion | FlowMatching], kind: str) -> None:
    model = copy.deepcopy(trained[kind])
    model.sample(5)
    before = model._found
    model.sample(5)
    assert model._found is before
    model.train().update(Batch(rows(64)))
    model.eval().sample(5)
    assert before is not None and model._found is not None and not torch.equal(before[1], model._found[1])


def test_a_flows_density_is_that_of_its_stretched_draws() -> None:
    """It integrates to 1, and without the stretch it would not be the density of what is drawn."""
    torch.manual_seed(0)
    x = torch.where(torch.rand(2000, 1) < 0.5, 1.5, -1.5) + torch.tensor([[0.3, 0.3]]) * torch.randn(2000, 2)
    model = fit(FlowMatching((2,), width=32, blocks=1), x, steps=60, seed=0).eval()
    line = torch.linspace(-5, 5, 51)
    at = torch.cartesian_prod(line, line)
    density = model.log_prob(at).exp()
    cell = float(line[1] - line[0]) ** 2
    assert float(density.sum()) * cell == pytest.approx(1, abs=0.01)
    second = (density[:, None] * at.square()).sum(0) * cell
    torch.testing.assert_close(model.sample(40_000).square().mean(0), second, rtol=0.03, atol=0)
