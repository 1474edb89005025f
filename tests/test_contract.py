"""One contract for all models: what `pcgen.models.MODELS` lists does what its interface promises."""

import copy
import inspect
import json
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from pcgen.models import MODELS, build, describe
from pcgen.models.base import Batch, Bounded, Chain, Conditional, Density, Energy, GenerativeModel, Latent, Learner

VECTOR, CLOUD = (5,), (32, 3)
ROWS = 48

# Per model, configurations small enough to train in a moment. Every model has one; which shapes it takes is found out.
SMALL: Mapping[str, dict[str, Any]] = {
    "autoencoder": {"code": 6, "encoder": {"name": "pointnet", "widths": [8, 8]}},
    "gan": {"noise_dim": 4, "generator_widths": [16], "discriminator_widths": [16, 16]},
    "wgan_gp": {"noise_dim": 4, "generator_widths": [16], "critic_widths": [16, 16]},
    "vae": {"code": 3, "widths": [16]},
    "diffusion": {"times": 20, "width": 16, "blocks": 2},
    "gmm": {"components": 3},
    "gaussian": {},
}

# Classes whose bound is one of vectors alone, which they say when asked for it of clouds.
UNBOUNDED = {("vae", CLOUD)}


def accepts(name: str, shape: tuple[int, ...]) -> bool:
    try:
        MODELS[name](shape, **SMALL[name])
    except ValueError as error:
        if "shape" in str(error):
            return False
        raise
    return True


CASES = [(name, shape) for name in MODELS for shape in (VECTOR, CLOUD) if accepts(name, shape)]
GENERATORS = [(name, shape) for name, shape in CASES if issubclass(MODELS[name], GenerativeModel)]


