"""What an explorer page tells of a run, against closed forms."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from pcgen import training
from pcgen.data import Clouds, Normalization
from pcgen.latents import interpolate, places_on_map
from pcgen.models import MODELS
from pcgen.models.chains.dae import DAE
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.models.clouds.deformed import DeformedCloudModel
from pcgen.models.clouds.deforming import Exemplars
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.mixtures.gmm import GMM
from pcgen.models.mixtures.parzen import Parzen
from pcgen.models.mixtures.som import SOM
from pcgen.report import between, explored, film
from pcgen.report.explored import atlas_of
from pcgen.report.explorer import explorer_html
from pcgen.report.maps import side_by_side
from pcgen.report.opened import Opened

SMALL = {"encoder": {"name": "pointnet", "widths": [8]}, "decoder": {"name": "fully_connected", "widths": [16]}}


def boxes(count: int, points: int = 32) -> Clouds:
    """Boxes of two classes, two of three for training."""
    sides = torch.tensor([[3.0, 1, 1], [1, 1, 3]])[torch.arange(count) % 2] * (0.5 + torch.rand(count, 1))
    cloud = (torch.rand(count, points, 3) - 0.5) * sides[:, None]
    splits = tuple("test" if row % 3 == 2 else "train" for row in range(count))
    names = tuple(f"box{row}" for row in range(count))
    labels, classes = torch.arange(count) % 2, ("lying", "standing")
    return Clouds(cloud, labels=labels, classes=classes, names=names, splits=splits, source="folder/boxes.npz")


def run_of(folder: Path, model: torch.nn.Module) -> training.Run:
    return training.save(model, folder, data={"training_set": {"spec": "folder/boxes.npz"}})


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """An autoencoder that has not learned: its codes differ all the same."""
    return Opened(run_of(tmp_path / "ae", Autoencoder((32, 3), code=4, **SMALL)))


def head(opened: Opened, clouds: Clouds, model: torch.nn.Module, folder: Path) -> Opened:
    """A head that has learned the clouds' codes."""
    made = LatentCloudModel(opened.model, model)
    training.fit(made, opened.encode(clouds), out=folder, steps=5)
    return Opened(training.Run.open(folder))


def test_the_map_shows_what_numpys_singular_vectors_show(opened: Opened) -> None:
    clouds = boxes(12)
    atlas = atlas_of(opened, clouds, [0, 1])
    rows = [row for row in range(12) if row % 3 != 2] + [2, 5, 8, 11]
    codes = opened.encode(clouds).double().numpy()
    left, sizes, _ = np.linalg.svd(codes - codes.mean(0), full_matrices=False)
    found = np.concatenate([each.places[0] for each in atlas.sets])
    np.testing.assert_allclose(np.abs(found), np.abs(left * sizes)[rows, :2], atol=1e-6)
    shares = 100 * sizes**2 / (sizes**2).sum()
    assert f"they show {shares[0]:.0f}% and {shares[1]:.0f}% of the variance" in atlas.maps[0].about[0]


def test_sets_are_the_splits_and_ends_are_where_they_are_said_to_be(opened: Opened) -> None:
    clouds = boxes(12)
    atlas = atlas_of(opened, clouds, [5, 3, 5, 0])
    assert [(each.name, len(each.points)) for each in atlas.sets] == [("train", 8), ("test", 4)]
    ends = [(atlas.sets[number].titles[place], atlas.sets[number].labels[place]) for number, place in atlas.ways.ends]
    assert ends == [("box5", 1), ("box3", 1), ("box0", 0)]
    number, place = atlas.ways.ends[0]
    np.testing.assert_array_equal(atlas.sets[number].points[place], clouds.points[5].double())
    assert atlas.classes == ("lying", "standing")
    assert atlas.notes == [
        "The sets train, val and test are the splits of boxes.npz; the run was trained on boxes.npz@train."
    ]
    atlas = atlas_of(opened, replace(clouds, source="folder/scans/"), [0, 1])
    assert atlas.title == "What ae has learned from scans" and "the splits of scans;" in atlas.notes[0]
    (whole,) = atlas_of(opened, replace(clouds, splits=None), [0, 1]).sets
    assert whole.name == "clouds" and whole.titles == list(clouds.names)


def test_every_way_is_what_is_decoded_of_the_codes_between(opened: Opened) -> None:
    clouds, ends = boxes(9), [4, 7, 1]
    ways = atlas_of(opened, clouds, ends, steps=5).ways
    codes = opened.encode(clouds)
    axes = explored.principal_axes(codes)
    expected = [(a, b, path) for path in ("linear", "spherical") for a, b in combinations(range(3), 2)]
    assert [(way.start, way.end, way.path) for way in ways.ways] == expected
    for way in ways.ways:
        a, b = (codes[[ends[end]]] for end in (way.start, way.end))
        between_them = interpolate(a, b, 5, way.path, codes.mean(0))[0]
        np.testing.assert_allclose(ways.points[way.frames], opened.decode(between_them), atol=1e-5)
        np.testing.assert_allclose(way.places, axes.along(between_them), atol=1e-5)
    assert len(ways.points) == 3 + 6 * 3  # no cloud twice


