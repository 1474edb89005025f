"""The options of a training: what a recipe settles, and what a file holds."""

import dataclasses
import json
from typing import Any

import pytest
import torch
from tiny_learners import Denoiser, jitter, vectors

from pcgen.data import Augmentation
from pcgen.models.base import Recipe
from pcgen.training import Options, fit, steps
from pcgen.training.options import options_of

CPU = torch.device("cpu")
RECIPE = Recipe(steps=70, batch_size=16, average=0.9, schedule="cosine", warmup=3, clip=2.0)
OPEN = {"steps": 70, "batch_size": 16, "average": 0.9, "schedule": "cosine", "warmup": 3, "clip": 2.0}
GIVEN: dict[str, Any] = {
    "steps": 3,
    "batch_size": 8,
    "average": 0.0,
    "schedule": "constant",
    "warmup": 0,
    "clip": 0.0,
}


@pytest.mark.parametrize("field", OPEN)
def test_an_open_entry_is_settled_by_the_recipe_and_a_given_one_stays(field: str) -> None:
    assert getattr(Options().settled(RECIPE, 100, CPU), field) == OPEN[field]
    settled = Options(**{field: GIVEN[field]}).settled(RECIPE, 100, CPU)
    warmup = {"warmup": 0} if field == "steps" else {}  # a twentieth of three steps
    assert {name: getattr(settled, name) for name in OPEN} == {**OPEN, field: GIVEN[field], **warmup}
    assert settled.settled(Recipe(), 100, CPU) == settled  # Nothing is open any more.


def test_a_recipe_without_them_averages_and_clips_nothing_and_takes_all_rows() -> None:
    settled = Options().settled(Recipe(steps=1, batch_size=None), 37, CPU)
    assert (settled.batch_size, settled.average, settled.clip, settled.warmup) == (37, 0.0, 0.0, 0)
    assert settled.schedule == "constant"
    assert (settled.log_every, settled.tensorboard) == (50, False)
    assert Options(batch_size=50).settled(RECIPE, 37, CPU).batch_size == 37  # at most the rows of the data
    assert Options().settled(RECIPE, 0, CPU).batch_size == 1


@pytest.mark.parametrize("has", [False, True])
def test_bfloat16_is_taken_where_the_recipe_allows_it_and_the_device_computes_in_it(
    has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert Options().settled(Recipe(bf16=True), 9, CPU).bf16 is has
    assert Options().settled(Recipe(), 9, CPU).bf16 is False
    assert Options(bf16=True).settled(Recipe(), 9, CPU).bf16 is True
    assert Options(bf16=False).settled(Recipe(bf16=True), 9, CPU).bf16 is False


@pytest.mark.parametrize(
    ("end", "steps"), [({"epochs": 2}, None), ({"minutes": 0.5}, None), ({"steps": 9}, 9), ({}, 70)]
)
def test_the_recipes_steps_are_the_end_where_none_is_given(end: dict[str, Any], steps: int | None) -> None:
    settled = Options(**end).settled(RECIPE, 100, CPU)
    assert settled.steps == steps and settled.limits == (end or {"steps": 70})


def test_a_recipes_warm_up_is_a_twentieth_of_a_short_training_and_a_given_one_stays() -> None:
    assert [Options(steps=n).settled(RECIPE, 100, CPU).warmup for n in (10, 40, 60, 1000)] == [0, 2, 3, 3]
    # 100 rows in batches of 16 are 7 updates an epoch.
    assert [Options(epochs=n).settled(RECIPE, 100, CPU).warmup for n in (1, 6, 9, 1000)] == [0, 2, 3, 3]
    assert Options(minutes=1.0).settled(RECIPE, 100, CPU).warmup == 3
    assert Options(steps=10, warmup=5).settled(RECIPE, 100, CPU).warmup == 5


def test_few_rows_are_changed_as_the_recipe_says_unless_another_change_or_none_is_given() -> None:
    changes = Augmentation(stretch=0.2)
    recipe = Recipe(augment=changes, few=50)
    assert [Options().settled(recipe, rows, CPU).augment for rows in (49, 50)] == [changes, None]
    for given in (Augmentation(), Augmentation(jitter=0.1)):
        assert Options(augment=given).settled(recipe, 49, CPU).augment == given
    assert Options().settled(Recipe(), 3, CPU).augment is None


def test_effort_multiplies_the_recipes_steps() -> None:
    assert [Options().scaled(RECIPE, effort).steps for effort in (0.5, 2, 1e-9)] == [35, 140, 1]
    assert Options(seed=3).scaled(RECIPE, 1).seed == 3


@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(epochs=3, seed=0, bf16=True, tensorboard=False, validate_every=7, save_every=9, log_every=2),
        Options(minutes=0.5, augment=Augmentation(rotation=30.0, jitter=0.01, scale=0.1)),
        Options(**GIVEN),
        Options().settled(RECIPE, 50, CPU),
    ],
)
def test_options_come_back_from_json(options: Options) -> None:
    written = json.loads(json.dumps(options.to_dict()))
    assert set(written) == {field.name for field in dataclasses.fields(Options)}
    assert Options.from_dict(written) == options


def test_a_function_of_ones_own_is_named_and_asked_for_again() -> None:
    written = Options(augment=jitter).to_dict()
    assert written["augment"] == "jitter"
    with pytest.raises(ValueError, match="augment: 'jitter' is a function of your own, which no file holds; give it"):
        Options.from_dict(written)

    class Shake:
        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return x

    assert " at 0x" not in Options(augment=Shake()).to_dict()["augment"]


def test_unknown_names_are_refused_with_the_nearest_right_one() -> None:
    for call in (
        lambda: Options.from_dict({"stepz": 3}),
        lambda: options_of(None, {"stepz": 3}),
        lambda: steps(Denoiser((5,)), vectors(), stepz=3),
        lambda: fit(Denoiser((5,)), vectors(), stepz=3),
    ):
        with pytest.raises(ValueError, match=r"training option: must be one of .*; got 'stepz'; did you mean 'steps'"):
            call()


def test_single_options_replace_those_of_the_value() -> None:
    options = Options(steps=3, batch_size=8, seed=1)
    changed = options_of(options, {"batch_size": 4})
    assert changed == dataclasses.replace(options, batch_size=4) and options.batch_size == 8
    assert len(list(steps(Denoiser((5,)), vectors(), options=options, steps=2))) == 2
    with pytest.raises(ValueError, match="epochs, steps, minutes: give one of them"):
        options_of(options, {"epochs": 2})
