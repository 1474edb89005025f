import math
from collections.abc import Callable

import pytest
import torch

from pcgen.models.base import Batch
from pcgen.models.variational.info_vae import InfoVAE
from pcgen.models.variational.vae import VAE
from pcgen.statistics import kernel_mmd

CONTRACT = {"info_vae": {"code": 3, "widths": [16]}}


def trained(model: VAE | InfoVAE, x: torch.Tensor, steps: int = 600) -> VAE | InfoVAE:
    torch.manual_seed(0)
    for _ in range(steps):
        model.update(Batch(x[torch.randint(len(x), (128,))]))
    return model.eval()


def test_information_is_kept_where_the_plain_bound_drops_it(measured: Callable[..., None]) -> None:
    """A decoder whose noise explains the data alone: the bound is highest if the code says nothing."""
    x = 0.5 * torch.randn(2000, 4)
    options = {"code": 2, "widths": (32,), "scale": 0.5, "lr": 3e-3}
    plain = trained(VAE((4,), **options), x)
    kept = trained(InfoVAE((4,), alpha=1.0, lam=100.0, **options), x)
    measured(
        "information of row and code where the plain bound drops it, nats",
        float(kept.information(x)),
        f"above {float(plain.information(x)):.3f}",
    )
    assert float(plain.information(x)) < 0.1
    assert float(kept.information(x)) > 0.5
    # And its codes together are distributed as the prior, as far as 1000 of them can tell.
    z = kept.posterior(x[:1000], x.new_zeros(1000, 0)).draw().detach()
    assert float(kernel_mmd(z, torch.randn(1000, 2))) < 0.02


def test_alpha_0_and_lambda_1_is_the_variational_autoencoder() -> None:
    x = torch.randn(32, 4)
    model = InfoVAE((4,), alpha=0.0, lam=1.0, code=2, widths=(8,))
    plain = VAE((4,), code=2, widths=(8,))
    plain.load_state_dict(model.state_dict())
    torch.manual_seed(0)
    terms = model.loss(Batch(x))
    torch.manual_seed(0)
    own = plain.loss(Batch(x))
    assert float(terms["mmd"].detach()) == 0
    for name, value in own.items():
        torch.testing.assert_close(terms[name], value)


def test_codes_of_each_class_are_to_follow_the_prior() -> None:
    """Half-normals, one for each sign: together they are the prior, and neither is."""
    n, model = 1000, InfoVAE((4,), alpha=0.0, lam=1.0 + 1e-9, code=1, widths=(8,), classes=("minus", "plus"))
    z, y = torch.randn(n, 1), torch.zeros(n, 2)
    of_sign = y.scatter(1, (z > 0).long(), 1.0)
    by_chance = of_sign[torch.randperm(n)]
    apart = float(kernel_mmd(-z.abs(), torch.randn(n, 1), model.bandwidths))
    assert float(model._discrepancy(z, of_sign)) == pytest.approx(apart, rel=0.2)
    assert abs(float(model._discrepancy(z, by_chance))) < 0.05 * apart
    assert abs(float(model._discrepancy(z, y))) < 0.05 * apart  # without labels
    lonely = torch.eye(2)
    assert model._discrepancy(z[:2], lonely) is None
    assert "mmd" not in model.loss(Batch(torch.randn(1, 4), labels=torch.zeros(1, dtype=torch.long)))


def test_beta_weighs_the_divergence() -> None:
    x, beta = torch.randn(32, 4), 4.0
    model = InfoVAE((4,), alpha=1 - beta, lam=beta, code=2, widths=(8,))
    torch.manual_seed(0)
    terms = model.loss(Batch(x))
    assert float(terms["mmd"].detach()) == 0
    torch.testing.assert_close(terms["kl"], beta * model.posterior(x, x.new_zeros(32, 0)).kl_from_standard().mean())


def test_information_is_that_of_gaussians(measured: Callable[..., None]) -> None:
    """z = x + noise of N(0, s^2) in one dimension: I = log(1 + 1 / s^2) / 2."""
    model = VAE((1,), code=1, widths=())
    with torch.no_grad():
        model.encoder.linear.weight.copy_(torch.tensor([[1.0], [0.0]]))
        model.encoder.linear.bias.copy_(torch.tensor([0.0, 2 * torch.tensor(0.2).log()]))
    found = [float(model.information(torch.randn(2000, 1))) for _ in range(5)]
    measured("information of a Gaussian channel, nats", sum(found) / 5, 0.5 * math.log(26))
    assert sum(found) / 5 == pytest.approx(0.5 * float(torch.tensor(26.0).log()), abs=0.05)


@pytest.mark.parametrize(("alpha", "lam"), [(1.5, 1.0), (0.0, 0.5)])
def test_weights_that_would_reward_a_discrepancy_are_named(alpha: float, lam: float) -> None:
    with pytest.raises(ValueError, match="alpha, lam: must be alpha <= 1 and alpha"):
        InfoVAE((4,), alpha=alpha, lam=lam)
