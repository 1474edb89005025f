"""Files of many clouds, .npz and .npy: what is read of them, and other forms that are told."""

from pathlib import Path

import numpy as np
import pytest
import torch
from few_clouds import POINTS

from pcgen.data import Clouds, check, holdout, load, save
from pcgen.data.columns import split_columns
from pcgen.data.source import Raw


def test_an_npz_gives_points_labels_names_and_splits(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(
        path, points=POINTS, normals=-POINTS, labels=["b", "a", "b", "c"], names=list("wxyz"),
        split=["train", "test", "valid", "train"],
    )  # fmt: skip
    clouds = load(str(path))
    assert torch.equal(clouds.points, torch.from_numpy(POINTS)) and clouds.source == str(path)
    assert clouds.normals is not None and torch.equal(clouds.normals, -clouds.points)
    assert clouds.classes == ("a", "b", "c") and clouds.labels is not None and clouds.labels.tolist() == [1, 0, 1, 2]
    assert clouds.names == ("w", "x", "y", "z") and clouds.splits == ("train", "test", "val", "train")
    assert clouds.notes == ()
    some = load(f"{path}:c,b@train")
    assert some.names == ("w", "z") and some.classes == ("b", "c")
    assert some.labels is not None and some.labels.tolist() == [0, 1]


@pytest.mark.parametrize("key", ["classes", "names"])
def test_numbered_labels_take_the_names_of_the_classes(tmp_path: Path, key: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, points=POINTS, labels=np.array([2, 0, 2, 1]), **{key: ["z", "y", "x"]})
    clouds = load(str(path))
    assert clouds.classes == ("z", "y", "x")
    assert load(f"{path}:x").names == (clouds.names[0], clouds.names[2])


def test_an_npz_may_use_the_names_of_other_datasets_and_what_is_not_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, data=POINTS, normal=-POINTS, label=list("abab"), splits=["train", "val", "test", "test"], colour=1)
    clouds = load(str(path))
    assert np.array_equal(clouds.points, POINTS) and clouds.normals is not None and clouds.classes == ("a", "b")
    assert clouds.splits == ("train", "val", "test", "test")
    assert clouds.notes == (f"{path}: arrays left out: colour",)
    np.savez(path, points=POINTS, data=-POINTS)
    clouds = load(str(path))
    assert np.array_equal(clouds.points, POINTS) and clouds.notes == (f"{path}: arrays left out: data",)


@pytest.mark.parametrize("key", ["labels", "names", "classes", "keys", "split"])
def test_texts_that_are_pickled_get_advice_for_texts(tmp_path: Path, key: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, points=POINTS, **{key: np.array(list("abab"), dtype=object)})
    with pytest.raises(ValueError, match=f"^{path}: {key}: holds pickled objects.* as text: {key}={key}.astype"):
        load(str(path))