def test_what_a_page_has_no_room_for_is_said(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    clouds = boxes(20, 128)
    monkeypatch.setattr(explored, "_SHOWN", 8)
    monkeypatch.setattr(explored, "_BYTES", 8 * 8 * 100)
    atlas = atlas_of(opened, clouds, [19, 2, 11])
    shown = [title for each in atlas.sets for title in each.titles]
    assert len(shown) == 8 and {"box19", "box2", "box11"} <= set(shown)
    assert {each.points.shape[1] for each in atlas.sets} == {100}
    assert atlas.notes[0] == (
        "Shown: 8 of the 20 clouds (chosen by seed) and 100 of the 128 points of a cloud; "
        "the axes are those of all clouds."
    )
    kept = {tuple(point) for point in clouds.points[19].double().tolist()}
    number, place = atlas.ways.ends[0]
    assert {tuple(point) for point in atlas.sets[number].points[place].tolist()} < kept


def test_ways_are_thinned_alike_so_that_points_can_be_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(run_of(tmp_path / "ae", Autoencoder((128, 3), code=4, **SMALL)))
    clouds = boxes(6, 128)
    whole = atlas_of(opened, clouds, [0, 1], steps=3).ways.points
    monkeypatch.setattr(between, "_BYTES", 8 * 70 * len(whole))
    ways = atlas_of(opened, clouds, [0, 1], steps=3).ways
    assert ways.points.shape == (4, 70, 3) and "Shown: 70 of the 128 points" in ways.about[1]
    kept = [int((whole[0] == point).all(1).argmax()) for point in ways.points[0]]
    np.testing.assert_array_equal(ways.points, whole[:, kept])
    monkeypatch.setattr(between, "_BYTES", 8 * 60 * len(whole))
    with pytest.raises(
        ValueError, match=r"ends: 1 paths of 3 clouds, between 2 clouds, are too many for one page; take fewer"
    ):
        atlas_of(opened, clouds, [0, 1], steps=3)


def test_what_a_head_draws_stands_where_its_codes_are(opened: Opened, tmp_path: Path) -> None:
    clouds = boxes(30)
    drawing = head(opened, clouds, GMM((4,), components=2), tmp_path / "gmm")
    atlas = atlas_of(drawing, clouds, [0, 1])
    drawn = atlas.sets[-1]
    assert drawn.name == "samples of gmm" and len(drawn.points) == 30 and drawn.labels == [None] * 30
    torch.manual_seed(0)
    model = drawing.model
    codes = model.codes_of(model.head.sample(30))
    np.testing.assert_allclose(drawn.points, drawing.decode(codes), atol=1e-6)
    axes = explored.principal_axes(drawing.encode(clouds))
    np.testing.assert_allclose(drawn.places[0], axes.along(codes), atol=1e-6)


def test_a_film_is_of_the_states_that_the_model_passes_through(opened: Opened, tmp_path: Path) -> None:
    clouds = boxes(30)
    chain = head(opened, clouds, DAE((4,), steps=5, width=16, blocks=1), tmp_path / "dae")
    found = atlas_of(chain, clouds, [0, 1]).film
    states, captions = training.states_of(chain.run, 6, 24, 0)
    assert found.captions == captions and len(captions) == 6  # the start, and five transitions
    np.testing.assert_allclose(found.points, states, atol=1e-6)
    assert atlas_of(opened, clouds, [0, 1]).film is None


def test_the_frames_of_a_film_are_thinned_alike(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clouds = boxes(30)
    chain = head(opened, clouds, DAE((4,), steps=5, width=16, blocks=1), tmp_path / "dae")
    whole = atlas_of(chain, clouds, [0, 1]).film.points
    monkeypatch.setattr(film, "_BYTES", 8 * 6 * 6 * 20)
    thinned = atlas_of(chain, clouds, [0, 1]).film
    kept = [int((whole[0, 0] == point).all(1).argmax()) for point in thinned.points[0, 0]]
    assert len(kept) == 20 and thinned.about[1] == "Shown: 20 of the 32 points of a cloud."
    np.testing.assert_array_equal(thinned.points, whole[:, :, kept])


def check_samples(opened: Opened, clouds: Clouds) -> None:
    """The page shows what the run samples, at the places of its codes."""
    drawn = atlas_of(opened, clouds, [0, 1]).sets[-1]
    torch.manual_seed(0)
    samples = opened.run.sample(len(clouds))
    np.testing.assert_allclose(drawn.points, samples, atol=1e-6)
    axes = explored.principal_axes(opened.encode(clouds))
    np.testing.assert_allclose(drawn.places[0], axes.along(opened.encode(samples)), atol=1e-4)


def test_another_generators_clouds_are_encoded(tmp_path: Path) -> None:
    clouds = boxes(6)
    opened = Opened(run_of(tmp_path / "vae", MODELS["vae"]((32, 3), code=3)))
    check_samples(opened, clouds)


def test_samples_that_are_deformed_training_clouds_are_shown_and_not_what_the_decoder_makes(
    opened: Opened, tmp_path: Path
) -> None:
    clouds = boxes(12)
    made = DeformedCloudModel(opened.model, Parzen((4,), rows=12, neighbours=3), Exemplars.of(clouds.points))
    training.fit(made, opened.encode(clouds), out=tmp_path / "parzen", steps=1)
    check_samples(Opened(training.Run.open(tmp_path / "parzen")), clouds)


def test_another_generators_clouds_on_a_map_keep_their_digits(tmp_path: Path) -> None:
    place = (691230.0, 5334570.0, 0.0)
    known = Normalization("none", place, fitted=True, origin=place).to_dict()
    model = MODELS["vae"]((32, 3), code=3)
    opened = Opened(training.save(model, tmp_path / "vae", data={"normalization": known}))
    clouds, codes = opened.drawn(4) or (torch.empty(0), torch.empty(0))
    torch.manual_seed(0)
    near = opened.model.sample(4)
    torch.testing.assert_close((clouds - torch.tensor(place, dtype=torch.float64)).float(), near, atol=1e-6, rtol=0)
    torch.testing.assert_close(codes, opened.model.encode(near).detach())
    with torch.no_grad():
        for weights in opened.model.parameters():
            weights.fill_(torch.nan)
    with pytest.raises(ValueError, match="4 of 4 samples are not finite; train it again with a smaller lr"):
        opened.drawn(4)


def test_a_map_that_a_head_has_is_a_second_map(opened: Opened, tmp_path: Path) -> None:
    clouds = boxes(20)
    mapped = head(opened, clouds, SOM((4,), height=2, width=3), tmp_path / "som")
    atlas = atlas_of(mapped, clouds, [0, 1])
    assert [each.name for each in atlas.maps] == ["principal axes", "the head's own"]
    assert [each.name for each in atlas.sets] == ["train", "test", "units of the map", "samples of som"]
    places = np.concatenate([each.places[1] for each in atlas.sets])
    assert len(np.unique(places.round(6), axis=0)) == len(places)  # none hides another
    rows = [row for row in range(20) if row % 3 != 2] + [row for row in range(20) if row % 3 == 2]
    cells = places_on_map(mapped.model, mapped.encode(clouds)[rows]).numpy()
    np.testing.assert_array_equal(places[:20].round(), np.stack([cells[:, 1], -cells[:, 0]], 1))
    units = atlas.sets[2]
    assert units.titles[5] == "row 1, column 2" and units.places[1][5].round().tolist() == [2, -1]


def test_clouds_of_one_cell_stand_side_by_side_within_it() -> None:
    cells = np.array([[0, 0]] * 5 + [[2, 1]])
    places = side_by_side(cells)
    assert places[5].tolist() == [1, -2]
    assert np.abs(places[:5]).max() < 0.5 and len(np.unique(places[:5], axis=0)) == 5
    assert places[0, 0] < places[1, 0] and places[0, 1] == places[1, 1] > places[3, 1]


def test_one_number_a_code_is_a_line(tmp_path: Path) -> None:
    opened = Opened(run_of(tmp_path / "ae", Autoencoder((32, 3), code=1, **SMALL)))
    atlas = atlas_of(opened, boxes(6), [0, 1])
    assert atlas.maps[0].about == [
        "The map's direction is the leading principal axis of the codes: it shows 100% of the variance."
    ]
    assert not np.concatenate([each.places[0] for each in atlas.sets])[:, 1].any()


def test_a_page_of_400_clouds_of_1024_points_has_them_whole_within_6_megabytes(tmp_path: Path) -> None:
    opened = Opened(run_of(tmp_path / "ae", Autoencoder((1024, 3), code=4, **SMALL)))
    clouds = boxes(400, 1024)
    atlas = atlas_of(head(opened, clouds, GMM((4,), components=2), tmp_path / "gmm"), clouds, range(8))
    assert {each.points.shape[1] for each in atlas.sets} == {1024}
    assert sum(len(each.points) for each in atlas.sets) == 500
    assert len(explorer_html(atlas)) < 6e6


def test_what_cannot_be_explored_is_named(opened: Opened, tmp_path: Path) -> None:
    clouds = boxes(4)
    with pytest.raises(ValueError, match=r"folder/boxes\.npz: must have two clouds or more for a map .*, got 1"):
        atlas_of(opened, clouds.select([0]), [0])
    with pytest.raises(ValueError, match=r"folder/boxes\.npz: must have two clouds or more to interpolate, got 1"):
        atlas_of(opened, clouds, [3, 3])
    gan = Opened(run_of(tmp_path / "gan", MODELS["gan"]((32, 3))))
    with pytest.raises(ValueError, match=r"a run of gan, which has no codes; give the run folder of an autoencoder"):
        atlas_of(gan, clouds, [0, 1])
    with pytest.raises(ValueError, match=r"a run of vae, which learns rows of shape \(4,\), not clouds; give"):
        Opened(run_of(tmp_path / "vae", MODELS["vae"]((4,))))
    with torch.no_grad():
        next(opened.model.encoder.parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match=r"codes: must be finite, 4 of 4 are not"):
        atlas_of(opened, clouds, [0, 1])
