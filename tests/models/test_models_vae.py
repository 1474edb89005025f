import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from pcgen.models.abilities import can
from pcgen.models.base import Batch
from pcgen.models.variational.sb_vae import SBVAE
from pcgen.models.variational.vae import VAE
from pcgen.nets.pointnet import PointNet

CONTRACT = {"vae": {"code": 3, "widths": [16]}}


def linear_gaussian(n: int) -> Tensor:
    mix = torch.tensor([[1.0, 0.2], [0.5, -1.0], [-0.8, 0.4], [0.1, 0.9], [0.6, 0.6]])
    return torch.randn(n, 2) @ mix.T + 0.4 * torch.randn(n, 5) + torch.arange(5)


def ppca_log_likelihood(x: Tensor, code: int) -> float:
    """Mean log-likelihood of the rows under probabilistic PCA at its maximum (Tipping & Bishop, 1999)."""
    covariance = torch.cov(x.T, correction=0)
    values, vectors = torch.linalg.eigh(covariance)  # ascending
    noise = values[:-code].mean()
    model = vectors[:, -code:] @ torch.diag(values[-code:] - noise) @ vectors[:, -code:].T + noise * torch.eye(
        x.shape[1]
    )
    return MultivariateNormal(x.mean(0), model).log_prob(x).mean().item()


def test_a_linear_vae_reaches_the_exact_log_likelihood_of_ppca(measured: Callable[..., None]) -> None:
    x = linear_gaussian(500)
    exact = ppca_log_likelihood(x, code=2)
    model = VAE((5,), code=2, widths=(), learn_scale=True, lr=0.05)
    batch = Batch(x, torch.arange(len(x)))
    for step in range(1000):
        for group in model.optimizer.param_groups:
            group["lr"] = 0.05 * (1 - step / 1000)
        model.update(batch)
    bounds = torch.stack([model.log_prob_bound(x).mean() for _ in range(200)])
    measured("bound on linear-Gaussian data, nats", bounds.mean().item(), exact)
    error = bounds.std().item() / math.sqrt(len(bounds))
    assert bounds.mean().item() <= exact + 4 * error
    assert bounds.mean().item() == pytest.approx(exact, abs=0.03)


def test_training_starts_from_ppca() -> None:
    x = linear_gaussian(500)
    model = VAE((5,), code=2, widths=(8,), learn_scale=True)
    model.setup(Batch(x))
    bounds = torch.stack([model.log_prob_bound(x).mean() for _ in range(200)])
    assert abs(bounds.mean() - ppca_log_likelihood(x, code=2)) < 4 * bounds.std() / math.sqrt(len(bounds))


def test_training_starts_from_the_gaussian_of_the_data() -> None:
    """Each axis has noise of a variance of its own, which at first is what two codes of five numbers leave of it."""
    x = linear_gaussian(500) + torch.randn(500, 5) * torch.tensor([0.1, 0.7, 0.3, 0.2, 0.5])
    model = VAE((5,), code=2, widths=(8,), scale=0.3)
    model.setup(Batch(x))
    exact = MultivariateNormal(x.mean(0), torch.cov(x.T, correction=0)).log_prob(x).mean()
    bounds = torch.stack([model.log_prob_bound(x).mean() for _ in range(200)])
    assert abs(bounds.mean() - exact) < 4 * bounds.std() / math.sqrt(len(bounds)) + 2e-3
    drawn = model.sample(50_000)
    torch.testing.assert_close(torch.cov(drawn.T), torch.cov(x.T), atol=0.06, rtol=0.03)


def test_noise_is_no_narrower_than_the_scale_nor_wider_than_the_data_and_learns_what_codes_tell() -> None:
    """Three numbers of one code, the third nearly constant: the noise of the second axis goes down to the scale."""
    z = torch.randn(1000, 1)
    x = torch.cat([2 * z, z.square() - 1, torch.zeros(1000, 1)], dim=1) + 0.05 * torch.randn(1000, 3)
    model = VAE((3,), code=1, widths=(32,), scale=0.3, lr=1e-2)
    model.setup(Batch(x))
    before = model.likelihood.variances.sqrt()
    for _ in range(700):
        model.update(Batch(x[torch.randint(1000, (100,))]))
    after = model.likelihood.variances.sqrt()
    torch.testing.assert_close(
        before, torch.tensor([0.3, float(x[:, 1].std()), float(x[:, 2].std())]), atol=0.06, rtol=0
    )
    torch.testing.assert_close(after, torch.tensor([0.3, 0.3, 0.05]), atol=0.06, rtol=0)


