from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pcgen import data
from pcgen.data import scenes, shapes
from pcgen.data.augmentation import Augmentation
from pcgen.data.enlarging import enlarged
from pcgen.data.shapes.parts import rotation


def pairs_apart(boxes: np.ndarray) -> bool:
    """Whether no two boxes (k, 6) share a point."""
    low, high = boxes[:, :3] - boxes[:, 3:] / 2, boxes[:, :3] + boxes[:, 3:] / 2
    apart = (low[:, None] > high[None]).any(2) | (high[:, None] < low[None]).any(2)
    return bool((apart | np.eye(len(boxes), dtype=bool)).all())


def test_shapes_stand_on_the_floor_apart_from_each_other() -> None:
    numbers = set()
    for index in range(40):
        placed = scenes.scene(index)
        assert len(placed) == scenes.count(index)
        numbers.add(len(placed))
        if placed:
            boxes = np.stack([np.concatenate([one.centre, one.size]) for one in placed])
            assert pairs_apart(boxes)
            assert np.allclose(boxes[:, 1], boxes[:, 4] / 2)
            assert (np.abs(boxes[:, [0, 2]]) + boxes[:, [3, 5]] / 2 <= 0.5 + 1e-12).all()
    assert numbers == set(range(scenes.MOST + 1))


def test_a_box_holds_its_shapes_points_and_nothing_but_floor_is_outside() -> None:
    for index in range(12):
        points, normals, boxes = scenes.cloud(index, 800)
        assert points.shape == normals.shape == (800, 3) and boxes.shape == (scenes.MOST, 6)
        assert np.allclose(np.linalg.norm(normals, axis=1), 1)
        known = boxes[~np.isnan(boxes).any(1)]
        assert len(known) == scenes.count(index)
        inside = (np.abs(points[:, None] - known[None, :, :3]) <= known[None, :, 3:] / 2 + 1e-9).all(2)  # (N, k)
        above = points[:, 1] > 1e-9
        assert inside[above].any(1).all() and inside.sum(1).max(initial=0) <= 1
        assert (np.abs(points[~above][:, [0, 2]]) <= 0.5).all()
        # A shape has its eighth: its box holds these, and floor below it.
        assert (inside.sum(0) >= 100).all() and above.sum() <= 100 * len(known)


def test_a_box_is_no_larger_than_its_shape() -> None:
    index = next(i for i in range(40) if scenes.count(i) == 1)
    points, _, boxes = scenes.cloud(index, 20_000)
    shape = points[points[:, 1] > 0.002]
    assert np.allclose(shape.max(0), boxes[0, :3] + boxes[0, 3:] / 2, atol=0.01)


def test_a_box_touches_its_turned_shape_on_every_side() -> None:
    for index in range(40):
        for one in scenes.scene(index):
            turned = shapes.vertices(one.family, one.index) @ rotation("y", one.turn).T * one.diagonal
            low, high = turned.min(0), turned.max(0)
            assert np.allclose(one.size, high - low)
            assert np.allclose(one.offset, (high + low) / 2)
    wide = 0
    for index in range(12):
        points, _, boxes = scenes.cloud(index, 40_000)
        for box in boxes[~np.isnan(boxes).any(1)]:
            inside = (np.abs(points - box[:3]) <= box[3:] / 2 + 1e-9).all(1) & (points[:, 1] > 0.002)
            assert np.allclose(points[inside].max(0), box[:3] + box[3:] / 2, atol=0.02)
            assert np.allclose(points[inside].min(0)[[0, 2]], (box[:3] - box[3:] / 2)[[0, 2]], atol=0.02)
            wide += 1
    assert wide > 10


def test_a_test_scene_has_no_shape_of_another_split() -> None:
    for index in range(40):
        assert {shapes.split(one.index) for one in scenes.scene(index)} <= {shapes.split(index)}


def test_scenes_are_a_source_with_counts_boxes_and_splits() -> None:
    first = data.load("shapes:scene=20", points=64)
    again = data.load("shapes:scene=20@test", points=64)
    assert first.boxes is not None and first.counts is not None and again.counts is not None
    assert first.boxes.shape == (20, 4, 6) and first.classes == (
        "0 shapes",
        "1 shape",
        "2 shapes",
        "3 shapes",
        "4 shapes",
    )
    assert torch.equal(first.labels, first.counts)
    assert first.names[3] == "scene/3" and again.names == ("scene/2", "scene/12")
    assert torch.equal(again.points, first.select([2, 12]).points)
    assert torch.equal(again.counts, first.counts[[2, 12]])
    assert not torch.equal(data.load("shapes:scene=20", points=64, seed=1).points, first.points)
    assert f"{int(first.counts.sum())} boxes" in repr(first)


