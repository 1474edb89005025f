import math
from collections.abc import Callable

import pytest
import torch
from densities import check_draws, check_learns_curved, check_learns_labels, plane
from sklearn.covariance import oas
from torch import Tensor
from torch.distributions import MultivariateNormal

from pcgen.models.autoregressive.autoregressive import Autoregressive
from pcgen.models.autoregressive.orders import in_order
from pcgen.models.base import Batch
from pcgen.nets.causal import CAUSAL
from pcgen.training import fit

CONTRACT = {"autoregressive": {"group": 2, "parts": 2, "width": 16, "layers": 1, "heads": 2}}


def small(shape: tuple[int, ...], **options: object) -> Autoregressive:
    """In double, fitted to some data, with random weights in the place of those that start at 0."""
    model = Autoregressive(shape, **{"width": 8, "layers": 2, "heads": 2, "parts": 3, **options})
    model.setup(Batch(torch.randn(400, *shape) + torch.rand(shape), labels=torch.arange(400) % 2))
    torch.nn.init.normal_(model.exit.weight, std=0.4)
    return model.double().eval()


@pytest.mark.parametrize("network", CAUSAL)
@pytest.mark.parametrize(("shape", "group"), [((5,), 1), ((5,), 2), ((7,), 3), ((6, 3), 4)])
def test_the_density_is_the_sum_of_conditionals_found_step_by_step(
    network: str, shape: tuple[int, ...], group: int, measured: Callable[..., None]
) -> None:
    model = small(shape, network=network, group=group, classes=("a", "b"))
    x, labels = torch.randn(4, *shape, dtype=torch.float64), torch.tensor([0, 1, 1, 0])
    with torch.no_grad():
        e, y = model._sequence(x), model.labels.vectors(labels, x)
        memory, before = model.network.begin(4, model.steps, x), x.new_zeros(4, model.size)
        total = x.new_zeros(4) + model._log_det
        for t in range(model.steps):
            conditional = model._conditional(before, t, y, memory)
            before = e[:, t]
            total += conditional.log_prob(before, None if model.counts is None else model.counts[t])
        whole = model.log_prob(x, labels)
    what = f"largest difference of log p(x) at once and step by step, {network} on {shape}, {model.size} numbers a step"
    measured(f"{what}, nats", (total - whole).abs().max(), 0)
    torch.testing.assert_close(total, whole)


@pytest.mark.parametrize("network", CAUSAL)
def test_a_step_does_not_see_itself_nor_what_comes_after_it(network: str) -> None:
    model, e = small((6,), network=network, group=2), torch.randn(1, 3, 2, dtype=torch.float64)
    y = e.new_zeros(1, 0)
    slopes = torch.autograd.functional.jacobian(lambda e: model._conditionals(e, y).mean.sum((0, 2, 3)), e)
    assert torch.equal(slopes.abs().sum((1, 3)) > 0, torch.ones(3, 3).tril(-1).bool())


@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("network", CAUSAL)
def test_the_density_integrates_to_1_and_is_that_of_the_draws(
    network: str, group: int, measured: Callable[..., None]
) -> None:
    model, (x, area) = small((2,), network=network, group=group).float(), plane(15, 500)
    with torch.no_grad():
        mass = torch.cat([model.log_prob(part) for part in x.split(50_000)]).double().exp() * area
    measured(f"integral over a plane, {network}, {group} numbers a step", mass.sum(), 1)
    assert float(mass.sum()) == pytest.approx(1, abs=3e-3)
    check_draws(model.sample(20_000), x, mass)


def test_it_begins_nearly_as_the_gaussian_of_the_data() -> None:
    x = torch.randn(500, 6) @ (torch.eye(6) + torch.randn(6, 6).tril(-1)) + torch.randn(6)
    gaussian = MultivariateNormal(x.mean(0), torch.as_tensor(oas(x.numpy())[0]).float()).log_prob(x)
    for parts, off in ((1, 1e-2), (8, 0.6)):
        model = Autoregressive((6,), parts=parts)
        model.setup(Batch(x))
        with torch.no_grad():
            assert float((gaussian - model.eval().log_prob(x)).mean().abs()) < off


@pytest.mark.parametrize("network", CAUSAL)
def test_it_comes_near_the_exact_density_where_a_gaussian_does_not(network: str, measured: Callable[..., None]) -> None:
    options = {"network": network, "group": 1, "parts": 6, "width": 32, "layers": 1, "dropout": 0.0, "smoothing": 0.0}
    check_learns_curved(Autoregressive((3,), **options, lr=5e-3), 400, 0.25, measured, f", {network}")


