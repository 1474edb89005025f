"""`pcgen sample`: labels by name, options of sampling, what the file says."""

import pytest
import torch

from pcgen import data, training
from pcgen.models import build


@pytest.fixture
def run(tmp_path):
    """The run of a conditional diffusion model of clouds, three quarters of whose training was 'low'."""
    torch.manual_seed(0)
    small = {"times": 10, "width": 8, "blocks": 1, "classes": ["low", "high"]}
    model = build({"name": "diffusion", "shape": [12, 3], **small})
    labels = (torch.arange(32) % 4 == 3).long()
    clouds = torch.rand(32, 12, 3) + 5 * labels[:, None, None]
    training.fit(model, clouds, labels=labels, out=tmp_path / "run", steps=2, batch_size=32)
    return tmp_path / "run"


def drawn(pcgen, run, out, *words):
    result = pcgen("sample", run, "--out", out, *words)
    assert result.code == 0, result.err
    return data.load(str(out)), result


def test_labels_are_taken_by_name_shared_evenly_and_written(pcgen, run, tmp_path):
    clouds, result = drawn(pcgen, run, tmp_path / "a.npz", "-n", 7, "--labels", "high, low")
    assert clouds.classes == ("low", "high") and clouds.labels.tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert "7 clouds of high, low of 12 points, sampled by diffusion" in result.err
    clouds, _ = drawn(pcgen, run, tmp_path / "b.npz", "-n", 5, "--labels", "high")
    assert clouds.labels.tolist() == [1] * 5
    assert len(data.load(f"{tmp_path / 'a.npz'}:low")) == 3  # the file can be asked for a class


def test_without_labels_they_are_as_frequent_as_in_training_and_written(pcgen, run, tmp_path):
    clouds, _ = drawn(pcgen, run, tmp_path / "a.npz", "-n", 400, "--set", "steps=1")
    assert clouds.classes == ("low", "high")
    assert clouds.labels.float().mean().item() == pytest.approx(0.25, abs=0.09)


def test_the_command_draws_what_the_library_draws(pcgen, run, tmp_path):
    words = ["-n", 6, "--seed", 4, "--set", "steps=3", "--set", "guidance=2"]
    clouds, _ = drawn(pcgen, run, tmp_path / "a.npz", *words)
    torch.manual_seed(4)
    expected = training.Run.open(run).sample(6, steps=3, guidance=2.0)
    torch.testing.assert_close(clouds.points, expected)
    other, _ = drawn(pcgen, run, tmp_path / "b.npz", "-n", 6, "--seed", 4, "--set", "steps=4", "--set", "guidance=2")
    assert not torch.equal(other.points, clouds.points)


@pytest.mark.parametrize("name", ["dae", "gsn", "infusion", "walkback", "score_model"])
def test_chains_of_codes_are_drawn_by_label_with_guidance(pcgen, tmp_path, name):
    small = {"encoder": {"name": "pointnet", "widths": [8]}, "decoder": {"name": "fully_connected", "widths": [16]}}
    autoencoder = {"name": "autoencoder", "shape": [12, 3], "code": 4, "reconstruction": "chamfer", **small}
    head = {"name": name, "shape": [4], "width": 8, "blocks": 1, "classes": ["low", "high"]}
    model = build({"name": "latent_cloud_model", "autoencoder": autoencoder, "head": head})
    labels = torch.arange(32) % 2
    clouds = torch.rand(32, 12, 3) + 5 * labels[:, None, None]
    training.fit(model, model.encode(clouds), labels=labels, out=tmp_path / "run", steps=2, batch_size=32)
    words = ["-n", 4, "--seed", 4, "--labels", "high", "--set", "steps=2", "--set", "guidance=2"]
    found, _ = drawn(pcgen, tmp_path / "run", tmp_path / "a.npz", *words)
    torch.manual_seed(4)
    expected = training.Run.open(tmp_path / "run").sample(4, labels="high", steps=2, guidance=2.0)
    torch.testing.assert_close(found.points, expected)
    other, _ = drawn(pcgen, tmp_path / "run", tmp_path / "b.npz", *words[:-1], "guidance=3")
    assert found.labels.tolist() == [1] * 4 and not torch.equal(other.points, found.points)