def cases(which: list[tuple[str, tuple[int, ...]]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("name", "shape"), which, ids=[f"{n}-{'cloud' if len(s) > 1 else 'vector'}" for n, s in which]
    )


def make(name: str, shape: tuple[int, ...]) -> Learner:
    return build({"name": name, "shape": list(shape), **SMALL[name]})


def data(shape: tuple[int, ...]) -> Tensor:
    """Vectors of two clusters; clouds that are ellipsoids of different axes."""
    if len(shape) == 1:
        return torch.randn(ROWS, *shape) / 2 + (torch.arange(ROWS) % 2)[:, None]
    directions = torch.nn.functional.normalize(torch.randn(ROWS, *shape), dim=2)
    return directions * (0.3 + torch.rand(ROWS, 1, 3))


def train(model: Learner, x: Tensor, updates: int) -> list[dict[str, Tensor]]:
    model.train()
    return [model.update(Batch(x, torch.arange(len(x)))) for _ in range(updates)]


def trained(name: str, shape: tuple[int, ...], updates: int = 3) -> tuple[Learner, Tensor]:
    model, x = make(name, shape), data(shape)
    model.setup(x)
    train(model, x, updates)
    return model.eval(), x


def sample(model: Learner, n: int, seed: int) -> Tensor:
    assert isinstance(model, GenerativeModel)
    torch.manual_seed(seed)
    return model.sample(n)


def outcome(model: Learner, x: Tensor) -> Tensor:
    """What a model makes of a seed and, if it has codes, of data."""
    torch.manual_seed(7)
    if isinstance(model, GenerativeModel):
        return model.sample(4)
    assert isinstance(model, Latent)
    with torch.no_grad():
        return model.decode(model.encode(x))


def state(model: Learner) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def test_every_model_has_a_case_and_no_case_is_left_over() -> None:
    assert set(SMALL) == set(MODELS)
    assert {name for name, _ in CASES} == set(MODELS)


@cases(CASES)
def test_it_trains(name: str, shape: tuple[int, ...]) -> None:
    model, x = make(name, shape), data(shape)
    model.setup(x)
    for values in train(model, x, 5):
        assert values
        for key, value in values.items():
            assert value.shape == () and not value.requires_grad and torch.isfinite(value), key


@cases(CASES)
def test_an_update_reaches_every_parameter(name: str, shape: tuple[int, ...]) -> None:
    model, x = make(name, shape), data(shape)
    before = state(model)
    model.setup(x)
    train(model, x, 3)
    after = state(model)
    assert any(not torch.equal(before[key], after[key]) for key in before)
    optimized = [p for o in model.optimizers().values() for group in o.param_groups for p in group["params"]]
    for key, parameter in model.named_parameters():
        # A gradient may be zero in exact arithmetic (the last bias of a critic whose loss is a difference): it exists.
        if parameter.requires_grad:
            assert parameter.grad is not None or not torch.equal(before[key], after[key]), f"nothing reaches {key}"
            assert sum(parameter is p for p in optimized) == 1, f"{key} must be in one optimizer"


@cases(GENERATORS)
def test_samples_are_new_finite_objects_of_the_models_shape(name: str, shape: tuple[int, ...]) -> None:
    model, _ = trained(name, shape)
    assert isinstance(model, GenerativeModel)
    assert model.shape == shape
    samples = model.sample(6)
    assert samples.shape == (6, *shape)
    assert samples.dtype == torch.float32 and not samples.requires_grad
    assert torch.isfinite(samples).all()
    assert samples.std(0).min() > 0
    assert model.sample(1).shape == (1, *shape)


@cases(GENERATORS)
def test_the_same_seed_gives_the_same_sample_and_another_another(name: str, shape: tuple[int, ...]) -> None:
    model, _ = trained(name, shape)
    assert torch.equal(sample(model, 4, seed=1), sample(model, 4, seed=1))
    assert not torch.equal(sample(model, 4, seed=1), sample(model, 4, seed=2))


@cases(GENERATORS)
def test_training_changes_what_is_sampled(name: str, shape: tuple[int, ...]) -> None:
    x = data(shape)
    model = make(name, shape).eval()
    before = sample(model, 4, seed=1)
    model.setup(x)
    train(model, x, 3)
    assert not torch.equal(before, sample(model.eval(), 4, seed=1))


@cases(CASES)
def test_a_saved_model_gives_the_same_outcome_and_trains_on_alike(name: str, shape: tuple[int, ...]) -> None:
    model, x = trained(name, shape)
    description = json.loads(json.dumps(describe(model)))
    again = build(description)
    again.load_state_dict(model.state_dict())
    assert model.optimizers().keys() == again.optimizers().keys()
    for key, optimizer in again.optimizers().items():
        optimizer.load_state_dict(copy.deepcopy(model.optimizers()[key].state_dict()))
    assert describe(again) == describe(model)
    assert torch.equal(outcome(model, x), outcome(again.eval(), x))
    for one in (model, again):  # without setup
        torch.manual_seed(11)
        train(one, x, 2)
    assert torch.equal(outcome(model.eval(), x), outcome(again.eval(), x))


@cases(CASES)
def test_what_a_model_says_it_can_do_it_does(name: str, shape: tuple[int, ...]) -> None:
    model, x = trained(name, shape)
    with torch.no_grad():
        if isinstance(model, Latent):
            codes = model.encode(x)
            assert codes.shape[0] == ROWS and codes.ndim == 2
            assert model.decode(codes).shape == (ROWS, *shape)
        for protocol, method in ((Density, "log_prob"), (Bounded, "log_prob_bound"), (Energy, "free_energy")):
            if isinstance(model, protocol):
                if (name, shape) in UNBOUNDED:
                    with pytest.raises(ValueError, match=method):
                        getattr(model, method)(x)
                    continue
                values = getattr(model, method)(x)
                assert values.shape == (ROWS,) and torch.isfinite(values).all()
        if isinstance(model, Chain):
            assert model.chain(x, 2).shape == x.shape
    if "labels" in inspect.signature(getattr(model, "sample", lambda n: n)).parameters:
        assert isinstance(model, Conditional)
    assert not (isinstance(model, Density) and isinstance(model, Bounded)), "a bound beside the exact value"


@pytest.mark.parametrize("name", MODELS)
def test_a_density_falls_far_from_the_data(name: str) -> None:
    if not accepts(name, VECTOR):
        return
    model, x = trained(name, VECTOR)
    with torch.no_grad():
        for protocol, method in ((Density, "log_prob"), (Bounded, "log_prob_bound")):
            if isinstance(model, protocol):
                assert getattr(model, method)(x).mean() > getattr(model, method)(x + 100).mean()


@cases(CASES)
def test_its_recipe_is_a_training_it_can_be_given(name: str, shape: tuple[int, ...]) -> None:
    recipe = MODELS[name].recipe
    assert recipe.steps >= 1 and (recipe.batch_size is None or recipe.batch_size >= 1)


@pytest.mark.parametrize("name", MODELS)
def test_an_unknown_argument_is_named_with_the_nearest_right_one(name: str) -> None:
    right = list(inspect.signature(MODELS[name]).parameters)[-1]
    wrong = right + "x"
    with pytest.raises(ValueError, match=f"{name}: argument: must be one of .*; got '{wrong}'; did you mean '{right}'"):
        build({"name": name, "shape": [5], wrong: 1})


@pytest.mark.parametrize("shape", [(), (0,), (4, 2), (0, 3), (4, 3, 3)])
@pytest.mark.parametrize("name", MODELS)
def test_a_bad_shape_is_named_with_its_value(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape") as caught:
        MODELS[name](shape, **SMALL[name])
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_one_kind_of_data_says_what_to_do_with_the_other(name: str) -> None:
    for shape in (VECTOR, CLOUD):
        if not accepts(name, shape):
            with pytest.raises(ValueError, match=f"{name}: shape must be .* got .*; {name} learns .*--"):
                MODELS[name](shape, **SMALL[name])


# -2 is out of range for every number that any model has.
@pytest.mark.parametrize("name", MODELS)
def test_a_number_out_of_range_names_its_argument(name: str) -> None:
    cls = MODELS[name]
    for shape in (VECTOR, CLOUD):
        if accepts(name, shape):
            for argument, parameter in inspect.signature(cls).parameters.items():
                if isinstance(parameter.default, (int, float)) and not isinstance(parameter.default, bool):
                    words = argument.replace("lr", "lr|learning rate")
                    with pytest.raises(ValueError, match=words):
                        cls(shape, **{**SMALL[name], argument: -2})


@pytest.mark.parametrize("name", MODELS)
def test_widths_out_of_range_name_their_argument(name: str) -> None:
    cls = MODELS[name]
    for shape in (VECTOR, CLOUD):
        if accepts(name, shape):
            for argument in inspect.signature(cls).parameters:
                if argument.endswith("widths"):
                    with pytest.raises(ValueError, match=rf"{argument}: .*\[8, 0\]"):
                        cls(shape, **{**SMALL[name], argument: [8, 0]})


@pytest.mark.parametrize("name", MODELS)
def test_a_name_that_does_not_exist_names_its_argument(name: str) -> None:
    cls = MODELS[name]
    for shape in (VECTOR, CLOUD):
        if accepts(name, shape):
            for argument, parameter in inspect.signature(cls).parameters.items():
                needs_clouds = argument in ("encoder", "decoder") and len(shape) == 1
                if isinstance(parameter.default, str) and not needs_clouds:
                    with pytest.raises(ValueError, match=argument):
                        cls(shape, **{**SMALL[name], argument: "no such name"})
