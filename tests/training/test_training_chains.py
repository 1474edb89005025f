"""The states of a run: in the data's units, ending with what is sampled, evenly spread."""

import weakref
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pcgen.data import Normalization
from pcgen.models import build
from pcgen.models.states import State
from pcgen.training import Run, fit, save, states_of
from pcgen.training.chains import evenly

SMALL = {"encoder": {"name": "pointnet", "widths": [8]}, "decoder": {"name": "fully_connected", "widths": [16]}}
PLACE, SIZE = torch.tensor([40.0, -7.0, 3.0]), 9.0
HEADS: dict[str, dict[str, Any]] = {
    "dae": {"width": 8, "blocks": 1, "steps": 20},
    "rbm": {"hidden": 6},  # whose codes are bits: to decode them takes random numbers
    "score_model": {"levels": 6, "width": 8, "blocks": 1},
    "diffusion": {"times": 12, "width": 8, "blocks": 1},
    "flow_matching": {"width": 8, "blocks": 1},
}


def run_of(folder: Path, name: str, steps: int = 2, **head: Any) -> Run:
    """The run of a head on the codes of boxes of two classes, far from the origin."""
    points = (torch.rand(24, 16, 3) - 0.5) * SIZE + PLACE
    fitted = Normalization("global_std").fit(points)
    shape = [16] if name == "rbm" else [4]
    autoencoder = {"name": "autoencoder", "shape": [16, 3], "code": 4, "reconstruction": "chamfer", **SMALL}
    described = {"name": name, "shape": shape, **HEADS.get(name, {}), **head}
    model = build({"name": "latent_cloud_model", "autoencoder": autoencoder, "head": described})
    labels = torch.arange(24) % 2 if model.classes else None
    about = {"normalization": fitted.to_dict()}
    fit(model, model.encode(fitted.apply(points)), labels=labels, out=folder / name, about=about, steps=steps)
    return Run.open(folder / name)


@pytest.mark.parametrize("name", HEADS)
def test_the_last_state_is_what_the_seed_samples(tmp_path: Path, name: str) -> None:
    run = run_of(tmp_path, name)
    torch.manual_seed(5)
    before = torch.rand(())
    torch.manual_seed(5)
    states, captions = states_of(run, 3, 6, seed=8)
    assert torch.equal(torch.rand(()), before)  # torch's generator is where it was
    assert states.shape == (6, 3, 16, 3) and len(captions) == 6
    torch.manual_seed(8)
    assert torch.equal(states[-1], run.sample(3, even=True))
    assert (states[-1].mean((0, 1)) - PLACE).abs().max() < SIZE  # in the data's units
    moved = [float((after - earlier).abs().max()) for earlier, after in pairwise(states)]
    assert min(moved) > 0
    assert captions[0].startswith("noise") or captions[0] in ("start", "t = 1.000", "t = 0.000")


@pytest.mark.parametrize("name", ["dae", "score_model", "diffusion"])
def test_states_of_a_class_end_with_what_is_sampled_of_it(tmp_path: Path, name: str) -> None:
    run = run_of(tmp_path, name, classes=["low", "high"])
    found = {label: states_of(run, 3, 4, seed=8, labels=label, guidance=2.0)[0] for label in ("low", "high")}
    for label, states in found.items():
        torch.manual_seed(8)
        assert torch.equal(states[-1], run.sample(3, labels=label, even=True, guidance=2.0))
    assert torch.equal(found["low"][0], found["high"][0]) and not torch.equal(found["low"][-1], found["high"][-1])


def test_a_model_of_clouds_shows_its_own_points(tmp_path: Path) -> None:
    model = build({"name": "diffusion", "shape": [12, 3], "times": 10, "width": 8, "blocks": 1})
    fit(model, torch.rand(16, 12, 3), out=tmp_path / "run", steps=2)
    run = Run.open(tmp_path / "run")
    states, captions = states_of(run, 2, 4, sampler="ancestral")
    assert captions == ["t = 1.000", "t = 0.700", "t = 0.300", "t = 0.000"]
    torch.manual_seed(0)
    assert torch.equal(states[0], torch.randn(2, 12, 3))
    torch.manual_seed(0)
    assert torch.equal(states[-1], run.sample(2, sampler="ancestral"))


def test_there_are_no_more_states_than_the_model_has(tmp_path: Path) -> None:
    states, captions = states_of(run_of(tmp_path, "dae", steps=1), 2, 50)
    assert len(states) == 21 and captions == ["start", *(f"step {k}" for k in range(1, 21))]


def test_classes_are_taken_by_name(tmp_path: Path) -> None:
    run = run_of(tmp_path, "diffusion", classes=["low", "high"])
    states, _ = states_of(run, 4, 3, labels=["high", "low"])
    torch.manual_seed(0)
    assert torch.equal(states[-1], run.sample(4, ["high", "low"], even=True))
    with pytest.raises(ValueError, match="labels: must be one of low, high; got 'hihg'"):
        states_of(run, 4, 3, labels="hihg")


@pytest.mark.parametrize("frames", [2, 3, 8])
@pytest.mark.parametrize("length", [1, 2, 3, 8, 9, 17, 40, 61, 1001])
def test_states_are_spread_evenly_from_the_first_to_the_last(frames: int, length: int) -> None:
    kept = [int(state.at) for state in evenly((State(str(k), torch.zeros(1)) for k in range(length)), frames)]
    assert len(kept) == min(frames, length) and kept[0] == 0 and kept[-1] == length - 1
    steps = [after - before for before, after in pairwise(kept)]
    assert all(step > 0 for step in steps)
    if length > frames:
        ideal = (length - 1) / (frames - 1)
        assert max(steps) <= 1.3 * ideal + 1 and min(steps) >= 0.7 * ideal - 1


def test_few_states_are_held_at_once() -> None:
    made: list[weakref.ref[Tensor]] = []
    held: list[int] = []

    def states() -> Iterator[State]:
        for k in range(300):
            x = torch.zeros(1)
            made.append(weakref.ref(x))
            yield State(str(k), x)
            held.append(sum(each() is not None for each in made))

    assert len(evenly(states(), 5)) == 5
    assert max(held) <= 4 * 5 + 3


def test_what_has_no_states_is_told_with_the_models_that_have_some(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"a run of gaussian, which draws in one step .* models that have some: .*dae, .*diffusion"
    ):
        states_of(run_of(tmp_path, "gaussian", steps=1))
    autoencoder = build({"name": "autoencoder", "shape": [8, 3], "code": 2, **SMALL})
    with pytest.raises(ValueError, match="autoencoder does not generate"):
        states_of(save(autoencoder, tmp_path / "ae"))
    vectors = build({"name": "diffusion", "shape": [5], "times": 4, "width": 8, "blocks": 1})
    with pytest.raises(ValueError, match="a run of diffusion on vectors, which are not clouds"):
        states_of(save(vectors, tmp_path / "vectors"))
    with pytest.raises(ValueError, match="frames: must be at least 2, got 1"):
        states_of(save(vectors, tmp_path / "again"), frames=1)


def test_a_chain_that_has_diverged_is_told(tmp_path: Path) -> None:
    run = run_of(tmp_path, "dae", steps=1)
    run.trained().head.gaussian.mean.fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="the state at start is not finite"):
        states_of(run)