@pytest.mark.parametrize("kind", ["ply", "xyz", "obj"])
def test_samples_are_written_as_files_that_other_programs_read(pcgen, run, tmp_path, kind):
    words = ["-n", 3, "--seed", 2, "--labels", "low"]
    clouds, _ = drawn(pcgen, run, tmp_path / "a.npz", *words)
    files, _ = drawn(pcgen, run, f"{tmp_path}/{kind}/", *words, "--format", kind)
    assert sorted(path.name for path in (tmp_path / kind / "low").iterdir()) == [f"{k}.{kind}" for k in range(3)]
    assert torch.equal(files.points, clouds.points)
    one, _ = drawn(pcgen, run, tmp_path / f"one.{kind}", "-n", 1, "--seed", 2, "--labels", "low")
    assert one.points.shape == (1, 12, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--labels", "hihg"], "labels: must be one of low, high; got 'hihg'; did you mean 'high'?"),
        (["--labels", "low,high", "-n", "1"], "labels: must be 1 to 1 classes, which share the 1 clouds, got 2"),
        (["--set", "stepz=3"], "did you mean 'steps'?"),
        (["--set", "steps=many"], "--set steps: must be"),
        (["--set", "steps=11"], "steps: must be from 1 to the chain's length, 10, got 11"),
        (["--set", "labels=3"], "--set: must be one of"),
        (["--format", "obj"], "format: is for the files of a folder, got 'obj' for"),
        (["--out", "x.obj"], "a .obj file holds one cloud, got 100; name it x.npz, or x/ for a folder of files"),
        (["--checkpoint", "lst"], "checkpoint: must be one of best, last; got 'lst'"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_one_line(pcgen, run, words, message, tmp_path):
    result = pcgen("sample", run, "--out", tmp_path / "x.npz", *words)
    assert result.code == 2 and message in result.err and len(result.err.strip().splitlines()) == 1
    assert not (tmp_path / "x.npz").exists()


def test_a_model_without_classes_takes_no_labels(pcgen, tmp_path):
    model = build({"name": "diffusion", "shape": [12, 3], "times": 5, "width": 8, "blocks": 1})
    training.save(model, tmp_path / "run")
    result = pcgen("sample", tmp_path / "run", "--labels", "low", "--out", tmp_path / "x.npz")
    assert (
        result.code == 2
        and "labels: this model takes none; leave them out, or train one that learns by label" in result.err
    )
    result = pcgen("sample", tmp_path / "run", "--set", "guidance=2", "--out", tmp_path / "x.npz")
    assert result.code == 2 and "guidance: must be 1 for a model without classes, got 2: it moves samples" in result.err
    assert not (tmp_path / "x.npz").exists()
    clouds, _ = drawn(pcgen, tmp_path / "run", tmp_path / "y.npz", "-n", 2)
    assert clouds.labels is None and clouds.classes == ()


def test_what_is_too_large_is_refused_before_it_is_drawn(pcgen, run, tmp_path):
    result = pcgen("sample", run, "-n", 10**13, "--set", "steps=1", "--out", tmp_path / "x.npz")
    assert result.code == 2 and "n: 10,000,000,000,000 clouds would take 2682209.0 GiB of memory" in result.err
    assert "at a time, with other seeds" in result.err


def test_a_long_sample_says_what_it_will_take(pcgen, run, tmp_path, monkeypatch):
    monkeypatch.setattr("pcgen.cli.progress.WORTH_A_WORD", 0.0)
    _, result = drawn(pcgen, run, tmp_path / "a.npz", "-n", 5, "--set", "steps=1")
    assert "sampling 5 clouds, 5 at a time: about 0 s, and 0.0 GiB of memory for 0.0 GiB of clouds" in result.err


def test_a_run_that_generates_nothing_says_so_whatever_is_asked_of_it(pcgen, tmp_path):
    training.save(build({"name": "autoencoder", "shape": [8, 3], "code": 2}), tmp_path / "ae")
    for words in ([], ["--labels", "low"], ["--set", "steps=3"]):
        result = pcgen("sample", tmp_path / "ae", *words, "--out", tmp_path / "none.npz")
        assert result.code == 2
        assert "autoencoder does not generate; train a head on its codes" in result.err
