import copy
import json
from pathlib import Path

import pytest
import torch

from pcgen import data, training
from pcgen.data import Augmentation, Clouds
from pcgen.data.thinning import thin
from pcgen.data.training_set import training_set
from pcgen.metrics.svm import linear_svm
from pcgen.models import build
from pcgen.models.classifiers.base import Classifier
from pcgen.models.clouds.set_autoencoder import SetAutoencoder
from pcgen.studies import classification

SMALL = {
    "code": 8,
    "encoder": {"name": "pointnet", "widths": [16, 16]},
    "decoder": {"name": "fully_connected", "widths": [32]},
}
ON_CODES = ("svm", "svm_untrained", "svm_norms")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """An npz of 90 ellipsoids of 64 points: balls, plates and rods, 60 to learn and 30 to be tested on."""
    torch.manual_seed(0)
    labels = torch.arange(90) % 3
    axes = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.1, 1.0], [1.0, 0.1, 0.1]])[labels][:, None]
    points = Augmentation(rotation=180)(torch.nn.functional.normalize(torch.randn(90, 64, 3), dim=2) * axes)
    clouds = Clouds(points, labels=labels, classes=("ball", "plate", "rod"), splits=("train",) * 60 + ("test",) * 30)
    return data.save(tmp_path_factory.mktemp("shapes") / "shapes.npz", clouds)


def train(shapes, run, normalize="none", steps=60):
    source = training_set(str(shapes), points=32, normalize=normalize)
    torch.manual_seed(0)
    model = build({"name": "autoencoder", "shape": [32, 3], **SMALL})
    data_options = {"labels": source.labels, "about": source.about}
    training.fit(model, source.train, out=run, steps=steps, batch_size=16, seed=0, **data_options)
    return run


@pytest.fixture(scope="module")
def autoencoder(shapes, tmp_path_factory):
    return train(shapes, tmp_path_factory.mktemp("runs") / "ae")


def rows(out):
    return {row["name"]: row for row in json.loads((out / "classification.json").read_text())["rows"]}


def test_codes_are_classified_beside_their_floors(pcgen, shapes, autoencoder, tmp_path):
    out = tmp_path / "table"
    result = pcgen("classify", autoencoder, "--data", shapes, "--out", out)
    assert result.code == 0, result.err
    found = rows(out)
    assert list(found) == ["majority", *(f"{name}[{autoencoder}]" for name in ON_CODES)]
    assert found["majority"]["accuracy"] == pytest.approx(1 / 3)
    assert found[f"svm[{autoencoder}]"]["accuracy"] > 0.8
    assert found["majority"]["classes"] == {"ball": 1.0, "plate": 0.0, "rod": 0.0}
    for row in found.values():
        assert row["class_accuracy"] == pytest.approx(sum(row["classes"].values()) / 3)
        assert row["interval"][0] <= row["accuracy"] <= row["interval"][1]
    about = json.loads((out / "classification.json").read_text())
    assert (about["train"]["clouds"], about["test"]["clouds"], about["seed"]) == (60, 30, 0)
    assert about["classes"] == ["ball", "plate", "rod"]
    assert "untrained" in (out / "classification.md").read_text() and "untrained" in result.out
    assert "60 clouds of @train are learned, 30 of @test tested" in result.err


def test_the_floors_are_the_untrained_encoder_and_the_row_its_trained_one(shapes, autoencoder):
    """All rows against codes that are taken by hand from the run and from its configuration."""
    sets = classification.labelled(str(shapes))
    trained, untrained, norms = classification.on_codes(autoencoder, sets, seed=3)
    torch.manual_seed(3)
    first = build(training.Run.open(autoencoder).config["model"]).eval()
    thinned = [thin(each.points, 32, 3) for each in (sets.train, sets.test)]
    fitted = copy.deepcopy(first).train()
    fitted.encoder.norms.apply(lambda norm: setattr(norm, "momentum", 1.0))
    fitted.encoder(thinned[0])  # all clouds are one batch
    for row, model in ((trained, training.load(autoencoder)), (untrained, first), (norms, fitted.eval())):
        with torch.no_grad():
            codes, test_codes = (model.encode(each) for each in thinned)
        expected = linear_svm(codes, sets.labels, test_codes, sets.test_labels, seed=3)
        assert (row.accuracy, row.details["penalty"]) == (expected.accuracy, expected.penalty)