@pytest.mark.parametrize("network", CAUSAL)
def test_with_classes_the_density_is_that_given_the_label(network: str) -> None:
    options = {"network": network, "group": 1, "parts": 2, "width": 24, "layers": 1, "dropout": 0.0}
    check_learns_labels(Autoregressive((3,), **options, classes=("a", "b"), lr=1e-2), rows=400, updates=200)


def circles(n: int) -> Tensor:
    """Clouds of 16 points on a circle of a radius of its own, in a plane, with a little noise."""
    angle, radius = 2 * math.pi * torch.rand(n, 16), 0.3 + 0.6 * torch.rand(n, 1)
    x = torch.stack([radius * angle.cos(), radius * angle.sin(), torch.zeros(n, 16)], dim=2)
    return x + 0.02 * torch.randn_like(x)


@pytest.mark.parametrize("order", ["hilbert", "axis"])
def test_clouds_have_the_density_of_their_points_in_order(order: str) -> None:
    model, x = small((16, 3), order=order).float(), circles(5)
    shuffled = torch.stack([cloud[torch.randperm(16)] for cloud in x])
    with torch.no_grad():
        torch.testing.assert_close(model.log_prob(shuffled), model.log_prob(x))
        e = model.whitening(in_order(x, model.low, model.high, order))
        by_points = model._conditionals(e, x.new_zeros(5, 0)).log_prob(e) + model.whitening.log_det  # (5, 16)
    torch.testing.assert_close(by_points.sum(1), model.log_prob(x))


def test_on_clouds_it_learns_what_points_have_in_common_where_independent_points_do_not(
    measured: Callable[..., None],
) -> None:
    model = Autoregressive((16, 3), parts=6, width=32, layers=1, dropout=0.0, lr=1e-2)
    train, test = circles(2000), circles(500)
    model.setup(Batch(train))
    for step in range(250):
        model.optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / 250)
        model.update(Batch(train[torch.randint(2000, (64,))]))
    points = train.flatten(0, 1)
    independent = MultivariateNormal(points.mean(0), torch.cov(points.T))
    # Independent points that are put in order have a density N! times that of the points.
    with torch.no_grad():
        in_any_order = independent.log_prob(test).sum(1).mean() + math.lgamma(17)
        better = float(model.eval().log_prob(test).mean() - in_any_order)
    measured("log-likelihood of 16 points in order above that of independent ones in order, nats", better, "above 0")
    assert better > 5
    radii = model.sample(300)[..., :2].norm(dim=2)
    assert float(radii.std(1).mean()) < 0.5 * float(radii.std()) and float(radii.mean(1).std()) > 0.1


def shown(model: Autoregressive, e: Tensor, progress: float, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """The steps that a loss has shown to the network last."""
    given: list[Tensor] = []
    conditionals = model._conditionals
    monkeypatch.setattr(model, "_conditionals", lambda e, y: given.append(e) or conditionals(e, y))
    model.loss(Batch(e, progress=progress))
    monkeypatch.undo()
    return given[-1]


def test_scheduled_sampling_shows_as_many_draws_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = small((6,), group=2, scheduled=0.8, smoothing=0.0).float(), torch.randn(2000, 6)
    true = model._sequence(x)
    assert torch.equal(shown(model, x, 0.9, monkeypatch), true)  # not on held-out rows
    model.train()
    assert torch.equal(shown(model, x, 0.0, monkeypatch), true)
    changed = (shown(model, x, 0.5, monkeypatch) != true).float()
    assert torch.equal(changed.amin(2), changed.amax(2))  # a step is shown whole
    assert float(changed.mean()) == pytest.approx(0.4, abs=0.03)


def test_of_what_is_drawn_the_loss_still_asks_for_the_true_steps() -> None:
    model, x = small((6,), group=2, scheduled=0.99, smoothing=0.0, dropout=0.0).float().train(), torch.randn(500, 6)
    with torch.no_grad():
        none, most = (float(model.loss(Batch(x, progress=progress))["nll"]) for progress in (0.0, 0.999))
        assert none == pytest.approx(-float(model.log_prob(x).mean()), abs=1e-3)
    assert most != pytest.approx(none, abs=1e-2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "lstm"}, "network: must be one of recurrent, transformer; got 'lstm'"),
        ({"order": "morton"}, "order: must be one of hilbert, axis; got 'morton'"),
        ({"network": "transformer", "width": 30}, "heads: must divide the width, 30, got 4"),
        ({"scheduled": 1.0}, "scheduled: must be at least 0 and below 1, got 1.0"),
        ({"group": 0}, "group: must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Autoregressive((4,), **options)


def test_its_training_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    fit(Autoregressive((4,), width=16, layers=1), torch.randn(20, 4), steps=2, progress=True)
    assert "autoregressive" in capsys.readouterr().err
