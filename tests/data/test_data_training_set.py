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
    with pytest.raises(ValueError, match="fewer than the 32 asked for") as caught:
        training_set(str(tmp_path / "a.npz"), points=32)
    which = "(a/0, a/3, a/4; the first: has 16 points, fewer than the 32 asked for)"
    todo = "ask for points=16 (--points 16)"
    assert str(caught.value) == f"{tmp_path / 'a.npz'}: 3 of 3 clouds are too small {which}; {todo}"
    assert training_set(str(tmp_path / "a.npz"), points=16).train.shape == (3, 16, 3)


def test_one_cloud_alone_is_told_with_advice_that_helps(tmp_path: Path) -> None:
    clouds = np.random.default_rng(0).normal(size=(2, 16, 3))
    np.save(tmp_path / "a.npy", clouds[:1])
    for spec in (str(tmp_path / "a.npy"), f"{tmp_path / 'a.npy'}@all"):
        with pytest.raises(ValueError, match=f"^{spec}: has 1 cloud, and .* needs 2; give more clouds$"):
            training_set(spec, points=16)
    np.savez(tmp_path / "b.npz", points=clouds, split=["train", "test"])
    with pytest.raises(ValueError, match=r"has 1 train cloud, and .* needs 2; name a split .* such as @all"):
        training_set(f"{tmp_path / 'b.npz'}@train", points=16)


def test_one_cloud_alone_is_told_where_bad_ones_were_dropped(tmp_path: Path) -> None:
    clouds = np.random.default_rng(0).normal(size=(2, 16, 3))
    clouds[0, 0, 0] = np.nan
    np.savez(tmp_path / "a.npz", points=clouds, split=["train", "train"])
    with pytest.raises(ValueError, match=r"a.npz: has 1 train cloud, and .* needs 2; give more clouds$"):
        training_set(str(tmp_path / "a.npz"), points=16, drop_bad=True)


def test_drawn_splits_are_told_once(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, points=np.random.default_rng(0).normal(size=(30, 16, 3)))
    learned = f"25 clouds of @train are learned, 2 of @val held out; the splits are {DRAWN}: 25 train, 2 val, 3 test"
    assert training_set(str(path), points=16).notes == (f"{path} names no split: {learned}",)
    assert training_set(f"{path}@all", points=16).notes == (f"{path}@all: {learned}",)
    drawn = f"{path} has no splits of its own: they are {DRAWN}: 25 train, 2 val, 3 test"
    assert training_set(f"{path}@train", points=16).notes == (drawn,)


def uneven(root: Path, sizes: list[int]) -> Path:
    """A folder of clouds of these numbers of points: noise about a far point that each one begins with."""
    root.mkdir()
    for row, size in enumerate(sizes):
        points = np.random.default_rng(row).normal(size=(size, 3))
        points[0] = [30, 0, 0]
        np.save(root / f"{row:03}.npy", points)
    return root


def test_clouds_of_different_sizes_are_learned_with_the_smallest_ones_points(tmp_path: Path) -> None:
    sizes = [866, 400, 380, 380, 700, 512, *range(381, 415)]
    root = uneven(tmp_path / "a", sizes)
    learned = training_set(str(root), points=128)
    assert learned.train.shape[1:] == (380, 3) and learned.held_out.shape[1:] == (128, 3)
    names = load(str(root), points=380)
    order = [row for row, split in enumerate(names.splits or ()) if split == "train"]
    assert torch.equal(learned.train, names.points[order])  # as `points` thins them, whichever order sizes come in
    whole = torch.from_numpy(np.load(root / "002.npy")).float()
    assert torch.equal(load(str(root), at_least=1).points[2], whole)  # the smallest are untouched
    with pytest.raises(ValueError, match=f"`pcgen data convert {root} --points 380 --out NEW.npz`$"):
        load(str(root))
    (note,) = [note for note in learned.notes if "from 380" in note]
    assert note.endswith("its clouds have from 380 (002.npy) to 866 (000.npy) points; 380 of each are kept")