def test_codes_that_are_sets_are_classified_as_one_vector_each(pcgen, shapes, tmp_path):
    run, out = tmp_path / "sets", tmp_path / "table"
    torch.manual_seed(0)
    model = SetAutoencoder((32, 3), tokens=4, channels=2, width=8, features=8, heads=2)
    training.save(model, run)
    result = pcgen("classify", run, "--data", shapes, "--out", out)
    assert result.code == 0, result.err
    row, sets = rows(out)[f"svm[{run}]"], classification.labelled(str(shapes))
    assert row["details"]["width"] == 8
    with torch.no_grad():
        codes, test_codes = (
            model.eval().encode(thin(each.points, 32, 0)).flatten(1) for each in (sets.train, sets.test)
        )
    assert row["accuracy"] == linear_svm(codes, sets.labels, test_codes, sets.test_labels).accuracy


def test_normalisation_is_that_of_the_autoencoders_training(shapes, tmp_path):
    """The same shapes elsewhere and larger give the same codes to an autoencoder of clouds in the unit sphere."""
    run = train(shapes, tmp_path / "ae", normalize="unit_sphere", steps=20)
    clouds = data.load(str(shapes))
    moved = Clouds(clouds.points * 30 + 5, labels=clouds.labels, classes=clouds.classes, splits=clouds.splits)
    far = data.save(tmp_path / "far.npz", moved)
    near, there = (classification.on_codes(run, classification.labelled(str(each)))[0] for each in (shapes, far))
    assert there.accuracy == near.accuracy and there.details["validation"] == near.details["validation"]


def test_supervised_references_join_the_table_and_are_resumed(pcgen, shapes, autoencoder, tmp_path):
    out = tmp_path / "table"
    few = ["--points", 32, "--steps", 30, "--batch-size", 20, "--rotate", 0]
    assert pcgen("classify", autoencoder, "--data", shapes, "--out", out).code == 0
    result = pcgen("classify", "--models", "pointnet", "--data", shapes, "--out", out, *few)
    assert result.code == 0, result.err
    assert list(rows(out)) == ["majority", *(f"{name}[{autoencoder}]" for name in ON_CODES), "pointnet"]
    row = rows(out)["pointnet"]
    assert row["points"] == 32 and row["details"]["steps"] == 30
    model = training.load(out / "pointnet")
    assert isinstance(model, Classifier) and model.classes == ("ball", "plate", "rod")
    sets = classification.labelled(str(shapes))
    assert row["accuracy"] == pytest.approx(model.accuracy(thin(sets.test.points, 32, 0), sets.test_labels))
    before = (out / "pointnet" / "last.safetensors").read_bytes()
    result = pcgen("classify", "--models", "pointnet, pointnet", "--data", shapes, "--out", out, *few)
    assert result.code == 0 and result.err.count("nothing is left to train") == 1
    assert (out / "pointnet" / "last.safetensors").read_bytes() == before
    assert rows(out)["pointnet"]["accuracy"] == row["accuracy"]


def test_all_references_are_trained_on_request(pcgen, shapes, tmp_path):
    few = ["--points", 24, "--steps", 1, "--batch-size", 8, "--set", "pointnet2.neighbours=[6, 5]"]
    result = pcgen("classify", "--supervised", "--data", shapes, "--out", tmp_path / "table", *few)
    assert result.code == 0, result.err
    assert list(rows(tmp_path / "table")) == ["majority", "pointnet", "pointnet_tnets", "pointnet2", "pointnet2_mrg"]
    assert "pointnet2_normals: left out, since the clouds have no normals" in result.err
    assert training.load(tmp_path / "table" / "pointnet_tnets").config["tnets"] is True
    assert training.load(tmp_path / "table" / "pointnet2").config["neighbours"] == [6, 5]


def test_normals_are_seen_where_the_data_has_them(pcgen, shapes, tmp_path):
    """Balls whose normals point outwards, and balls whose normals point inwards: their points say nothing."""
    labels = torch.arange(90) % 2
    points = torch.nn.functional.normalize(torch.randn(90, 64, 3), dim=2)
    normals = points * (1 - 2 * labels)[:, None, None]
    splits = ("train",) * 60 + ("test",) * 30
    clouds = Clouds(points, normals=normals, labels=labels, classes=("full", "hollow"), splits=splits)
    path = data.save(tmp_path / "balls.npz", clouds)
    few = ["--points", 32, "--steps", 60, "--batch-size", 20, "--data", path, "--out", tmp_path / "table"]
    result = pcgen("classify", "--models", "pointnet2,pointnet2_normals", *few)
    assert result.code == 0, result.err
    found = rows(tmp_path / "table")
    assert found["pointnet2_normals"]["accuracy"] > 0.9 > found["pointnet2"]["accuracy"]
    few[-3:-2] = [shapes]
    result = pcgen("classify", "--models", "pointnet2_normals", *few[:-1], tmp_path / "none")
    assert result.code == 2 and "pointnet2_normals: sees normals, and the clouds of" in result.err


