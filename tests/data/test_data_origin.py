"""Coordinates far from 0, as those of maps are: what float32 cannot hold is kept, or refused, or told."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pcgen.data import NORMALIZATIONS, Clouds, Normalization, check, from_pyg, info, load, save, to_pyg
from pcgen.data.gathering import Reading
from pcgen.data.loading import load_placed
from pcgen.data.training_set import training_set

UTM = np.array([691234.5, 5334567.25, 12.0])  # metres east, north and up
RANDOM = np.random.default_rng(0)


def ball(count: int = 300) -> np.ndarray:
    """Points on the unit sphere."""
    x = RANDOM.normal(size=(count, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def write_ply(path: Path, points: np.ndarray, kind: str = "double") -> None:
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n"
    header += "".join(f"property {kind} {axis}\n" for axis in "xyz") + "end_header\n"
    path.write_bytes(header.encode() + points.astype("<f8" if kind == "double" else "<f4").tobytes())


@pytest.fixture
def balls(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A folder of 24 double PLY files of balls of radius 1 within 20 m, and their true points."""
    root = tmp_path / "utm"
    root.mkdir()
    truth = np.stack([ball() + UTM + RANDOM.uniform(-20, 20, 3) for _ in range(24)])
    for row, points in enumerate(truth):
        write_ply(root / f"{row:02}.ply", points)
    return root, truth


