"""Chains and energies of classes whose densities are known: laws of labels, of no label, and what guidance does."""

import math
from functools import cache, partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from pcgen.models import MODELS
from pcgen.models.abilities import can
from pcgen.models.base import Batch
from pcgen.models.chains.infusion import Infusion
from pcgen.models.chains.operators import GaussianOperator
from pcgen.models.chains.walkback import Walkback
from pcgen.models.conditional import Known
from pcgen.models.energy.score_model import ScoreModel
from pcgen.statistics import energy_distance
from pcgen.training import fit

CLASSES = ("left", "right")
WEIGHTS = torch.tensor([0.25, 0.75])
CENTRES = torch.tensor([[-1.6, 0.0], [1.1, 0.8]])
COVARIANCES = torch.tensor([[[0.3, 0.15], [0.15, 0.5]], [[0.5, -0.1], [-0.1, 0.2]]])
"""Of two Gaussians in the plane."""

SIZES: dict[str, tuple[dict[str, Any], int]] = {
    "dae": ({"noise": 0.4, "walkback": 2, "steps": 30}, 500),
    "gsn": ({"noise": 0.25, "walkback": 2, "steps": 60, "latent": 4, "lr": 4e-3}, 800),
    "infusion": ({"steps": 12, "rate": 0.05, "growth": 0.07, "lr": 5e-3}, 400),
    "walkback": ({"smoothing": 0.0}, 300),
    "score_model": ({"levels": 10, "smallest": 0.2}, 900),
}
"""Of each model: arguments and updates."""


def law(labels: Tensor) -> MultivariateNormal:
    """The density of rows given their labels, (B,)."""
    return MultivariateNormal(CENTRES[labels], COVARIANCES[labels])


def drawn(n: int) -> tuple[Tensor, Tensor]:
    """Rows, (n, 2), and their labels."""
    labels = torch.multinomial(WEIGHTS, n, replacement=True)
    return law(labels).sample(), labels


def nearer(x: Tensor) -> Tensor:
    """The likelier class of each row, (n,)."""
    each = [law(torch.full((len(x),), label)).log_prob(x) + WEIGHTS[label].log() for label in (0, 1)]
    return torch.stack(each).argmax(0)


@cache
def trained(name: str) -> Any:
    torch.manual_seed(0)
    arguments, updates = SIZES[name]
    model = MODELS[name]((2,), width=48, blocks=2, dropout=0.0, classes=CLASSES, **arguments)
    x, labels = drawn(20_000)
    return fit(model, x, labels=labels, seed=0, steps=updates, batch_size=128)


def sample(name: str, label: int | None, n: int = 3000, **options: float) -> Tensor:
    torch.manual_seed(1)
    labels = None if label is None else torch.full((n,), label)
    rows: Tensor = trained(name).eval().draw(n, labels=labels, **options)
    return rows


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("label", [0, 1])
def test_draws_of_a_label_have_the_mean_and_covariance_of_its_class(name: str, label: int) -> None:
    rows = sample(name, label)
    torch.testing.assert_close(rows.mean(0), CENTRES[label], atol=0.2, rtol=0)
    torch.testing.assert_close(torch.cov(rows.T), COVARIANCES[label], atol=0.2, rtol=0)


@pytest.mark.parametrize("name", SIZES)
def test_draws_without_a_label_are_those_of_the_mixture(name: str) -> None:
    rows, right = sample(name, None), drawn(20_000)[0]
    share, datas = (float(nearer(each).float().mean()) for each in (rows, right))
    gaussian = MultivariateNormal(right.mean(0), torch.cov(right.T)).sample((len(rows),))
    found, single = (float(energy_distance(each, right[:3000])) for each in (rows, gaussian))
    assert share == pytest.approx(datas, abs=0.1)
    assert found < 0.7 * single


@pytest.mark.parametrize("name", SIZES)
def test_guidance_moves_draws_from_the_other_class_and_lowers_their_spread(name: str) -> None:
    assert torch.equal(sample(name, 0, guidance=0.0), sample(name, None))
    assert torch.equal(sample(name, 0, guidance=1.0), sample(name, 0))
    away = (CENTRES[0] - CENTRES[1]) / (CENTRES[0] - CENTRES[1]).norm()
    along = [sample(name, 0, guidance=guidance) @ away for guidance in (0.0, 1.0, 2.0)]
    means, spreads = [float(each.mean()) for each in along], [float(each.std()) for each in along]
    assert means[0] + 0.5 < means[1] < means[2] - 0.05
    assert spreads[0] > spreads[1] > spreads[2] + 0.02


def test_a_guided_transition_is_the_product_of_powers_of_the_two_where_their_variance_is_the_same() -> None:
    operator = GaussianOperator(1, width=8, blocks=1, dropout=0.0, classes=2).double()
    with torch.no_grad():
        for parameter in operator.parameters():
            nn.init.normal_(parameter, std=0.5)
        operator.network.leave.weight[1] = 0  # the logarithm of a variance's factor is the same for all
    y, kept, variance = torch.full((41, 1), 0.7).double(), torch.tensor([0.6]).double(), torch.tensor([0.3]).double()
    label = torch.tensor([[0.0, 1.0]]).double().expand(41, 2)
    to = torch.linspace(-4, 4, 41).double()[:, None]
    with torch.no_grad():
        without, plain, guided = (
            operator(y, y[:, 0], kept, variance, known).log_prob(to)
            for known in (None, Known(label), Known(label, guidance=2.5))
        )
    assert (plain - without).abs().max() > 0.1
    constant = guided - (without + 2.5 * (plain - without))
    torch.testing.assert_close(constant, constant[:1].expand(41))


