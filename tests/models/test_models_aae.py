import math
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from pcgen.models.adversarial.aae import AAE
from pcgen.models.base import Batch
from pcgen.models.priors import Normal, Prior
from pcgen.statistics import kernel_mmd
from pcgen.training import fit

CONTRACT = {
    "aae": {
        "code": 3,
        "widths": [16],
        "discriminator_widths": [16],
        "decoder": {"name": "fully_connected", "widths": [8]},
    }
}


def rows(n: int) -> Tensor:
    """Two clusters that meet, in eight dimensions, which vary in two."""
    generator = torch.Generator().manual_seed(5)
    mix = torch.randn(2, 8, generator=generator)
    z = torch.randn(n, 2) * 0.5 + torch.where(torch.rand(n, 1) < 0.5, 0.8, -0.8)
    return z @ mix + 0.1 * torch.randn(n, 8)


@torch.no_grad()
def codes(model: AAE, x: Tensor) -> Tensor:
    return model.posterior(x, x.new_zeros(len(x), 0)).draw()


def discrepancies(draw: Callable[[], Tensor], model: AAE) -> Tensor:
    """Forty squared MMDs of samples from the prior, the biased ones, by kernels of about its own size."""
    return torch.stack(
        [kernel_mmd(z := draw(), model.prior.draw(len(z)), [0.5, 1.0, 2.0], unbiased=False) for _ in range(40)]
    )


@pytest.mark.parametrize("prior", ["uniform", "ball"])
def test_codes_take_the_law_of_the_prior(measured: Callable[..., None], prior: str) -> None:
    """As far as samples of the size of a batch can tell; the principal components with which training begins do not."""
    torch.manual_seed(0)
    model = AAE((8,), code=2, prior=prior, widths=(64,), discriminator_widths=(64, 64), r1=0.1, lr=2e-3)
    x = rows(20_000)
    model.setup(Batch(x))
    floor = discrepancies(lambda: model.prior.draw(128), model)
    enough = float(floor.mean() + 2 * floor.std())
    assert float(discrepancies(lambda: codes(model, rows(128)), model).mean()) > 2 * enough
    fit(model, x, seed=0, steps=1000, batch_size=256)
    measured(
        f"squared MMD of codes to the prior ({prior})",
        float(discrepancies(lambda: codes(model, rows(128)), model).mean()),
        float(floor.mean()),
    )
    assert float(discrepancies(lambda: codes(model, rows(128)), model).mean()) < enough
    with torch.no_grad():
        error = (model.decode(model.encode(x)) - x).square().mean()
    assert float(error) < 0.1 * float(x.var(0).mean())


def test_codes_of_each_class_are_to_follow_the_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-normals, one for each sign: together they are the prior, and neither is, so D distinguishes them by class.

    With q = 2 p on half of the line, the best loss is log(3) / 2 + log(3 / 2) = 0.955; without labels it is 2 log 2.
    """
    torch.manual_seed(0)
    model = AAE(
        (1,), code=1, widths=(), discriminator_widths=(32, 32), weight=0.0, r1=0.0, lr=4e-3, classes=["minus", "plus"]
    )
    monkeypatch.setattr(model, "posterior", lambda x, y: SimpleNamespace(draw=lambda: x))
    found = []
    for _ in range(600):
        x = torch.randn(256, 1)
        found.append(float(model.update(Batch(x, labels=(x[:, 0] > 0).long()))["discriminator"]))
    # A tenth of the labels is hidden in training, and there D cannot.
    best = 0.9 * (math.log(3) / 2 + math.log(1.5)) + 0.1 * 2 * math.log(2)
    assert best - 0.02 < sum(found[-100:]) / 100 < best + 0.06  # which has a jump at 0


def test_a_prior_of_ones_own_needs_draws_alone() -> None:
    class Corners(Prior):
        def draw(self, n: int, truncation: float | None = None) -> Tensor:
            return torch.randint(0, 2, (n, self.dim)).float() * 2 - 1

    model = AAE((8,), code=2, prior=Corners(2), widths=(16,), discriminator_widths=(16,))
    for _ in range(3):
        model.update(Batch(rows(16)))
    assert model.sample(5).shape == (5, 8)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"prior: must be one of normal, .*; got 'gaussian'"):
        AAE((4,), prior="gaussian")
    with pytest.raises(ValueError, match="weight: must be 0 or more, got -1"):
        AAE((4,), weight=-1.0)
    with pytest.raises(ValueError, match=r"prior: must be .* as many dimensions as the code, 2, got one of 3; make it"):
        AAE((4,), code=2, prior=Normal(3))
    with pytest.raises(ValueError, match=r"prior: must be a name, or a Prior .*, got a Linear"):
        AAE((4,), code=2, prior=torch.nn.Linear(2, 2))  # type: ignore[arg-type]
