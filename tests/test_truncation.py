"""Truncated noise, of every model of the suite that draws from a prior: it reaches it, or is refused in words."""

import inspect
from typing import Any

import pytest
import torch
from test_contract import CASES, GENERATORS, cases, data, new, train
from torch import Tensor

from pcgen.models import MODELS
from pcgen.models.base import GenerativeModel
from pcgen.models.priors import Ball, Prior, Uniform
from pcgen.models.variational.stick_breaking import StickBreaking

NO_TAILS = (Uniform, Ball, StickBreaking)
TAKES = [(name, kind) for name, kind in GENERATORS if "truncation" in inspect.signature(MODELS[name].draw).parameters]
# Bits have no tails; the others have no latents of a prior, but a density of the data, or a way from noise to it.
WITHOUT = {
    "discrete_vae",
    "diffusion",
    "flow_matching",
    "gmm",
    "gaussian",
    "dp_gmm",
    "parzen",
    "nmf",
    "som",
    "dae",
    "gsn",
    "infusion",
    "walkback",
    "helmholtz",
    "boltzmann",
    "rbm",
    "gaussian_rbm",
    "dbn",
    "dbm",
    "score_model",
    "made",
    "autoregressive",
}


def latents(model: Any, monkeypatch: pytest.MonkeyPatch, truncation: float | None) -> Tensor:
    """What the prior has given a sample."""
    given: list[Tensor] = []
    draw = model.prior.draw
    monkeypatch.setattr(model.prior, "draw", lambda n, t=None: given.append(draw(n, t)) or given[-1])
    torch.manual_seed(0)
    samples = model.sample(4000, truncation=truncation)  # of a mixture, only the parts become narrower
    monkeypatch.undo()
    assert torch.isfinite(samples).all()
    return torch.cat(given)


@cases(TAKES)
def test_a_truncation_narrows_the_latents_or_is_refused(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = new(name, kind)
    train(model, data(name, kind), updates=1)
    if isinstance(model.prior, NO_TAILS):
        with pytest.raises(ValueError, match=r"truncation: must be None for a prior \w+, which has no tails, got 0.5"):
            model.sample(3, truncation=0.5)
        return
    whole, half = (latents(model, monkeypatch, truncation) for truncation in (None, 0.5))
    assert (half.std(0) < whole.std(0)).all()
    with pytest.raises(
        ValueError, match="truncation: must be a positive number of standard deviations, or None, got 0"
    ):
        model.sample(3, truncation=0)


@cases(CASES)
def test_every_model_with_a_prior_of_latents_takes_a_truncation(name: str, kind: str) -> None:
    has = any(isinstance(part, Prior) for part in new(name, kind).modules())
    assert has == ((name, kind) in TAKES)
    assert has or name in WITHOUT or not issubclass(MODELS[name], GenerativeModel)