def test_clouds_below_the_points_asked_for_are_counted_named_and_may_be_dropped(tmp_path: Path) -> None:
    root = uneven(tmp_path / "a", [100] * 30 + [40, 50])
    with pytest.raises(ValueError, match="too small") as caught:
        training_set(str(root), points=64)
    few = "2 of 27 clouds are too small (030.npy, 031.npy; the first: has 40 points, fewer than the 64 asked for)"
    todo = "ask for points=40 (--points 40), or leave them out: drop_bad=True, --drop-bad"
    assert str(caught.value) == f"{root}: {few}; {todo}"
    assert training_set(str(root), points=40).train.shape[1] == 40
    dropped = training_set(str(root), points=64, drop_bad=True)
    assert dropped.train.shape[1] == 100 and any("2 of 27 clouds dropped" in note for note in dropped.notes)


@pytest.mark.parametrize("name", ["unit_sphere", "unit_box", "bbox"])
def test_every_cloud_is_normalised_whole_and_thinned_after(tmp_path: Path, name: str) -> None:
    root = uneven(tmp_path / "a", [500] * 20 + [100] * 20)
    learned = training_set(str(root), points=50, normalize=name)
    whole = {f"{row:03}.npy": torch.from_numpy(np.load(root / f"{row:03}.npy"))[None] for row in range(40)}
    expected = {file: Normalization(name).apply(points)[0] for file, points in whole.items()}
    names = load(str(root), points=50)
    train = [file for file, split in zip(names.names, names.splits or (), strict=True) if split == "train"]
    for clouds, files in ((learned.train, train), (learned.held_out, learned.about["held_out"])):
        assert len(files) == len(clouds)
        for cloud, file in zip(clouds, files, strict=True):
            known = {tuple(point) for point in expected[file].tolist()}
            assert {tuple(point) for point in cloud.tolist()} <= known
    fitted = [Normalization(name).place(whole[file])[1] for file in train]
    assert learned.normalization.size == pytest.approx(float(torch.stack([each.size for each in fitted]).mean()))


def test_labels_of_both_parts_go_with_their_clouds() -> None:
    learned = training_set("shapes:mug=40,lamp=20", points=16)
    whole = load("shapes:mug=40,lamp=20", surface_points=64)
    for labels, split in ((learned.labels, "train"), (learned.held_out_labels, "val")):
        expected = whole.split(split).labels
        assert labels is not None and expected is not None and torch.equal(labels, expected)


def test_few_clouds_are_learned_with_a_warning_that_says_how_they_are_divided() -> None:
    learned = training_set("shapes:mug=3", points=16)
    assert len(learned.train) == len(learned.held_out) == 1
    told = "only 1 of 3 clouds is learned, 1 held out, 1 left for @test; a model of fewer than 20 clouds repeats them"
    assert f"warning: shapes:mug=3: {told}" in learned.notes
    assert not any("repeats them" in note for note in training_set("shapes:mug=25", points=16).notes)


@pytest.mark.parametrize(("scale", "shift"), [(400.0, 0.0), (0.02, 0.0), (1.0, 50.0)])
def test_raw_units_are_warned_of_unless_something_normalises_them(tmp_path: Path, scale: float, shift: float) -> None:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / np.sqrt(3)
    path = tmp_path / "mm.npz"
    np.savez(path, points=np.tile(scale * corners + np.array([shift, 0, 0]), (30, 1, 1)))
    (note,) = [note for note in training_set(str(path), points=8).notes if "half diagonals" in note]
    assert note.startswith(
        f"warning: {path}: the clouds' bounding boxes have half diagonals of {scale:.4g} and centres {shift:.4g}"
    )
    assert "--normalize unit_sphere" in note
    normalised = training_set(str(path), points=8, normalize="unit_sphere").notes
    assert not any("half diagonals" in note for note in normalised)
    (put_back,) = [note for note in normalised if "put back" in note]
    assert put_back.endswith(f"samples are put back at the training clouds' mean position and size, {scale:.4g}")
    np.savez(path, points=np.tile(corners, (30, 1, 1)))
    assert not any("half diagonals" in note for note in training_set(str(path), points=8).notes)


def test_thinning_keeps_distinct_points_by_seed() -> None:
    clouds = torch.arange(2 * 50 * 3, dtype=torch.float32).reshape(2, 50, 3)
    some = thin(clouds, 20, 0)
    for row in range(2):
        kept = {tuple(point) for point in some[row].tolist()}
        assert len(kept) == 20 and kept <= {tuple(point) for point in clouds[row].tolist()}
    assert torch.equal(thin(clouds, 20, 0), some) and not torch.equal(thin(clouds, 20, 1), some)
    assert thin(clouds, 50, 0) is clouds