@pytest.mark.parametrize("key", ["names", "labels"])
def test_surrogates_in_a_file_are_escaped(tmp_path: Path, key: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(
        path,
        points=np.where(np.arange(4)[:, None, None] == 3, np.nan, POINTS),
        **{key: ["a", "\ud800", "b", "c\udce9"]},
    )
    assert [str(fault).partition(" [")[0] for fault in check(str(path))] == [f"{path}: cloud 3: point 0 is"]
    clouds = load(f"{path}@all", drop_bad=True)
    assert len(clouds) == 3 and "\\ud800" in (clouds.names if key == "names" else clouds.classes)
    assert load(str(save(tmp_path / "b.npz", clouds))).names == clouds.names
    assert len(load(str(save(f"{tmp_path}/folder/", clouds)))) == 3
    holdout(Clouds(clouds.points, names=("a", "\ud800", "b")))  # the user's own


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32, np.uint8, ">f4"])
def test_numbers_of_any_type_become_float32(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "a.npy"
    values = (100 * np.abs(POINTS)).astype(dtype)
    np.save(path, values)
    clouds = load(str(path))
    assert clouds.points.dtype == torch.float32
    assert np.array_equal(clouds.points.numpy(), values.astype(np.float32))


def test_one_cloud_and_one_with_normals_in_an_npy(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, POINTS[0])
    assert load(str(path)).points.shape == (1, 7, 3)
    arrows = POINTS / np.linalg.norm(POINTS, axis=2, keepdims=True)
    np.save(path, np.concatenate([POINTS, arrows], axis=2))
    clouds = load(str(path))
    assert clouds.normals is not None and np.array_equal(clouds.normals.numpy(), arrows) and clouds.notes == ()


def test_six_columns_whose_last_three_are_no_normals_are_points_alone(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 256, POINTS.shape).astype(np.float32)
    arrows = POINTS / np.linalg.norm(POINTS, axis=2, keepdims=True)
    arrows[0, :, :] *= 1.5
    path = tmp_path / "a.npz"
    for others in (colours, colours / 255):
        np.savez(path, points=np.concatenate([POINTS, others], axis=2))
        clouds = load(str(path))
        assert clouds.normals is None and np.array_equal(clouds.points.numpy(), POINTS)
        what = "columns 4 to 6 left out: they are not normals of length 1"
        assert clouds.notes == (f"a/0, a/1, a/2, and 1 more: {what}",)
    np.savez(path, points=np.concatenate([POINTS, arrows], axis=2))  # of one cloud they are not
    assert load(str(path)).normals is None
    assert load(str(path)).notes[1] == "normals left out: 1 of 4 clouds, such as a/0, have none"


@pytest.mark.parametrize(
    ("columns", "normals"),
    [
        (np.tile([0.58, 0.58, 0.57], (200, 1)), True),  # two decimals
        (np.vstack([np.tile([0, 0, 1.0], (199, 1)), [[np.nan, 0, 0]]]), True),  # one of 200
        (np.vstack([np.tile([0, 0, 1.0], (150, 1)), np.zeros((50, 3))]), True),  # without a direction at some points
        (np.zeros((200, 3)), False),
        (np.vstack([np.tile([0, 0, 1.0], (190, 1)), np.tile([0, 0, 2.0], (10, 1))]), False),
        (np.tile([0, 0, 1.02], (200, 1)), False),
    ],
)
def test_normals_have_length_one_or_none(columns: np.ndarray, normals: bool) -> None:
    raw = split_columns(Raw(np.hstack([np.ones((200, 3)), columns])))
    assert raw.points.shape == (200, 3) and (raw.normals is not None) == normals == (raw.notes == ())


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_order_of_the_axes_in_memory_does_not_matter(tmp_path: Path, order: str) -> None:
    np.save(tmp_path / "a.npy", np.asarray(POINTS, order=order))  # type: ignore[call-overload]
    assert np.array_equal(load(str(tmp_path / "a.npy")).points.numpy(), POINTS)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"cloud": POINTS}, "has no array 'points', it has cloud"),
        ({"points": POINTS.transpose(0, 2, 1)}, r"must be clouds \(S, N, 3\), or .*, got \(4, 3, 7\)"),
        ({"points": POINTS[..., :2]}, r"got \(4, 7, 2\)"),
        ({"points": np.array([POINTS[0], POINTS[1, :3]], dtype=object)}, "pickled objects"),
        ({"points": POINTS, "labels": np.array([{}] * 4, dtype=object)}, "labels: holds pickled objects"),
        ({"points": POINTS, "labels": ["a"]}, "labels must be one for each of 4 clouds"),
        ({"points": POINTS, "labels": [0, 1, 2, 3], "classes": ["a"]}, "must be indices into the 1 classes, got 0"),
        ({"points": POINTS, "labels": [0, 1, 2, 0], "classes": list("aba")}, "must be different, got 'a' twice"),
        ({"points": POINTS, "labels": [0, 1, 1, 0], "classes": ["03001627", "chair"]}, "different, got 'chair' twice"),
        ({"points": POINTS, "labels": list("abca"), "classes": ["a", "b"]}, "among its 2 classes, got 'c'"),
        ({"points": POINTS, "names": ["a", "b"]}, "names must be one for each of 4 clouds"),
        ({"points": POINTS, "normals": POINTS[:2]}, r"normals must be \(4, 7, 3\)"),
        ({"points": POINTS, "split": ["train", "test", "odd", "train"]}, "a split must be train, val, test, got 'odd'"),
        ({"points": POINTS.astype(complex)}, "real numbers, got complex"),
        ({"points": POINTS.astype(str)}, "real numbers, got <U"),
        ({"points": POINTS[:, :0]}, r"got \(4, 0, 3\)"),
        ({"points": POINTS[:0]}, "no clouds"),
    ],
)  # fmt: skip
def test_an_npz_of_another_form_is_told_with_its_path(tmp_path: Path, arrays: dict[str, object], told: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=told) as caught:
        load(str(path))
    assert str(path) in str(caught.value) and len(str(caught.value).splitlines()) <= 3


def test_names_that_are_no_utf8_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", points=POINTS, names=np.array([b"a", b"\xff", b"c", b"d"]))
    assert load(str(tmp_path / "a.npz")).names == ("a", "\\xff", "c", "d")
