import math
from collections.abc import Callable

import pytest
import torch
from enumeration import all_bits
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal

from pcgen.models.base import Batch
from pcgen.models.energy.gaussian_rbm import GaussianRBM
from pcgen.training import fit

CONTRACT = {"gaussian_rbm": {"hidden": 6, "particles": 16}}


def tangled(dim: int, hidden: int, scale: float = 1.0) -> GaussianRBM:
    """A machine in float64 of data that is stretched, turned and shifted, whose weights are all random."""
    torch.manual_seed(3)
    model = GaussianRBM((dim,), hidden).double()
    model.setup(Batch(torch.randn(500, dim, dtype=torch.float64) @ torch.randn(dim, dim, dtype=torch.float64) + 2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, scale)
    return model


def mixture(model: GaussianRBM) -> MixtureSameFamily:
    """The density of whitened rows, a Gaussian for each state of the hidden units, in closed form."""
    layer = model.layer
    h = all_bits(len(layer.hidden_bias)).to(layer.weight)
    shift, variance = (h - 0.5) @ layer.weight.T, layer.log_variance.exp()
    weights = h @ layer.hidden_bias + ((layer.visible_bias * shift + shift.square() / 2) / variance).sum(1)
    parts = Normal(layer.visible_bias + shift, variance.sqrt())
    return MixtureSameFamily(Categorical(logits=weights), Independent(parts, 1))


def exact_log_prob(model: GaussianRBM, x: Tensor) -> Tensor:
    with torch.no_grad():
        return mixture(model).log_prob(model.inward(x)) - model.deviations.log().sum()


def test_the_free_energy_is_minus_the_log_density_up_to_log_z(measured: Callable[..., None]) -> None:
    model = tangled(4, 5)
    x = model.outward(torch.randn(50, 4, dtype=torch.float64))
    log_z = -model.free_energy(x).detach() - exact_log_prob(model, x)
    torch.testing.assert_close(log_z, log_z[:1].expand(50))
    found = model.log_partition(chains=200, temperatures=200)
    measured("log Z by annealed importance sampling, nats", found.value, float(log_z[0]))
    assert found.value == pytest.approx(float(log_z[0]), abs=4 * found.error + 0.02)
    assert found.error < 0.2


def test_log_z_is_that_of_numerical_integration() -> None:
    """Over the plane, in the units of the data."""
    model = tangled(2, 3)
    line = torch.linspace(-14, 14, 1201, dtype=torch.float64)
    x = model.outward(torch.cartesian_prod(line, line))
    area = float(model.deviations.prod()) * float(line[1] - line[0]) ** 2
    with torch.no_grad():
        log_z = float((-model.free_energy(x)).logsumexp(0)) + math.log(area)
    found = model.log_partition(chains=200, temperatures=200)
    assert found.value == pytest.approx(log_z, abs=4 * found.error + 0.02)


def test_a_chain_keeps_the_models_distribution() -> None:
    model = tangled(3, 4, scale=0.7)
    p, n = mixture(model), 40000
    v = model.inward(model.chain(model.outward(p.sample((n,))), 2))
    torch.testing.assert_close(v.mean(0), p.mean.detach(), atol=0.06, rtol=0)
    torch.testing.assert_close(v.var(0), p.variance.detach(), atol=0, rtol=0.06)


def test_it_begins_with_the_datas_covariance() -> None:
    x = torch.randn(4000, 3) @ torch.randn(3, 3) + 1
    for hidden in (2, 3, 8):
        model = GaussianRBM((3,), hidden)
        model.setup(Batch(x))
        drawn = model.sample(8000, steps=20)
        torch.testing.assert_close(drawn.mean(0), x.mean(0), atol=0.15, rtol=0)
        torch.testing.assert_close(drawn.T.cov(), x.T.cov(), atol=0.15 * float(x.var(0).max()), rtol=0)


CENTRES = torch.tensor([[1.2, 0.9], [1.2, -0.9], [-1.2, 0.9], [-1.2, -0.9]])


def clusters(n: int) -> Tensor:
    """Four clusters, which two bits tell apart, and a third number of noise alone."""
    x = 0.6 * torch.randn(n, 3)
    x[:, :2] += CENTRES[torch.randint(4, (n,))]
    return x


def test_training_tells_clusters_that_a_gaussian_cannot(measured: Callable[..., None]) -> None:
    x, held_out = clusters(3000), clusters(3000)
    model = fit(GaussianRBM((3,), 3, particles=500, noise=0.5), x, seed=0, steps=1500, batch_size=100)
    centres = torch.nn.functional.pad(CENTRES, (0, 1))
    parts = Independent(Normal(centres, 0.6), 1)
    best = MixtureSameFamily(Categorical(torch.ones(4)), parts).log_prob(held_out).mean()
    gaussian = MultivariateNormal(x.mean(0), x.T.cov()).log_prob(held_out).mean()
    found = exact_log_prob(model, held_out).mean()
    share = float((found - gaussian) / (best - gaussian))
    measured("log-likelihood of clusters, from a full Gaussian's, 0, to the clusters' own, 1", share, 1)
    assert share > 0.9
    nearest = torch.cdist(model.sample(2000), centres).argmin(1)
    assert (torch.bincount(nearest, minlength=4) > 300).all()


def test_constant_numbers_stay_constant() -> None:
    x = clusters(500) * torch.tensor([1.0, 0.0, 1.0]) + 3
    model = fit(GaussianRBM((3,), 4), x, seed=0, steps=50)
    drawn = model.sample(200)
    assert torch.isfinite(drawn).all() and (drawn[:, 1] - 3).abs().max() < 0.02


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="noise: must be a positive number, got 0"):
        GaussianRBM((4,), noise=0)
    with pytest.raises(ValueError, match=r"noise: must be at least 0 and below 1, got 1\.5"):
        GaussianRBM((4,), noise=1.5)


def test_rows_that_are_all_equal_are_whitened_to_zero() -> None:
    model = GaussianRBM((3,), hidden=2)
    model.setup(Batch(torch.full((5, 3), 2.0)))
    assert torch.equal(model.inward(torch.full((5, 3), 2.0)), torch.zeros(5, 3))
    assert model.outward(torch.zeros(1, 3)).tolist() == [[2.0, 2.0, 2.0]]