@pytest.mark.parametrize(("dim", "code"), [(1, 2), (3, 5), (20, 4)])
def test_setup_takes_any_number_of_codes_and_fewer_rows_than_dimensions(dim: int, code: int) -> None:
    model = VAE((dim,), code=code, learn_scale=True)
    model.setup(Batch(torch.randn(10, dim)))
    assert torch.isfinite(model.log_prob_bound(torch.randn(4, dim))).all()


def test_the_loss_is_minus_the_bound_and_its_kl_is_exact() -> None:
    model = VAE((4,), code=3, widths=(8,), scale=0.5)
    x = torch.randn(6, 4)
    torch.manual_seed(1)
    terms = model.loss(Batch(x, torch.arange(6)))
    torch.manual_seed(1)
    torch.testing.assert_close(terms["reconstruction"] + terms["kl"], -model.log_prob_bound(x).mean())
    mean, log_variance = model.encoder(x).chunk(2, dim=1)
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    prior = torch.distributions.Normal(torch.zeros(3), torch.ones(3))
    torch.testing.assert_close(terms["kl"], torch.distributions.kl_divergence(posterior, prior).sum(1).mean())


def test_samples_of_vectors_have_the_moments_of_the_linear_model() -> None:
    model = VAE((3,), code=2, widths=(), scale=0.3)
    weight, bias = model.decoder.state_dict().values()
    samples = model.sample(50_000)
    torch.testing.assert_close(samples.mean(0), bias, atol=0.02, rtol=0)
    torch.testing.assert_close(torch.cov(samples.T), weight @ weight.T + 0.09 * torch.eye(3), atol=0.02, rtol=0.03)


def test_it_is_what_it_says_and_no_density() -> None:
    model = VAE((4,))
    assert can(model, "log_prob_bound") and can(model, "encode") and not can(model, "log_prob")


def test_a_model_of_clouds_has_no_bound() -> None:
    model = VAE((16, 3), code=4)
    assert model.encode(torch.randn(2, 16, 3)).shape == (2, 4)
    with pytest.raises(ValueError, match="log_prob_bound: is for models of vectors, this one has shape"):
        model.log_prob_bound(torch.randn(2, 16, 3))


@pytest.mark.parametrize("reconstruction", ["chamfer", "emd"])
def test_clouds_are_reconstructed_better_than_by_their_mean(reconstruction: str) -> None:
    # Ellipsoids of three different axes: a cloud's own axes must come back.
    from pcgen import ops

    directions = torch.nn.functional.normalize(torch.randn(128, 32, 3), dim=2)
    x = directions * (0.2 + 0.8 * torch.rand(128, 1, 3))
    model = VAE(
        (32, 3), code=6, reconstruction=reconstruction, scale=0.03, decoder={"name": "fully_connected", "widths": [64]}
    )
    for _ in range(80):
        rows = torch.randperm(128)[:32]
        model.update(Batch(x[rows], rows))
    model.eval()
    with torch.no_grad():
        decoded = model.decode(model.encode(x))
    own, other = ops.chamfer(decoded, x).mean(), ops.chamfer(decoded.roll(1, 0), x).mean()
    assert own < 0.8 * other


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"code": 0}, "code: must be at least 1, got 0"),
        ({"learn_scale": True}, "learn_scale: must be False for clouds"),
        ({"scale": -1.0}, "scale: must be a positive number, got -1.0"),
        ({"beta": -0.5}, "beta: must be 0 or more, got -0.5"),
        ({"reconstruction": "chamfr"}, "reconstruction: must be one of chamfer, emd; got 'chamfr'"),
        ({"encoder": "pointnot"}, "did you mean 'pointnet'"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VAE((16, 3), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "features"),
    [
        (lambda encoder: VAE((8, 3), code=4, encoder=encoder), 8),
        (lambda encoder: SBVAE((8, 3), truncation=5, encoder=encoder), 10),
    ],
)
def test_an_encoder_that_is_a_module_has_as_many_features_as_means_and_log_variances(
    model: Callable[[nn.Module], VAE | SBVAE], features: int
) -> None:
    x = torch.rand(3, 8, 3)
    assert model(PointNet(features)).encode(x).shape == (3, features // 2)
    told = rf"encoder: must make {features} features of each cloud, \(3, {features}\), got \(3, 7\); end it in a layer"
    with pytest.raises(ValueError, match=told):
        model(PointNet(7)).encode(x)


@pytest.mark.parametrize("reconstruction", ["chamfer", "emd"])
def test_a_decoder_of_clouds_that_has_diverged_is_blamed_and_not_the_clouds(reconstruction: str) -> None:
    model = VAE((8, 3), code=4, reconstruction=reconstruction)
    with torch.no_grad():
        next(model.decoder.parameters()).fill_(torch.inf)
    with pytest.raises(FloatingPointError, match="a decoded cloud is not finite"):
        model.update(Batch(torch.rand(3, 8, 3), torch.arange(3)))
