from collections.abc import Callable

import pytest
import torch
from densities import check_draws, check_learns_curved, check_learns_labels, curved, plane
from sklearn.covariance import oas
from torch import Tensor
from torch.distributions import MultivariateNormal

from pcgen.models.autoregressive.made import MADE
from pcgen.models.base import Batch

CONTRACT = {"made": {"masks": 2, "parts": 2, "widths": [16]}}


def untied(model: MADE, std: float = 0.4) -> MADE:
    """The model with random weights in the place of those that start at 0."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, std)
    return model.eval()


def fitted(dim: int, **options: object) -> MADE:
    model = MADE((dim,), **{"widths": (30,), "masks": 4, **options})
    model.setup(Batch(torch.randn(400, dim) @ (torch.eye(dim) + torch.randn(dim, dim).tril(-1)) + torch.randn(dim)))
    return model


def test_a_conditional_sees_what_stands_before_it_in_the_ordering(measured: Callable[..., None]) -> None:
    model = untied(fitted(4))
    x, y = torch.randn(5, 4), torch.zeros(5, 0)
    wrong = 0
    for k in range(4):
        slopes = torch.autograd.functional.jacobian(
            lambda e, k=k, y=y: model.head(model.network(e, k, y)).mean.sum((0, 2, 3)), model.whitening(x)
        )
        seen = slopes.abs().sum(1) > 0
        before = model.network.ranks[k] < model.network.ranks[k][:, None]
        wrong += int((seen != before).sum())
    measured("entries of the Jacobians' pattern that are wrong, of 64", wrong, 0)
    assert wrong == 0


def test_every_ordering_begins_as_the_gaussian_of_the_data() -> None:
    x = torch.randn(500, 4) @ (torch.eye(4) + torch.randn(4, 4).tril(-1)) + torch.randn(4)
    model = MADE((4,), parts=1)
    model.setup(Batch(x))
    expected = MultivariateNormal(x.mean(0), torch.as_tensor(oas(x.numpy())[0]).float()).log_prob(x)
    torch.testing.assert_close(model.eval().by_ordering(x), expected.expand(8, -1), atol=2e-3, rtol=0)


def test_with_several_parts_it_begins_nearly_as_that_gaussian() -> None:
    x = torch.randn(500, 4) @ (torch.eye(4) + torch.randn(4, 4).tril(-1)) + torch.randn(4)
    model = MADE((4,), parts=4)
    model.setup(Batch(x))
    gaussian = MultivariateNormal(x.mean(0), torch.as_tensor(oas(x.numpy())[0]).float()).log_prob(x)
    with torch.no_grad():
        below = (gaussian - model.eval().by_ordering(x)).mean(1)  # .032 a coordinate, by quadrature
    assert (below > 0.05).all() and (below < 0.25).all()


def test_the_density_integrates_to_1_and_is_that_of_the_draws(measured: Callable[..., None]) -> None:
    model, (x, area) = untied(fitted(2, parts=3), 0.25), plane(15, 500)
    with torch.no_grad():
        each = torch.cat([model.by_ordering(part) for part in x.split(50_000)], dim=1).double().exp() * area
        some = slice(0, 250_000, 1000)
        found = model.log_prob(x[some]).double().exp() * area
        torch.testing.assert_close(found, each.mean(0)[some], atol=1e-9, rtol=1e-4)
    for k, mass in enumerate(each.sum(1)[:2]):
        measured(f"integral over a plane of the density of ordering {k}", mass, 1)
    torch.testing.assert_close(each.sum(1), torch.ones(4).double(), atol=3e-3, rtol=0)
    check_draws(model.sample(20_000), x, each.mean(0))


def apart(model: MADE, x: Tensor) -> float:
    """By how much the orderings differ about a row, in nats: the median over rows of their deviation."""
    with torch.no_grad():
        return float(model.by_ordering(x).std(0).median())


def test_orderings_come_to_agree_on_the_exact_density(measured: Callable[..., None]) -> None:
    """From random weights: with those that it begins with, all orderings are one Gaussian."""
    model = MADE((3,), masks=6, parts=6, widths=(100,), dropout=0.0, smoothing=0.0, lr=5e-3)
    model.setup(Batch(curved(2000)))
    before = apart(untied(model, 0.3), curved(2000))
    test = check_learns_curved(model.train(), steps=1000, most=0.3, measured=measured)
    after = apart(model, test)
    measured("deviation between the orderings of log p(x) after training, nats", after, f"below {before:.2f} before")
    assert after < 0.15 * before
    with torch.no_grad():
        assert (model.by_ordering(test).mean(0) <= model.log_prob(test) + 1e-4).all()


def test_with_classes_the_density_is_that_given_the_label() -> None:
    check_learns_labels(MADE((3,), masks=2, parts=2, widths=(24,), classes=("a", "b"), lr=1e-2), rows=400, updates=200)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"masks": 0}, "masks: must be at least 1, got 0"),
        ({"parts": 0}, "parts: must be at least 1, got 0"),
        ({"smoothing": 1.0}, "smoothing: must be at least 0 and below 1, got 1.0"),
    ],
)
def test_bad_arguments_are_named(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MADE((4,), **options)
