"""`pcgen encode`, `reconstruct` and `explore`: what they write, in the data's units, and their errors."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from pcgen import data, latents, training
from pcgen.data import Clouds, Normalization
from pcgen.data.gathering import Reading
from pcgen.data.loading import load_placed
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.inference import encode_all
from pcgen.models.mixtures.som import SOM
from pcgen.models.scenes.air import AIR
from pcgen.ops import chamfer

SMALL = {"encoder": {"name": "pointnet", "widths": [8]}, "decoder": {"name": "fully_connected", "widths": [16]}}


def boxes(count):
    """Boxes of two classes, far from the origin, in large units."""
    sides = torch.tensor([[9.0, 3, 3], [3, 3, 9]])[torch.arange(count) % 2]
    points = (torch.rand(count, 32, 3) - 0.5) * sides[:, None] + torch.tensor([40.0, -7.0, 3.0])
    names = tuple(f"box{place}" for place in range(count))
    return Clouds(points, labels=torch.arange(count) % 2, classes=("lying", "standing"), names=names)


@pytest.fixture
def paths(tmp_path):
    """The run of an autoencoder, and a file of clouds."""
    torch.manual_seed(0)
    clouds = boxes(12)
    fitted = Normalization("global_std").fit(clouds.points)
    model = Autoencoder((32, 3), code=4, reconstruction="chamfer", **SMALL)
    about = {"normalization": fitted.to_dict()}
    training.fit(model, fitted.apply(clouds.points), out=tmp_path / "run", about=about, steps=2)
    data.save(tmp_path / "clouds.npz", clouds)
    return tmp_path / "run", tmp_path / "clouds.npz"


def test_codes_are_written_with_names_labels_and_scores(pcgen, paths, tmp_path):
    run, clouds = paths
    result = pcgen("encode", run, clouds, "--out", tmp_path / "codes.npz", "--png", tmp_path / "strange.png")
    assert result.code == 0, result.err
    found, opened, given = np.load(tmp_path / "codes.npz"), training.Run.open(run), data.load(str(clouds))
    assert torch.equal(torch.from_numpy(found["codes"]), opened.encode(given))
    assert torch.equal(torch.from_numpy(found["score"]), opened.anomaly_score(given))
    assert found["names"].tolist() == [f"box{place}" for place in range(12)]
    assert found["labels"].tolist() == [0, 1] * 6 and found["classes"].tolist() == ["lying", "standing"]
    assert "codes (12, 4) of" in result.err and "with names, score, labels, classes" in result.err
    assert (tmp_path / "strange.png").exists()
    strangest = int(found["score"].argmax())
    of_class = [
        float(f"{value:.4g}") for value in np.sort(found["score"][1::2])[[0, 2, 5]]
    ]  # torch's median is a row's
    rows = [line.split() for line in result.out.splitlines()]
    assert ["standing", "6", *(f"{value:.4g}" for value in of_class)] in rows
    assert rows[[row[:1] for row in rows].index(["highest"]) + 2] == [
        f"box{strangest}",
        f"{found['score'][strangest]:.4g}",
    ]


def test_a_heads_own_codes_are_written_on_request(pcgen, paths, tmp_path):
    run, clouds = paths
    opened, given = training.Run.open(run), data.load(str(clouds))
    model = LatentCloudModel(opened.trained(), SOM((4,), height=2, width=3))
    about = {"normalization": opened.normalization.to_dict()}
    training.fit(model, opened.encode(given), out=tmp_path / "som", about=about, steps=5)
    own, theirs = tmp_path / "own.npz", tmp_path / "theirs.npz"
    assert pcgen("encode", tmp_path / "som", clouds, "--own", "--out", own).code == 0
    assert pcgen("encode", tmp_path / "som", clouds, "--out", theirs).code == 0
    codes = torch.from_numpy(np.load(theirs)["codes"])
    assert torch.equal(codes, opened.encode(given))
    nearest = torch.cdist(model.to_head(codes), model.head.units).argmin(1)  # the map has two rows of three units
    assert np.load(own)["codes"].tolist() == [[place // 3, place % 3] for place in nearest.tolist()]
    result = pcgen("encode", run, clouds, "--own", "--out", tmp_path / "none.npz")
    assert result.code == 2 and "is a run of autoencoder, which is no head; leave it out" in result.err


def test_reconstructions_are_in_the_datas_units_and_the_worst_is_named(pcgen, paths, tmp_path):
    run, clouds = paths
    result = pcgen("reconstruct", run, clouds, "--out", tmp_path / "again.npz", "--png", tmp_path / "again.png")
    assert result.code == 0, result.err
    given, again = data.load(str(clouds)), data.load(str(tmp_path / "again.npz"))
    assert torch.equal(again.points, training.Run.open(run).reconstruct(given))
    assert again.names == given.names and torch.equal(again.labels, given.labels)
    error = chamfer(again.points, given.points)
    assert f"on average, at most {error.max():.3g} ({given.names[int(error.argmax())]})" in result.err
    assert Image.open(tmp_path / "again.png").width > 400


def test_points_are_chosen_after_the_whole_clouds_are_placed(pcgen, tmp_path):
    """As in training: a cloud's size does not depend on the points that are used."""
    torch.manual_seed(0)
    clouds = boxes(12)
    fitted = Normalization("unit_sphere").fit(clouds)
    model = Autoencoder((32, 3), code=4, reconstruction="chamfer", **SMALL)
    about = {"normalization": fitted.to_dict()}
    training.fit(model, fitted.apply(clouds), out=tmp_path / "run", about=about, steps=2)
    source = str(data.save(tmp_path / "clouds.npz", clouds))
    result = pcgen("encode", tmp_path / "run", source, "--points", 6, "--out", tmp_path / "codes.npz")
    assert result.code == 0, result.err
    thinned, placement = load_placed(source, Reading(points=6, normalize="unit_sphere"))
    opened = training.Run.open(tmp_path / "run")
    codes = encode_all(opened.trained(), thinned.points)
    found = np.load(tmp_path / "codes.npz")
    torch.testing.assert_close(torch.from_numpy(found["codes"]), codes)
    assert not torch.allclose(codes, opened.encode(data.load(source, points=6)), atol=1e-3)
    result = pcgen("reconstruct", tmp_path / "run", source, "--points", 6, "--out", tmp_path / "again.npz")
    assert result.code == 0, result.err
    with torch.no_grad():
        again = placement.undo(opened.trained().decode(codes))
    torch.testing.assert_close(data.load(str(tmp_path / "again.npz")).points, again)