def test_another_set_or_seed_is_refused_and_the_table_kept(pcgen, shapes, autoencoder, tmp_path):
    out = tmp_path / "table"
    assert pcgen("classify", autoencoder, "--data", shapes, "--out", out).code == 0
    before = (out / "classification.json").read_bytes()
    result = pcgen("classify", autoencoder, "--data", shapes, "--out", out, "--seed", 4)
    assert result.code == 2 and "its seed is 0, asked for is 4; choose another --out" in result.err
    result = pcgen("classify", autoencoder, "--data", f"{shapes}:ball,rod", "--out", out)
    assert result.code == 2 and "its data is" in result.err
    assert (out / "classification.json").read_bytes() == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    result = pcgen("classify", autoencoder, "--data", shapes, "--out", tmp_path / "other")
    assert result.code == 2 and "has notes.txt in it" in result.err


@pytest.mark.parametrize(
    "text", ["", "[]", '{"rows": 3}', '{"rows": [{"name": "svm"}]}', '{"rows": [{"interval": [1]}]}']
)
def test_a_damaged_table_is_told_by_its_name_in_one_line(pcgen, shapes, autoencoder, text, tmp_path):
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "classification.json").write_text(text)
    result = pcgen("classify", autoencoder, "--data", shapes, "--out", tmp_path / "table")
    assert result.code == 2 and len(result.err.strip().splitlines()) == 1
    assert "classification.json: damaged, or not written by this pcgen (" in result.err and "delete it" in result.err
    assert (tmp_path / "table" / "classification.json").read_text() == text


def test_the_answers_of_each_row_are_kept_for_comparisons_cloud_by_cloud(shapes, autoencoder, tmp_path):
    sets = classification.labelled(str(shapes))
    made = [classification.majority(sets), *classification.on_codes(autoencoder, sets)]
    for row in made:
        assert len(row.right) == 30 and row.right.count("1") / 30 == pytest.approx(row.accuracy)
    assert made[0].right == "".join(str(int(label == 0)) for label in sets.test_labels)
    about = {"data": str(shapes), "seed": 0, **sets.about}
    classification.write(made, tmp_path / "table", about)
    assert classification.kept(tmp_path / "table", about, []) == made
    older = json.loads((tmp_path / "table" / "classification.json").read_text())
    for row in older["rows"]:
        del row["right"]
    (tmp_path / "table" / "classification.json").write_text(json.dumps(older))
    assert [row.right for row in classification.kept(tmp_path / "table", about, [])] == [""] * len(made)


def write(tmp_path, labels, splits, classes=("a", "b", "c")):
    points = torch.randn(len(splits), 16, 3)
    given = None if labels is None else torch.tensor(labels)
    return data.save(
        tmp_path / "few.npz", Clouds(points, labels=given, classes=classes if labels else (), splits=splits)
    )


@pytest.mark.parametrize(
    ("labels", "splits", "message"),
    [
        (None, ("train", "train", "test"), "its clouds have no labels, and classification needs them"),
        ([0, 0, 0], ("train", "train", "test"), "has one class, a, and classification needs two"),
        (
            [0, 0, 1, 0],
            ("train", "train", "train", "test"),
            "too few has b (1); give more\n",  # a alone would not be a set either
        ),
        ([0, 0, 0, 1], ("train", "train", "test", "test"), "too few has b (0)"),
        (
            [0, 0, 1, 2, 2, 0],
            ("train",) * 5 + ("test",),
            "too few has b (1); give more, or name the others: SOURCE:a,c\n",
        ),
        ([0, 0, 1, 1], ("train",) * 4, "has no split 'test'; it has train, and all"),
    ],
)
def test_a_set_that_cannot_be_classified_is_told_in_one_line(pcgen, labels, splits, message, tmp_path):
    path = write(tmp_path, labels, splits)
    result = pcgen("classify", "--supervised", "--points", 16, "--data", path, "--out", tmp_path / "table")
    assert result.code == 2
    assert message in result.err and len(result.err.strip().splitlines()) == 1
    assert not (tmp_path / "table").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "RUNS, --supervised: give an autoencoder's run folder, or --supervised, or both"),
        (["nowhere"], "nowhere: no such run folder"),
        (
            ["--models", "pointnet3"],
            "--models: must be one of pointnet, pointnet_tnets, pointnet2, pointnet2_mrg, pointnet2_normals; got",
        ),
        (["--supervised", "--losses", "hing"], "--losses: must be one of squared_hinge, hinge; got 'hing'"),
        (["--supervised", "--set", "pointnet.tnets=true"], "--set: must be one of regularization, code, dropout, lr"),
        (["--supervised", "--set", "pointnet2.neighbors=[4,4]"], "did you mean 'neighbours'?"),
        (
            ["--models", "pointnet2", "--set", "pointnet.code=4"],
            "--set: model: must be one of pointnet2; got 'pointnet'",
        ),
        (["--supervised", "--set", "code=4"], "--set: must be MODEL.name=value, got 'code=4'"),
        (["--supervised", "--minutes", "0"], "minutes: must be above 0, got 0"),
        (["--supervised", "--epochs", "1", "--steps", "1"], "epochs, steps, minutes: give one of them"),
        (["--supervised", "--device", "gpu"], "device: must be cpu, cuda or cuda:N, got 'gpu'"),
        (["--supervised", "--points", "65"], "--points: must be at most 64, which the clouds of"),
    ],
)
def test_an_error_is_short_and_names_what_is_right(pcgen, shapes, words, message, tmp_path):
    result = pcgen("classify", *words, "--data", shapes, "--out", tmp_path / "table")
    assert result.code == 2
    assert message in result.err and "Traceback" not in result.err
    assert not (tmp_path / "table").exists()


