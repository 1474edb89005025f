"""Clouds that cannot be taken: NaN, unequal numbers of points, too much of them; refused or dropped, and named."""

from pathlib import Path

import numpy as np
import pytest
import torch
from cloud_folders import broken_folder, folder

from pcgen.data import load


def test_different_numbers_of_points_are_told_with_the_way_out(tmp_path: Path) -> None:
    folder(tmp_path, ["a.npy", "b.npy"], size=100)
    folder(tmp_path, ["c.npy"], size=60)
    with pytest.raises(ValueError, match=r"from 60 \(c.npy\) to 100 \(a.npy\) points; .* points=60 \(--points 60\)"):
        load(str(tmp_path))
    few = "1 of 3 clouds are too small (c.npy; the first: has 60 points, fewer than the 80 asked for)"
    with pytest.raises(ValueError, match="too small") as caught:
        load(str(tmp_path), points=80)
    todo = "ask for points=60 (--points 60), or leave them out: drop_bad=True, --drop-bad"
    assert str(caught.value) == f"{tmp_path}: {few}; {todo}"
    with pytest.raises(ValueError, match=r"3 of 3 clouds are too small \(.*\); ask for points=60 \(--points 60\)$"):
        load(str(tmp_path), points=1000, drop_bad=True)
    with pytest.raises(ValueError, match=r"c.npy: has 60 points, .* asked for; ask for points=60 \(--points 60\)$"):
        load(str(tmp_path / "c.npy"), points=80)
    with pytest.raises(ValueError, match="points: must be at least 1, got 0"):
        load(str(tmp_path), points=0)


def test_bad_clouds_are_refused_or_dropped_and_named(tmp_path: Path) -> None:
    broken_folder(tmp_path)
    what = r"2 of 4 clouds are bad \(b.npy, c.npy; the first: point 3 is \[.*nan.*\]; 1 of \d+ hold NaN, .*\)"
    todo = "repair them, or leave them out: drop_bad=True, --drop-bad"
    with pytest.raises(ValueError, match=f"^{tmp_path}@all: {what}; {todo}$"):  # a dot matches no line's end
        load(f"{tmp_path}@all")
    clouds = load(str(tmp_path), drop_bad=True)
    assert clouds.names == ("a.npy", "d.npy")
    note = next(note for note in clouds.notes if "dropped" in note)
    assert note.startswith(f"2 of 4 clouds dropped: {tmp_path / 'b.npy'}: point 3")
    assert note.count(str(tmp_path / "c.npy")) == 1


def test_a_source_of_bad_clouds_alone_is_refused_even_if_they_may_be_dropped(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", points=np.full((3, 5, 3), np.inf))
    with pytest.raises(ValueError, match=r"a.npz: 3 of 3 clouds are bad \(a/0, a/1, a/2; .*\); repair the source$"):
        load(str(tmp_path / "a.npz"), drop_bad=True)


@pytest.mark.parametrize("names", [["a.npy"], ["a.npy", "b.npy", "c.npy"]])
def test_points_that_are_nan_are_left_out_as_the_error_says(tmp_path: Path, names: list[str]) -> None:
    folder(tmp_path, names)
    for name in names:
        points = np.load(tmp_path / name)
        points[:2] = np.nan
        np.save(tmp_path / name, points)
    todo = "2 of 12 hold NaN, .*; leave those points out: drop_bad=True, --drop-bad$"
    for wanted in ({"points": 10}, {"at_least": 5}, *([{}] if len(names) == 1 else [])):
        with pytest.raises(ValueError, match=todo):
            load(str(tmp_path), **wanted)
        assert load(str(tmp_path), **wanted, drop_bad=True).points.shape == (len(names), 10, 3)
    with pytest.raises(ValueError, match="2 of 12 hold NaN") as caught:  # too few points would be left
        load(str(tmp_path), points=11)
    assert "drop_bad" not in str(caught.value)


def test_if_some_bad_clouds_have_good_points_dropping_is_advised_and_keeps_those(tmp_path: Path) -> None:
    broken_folder(tmp_path)
    (tmp_path / "a.npy").unlink()
    (tmp_path / "d.npy").unlink()
    with pytest.raises(ValueError, match=r"2 of 2 clouds are bad .*; repair them, or leave them out: drop_bad=True"):
        load(str(tmp_path), points=10)
    assert load(str(tmp_path), points=10, drop_bad=True).names == ("b.npy",)


def test_of_many_bad_clouds_the_first_are_named(tmp_path: Path) -> None:
    points = np.zeros((9, 5, 3))
    points[2:8, 1, 0] = np.nan
    np.savez(tmp_path / "a.npz", points=points)
    with pytest.raises(ValueError, match=r"6 of 9 clouds are bad \(a/2, a/3, a/4, and 3 more; the first"):
        load(str(tmp_path / "a.npz"))


def test_a_number_beyond_float32_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((5, 3), 1e300))
    with pytest.raises(ValueError, match="beyond float32"):
        load(str(tmp_path / "a.npy"))


def test_clouds_that_together_are_too_large_are_refused(tmp_path: Path) -> None:
    folder(tmp_path, [f"{number}.npy" for number in range(10)], size=100)
    with pytest.raises(
        ValueError, match=r"10 clouds of 100 points: would take 11\.72 KiB .* the 9\.77 KiB allowed"
    ) as caught:
        load(str(tmp_path), max_bytes=10_000)
    assert "--max-bytes 12000" in str(caught.value)
    assert len(load(str(tmp_path), max_bytes=12_000)) == 10


def test_clouds_thinned_to_the_smallest_need_no_more_memory_if_a_larger_one_comes_first(tmp_path: Path) -> None:
    for row in range(12):
        size = 60 if row == 5 else 300
        np.save(tmp_path / f"{row:02}.npy", np.random.default_rng(row).normal(size=(size, 3)).astype(np.float32))
    expected = load(str(tmp_path), at_least=20)
    clouds = load(str(tmp_path), at_least=20, max_bytes=9000)  # 12 clouds of 60 points have 8640 bytes
    assert torch.equal(clouds.points, expected.points) and clouds.notes == expected.notes
    few = load(str(tmp_path), at_least=20, max_bytes=4320)
    assert torch.equal(few.points, load(str(tmp_path), points=30).points)
    assert few.notes[-1].endswith(
        "30 points of each cloud are kept, as many as max_bytes=4320 (--max-bytes 4320) allows"
    )
    with pytest.raises(ValueError, match=r"12 clouds of 40 points: would take .* allow it with max_bytes=5760"):
        load(str(tmp_path), at_least=40, max_bytes=4320)