@pytest.mark.parametrize("command", ["encode", "reconstruct"])
def test_built_in_shapes_are_those_of_training_whatever_the_seed(pcgen, paths, tmp_path, command):
    run, _ = paths
    for seed in (0, 1):
        result = pcgen(command, run, "shapes:mug=5", "--points", 16, "--seed", seed, "--out", tmp_path / f"{seed}.npz")
        assert result.code == 0, result.err
    one, other = (np.load(tmp_path / f"{seed}.npz") for seed in (0, 1))
    key = "codes" if command == "encode" else "points"
    assert np.array_equal(one[key], other[key])
    if command == "encode":
        assert np.array_equal(one[key], training.Run.open(run).encode(data.load("shapes:mug=5", points=16)).numpy())


def test_reconstructions_are_written_as_a_folder_of_files_by_class_and_name(pcgen, paths, tmp_path):
    run, clouds = paths
    result = pcgen("reconstruct", run, clouds, "--out", f"{tmp_path}/again/", "--format", "obj")
    assert result.code == 0, result.err
    assert (tmp_path / "again" / "lying" / "box0.obj").is_file() and "12 clouds of 32 points" in result.err
    again = data.load(f"{tmp_path}/again:lying")
    wanted = training.Run.open(run).reconstruct(data.load(str(clouds)))[::2]
    order = [int(name.removeprefix("lying/box").removesuffix(".obj")) // 2 for name in again.names]
    assert torch.equal(again.points, wanted[order])
    result = pcgen("reconstruct", run, clouds, "--out", tmp_path / "one.obj")
    assert result.code == 2 and "a .obj file holds one cloud, got 12" in result.err


def test_objects_that_a_model_of_scenes_finds_are_written_with_their_boxes(pcgen, tmp_path):
    torch.manual_seed(0)
    scenes = data.load("shapes:scene=12", points=64)
    away = replace(scenes, points=scenes.points + 40, boxes=scenes.boxes + torch.tensor([40.0] * 3 + [0.0] * 3))
    data.save(tmp_path / "scenes.npz", away)
    fitted = Normalization("global_std").fit(away.points)
    model = AIR((64, 3), steps=2, hidden=16, code=3, background=4, grid=4)
    about = {"normalization": fitted.to_dict()}
    training.fit(model, fitted.apply(away.points), out=tmp_path / "run", about=about, steps=2)
    out, png = tmp_path / "again.npz", tmp_path / "again.png"
    result = pcgen("reconstruct", tmp_path / "run", tmp_path / "scenes.npz", "--out", out, "--png", png)
    assert result.code == 0, result.err
    again, opened = data.load(str(out)), training.Run.open(tmp_path / "run")
    boxes = opened.boxes(away)
    assert torch.equal(again.boxes.nan_to_num(-1), boxes.float().nan_to_num(-1))
    own = opened.trained().boxes(fitted.apply(away.points)).double()
    expected = torch.cat([own[..., :3] * fitted.size + torch.tensor(fitted.offset), own[..., 3:] * fitted.size], dim=2)
    torch.testing.assert_close(boxes, expected, equal_nan=True)
    right = 100 * float((again.counts == away.counts).double().mean())
    assert f"found in a cloud, as many as there are in {right:.3g}% of the clouds" in result.err
    assert Image.open(png).width > 400


def test_a_model_that_finds_no_objects_is_named(paths):
    run, clouds = paths
    with pytest.raises(ValueError, match="a run of autoencoder, which finds no objects; train air or dair"):
        training.Run.open(run).boxes(data.load(str(clouds)))


@pytest.mark.parametrize(
    ("words", "columns"),
    [
        (["--show", "paths", "--steps", 4, "--path", "spherical", "--count", 2], 6),
        (["--show", "shift", "--from", "lying", "--to", "standing", "--count", 2], 4),
        (["--show", "nearest", "--steps", 3, "--names", "box3,box5"], 4),
    ],
)
def test_each_row_is_of_clouds_that_belong_together(pcgen, paths, tmp_path, monkeypatch, words, columns):
    drawn = {}

    def picture(clouds, path, **titles):
        drawn.update(titles, clouds=clouds)
        return path

    monkeypatch.setattr("pcgen.view.picture", picture)
    run, clouds = paths
    result = pcgen("explore", run, clouds, "--png", tmp_path / "out.png", *words)
    assert result.code == 0, result.err
    assert drawn["columns"] == columns and len(drawn["clouds"]) == len(drawn["captions"]) == 2 * columns
    given, opened, captions = data.load(str(clouds)), training.Run.open(run), drawn["captions"]
    codes = opened.encode(given)
    rows = [given.names.index(captions[place]) for place in (0, columns)]
    for row, place in zip(rows, (0, columns), strict=True):
        assert torch.equal(drawn["clouds"][place], given.points[row])
    if words[1] == "paths":
        end = given.names.index(captions[columns - 1])
        way = latents.interpolate(codes[rows[:1]], codes[[end]], 4, "spherical", codes.mean(0))[0]
        torch.testing.assert_close(torch.stack(drawn["clouds"][1:5]), opened.decode(way))
        assert captions[1:5] == ["0.00", "0.33", "0.67", "1.00"]
    elif words[1] == "shift":
        moved = codes[rows[0]] + latents.class_shift(codes, given.labels, 0, 1)
        torch.testing.assert_close(drawn["clouds"][3], opened.decode(moved[None])[0])
        assert [given.labels[row].item() for row in rows] == [0, 0] and captions[3] == "as standing"
    else:
        assert rows == [3, 5]
        apart, places = latents.nearest(codes[rows], codes, 4)
        assert captions[1] == f"{given.names[places[0, 1]]} {apart[0, 1]:.2f}"


def test_a_cloud_that_is_there_twice_is_shown_beside_its_double(pcgen, paths, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr("pcgen.view.picture", lambda clouds, path, **told: drawn.update(told, clouds=clouds) or path)
    run, clouds = paths
    given = data.load(str(clouds))
    twice = given.points.clone()
    twice[5] = twice[3]
    data.save(tmp_path / "twice.npz", Clouds(twice, names=given.names))
    words = ["--show", "nearest", "--steps", 2, "--names", "box5,box3"]
    result = pcgen("explore", run, tmp_path / "twice.npz", "--png", tmp_path / "out.png", *words)
    assert result.code == 0, result.err
    captions = drawn["captions"]
    assert (captions[0], captions[1], captions[3], captions[4]) == ("box5", "box3 0.00", "box3", "box5 0.00")


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        ([], "lying", "standing"),
        (["--from", "standing"], "standing", "lying"),
        (["--to", "lying"], "standing", "lying"),
        (["--from", "standing", "--names", "box3,box7"], "standing", "lying"),
    ],
)
def test_a_shift_goes_to_another_class(pcgen, paths, tmp_path, monkeypatch, words, start, end):
    """Also where one of the two is not named."""
    drawn = {}
    monkeypatch.setattr("pcgen.view.picture", lambda clouds, path, **told: drawn.update(told, clouds=clouds) or path)
    result = pcgen("explore", *paths, "--png", tmp_path / "out.png", "--show", "shift", *words)
    assert result.code == 0, result.err
    given = data.load(str(paths[1]))
    assert {given.classes[given.labels[given.names.index(name)]] for name in drawn["captions"][::4]} == {start}
    assert drawn["captions"][3] == f"as {end}" and not torch.equal(drawn["clouds"][1], drawn["clouds"][3])


