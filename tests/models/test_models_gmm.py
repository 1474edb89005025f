from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor

from pcgen.models.abilities import can
from pcgen.models.base import Batch, Facts
from pcgen.models.mixtures.gmm import GMM

CONTRACT = {"gmm": {"components": 3}}


def blobs(n: int, dim: int = 4, clusters: int = 3) -> tuple[Tensor, Tensor]:
    centres = 4 * torch.randn(clusters, dim)
    labels = torch.randint(clusters, (n,))
    return centres[labels] + torch.randn(n, dim) @ (torch.randn(dim, dim) / 2), centres


def train(model: GMM, x: Tensor, iterations: int) -> list[float]:
    batch = Batch(x, torch.arange(len(x)))
    model.setup(Batch(x))
    return [model.update(batch)["nll"].item() for _ in range(iterations)]


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_an_iteration_never_lowers_the_likelihood(covariance: str, measured: Callable[..., None]) -> None:
    x, _ = blobs(400)
    nll = train(GMM((4,), components=6, covariance=covariance, ridge=0.0), x, 40)
    rises = [after - before for before, after in pairwise(nll)]
    measured(f"largest fall of the log-likelihood in an iteration, {covariance}, nats a row", max(0.0, *rises), 0)
    assert max(rises) < 1e-5
    assert nll[-1] < nll[0] - 0.01


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_updates_are_the_iterations_of_scikit_learn_and_so_is_log_prob(covariance: str) -> None:
    x, _ = blobs(300)
    model = GMM((4,), components=3, covariance=covariance, ridge=1e-3)
    model.setup(Batch(x))
    peer = GaussianMixture(
        3,
        covariance_type="diag" if covariance == "diagonal" else "full",
        reg_covar=1e-3,
        tol=0.0,
        max_iter=7,
        weights_init=model.weights.double().numpy() / model.weights.double().sum().item(),
        means_init=model.means.double().numpy(),
        precisions_init=_precisions(model, covariance),
    )
    for _ in range(7):
        model.update(Batch(x, torch.arange(len(x))))
    with pytest.warns(match="did not converge"):
        peer.fit(x.double().numpy())
    assert can(model, "log_prob")
    y = 3 * torch.randn(50, 4)
    expected = torch.as_tensor(peer.score_samples(y.double().numpy()))
    torch.testing.assert_close(model.log_prob(y).double(), expected, rtol=1e-4, atol=1e-3)


def _precisions(model: GMM, covariance: str):  # type: ignore[no-untyped-def]
    precisions = model.precision_factors.double() @ model.precision_factors.double().mT
    return (precisions.diagonal(dim1=1, dim2=2) if covariance == "diagonal" else precisions).numpy()


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_samples_have_the_density_that_log_prob_states(covariance: str) -> None:
    # The entropy of the mixture, -E log p: of its own samples, and as the peer estimates it from its own samples.
    x, _ = blobs(500)
    model = GMM((4,), components=4, covariance=covariance, ridge=1e-3)
    train(model, x, 10)
    samples = model.sample(20_000)
    peer = GaussianMixture(4, covariance_type="full", random_state=0)
    peer.weights_ = model.weights.double().numpy()
    peer.means_ = model.means.double().numpy()
    peer.precisions_cholesky_ = model.precision_factors.double().numpy()
    peer.covariances_ = torch.linalg.inv(torch.as_tensor(_precisions(model, "full"))).numpy()
    peer.weights_ /= peer.weights_.sum()
    theirs = torch.as_tensor(peer.sample(20_000)[0]).float()
    assert model.log_prob(samples).mean().item() == pytest.approx(model.log_prob(theirs).mean().item(), abs=0.05)
    torch.testing.assert_close(samples.mean(0), theirs.mean(0), rtol=0, atol=0.15)
    torch.testing.assert_close(torch.cov(samples.T), torch.cov(theirs.T), rtol=0.1, atol=0.3)


def test_separated_clusters_are_found() -> None:
    torch.manual_seed(3)
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    x = centres[torch.arange(300) % 3] + 0.5 * torch.randn(300, 2)
    model = GMM((2,), components=3)
    train(model, x, 5)
    nearest = torch.cdist(centres, model.means).min(1).values
    assert nearest.max() < 0.2
    torch.testing.assert_close(model.weights, torch.full((3,), 1 / 3), atol=0.01, rtol=0)


def test_data_gives_the_number_of_components_by_rows_whatever_they_are_of() -> None:
    assert GMM.arguments(Facts((4,), 5000)) == {"shape": (4,), "components": 32}
    assert GMM.arguments(Facts((4,), 160, repeats=8))["components"] == 16


def test_more_components_than_rows_names_both() -> None:
    with pytest.raises(ValueError, match="components: must be at most the number of training rows, 10, got 32"):
        GMM((2,)).setup(torch.randn(10, 2))


def test_a_singular_covariance_names_the_ridge() -> None:
    with pytest.raises(FloatingPointError, match="gmm: EM cannot go on with ridge 0 and 1 components"):
        GMM((2,), components=1, ridge=0.0).setup(Batch(torch.ones(10, 2)))