@pytest.mark.parametrize(
    "words",
    [["--minutes", 0], ["--steps", 3, "--epochs", 3], ["--device", "gpu"], ["run-that-is-not-there"]],
)
def test_arguments_are_refused_before_data_is_read(pcgen, autoencoder, words, tmp_path):
    result = pcgen("classify", autoencoder, *words, "--data", tmp_path / "none.npz", "--out", tmp_path / "table")
    assert result.code == 2 and "none.npz" not in result.err and len(result.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epochs", 3, "--rotate", 0, "--no-bf16"], "--epochs, --rotate, --bf16: for supervised references; add"),
        (["--points", 9], "--points: for supervised references; add --supervised or --models, or leave it out"),
    ],
)
def test_options_that_would_be_ignored_are_refused(pcgen, autoencoder, words, message, tmp_path):
    result = pcgen("classify", autoencoder, *words, "--data", tmp_path / "none.npz", "--out", tmp_path / "table")
    assert result.code == 2 and message in result.err, result.err
    words = ["--supervised", "--losses", "hinge", "--data", tmp_path / "none.npz", "--out", tmp_path / "table"]
    result = pcgen("classify", *words)
    assert result.code == 2 and "--losses: for a classifier of codes; name a run folder" in result.err


def test_a_folder_that_cannot_be_is_refused_before_data_is_read(pcgen, autoencoder, tmp_path):
    (tmp_path / "ref.npz").write_bytes(b"mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    file = f"--out: must be a folder, and {tmp_path / 'ref.npz'} is a file; choose another one"
    long = tmp_path / ("x" * 300)
    for out, message in [
        (tmp_path / "ref.npz", file),
        (tmp_path / "ref.npz" / "table", file),
        (long, f"--out: {long} cannot be made or written to (File name too long); choose another folder"),
        (tmp_path / "other", f"{tmp_path / 'other'}: has notes.txt in it and is not a classification; choose another"),
    ]:
        result = pcgen("classify", autoencoder, "--data", tmp_path / "none.npz", "--out", out)
        assert result.code == 2 and len(result.err.strip().splitlines()) == 1
        assert message in result.err and "[Errno" not in result.err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["other", "ref.npz"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, in which nobody can make folders")
def test_a_place_where_no_folder_can_be_made_is_told(pcgen, autoencoder, tmp_path):
    result = pcgen("classify", autoencoder, "--data", tmp_path / "none.npz", "--out", "/proc/x")
    assert result.code == 2 and "[Errno" not in result.err
    assert "--out: /proc/x cannot be made or written to (" in result.err


def test_a_run_without_codes_is_refused(pcgen, autoencoder, tmp_path):
    """By itself and after a good one: neither is the data read, nor is a table begun."""
    head, sorter, line = (tmp_path / name for name in ("head", "sorter", "line"))
    assert pcgen("train", "gaussian", "--codes", autoencoder, "--out", head).code == 0
    training.save(build({"name": "pointnet_classifier", "shape": [16, 3], "classes": ["a", "b"]}), sorter)
    training.save(build({"name": "vae", "shape": [6], "code": 2}), line)  # it has codes, but of vectors
    for run, name in ((head, "latent_cloud_model"), (sorter, "pointnet_classifier"), (line, "vae")):
        result = pcgen("classify", autoencoder, run, "--data", tmp_path / "none.npz", "--out", tmp_path / "table")
        assert result.code == 2
        assert f"{run}: a run of {name}, which has no codes of clouds; give the run folder of an auto" in result.err
        assert not (tmp_path / "table").exists()