def test_a_map_is_drawn_with_what_falls_to_each_place(pcgen, paths, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr("pcgen.view.picture", lambda clouds, path, **told: drawn.update(told, clouds=clouds) or path)
    run, clouds = paths
    opened, given = training.Run.open(run), data.load(str(clouds))
    model = LatentCloudModel(opened.trained(), SOM((4,), height=2, width=3))
    about = {"normalization": opened.normalization.to_dict()}
    training.fit(model, opened.encode(given), out=tmp_path / "som", about=about, steps=5)
    result = pcgen("explore", tmp_path / "som", clouds, "--png", tmp_path / "map.png", "--show", "map")
    assert result.code == 0, result.err
    assert drawn["columns"] == 3 and len(drawn["clouds"]) == len(drawn["captions"]) == 6
    units = model.to_head.inverse(model.head.units)
    torch.testing.assert_close(torch.stack(drawn["clouds"]), opened.decode(units))
    fallen = torch.cdist(model.to_head(opened.encode(given)), model.head.units).argmin(1)
    for place, caption in enumerate(drawn["captions"]):
        here = given.labels[fallen == place]
        if not len(here):
            assert caption == "none"
        else:
            name, count = caption.split()
            assert int(count) == len(here)
            most = here.bincount(minlength=2)
            assert most[given.classes.index(name)] == most.max()


def test_clouds_of_a_map_are_drawn_about_its_origin(pcgen, tmp_path, monkeypatch):
    """Pictures are drawn from float32, which does not hold the true coordinates."""
    drawn = {}
    monkeypatch.setattr("pcgen.view.picture", lambda clouds, path, **told: drawn.update(told, clouds=clouds) or path)
    torch.manual_seed(0)
    at = torch.tensor([691234.5, 5334567.25, 12.0], dtype=torch.float64)
    clouds = Clouds.of(torch.randn(12, 32, 3, dtype=torch.float64) + at)
    fitted = Normalization("unit_sphere").fit(clouds)
    model = Autoencoder((32, 3), code=4, reconstruction="chamfer", **SMALL)
    about = {"normalization": fitted.to_dict()}
    training.fit(model, fitted.apply(clouds), out=tmp_path / "run", about=about, steps=2)
    data.save(tmp_path / "clouds.npz", clouds)
    words = ["--show", "paths", "--steps", 3, "--count", 2]
    result = pcgen("explore", tmp_path / "run", tmp_path / "clouds.npz", "--png", tmp_path / "out.png", *words)
    assert result.code == 0, result.err
    given, opened = data.load(str(tmp_path / "clouds.npz")), training.Run.open(tmp_path / "run")
    assert given.origin != (0, 0, 0) and all(cloud.abs().max() < 100 for cloud in drawn["clouds"])
    ends = [given.names.index(drawn["captions"][place]) for place in (0, 4)]
    codes = opened.encode(given)
    way = latents.interpolate(codes[ends[:1]], codes[ends[1:]], 3, "linear", codes.mean(0))[0]
    decoded = opened.decode(way) - torch.tensor(given.origin, dtype=torch.float64)
    torch.testing.assert_close(torch.stack(drawn["clouds"][1:4]).double(), decoded)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--from", "lying"], "--from: is for --show shift, got --show paths; leave it out"),
        (["--show", "nearest", "--to", "lying"], "--to: is for --show shift, got --show nearest"),
        (["--show", "nearest", "--path", "linear"], "--path: is for --show paths, got --show nearest"),
        (["--show", "shift", "--steps", 7], "--steps: is for --show paths, nearest, got --show shift"),
        (["--show", "map", "--count", 4], "--count: is for --show paths, shift, nearest, got --show map"),
        (["--show", "map", "--names", "box1"], "--names: is for --show paths, shift, nearest, got --show map"),
        (["--show", "way"], "--show: must be one of paths, shift, nearest, map; got 'way'"),
        (["--names", "box33,box4"], "--names: must be one of box0, .*; got 'box33'; did you mean 'box3'"),
        (["--show", "shift", "--to", "stading"], "--to: must be one of lying, standing; got 'stading'"),
        (["--show", "nearest", "--steps", 12], "--steps: must be less than the 12 clouds of .*, got 12"),
        (["--show", "map"], "model: must be a head with a map, on codes of an autoencoder, got Autoencoder; train one"),
        (["--names", "box1"], "--names: must be two clouds for each row of paths, got 1; add one, or leave one out"),
        (["--names", "box1,box2,box3"], "--names: must be two clouds for each row of paths, got 3; add one"),
        (["--names", "box1,box2", "--count", 1], "--count: is for a random choice of clouds, got --names too"),
        (
            ["--show", "shift", "--from", "lying", "--to", "lying"],
            "--to: must be another class than --from, got lying for both; name two of lying, standing",
        ),
        (
            ["--show", "shift", "--names", "box2,box3"],
            "--names: must be of the class lying, which is moved, got box3 of standing; leave it out",
        ),
    ],
)
def test_what_cannot_be_drawn_is_named(pcgen, paths, tmp_path, words, told):
    result = pcgen("explore", *paths, "--png", tmp_path / "out.png", *words)
    assert result.code == 2
    assert re.search(told, result.err), result.err