def test_a_ball_of_utm_coordinates_keeps_its_shape(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", ball() + UTM)
    clouds = load(str(tmp_path / "a.ply"))
    assert clouds.origin == (691230.0, 5334570.0, 10.0)
    assert any("points are relative to the origin (691230, 5334570, 10)" in note for note in clouds.notes)
    radius = (clouds.points[0] - torch.tensor([4.5, -2.75, 2.0])).norm(dim=1)
    assert torch.allclose(radius, torch.ones(300), atol=1e-6)
    assert torch.equal(clouds.coordinates, clouds.points.double() + torch.tensor(clouds.origin, dtype=torch.float64))


def test_a_set_has_one_origin_and_true_coordinates(balls: tuple[Path, np.ndarray]) -> None:
    root, truth = balls
    clouds = load(str(root))
    assert clouds.origin != (0, 0, 0) and all(value % 10 == 0 for value in clouds.origin)
    assert clouds.coordinates.dtype == torch.float64
    assert np.abs(clouds.coordinates.numpy() - truth).max() < 1e-5
    assert "origin (6912" in repr(clouds)


@pytest.mark.parametrize(("place", "size"), [(0.0, 1.0), (1000.0, 1.0), (1e6, 1e4), (1e-3, 1e-5)])
def test_where_float32_holds_a_cloud_nothing_changes(tmp_path: Path, place: float, size: float) -> None:
    points = place + size * ball()
    np.save(tmp_path / "a.npy", points)
    clouds = load(str(tmp_path / "a.npy"))
    assert clouds.origin == (0, 0, 0) and clouds.notes == ()
    assert np.array_equal(clouds.points[0].numpy(), points.astype(np.float32))


def test_up_turns_the_origin_too(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", ball() + UTM)
    plain, turned = load(str(tmp_path / "a.ply")), load(str(tmp_path / "a.ply"), up="z")
    assert turned.origin == (691230.0, 10.0, -5334570.0)
    assert torch.allclose(turned.coordinates[..., [0, 2, 1]] * torch.tensor([1, -1, 1]), plain.coordinates, atol=1e-6)


def test_saved_clouds_keep_their_origin_bit_for_bit(balls: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    clouds = load(str(balls[0]))
    again = load(str(save(tmp_path / "a.npz", clouds)))
    assert again.origin == clouds.origin and torch.equal(again.points, clouds.points)
    few = load(f"{tmp_path / 'a.npz'}@test")
    assert few.origin == clouds.origin and torch.equal(few.points, clouds.split("test").points)
    assert "origin" not in np.load(save(tmp_path / "b.npz", torch.zeros(1, 2, 3)))


def test_an_origin_in_an_npz_is_three_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", points=np.zeros((1, 2, 3)), origin=np.zeros(2))
    with pytest.raises(ValueError, match=r"a.npz: origin must be three finite numbers, got \[0.0, 0.0\]"):
        load(str(tmp_path / "a.npz"))
    with pytest.raises(ValueError, match="origin: must be three finite numbers"):
        Clouds(torch.zeros(1, 2, 3), origin=(0.0, float("nan"), 0.0))


def test_sets_of_different_origins_meet_at_one(balls: tuple[Path, np.ndarray]) -> None:
    root, truth = balls
    first = load(str(root / "00.ply"))
    rest = load(str(root))
    assert first.origin != rest.origin
    moved = first.at(rest.origin)
    assert moved.origin == rest.origin and torch.allclose(moved.points[0], rest.points[0], atol=1e-5)
    assert np.abs(moved.coordinates.numpy()[0] - truth[0]).max() < 1e-5
    with pytest.raises(ValueError, match=r"24 of 24 clouds are too far from the origin \(0, 0, 0\) for float32"):
        rest.at((0.0, 0.0, 0.0))


def test_tensors_in_double_are_told_about_an_origin() -> None:
    truth = torch.from_numpy(np.stack([ball() + UTM, ball() + UTM]))
    clouds = Clouds.of(truth)
    assert clouds.origin == (691230.0, 5334570.0, 10.0) and (clouds.coordinates - truth).abs().max() < 1e-6
    near = torch.from_numpy(np.stack([ball()]))
    assert Clouds.of(near).origin == (0, 0, 0) and torch.equal(Clouds.of(near).points, near.float())
    apart = torch.stack([truth[0], truth[1] + 1e5])
    with pytest.raises(
        ValueError, match=r"tensor: 1 of 2 .* normalise each .*: Normalization\('unit_sphere'\)"
    ) as caught:
        Clouds.of(apart)
    assert len(str(caught.value).splitlines()) == 1
    assert torch.allclose(Normalization("unit_sphere").apply(apart).norm(dim=2), torch.ones(2, 300), atol=0.2)


@pytest.fixture
def far_apart(tmp_path: Path) -> Path:
    root = tmp_path / "apart"
    root.mkdir()
    for row in range(24):
        write_ply(root / f"{row:02}.ply", ball() + UTM + np.array([20000.0 * row, 0, 0]))
    return root


def test_clouds_far_from_each_other_are_refused_with_advice_that_works(far_apart: Path) -> None:
    with pytest.raises(ValueError, match="clouds are too far from the origin") as caught:
        load(str(far_apart))
    advice = f"`pcgen data convert {far_apart} --normalize unit_sphere --out NEW.npz`"
    assert str(caught.value).endswith(f"normalise each cloud by itself: {advice}")
    (fault,) = check(str(far_apart))
    assert str(fault) == str(caught.value)
    assert "`pcgen data check` lists them" in info(str(far_apart))["too far"]
    learned = training_set(str(far_apart), points=300, normalize="unit_sphere")
    assert learned.train.norm(dim=2).amax(1).sub(1).abs().max() < 1e-6
    assert learned.train.norm(dim=2).amin(1).min() > 0.8  # balls still, about means of 300 points
    back = learned.normalization.undo(learned.train)
    assert back.dtype == torch.float64 and abs(back.mean((0, 1))[1] - UTM[1]) < 1


def test_a_ball_stored_in_float32_far_away_is_a_fault_and_a_note(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", ball() + UTM, "float")
    (fault,) = check(str(tmp_path / "a.ply"))
    assert "so far from 0 that its float32 numbers are 0.5 apart; write it again" in str(fault)
    assert any("stored in float32" in note for note in load(str(tmp_path / "a.ply")).notes)
    write_ply(tmp_path / "b.ply", ball() + UTM)
    assert check(str(tmp_path / "b.ply")) == []


def far_mesh(path: Path) -> None:
    """A ball at a place of a map, whose file has float32 coordinates."""
    import trimesh

    trimesh.creation.icosphere(subdivisions=2).apply_translation(UTM).export(path)


@pytest.mark.parametrize("ending", [".stl", ".glb", ".ply"])
@pytest.mark.parametrize("normalize", ["none", "unit_sphere"])
def test_a_mesh_stored_in_float32_far_away_is_a_fault_and_a_note(tmp_path: Path, ending: str, normalize: str) -> None:
    path = tmp_path / f"a{ending}"
    far_mesh(path)
    (fault,) = check(str(path))
    assert str(fault).startswith(f"{path}: is 2 in size, so far from 0 that its float32 numbers are 0.5 apart")
    notes = load_placed(str(path), Reading(normalize=normalize))[0].notes
    assert sum("1 clouds, such as a" in note and "stored in float32 so far from 0" in note for note in notes) == 1


def test_a_glb_is_as_fine_as_the_coordinates_before_its_nodes_move_them(tmp_path: Path) -> None:
    import trimesh

    scene = trimesh.Scene()
    ball = trimesh.creation.icosphere(subdivisions=2)
    scene.add_geometry(ball, transform=trimesh.transformations.translation_matrix(UTM))
    scene.export(tmp_path / "a.glb")
    assert check(str(tmp_path / "a.glb")) == []
    scene = trimesh.Scene()
    scene.add_geometry(ball.apply_translation(UTM), transform=trimesh.transformations.translation_matrix(-UTM))
    scene.export(tmp_path / "b.glb")
    assert "float32 numbers are 0.5 apart" in str(check(str(tmp_path / "b.glb"))[0])


@pytest.mark.parametrize(
    ("kind", "place", "step"), [("f2", 300.0, "float16 numbers are 0.25"), (">f4", 1e6, "float32 numbers are 0.0625")]
)
@pytest.mark.parametrize("normalize", ["none", "unit_sphere", "unit_box"])
def test_any_type_that_loses_a_shape_is_told(
    tmp_path: Path, kind: str, place: float, step: str, normalize: str
) -> None:
    path = tmp_path / "a.npy"
    np.save(path, (ball() + place).astype(kind))
    assert f"so far from 0 that its {step} apart" in str(check(str(path))[0])
    notes = load_placed(str(path), Reading(normalize=normalize))[0].notes
    assert any(f"stored in {step.split()[0]} so far from 0" in note for note in notes)
    for near in (ball(), 1e-3 * ball(), ball() + 1):
        np.save(path, near.astype(kind))
        assert check(str(path)) == [] and load(str(path)).notes == ()


def test_what_is_stored_relative_to_an_origin_is_as_fine_as_it_is_there(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", points=ball()[None].astype("f4"), origin=UTM)
    assert check(str(tmp_path / "a.npz")) == []
    assert not any("coarse" in note for note in load(str(tmp_path / "a.npz")).notes)


def test_info_gives_sizes_and_true_ranges(balls: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    about = info(str(balls[0]))
    low, high = (float(word) for word in about["x"].split(" to "))
    assert low == pytest.approx(balls[1][..., 0].min(), abs=1e-5) and high - low < 50
    assert about["origin"].startswith("(6912") and about["sizes"].startswith("3.4")
    sizes = np.array([1.0, 2.0, 5.0])[:, None, None]
    np.save(tmp_path / "a.npy", sizes * np.array([[0.0, 0, 0], [3, 4, 12]]))
    assert info(str(tmp_path / "a.npy"))["sizes"] == "13 to 65, median 26 (diagonals of bounding boxes)"


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_normalisations_know_the_origin(balls: tuple[Path, np.ndarray], name: str) -> None:
    root, truth = balls
    clouds = load(str(root))
    fitted = Normalization(name).fit(clouds)
    assert Normalization.from_dict(fitted.to_dict()) == fitted and fitted.origin != (0, 0, 0)
    x, placement = fitted.place(clouds)
    assert x.dtype == torch.float32
    back = placement.undo(x)
    assert back.dtype == torch.float64 and np.abs(back.numpy() - truth).max() < 2e-5
    # A tensor holds true coordinates.
    assert torch.allclose(fitted.apply(torch.from_numpy(truth)), x, atol=1e-5)
    undone = fitted.undo(x)
    assert undone.dtype == torch.float64 and np.abs(undone.mean((0, 1)).numpy() - truth.mean((0, 1))).max() < 0.1
    if name in ("none", "global_std"):
        assert np.abs(undone.numpy() - truth).max() < 2e-5


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_what_is_learned_of_a_map_is_put_back_in_the_map(balls: tuple[Path, np.ndarray], name: str) -> None:
    root, truth = balls
    learned = training_set(str(root), points=300, normalize=name)
    assert learned.train.abs().max() < 50
    places = learned.normalization.undo(learned.train).mean((0, 1)).numpy()
    assert np.abs(places - truth.mean((0, 1))).max() < 10


@pytest.mark.parametrize("place", [np.array([1.0, 0, 0]), np.array([1200.0, 0, 0]), UTM])
def test_clouds_normalised_each_by_itself_lose_the_origin_of_the_file(tmp_path: Path, place: np.ndarray) -> None:
    points = np.stack([0.25 * ball() for _ in range(24)])
    clouds = Clouds(torch.from_numpy(points).float(), origin=tuple(place.tolist()))
    path = str(save(tmp_path / "a.npz", clouds))
    learned = training_set(path, points=300, normalize="unit_sphere")
    for x in (learned.train, learned.held_out):
        assert x.mean(1).abs().max() < 1e-6 and x.norm(dim=2).amax(1).sub(1).abs().max() < 1e-6
    assert not any("float32" in note for note in learned.notes)
    back = learned.normalization.undo(learned.train).double().mean((0, 1)).numpy()
    assert np.abs(back - place).max() < 0.1


def test_torch_geometric_gets_true_coordinates(balls: tuple[Path, np.ndarray]) -> None:
    root, truth = balls
    items = to_pyg(load(str(root)))
    assert items[3].pos.dtype == torch.float64 and np.abs(items[3].pos.numpy() - truth[3]).max() < 1e-5
    assert from_pyg(items).origin == load(str(root)).origin