def test_an_npz_keeps_counts_and_boxes(tmp_path: Path) -> None:
    clouds = data.load("shapes:scene=10", points=64)
    data.save(tmp_path / "scenes.npz", clouds)
    with np.load(tmp_path / "scenes.npz") as arrays:
        assert np.array_equal(arrays["counts"], clouds.counts)
    again = data.load(str(tmp_path / "scenes.npz"))
    assert torch.equal(again.boxes.nan_to_num(-9), clouds.boxes.nan_to_num(-9))
    assert torch.equal(again.labels, clouds.labels)
    some = data.load(f"{tmp_path / 'scenes.npz'}:2 shapes")
    assert (some.counts == 2).all() and len(some) == int((clouds.counts == 2).sum())


def test_boxes_go_where_the_points_go(tmp_path: Path) -> None:
    """Whatever is done to a scene, each box holds the points that it held, and touches its shape from above."""
    clouds = data.load("shapes:scene=30", points=400)
    turned = replace(
        clouds,
        points=torch.stack([clouds.points[..., 0], -clouds.points[..., 2], clouds.points[..., 1]], -1),
        boxes=clouds.boxes[..., [0, 2, 1, 3, 5, 4]] * torch.tensor([1.0, -1, 1, 1, 1, 1]),
        normals=None,
    )
    data.save(tmp_path / "up.npz", turned)
    with np.load(tmp_path / "up.npz") as arrays:
        np.savez(tmp_path / "z.npz", **{**arrays, "up": np.array("z")})
    from pcgen.data.gathering import Reading
    from pcgen.data.loading import load_placed

    right = held(clouds)
    assert torch.equal(held(data.load(str(tmp_path / "z.npz"))), right)
    assert torch.equal(held(load_placed("shapes:scene=30", Reading(points=400, normalize="unit_box"))[0]), right)
    assert torch.equal(held(data.Normalization("global_std").fit(clouds).apply_to(clouds)), right)
    assert torch.equal(held(clouds.at((1.0, 2.0, 3.0))), right)
    assert torch.equal(held(clouds.select([3, 1])), right[[3, 1]])


def held(clouds: data.Clouds) -> torch.Tensor:
    """How many points each box holds, a hair enlarged, (S, K)."""
    centre, size = clouds.boxes[:, None, :, :3], clouds.boxes[:, None, :, 3:]
    return ((clouds.points[:, :, None] - centre).abs() <= size * 0.5001 + 1e-6).all(3).sum(1)


def test_copies_that_are_changed_have_no_boxes_and_say_so() -> None:
    grown = enlarged(data.load("shapes:scene=5", points=32), 2, Augmentation(rotation=180))
    assert grown.boxes is None and any(note.startswith("boxes: left out") for note in grown.notes)


def test_scenes_are_asked_for_alone_and_have_points_enough() -> None:
    with pytest.raises(
        ValueError, match=r"shapes:scene,chair: scenes cannot be combined with families; use shapes:scene alone"
    ):
        data.load("shapes:scene,chair")
    with pytest.raises(ValueError, match="points: must be at least 16, got 8"):
        data.load("shapes:scene=3", points=8)


def test_info_tells_how_many_shapes_there_are() -> None:
    about, clouds = data.info("shapes:scene=20"), data.load("shapes:scene=20", points=16)
    assert about["boxes"] == f"0 to 4 in a cloud, {int(clouds.counts.sum())} in all"
    assert f"2 shapes {int((clouds.counts == 2).sum())}" in about["classes"]


BOX = [0.0, 0.5, 0.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("boxes", "counts", "said"),
    [
        (np.zeros((2, 6)), None, r"boxes must be \(2, K, 6\) real numbers, .* got \(2, 6\) float64"),
        (np.zeros((2, 1, 6), dtype=np.int64), None, r"boxes must be .* got \(2, 1, 6\) int64"),
        ([[BOX], [[*BOX[:5], np.nan]]], None, r"boxes of cloud 1: box 0 must be a centre and a size .* nan\]"),
        ([[BOX], [[*BOX[:5], -1.0]]], None, r"boxes of cloud 1: box 0 must be .* size of at least 0, .* -1.0\]"),
        ([[BOX], [BOX]], [1, 2], "counts must be how many boxes each cloud has"),
    ],
)
def test_boxes_of_a_file_are_checked(tmp_path: Path, boxes: object, counts: object, said: str) -> None:
    extra = {} if counts is None else {"counts": np.array(counts)}
    np.savez(tmp_path / "s.npz", points=np.random.rand(2, 8, 3), boxes=np.array(boxes), **extra)
    with pytest.raises(ValueError, match=rf"s.npz: {said}"):
        data.load(str(tmp_path / "s.npz"))


def test_clouds_refuse_boxes_of_another_shape() -> None:
    with pytest.raises(ValueError, match=r"boxes: must be \(2, K, 6\) float32, got \(2, 6\)"):
        data.Clouds(torch.rand(2, 8, 3), boxes=torch.zeros(2, 6))
