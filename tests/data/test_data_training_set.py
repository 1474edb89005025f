from pathlib import Path

import numpy as np
import pytest
import torch

from pcgen.data import NORMALIZATIONS, Normalization, load
from pcgen.data.splits import DRAWN
from pcgen.data.thinning import thin
from pcgen.data.training_set import training_set


def test_train_is_learned_val_is_held_out_and_test_is_left_alone() -> None:
    source = training_set("shapes:mug=40", points=32)
    whole = load("shapes:mug=40", surface_points=4 * 32)
    assert torch.equal(source.train, whole.split("train").points)
    assert torch.equal(source.held_out, thin(whole.split("val").points, 32, 0))
    assert source.classes == ("mug",) and source.labels is not None and len(source.labels) == 34
    assert any("names no split: 34 clouds of @train are learned, 2 of @val held out" in note for note in source.notes)


def test_both_parts_are_normalised_by_the_training_rows_alone() -> None:
    source = training_set("shapes:mug=40", points=32, normalize="global_std")
    whole = load("shapes:mug=40", surface_points=4 * 32)
    fitted = Normalization("global_std").fit(whole.split("train").points)
    assert source.normalization == fitted
    assert torch.allclose(fitted.undo(source.train), whole.split("train").points, atol=1e-6)
    assert torch.allclose(fitted.undo(source.held_out), thin(whole.split("val").points, 32, 0), atol=1e-6)


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_what_is_remembered_reads_the_same_again(name: str) -> None:
    source = training_set("shapes:lamp=20", points=16, normalize=name, seed=3)
    again = training_set(**source.about["training_set"])
    assert torch.equal(again.train, source.train) and torch.equal(again.held_out, source.held_out)
    assert Normalization.from_dict(source.about["normalization"]) == source.normalization == again.normalization


def test_a_relative_source_is_read_again_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).normal(size=(20, 16, 3))
    np.savez(tmp_path / "a.npz", points=points, labels=["x", "y"] * 10)
    monkeypatch.chdir(tmp_path)
    source = training_set("a.npz:x@all", points=16)
    assert source.spec == "a.npz:x@all" and source.about["training_set"]["spec"] == f"{tmp_path / 'a.npz'}:x@all"
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert torch.equal(training_set(**source.about["training_set"]).train, source.train)
    assert training_set("shapes:mug=20", points=16).about["training_set"]["spec"] == "shapes:mug=20"


def test_clouds_of_fewer_points_are_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", points=np.random.default_rng(0).normal(size=(5, 16, 3)))
    with pytest.raises(ValueError, match=f"^{tmp_path / 'a.npz'}: its clouds have 16 points, 32 are asked for"):
        training_set(str(tmp_path / "a.npz"), points=32)


def test_one_cloud_alone_is_told_with_advice_that_helps(tmp_path: Path) -> None:
    clouds = np.random.default_rng(0).normal(size=(2, 16, 3))
    np.save(tmp_path / "a.npy", clouds[:1])
    for spec in (str(tmp_path / "a.npy"), f"{tmp_path / 'a.npy'}@all"):
        with pytest.raises(ValueError, match=f"^{spec}: has 1 cloud, and .* needs 2; give more clouds$"):
            training_set(spec, points=16)
    np.savez(tmp_path / "b.npz", points=clouds, split=["train", "test"])
    with pytest.raises(ValueError, match=r"has 1 train cloud, and .* needs 2; name a split .* such as @all"):
        training_set(f"{tmp_path / 'b.npz'}@train", points=16)


def test_drawn_splits_are_told_once(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, points=np.random.default_rng(0).normal(size=(20, 16, 3)))
    learned = f"17 clouds of @train are learned, 1 of @val held out; the splits are {DRAWN}"
    assert training_set(str(path), points=16).notes == (f"{path} names no split: {learned}",)
    assert training_set(f"{path}@all", points=16).notes == (f"{path}@all: {learned}",)
    assert training_set(f"{path}@train", points=16).notes == (f"{path} has no splits of its own: they are {DRAWN}",)


def test_thinning_keeps_distinct_points_by_seed() -> None:
    clouds = torch.arange(2 * 50 * 3, dtype=torch.float32).reshape(2, 50, 3)
    some = thin(clouds, 20, 0)
    for row in range(2):
        kept = {tuple(point) for point in some[row].tolist()}
        assert len(kept) == 20 and kept <= {tuple(point) for point in clouds[row].tolist()}
    assert torch.equal(thin(clouds, 20, 0), some) and not torch.equal(thin(clouds, 20, 1), some)
    assert thin(clouds, 50, 0) is clouds
