"""The same evaluation again: on a named device, by other threads, of files in another order, after it was killed."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from blob_sets import AT_15, REFERENCE, SAMPLES, blobs
from torch import Tensor

from pcgen.data import load
from pcgen.metrics import evaluate, pairs

pytestmark = pytest.mark.filterwarnings("ignore:(sets|axes|1-NNA|JSD|EMD). :UserWarning")


def test_the_device_is_checked_and_used() -> None:
    assert evaluate(SAMPLES, REFERENCE, device="cpu").to_json() == evaluate(SAMPLES, REFERENCE).to_json()
    with pytest.raises(ValueError, match="device: must be cpu, cuda or cuda:N, got 'mps'"):
        evaluate(SAMPLES, REFERENCE, device="mps")
    with pytest.raises(ValueError, match="device: must be cpu, cuda or cuda:N, got 'gpu'"):
        evaluate(SAMPLES, REFERENCE, device="gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match=r"device: cuda was asked for by 1 process\(es\), and 0 CUDA device"):
            evaluate(SAMPLES, REFERENCE, device="cuda")


def test_repeats_bit_for_bit_and_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    train = blobs(12, 30, 6)
    before = torch.get_rng_state()
    first = evaluate(SAMPLES, REFERENCE, train, protocol=AT_15, emd_clouds=4).to_json()
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert evaluate(SAMPLES, REFERENCE, train, protocol=AT_15, emd_clouds=4).to_json() == first
    finally:
        torch.set_num_threads(threads)
    assert evaluate(SAMPLES, REFERENCE, train, protocol=AT_15, emd_clouds=4, seed=1).to_json() != first


def test_killed_and_resumed_gives_the_same_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = blobs(12, 30, 6)
    want = evaluate(SAMPLES, REFERENCE, train).to_json()
    real, calls = pairs._measure, []

    def dying(*args: object) -> Tensor:
        calls.append(args)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(pairs, "_measure", dying)
    with pytest.raises(KeyboardInterrupt):
        evaluate(SAMPLES, REFERENCE, train, tiles=tmp_path)
    before = {file.name for file in tmp_path.iterdir()}
    assert evaluate(SAMPLES, REFERENCE, train, tiles=tmp_path).to_json() == want
    assert before < {file.name for file in tmp_path.iterdir()}
    done = len(calls)
    assert evaluate(SAMPLES, REFERENCE, train, tiles=tmp_path).to_json() == want
    assert len(calls) == done


@pytest.mark.filterwarnings("ignore:(reference|samples). :UserWarning")
def test_the_order_of_a_folder_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, cloud in zip("chaedgbf", REFERENCE, strict=True):
        np.save(tmp_path / f"{name}.npy", cloud.numpy())
    drawn = {"protocol": AT_15, "emd_clouds": 3, "emd_points": 8}
    want = evaluate(SAMPLES, load(str(tmp_path)), load(str(tmp_path)), **drawn).to_json()
    listing, asked = os.walk, []
    for backwards in (False, True):

        def listed(folder: Path, backwards: bool = backwards, **how: Any) -> Iterator[tuple[str, list[str], list[str]]]:
            asked.append(folder)
            for inner, folders, files in listing(folder, **how):
                yield inner, folders, sorted(files, reverse=backwards)

        monkeypatch.setattr(os, "walk", listed)
        assert evaluate(SAMPLES, load(str(tmp_path)), load(str(tmp_path)), **drawn).to_json() == want
    assert asked