@pytest.mark.parametrize(("name", "tight"), [("infusion", math.inf), ("walkback", 0.5)])
def test_a_bound_given_labels_is_one_on_the_density_of_the_class(name: str, tight: float) -> None:
    model: Infusion | Walkback = trained(name).eval()
    x, labels = drawn(4000)
    torch.manual_seed(1)
    with torch.no_grad():
        given, without, wrong = (model.log_prob_bound(x, each) for each in (labels, None, 1 - labels))
    gap = law(labels).log_prob(x) - given
    assert -5 * float(gap.std()) / math.sqrt(len(x)) < float(gap.mean()) < tight
    assert given.mean() > without.mean() + 0.2 and without.mean() > wrong.mean() + 1


def last_of(model: ScoreModel, rows: int) -> Tensor:
    """The place of the smallest noise, for each of so many rows."""
    return torch.full((rows,), len(model.sigma) - 1)


def test_guidance_of_an_energy_is_that_of_its_slope() -> None:
    model: ScoreModel = trained("score_model").eval()
    y, level, guidance = torch.randn(20, 2), torch.arange(20) % 10, 2.5
    label = model.labels.vectors(torch.arange(20) % 2, y)
    without, plain = model.slopes(y, level, None), model.slopes(y, level, Known(label))
    for zero, one, both in zip(without, plain, model.slopes(y, level, Known(label, guidance)), strict=True):
        assert not torch.allclose(zero, one, atol=0.1)
        torch.testing.assert_close(both, zero + guidance * (one - zero), atol=1e-4, rtol=1e-4)


def plane(model: ScoreModel, known: tuple[int, float] | None) -> tuple[Tensor, Tensor, float]:
    """Points along the axes, their energies at the smallest noise given a label and guidance, the area of each."""
    line = torch.linspace(-8, 8, 401)
    y = torch.cartesian_prod(line, line)
    told = None if known is None else Known(model.labels.vectors(torch.full((len(y),), known[0]), y), known[1])
    with torch.no_grad():
        energy = model.energy(y, last_of(model, len(y)), told)
    return y, energy.double(), float(line[1] - line[0]) ** 2


def test_a_chain_keeps_the_law_of_the_guided_energy() -> None:
    model, n = trained("score_model").eval(), 20_000
    y, energy, area = plane(model, (0, 2.0))
    mass = (-energy).softmax(0)
    begun = y[torch.multinomial(mass, n, replacement=True)] + math.sqrt(area) * (torch.rand(n, 2) - 0.5)
    labels = torch.zeros(n, dtype=torch.int64)
    after = model.along(model.chain(model.back(begun), 10, labels, guidance=2.0))
    plain = model.along(model.chain(model.back(begun), 10, labels))
    for moment in (lambda y: y[:, 0].tanh(), lambda y: y[:, 1].tanh(), lambda y: y.norm(dim=1)):
        values, right = moment(after), float((mass * moment(y).double()).sum())
        error = 5 * float(values.std()) / math.sqrt(n)
        assert float(values.mean()) == pytest.approx(right, abs=error)
        assert float(moment(plain).mean()) != pytest.approx(right, abs=error)


def test_free_energies_of_labels_with_their_constants_tell_the_classes_of_new_rows() -> None:
    model: ScoreModel = trained("score_model").eval()
    x, labels = drawn(4000)
    torch.manual_seed(1)
    scores = []
    for label in (0, 1):
        found = model.log_partition(chains=200, temperatures=100, label=label)
        _, energy, area = plane(model, (label, 1.0))
        exact = float((-energy).logsumexp(0)) + math.log(area)
        assert found.value == pytest.approx(exact, abs=4 * found.error + 0.01)
        with torch.no_grad():
            own = model.free_energy(x, torch.full((len(x),), label))
        scores.append(WEIGHTS[label].log() - own - found.value)
    right = (torch.stack(scores).argmax(0) == labels).float().mean()
    best = (nearer(x) == labels).float().mean()
    assert right > best - 0.01 and best > 0.95


@pytest.mark.parametrize("name", SIZES)
def test_labels_that_are_missing_or_no_classes_and_guidance_without_a_label_are_told(name: str) -> None:
    model: Any = MODELS[name]((2,), width=8, blocks=1, classes=CLASSES)
    x, wrong = torch.randn(3, 2), torch.tensor([0, 1, 2])
    with pytest.raises(ValueError, match=f"labels: {name} has the classes left, right and needs a label of each row"):
        model.setup(Batch(x))
    calls = [lambda: model.draw(3, wrong), lambda: model.chain(x, 1, wrong), lambda: list(model.states(3, wrong))]
    calls += [partial(getattr(model, each), x, wrong) for each in ("log_prob_bound", "free_energy") if can(model, each)]
    if name == "score_model":
        calls.append(lambda: model.log_partition(10, 1, label=2))
    for call in calls:
        with pytest.raises(ValueError, match="labels: must be indices into the 2 classes left, right, from 0 on"):
            call()
    for call in (lambda: model.draw(3, guidance=2.0), lambda: model.chain(x, 1, guidance=0.0)):
        with pytest.raises(ValueError, match="guidance: must be 1 where no label is known"):
            call()
    without: Any = MODELS[name]((2,), width=8, blocks=1)
    with pytest.raises(ValueError, match="guidance: must be 1 for a model without classes, got 2"):
        without.sample(3, guidance=2.0)
