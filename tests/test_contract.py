"""One contract for all models: what `pcgen.models.MODELS` lists does what its interface promises.

A model's test file in tests/models holds its small configuration: CONTRACT = {"name": {argument: value}}.
"""

import copy
import importlib.util
import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pcgen.models import MODELS, Facts, build, describe, make
from pcgen.models.abilities import ABILITIES, abilities, can
from pcgen.models.base import Batch, GenerativeModel, Learner
from pcgen.models.domains import check_domain
from pcgen.models.shape import KINDS, accepts_shape
from pcgen.models.states import State
from pcgen.models.summary import logged
from pcgen.training import steps

SHAPES = {"vector": (5,), "set": (6, 4), "cloud": (32, 3), "scene": (32, 3)}
ROWS, CLASSES = 48, ("a", "b")


def small() -> dict[str, dict[str, Any]]:
    """The small configuration of every model, from the model's own test file."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((Path(__file__).parent / "models").glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(f"contract_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found |= getattr(module, "CONTRACT", {})
    return found


SMALL = small()
CASES = [(name, kind) for name in MODELS for kind in MODELS[name].accepts]
GENERATORS = [(name, kind) for name, kind in CASES if issubclass(MODELS[name], GenerativeModel)]
FOLLOW_PROGRESS = {"air", "dair", "draw", "som"}  # whose updates depend on where the training ends


def cases(which: list[tuple[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("name", "kind"), which, ids=[f"{name}-{kind}" for name, kind in which])


def of_domain(x: Tensor, domain: str) -> Tensor:
    """Real numbers as numbers of a domain."""
    return {
        "real": lambda: x,
        "unit": x.sigmoid,
        "nonnegative": x.exp,
        "binary": lambda: (x > 0).float(),
    }[domain]()


def data(name: str, kind: str) -> Batch:
    """Vectors of two clusters, ellipsoids of different axes, or sets of noise about two centres, with labels."""
    shape, labels = SHAPES[kind], torch.arange(ROWS) % 2
    if kind in ("cloud", "scene"):
        directions = torch.nn.functional.normalize(torch.randn(ROWS, *shape), dim=2)
        x = directions * (0.3 + torch.rand(ROWS, 1, 3))
    else:
        x = torch.randn(ROWS, *shape) / 2 + labels.view(-1, *[1] * len(shape))
    return Batch(of_domain(x, MODELS[name].domain), torch.arange(ROWS), labels)


def new(name: str, kind: str) -> Learner:
    return make(name, Facts(SHAPES[kind], ROWS, CLASSES), **SMALL[name])


def built(name: str, shape: tuple[int, ...], **changed: Any) -> Learner:
    """A model of that shape, right or wrong, by its small configuration with some of it changed."""
    cls = MODELS[name]
    model: Learner = cls(**{**cls.arguments(Facts(shape, ROWS)), **SMALL[name], **changed})
    return model


def train(model: Learner, rows: Batch, updates: int = 3) -> None:
    """So many updates in every phase; a model that has learned goes on in its last one."""
    count = updates if model.learned > 0 else updates * len(model.recipe.phases)
    list(steps(model, rows.x, labels=rows.labels, steps=count, batch_size=ROWS))


def trained(name: str, kind: str) -> tuple[Any, Batch]:
    model, rows = new(name, kind), data(name, kind)
    train(model, rows)
    return model.eval(), rows


def sample(model: Any, n: int, seed: int, **options: Any) -> Tensor:
    torch.manual_seed(seed)
    drawn: Tensor = model.sample(n, **options)
    return drawn


def outcome(model: Any, rows: Batch) -> Tensor:
    """What a model makes of a seed, or of data where it does not generate."""
    if isinstance(model, GenerativeModel):
        return sample(model, 4, seed=7)
    with torch.no_grad():
        made: Tensor = model.encode(rows.x)
        return model.decode(made) if can(model, "decode") else made


def state(model: Learner) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def test_every_model_has_a_small_configuration_and_none_is_left_over() -> None:
    assert set(SMALL) == set(MODELS)


@cases(CASES)
def test_it_learns_what_it_accepts_and_refuses_the_rest(name: str, kind: str) -> None:
    cls, shape = MODELS[name], SHAPES[kind]
    assert set(cls.accepts) <= set(KINDS) and accepts_shape(cls.accepts, shape)
    assert new(name, kind).learns == shape
    for other in SHAPES.values():
        if not accepts_shape(cls.accepts, other):
            with pytest.raises(ValueError, match=f"{name}: shape must be .* got .*; {name} learns .*--"):
                built(name, other)


@cases(CASES)
def test_an_update_gives_finite_numbers_without_a_graph(name: str, kind: str) -> None:
    model, rows = new(name, kind), data(name, kind)
    model.train()
    model.setup(rows)
    if len(model.recipe.phases) > 1:
        model.enter(next(iter(model.recipe.phases)), rows)
    for _ in range(3):
        values = model.update(rows)
        assert values
        for key, value in values.items():
            assert value.shape == () and not value.requires_grad and torch.isfinite(value), key


def test_those_whose_updates_follow_the_progress_of_training_say_so() -> None:
    assert {name for name, kind in CASES if new(name, kind).follows_progress} == FOLLOW_PROGRESS


@cases([case for case in CASES if case[0] not in FOLLOW_PROGRESS])
def test_an_update_is_the_same_wherever_the_training_ends(name: str, kind: str) -> None:
    rows, learned = data(name, kind), []
    for progress in (0.1, 0.9):
        torch.manual_seed(5)
        model = new(name, kind)
        model.train()
        model.setup(rows)
        if len(model.recipe.phases) > 1:
            model.enter(next(iter(model.recipe.phases)), rows)
        model.update(replace(rows, progress=progress))
        learned.append(state(model))
    assert all(torch.equal(value, learned[1][key]) for key, value in learned[0].items())


@cases(CASES)
def test_training_reaches_every_parameter_through_every_phase(name: str, kind: str) -> None:
    model, rows = new(name, kind), data(name, kind)
    before = state(model)
    train(model, rows)
    after = state(model)
    assert int(model.learned) == 3 * len(model.recipe.phases)
    assert any(not torch.equal(before[key], after[key]) for key in before if key not in ("learned", "phase"))
    optimized = [p for o in model.optimizers().values() for group in o.param_groups for p in group["params"]]
    for key, parameter in model.named_parameters():
        # A gradient may be zero in exact arithmetic (the last bias of a critic whose loss is a difference): it exists.
        if parameter.requires_grad:
            assert parameter.grad is not None or not torch.equal(before[key], after[key]), f"nothing reaches {key}"
            assert sum(parameter is p for p in optimized) == 1, f"{key} must be in one optimizer"


@cases(CASES)
def test_every_number_that_is_logged_is_explained(name: str, kind: str) -> None:
    model, rows = new(name, kind), data(name, kind)
    explained = logged(inspect.getdoc(type(model)) or "")
    assert all(explained.values())
    for step in steps(model, rows.x, labels=rows.labels, steps=len(model.recipe.phases), batch_size=ROWS):
        assert step.losses.keys() <= explained.keys()


@cases(CASES)
def test_held_out_rows_are_measured_without_a_trace_in_the_model(name: str, kind: str) -> None:
    model, rows = trained(name, kind)
    before = state(model)
    measured = model.validate(Batch(rows.x[:9], labels=rows.labels[:9]))
    assert measured.shape == () and not measured.requires_grad and torch.isfinite(measured)
    after = state(model)
    assert all(torch.equal(before[key], after[key]) for key in before)


@cases(GENERATORS)
def test_samples_are_new_finite_objects_of_the_models_shape_and_domain(name: str, kind: str) -> None:
    model, _ = trained(name, kind)
    assert model.shape == SHAPES[kind]
    samples = model.sample(6)
    assert samples.shape == (6, *model.shape)
    assert samples.dtype == torch.float32 and not samples.requires_grad
    assert torch.isfinite(samples).all()
    check_domain(model.domain, samples, name)
    assert not torch.equal(samples[0], samples[1])
    assert model.sample(1).shape == (1, *model.shape)


@cases(GENERATORS)
def test_the_same_seed_gives_the_same_sample_and_another_another(name: str, kind: str) -> None:
    model, _ = trained(name, kind)
    assert torch.equal(sample(model, 4, seed=1), sample(model, 4, seed=1))
    assert not torch.equal(sample(model, 4, seed=1), sample(model, 4, seed=2))


@cases(GENERATORS)
def test_samples_are_drawn_in_batches_and_told(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = trained(name, kind)
    sizes: list[int] = []
    draw: Callable[..., Tensor] = model.draw
    monkeypatch.setattr(model, "draw", lambda n, **options: sizes.append(n) or draw(n, **options))
    monkeypatch.setattr(model, "at_once", lambda points=None: 3)
    told: list[tuple[int, int]] = []
    assert model.sample(7, progress=lambda done, total: told.append((done, total))).shape == (7, *model.shape)
    assert sizes == [3, 3, 1] and told == [(3, 7), (6, 7), (7, 7)]


@cases(GENERATORS)
def test_labels_are_taken_by_models_with_classes_alone(name: str, kind: str) -> None:
    model, _ = trained(name, kind)
    labels = torch.tensor([0, 1, 1])
    if not model.classes:
        assert model.draw_labels(3) is None
        with pytest.raises(ValueError, match=r"labels: .* takes none"):
            model.sample(3, labels=labels)
        return
    assert model.classes == CLASSES
    assert torch.equal(sample(model, 3, seed=1, labels=labels), sample(model, 3, seed=1, labels=labels))
    assert not torch.equal(sample(model, 3, seed=1, labels=labels), sample(model, 3, seed=1, labels=1 - labels))
    drawn = model.draw_labels(1000)
    assert 400 < int(drawn.sum()) < 600
    with pytest.raises(ValueError, match="labels: must be one for each of 3 objects"):
        model.sample(3, labels=labels[:2])
    with pytest.raises(ValueError, match="labels: must be indices into the 2 classes a, b"):
        model.sample(3, labels=labels + 5)
    unlabelled = make(name, Facts(SHAPES[kind], ROWS), **SMALL[name])
    assert unlabelled.classes == ()


@cases([(name, kind) for name, kind in GENERATORS if kind in ("cloud", "scene")])
def test_clouds_of_no_points_are_refused(name: str, kind: str) -> None:
    if "points" in inspect.signature(MODELS[name].draw).parameters:
        with pytest.raises(ValueError, match="points: must be at least 1, got 0"):
            new(name, kind).sample(2, points=0)


@cases(GENERATORS)
def test_a_model_without_a_fixed_resolution_takes_points(name: str, kind: str) -> None:
    model, _ = trained(name, kind)
    if "points" in inspect.signature(model.draw).parameters:
        assert model.sample(2, points=7).shape == (2, 7, model.shape[1])
    else:
        with pytest.raises(ValueError, match="points"):
            model.sample(2, points=7)


@cases(GENERATORS)
def test_training_changes_what_is_sampled(name: str, kind: str) -> None:
    model, rows = new(name, kind), data(name, kind)
    before = sample(model, 4, seed=1)
    train(model, rows)
    assert not torch.equal(before, sample(model, 4, seed=1))


@cases(CASES)
def test_a_saved_model_gives_the_same_outcome_and_trains_on_alike(name: str, kind: str) -> None:
    model, rows = trained(name, kind)
    description = json.loads(json.dumps(describe(model)))
    again = build(description)
    again.load_state_dict(model.state_dict())
    assert model.optimizers().keys() == again.optimizers().keys()
    for key, optimizer in again.optimizers().items():
        optimizer.load_state_dict(copy.deepcopy(model.optimizers()[key].state_dict()))
    assert describe(again) == describe(model)
    assert torch.equal(outcome(model, rows), outcome(again.eval(), rows))
    for one in (model, again):  # Without setup: it has learned.
        torch.manual_seed(11)
        train(one, rows, 2)
    assert torch.equal(outcome(model.eval(), rows), outcome(again.eval(), rows))


@cases(CASES)
def test_a_second_training_goes_on(name: str, kind: str) -> None:
    model, rows = trained(name, kind)
    called: list[str] = []
    model.setup = lambda data: called.append("setup")
    model.enter = lambda phase, data: called.append(phase)
    train(model, rows, 2)
    assert called == [] and int(model.learned) == 3 * len(model.recipe.phases) + 2


@cases(CASES)
def test_what_a_model_says_it_can_do_it_does(name: str, kind: str) -> None:
    model, rows = trained(name, kind)
    with torch.no_grad():
        if can(model, "encode"):
            codes = model.encode(rows.x)
            assert codes.shape == (ROWS, *model.code_shape)
            if can(model, "decode"):
                assert model.decode(codes).shape == (ROWS, *model.shape)
        for method in ("log_prob", "log_prob_bound", "free_energy"):
            if can(model, method):
                values = getattr(model, method)(rows.x)
                assert values.shape == (ROWS,) and torch.isfinite(values).all()
        if can(model, "levels"):
            assert all(len(level) == ROWS for level in model.levels(rows.x))
        if can(model, "chain"):
            assert model.chain(rows.x, 2).shape == rows.x.shape
        if can(model, "map"):
            places = model.encode(rows.x).long()
            assert (
                model.map().shape[2:] == model.shape and torch.isfinite(model.map()[places[:, 0], places[:, 1]]).all()
            )
        for lacking in model.lacks:
            assert lacking in abilities(type(model)) and not can(model, lacking)
            with pytest.raises(ValueError, match=lacking):
                getattr(model, lacking)(rows.x)
    assert not (can(model, "log_prob") and can(model, "log_prob_bound")), "a bound beside the exact value"
    assert set(abilities(model)) <= set(ABILITIES)


@cases([case for case in GENERATORS if "states" in abilities(MODELS[case[0]])])
def test_the_states_of_a_draw_end_with_the_draw(name: str, kind: str) -> None:
    model, _ = trained(name, kind)

    def states() -> list[State]:
        torch.manual_seed(1)
        labels = model.draw_labels(4)
        return list(model.states(4, **({} if labels is None else {"labels": labels})))

    found, again = states(), states()
    assert len(found) > 2 and found[0].at != found[-1].at
    assert all(state.x.shape == (4, *model.shape) and not state.x.requires_grad for state in found)
    assert torch.equal(found[-1].x, sample(model, 4, seed=1)) and not torch.equal(found[0].x, found[-1].x)
    assert all(one.at == other.at and torch.equal(one.x, other.x) for one, other in zip(found, again, strict=True))


@cases([case for case in CASES if case[1] == "vector" and MODELS[case[0]].domain == "real"])
def test_a_density_falls_far_from_the_data(name: str, kind: str) -> None:
    model, rows = trained(name, kind)
    with torch.no_grad():
        for method in ("log_prob", "log_prob_bound"):
            if can(model, method):
                assert getattr(model, method)(rows.x).mean() > getattr(model, method)(rows.x + 100).mean()


@cases(CASES)
def test_its_recipe_is_a_training_it_can_be_given(name: str, kind: str) -> None:
    recipe = new(name, kind).recipe
    assert recipe.steps >= 1 and (recipe.batch_size is None or recipe.batch_size >= 1)
    assert sum(recipe.phases.values()) == pytest.approx(1) and min(recipe.phases.values()) > 0


@pytest.mark.parametrize("name", MODELS)
def test_an_unknown_argument_is_named_with_the_nearest_right_one(name: str) -> None:
    right = list(inspect.signature(MODELS[name]).parameters)[-1]
    wrong = right + "x"
    with pytest.raises(ValueError, match=f"{name}: argument: must be one of .*; got '{wrong}'; did you mean '{right}'"):
        build({"name": name, "shape": [5], wrong: 1})


@pytest.mark.parametrize("shape", [(), (0,), (4, 0), (0, 3), (4, 3, 3)])
@pytest.mark.parametrize("name", MODELS)
def test_a_bad_shape_is_named_with_its_value(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape") as caught:
        built(name, shape)
    assert str(shape) in str(caught.value)


# -2 is out of range for every number that any model has but for these.
ANY_NUMBER = {("info_vae", "alpha")}  # 1 - alpha is a weight, which may be large


@cases(CASES)
def test_a_number_out_of_range_names_its_argument(name: str, kind: str) -> None:
    cls = MODELS[name]
    for argument, parameter in inspect.signature(cls).parameters.items():
        number = isinstance(parameter.default, (int, float)) and not isinstance(parameter.default, bool)
        if number and (name, argument) not in ANY_NUMBER:
            with pytest.raises(ValueError, match=argument):
                built(name, SHAPES[kind], **{argument: -2})


@cases(CASES)
def test_widths_out_of_range_name_their_argument(name: str, kind: str) -> None:
    cls = MODELS[name]
    for argument in inspect.signature(cls).parameters:
        if argument.endswith("widths"):
            with pytest.raises(ValueError, match=rf"{argument}: .*\[8, 0\]"):
                built(name, SHAPES[kind], **{argument: [8, 0]})


@cases(CASES)
def test_a_name_that_does_not_exist_names_its_argument(name: str, kind: str) -> None:
    cls = MODELS[name]
    for argument, parameter in inspect.signature(cls).parameters.items():
        # What is of clouds alone is not looked at in a model of vectors.
        of_clouds = argument in ("encoder", "decoder", "reconstruction") and kind != "cloud"
        if isinstance(parameter.default, str) and not of_clouds:
            with pytest.raises(ValueError, match=argument):
                built(name, SHAPES[kind], **{argument: "no such name"})
