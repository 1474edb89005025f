"""The cost of a sample: its memory to the byte, its time from a trial, and no trace of the trial in what is drawn."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pcgen.models import build
from pcgen.models.mixtures.gaussian import Gaussian
from pcgen.training import cost, save
from pcgen.training.cost import Cost, available_memory, sampling_cost


class Slow(Gaussian):
    """Takes a tenth of a second for a batch, and a hundredth for each row."""

    def draw(self, n: int) -> Tensor:
        time.sleep(0.1 + 0.01 * n)
        return super().draw(n)

    def at_once(self, points: int | None = None) -> int:
        return 16


def test_the_memory_is_that_of_the_result_twice_and_the_time_that_of_whole_batches() -> None:
    model = Slow((5,))
    cost = sampling_cost(model, 800)
    assert (cost.result, cost.memory, cost.batch) == (800 * 5 * 4, 2 * 800 * 5 * 4, 16)
    # 50 batches of 0.26 s: of single rows it would be 88 s. A busy machine only adds.
    assert 13 <= cost.seconds < 60
    begin = time.monotonic()
    assert sampling_cost(model, 8).seconds >= 0.18
    assert time.monotonic() - begin < 2


class Stepwise(Gaussian):
    """Takes its time for each batch, however large: many small steps of a sampler."""

    def draw(self, n: int) -> Tensor:
        time.sleep(0.11)
        return super().draw(n)

    def at_once(self, points: int | None = None) -> int:
        return 64


def test_a_batch_that_takes_as_long_as_a_single_object_is_not_taken_for_many_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cost, "_TRIAL", 0.1)
    assert 1.1 <= sampling_cost(Stepwise((5,)), 640).seconds < 10  # ten batches; 640 single objects would take 70 s


def test_points_and_wide_numbers_count(tmp_path: Path) -> None:
    run = save(build({"name": "diffusion", "shape": [12, 3], "times": 2, "width": 4, "blocks": 1}), tmp_path / "run")
    assert run.cost(1000).result == 1000 * 12 * 3 * 4
    far = {"name": "none", "offset": [1e7, 0, 0], "size": 1.0, "fitted": True, "origin": [1e7, 0, 0]}
    wide = save(run.model(), tmp_path / "wide", data={"normalization": far})
    assert wide.cost(10).result == 10 * 12 * 3 * 8 == wide.sample(10).nbytes
    with pytest.raises(ValueError, match="n: must be at least 1, got 0"):
        run.cost(0)


def test_an_option_that_the_model_does_not_know_is_refused(tmp_path: Path) -> None:
    run = save(build({"name": "diffusion", "shape": [12, 3], "times": 2, "width": 4, "blocks": 1}), tmp_path / "run")
    for refused in (run.sample, run.cost):
        with pytest.raises(
            ValueError, match=r"sampling option: must be one of steps, .*; got 'stpes'; did you mean 'steps'"
        ):
            refused(2, stpes=1)
    with pytest.raises(ValueError, match="steps: this Gaussian has no options of sampling; leave it out"):
        sampling_cost(Gaussian((5,)), 2, steps=1)


def test_a_trial_leaves_no_trace_in_what_is_drawn() -> None:
    model = Gaussian((3,))
    torch.manual_seed(1)
    expected = model.sample(5)
    torch.manual_seed(1)
    sampling_cost(model, 10**6)
    assert torch.equal(model.sample(5), expected)


def test_a_result_that_does_not_fit_is_refused_with_what_would() -> None:
    cost = Cost(n=1000, result=2 * 2**30, batch=64, memory=4 * 2**30, seconds=1.0)
    cost.check(4 * 2**30)
    cost.check(None)
    with pytest.raises(
        ValueError, match=r"n: 1,000 clouds would take 4.0 GiB of memory .* 1.0 GiB are .* at most 250 "
    ):
        cost.check(2**30)
    available = available_memory()
    assert available is None or 2**20 < available < 2**50


def test_what_is_found_once_is_not_counted_for_every_row() -> None:
    class Late(Gaussian):
        """Finds something out before it draws for the first time."""

        found = False

        def draw(self, n: int) -> Tensor:
            time.sleep(0.0 if self.found else 1.2)
            self.found = True
            return super().draw(n)

        def at_once(self, points: int | None = None) -> int:
            return 16

    assert sampling_cost(Late((5,)), 800).seconds < 60  # of 1.2 s for each, 960


def test_in_a_container_what_is_used_is_gone_and_cached_files_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"memory.max": "8000", "memory.current": "7000", "memory.stat": "anon 5\ninactive_file 500\nfile 9\n"}

    def limit(path: str, read: Callable[[str], int]) -> int | None:
        name = path.rpartition("/")[2]
        try:
            return read(files[name]) if name in files else None
        except ValueError:
            return None

    monkeypatch.setattr(cost, "_limit", limit)
    assert available_memory() == 8000 - (7000 - 500)
    files["memory.max"] = "max"
    assert available_memory() is None
