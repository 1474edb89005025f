"""`pcgen train`: by label, on codes in a domain, models of one's own, and runs trained again."""

import os
import sys

import pytest
import torch

from pcgen import data, training

FAST = ["--points", 16, "--batch-size", 8, "--steps", 3]
PARTS = ["--set", 'encoder={"name": "pointnet", "widths": [8]}', "--set", "code=4"]
PARTS += ["--set", 'decoder={"name": "fully_connected", "widths": [8]}']

OWN = '''
"""A model of one's own."""

import torch

from pcgen.models import GenerativeModel


class Mean(GenerativeModel):
    """The mean vector, with noise.

    Args:
        shape: (dim,).
        noise: its deviation.
    """

    def __init__(self, shape, noise: float = 0.1) -> None:
        super().__init__()
        self.shape, self.noise = tuple(shape), noise
        self.register_buffer("mean", torch.zeros(self.shape))

    def update(self, batch):
        self.mean.copy_(batch.x.mean(0))
        return {}

    def draw(self, n: int, louder: float = 1.0):
        return self.mean + louder * self.noise * torch.randn(n, *self.shape)
'''


@pytest.fixture
def autoencoder(pcgen, boxes, tmp_path):
    result = pcgen("train", "autoencoder", "--data", boxes, *FAST, *PARTS, "--out", tmp_path / "ae")
    assert result.code == 0, result.err
    return tmp_path / "ae"


def test_a_model_of_labelled_clouds_learns_and_draws_by_label(pcgen, boxes, tmp_path):
    small = ["--set", "times=10", "--set", "width=16", "--set", "blocks=1"]
    result = pcgen("train", "diffusion", "--data", boxes, *FAST, *small, "--out", tmp_path / "run")
    assert result.code == 0, result.err
    assert "2 classes; run folder" in result.err and "next: pcgen sample" in result.err
    model = training.load(tmp_path / "run")
    assert model.classes == ("even", "odd") and model.labels.frequencies.sum() == 1
    result = pcgen(
        "train", "diffusion", "--data", boxes, *FAST, *small, "--set", "classes=[]", "--out", tmp_path / "no"
    )
    assert result.code == 0 and "classes" not in result.err and training.load(tmp_path / "no").classes == ()
    result = pcgen("train", "diffusion", "--data", f"{boxes}:odd", *FAST, *small, "--out", tmp_path / "one")
    assert result.code == 0 and training.load(tmp_path / "one").classes == ()  # one class is none


def test_a_head_in_a_domain(pcgen, autoencoder, boxes, tmp_path):
    head = ["train", "gaussian", "--codes", autoencoder]
    assert pcgen(*head, "--domain", "unit", "--out", tmp_path / "unit").code == 0
    assert training.load(tmp_path / "unit").to_head.name == "unit"
    assert pcgen(*head, "--out", tmp_path / "real").code == 0
    assert training.load(tmp_path / "real").to_head.name == "real"
    result = pcgen(*head, "--domain", "unti", "--out", tmp_path / "x")
    assert result.code == 2 and "did you mean 'unit'?" in result.err
    result = pcgen("train", "vae", "--data", boxes, *FAST, "--domain", "unit", "--out", tmp_path / "x")
    assert result.code == 2 and "--domain: is for heads on codes" in result.err
    assert not (tmp_path / "x").exists()


def test_codes_are_kept_by_the_first_rank_alone(autoencoder, monkeypatch):
    for rank, kept in (("1", False), ("0", True)):
        monkeypatch.setenv("RANK", rank)
        training.read_codes(autoencoder)
        assert (autoencoder / "codes.safetensors").is_file() == kept


def test_a_mixture_on_few_codes_takes_as_many_components_as_they_bear(pcgen, autoencoder, tmp_path):
    result = pcgen("train", "gmm", "--codes", autoencoder, "--out", tmp_path / "gmm")
    assert result.code == 0, result.err
    rows = training.read_codes(autoencoder).facts.rows
    assert len(training.load(tmp_path / "gmm").head.weights) == rows // 10 < 32


def test_a_model_of_ones_own_is_trained_sampled_and_listed(pcgen, autoencoder, tmp_path, monkeypatch):
    (tmp_path / "my_models.py").write_text(OWN)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place not in ("", os.getcwd())])
    monkeypatch.chdir(tmp_path)  # a module of the current folder is found, as by `python -m`
    command = ["train", "my_models:Mean", "--codes", autoencoder, "--steps", 2]
    result = pcgen(*command, "--set", "noise=0.0", "--out", tmp_path / "run")
    assert result.code == 0, result.err
    assert "my_models:Mean:" in result.err and "next: pcgen sample" in result.err
    sample = ["sample", tmp_path / "run", "-n", 3]
    result = pcgen(*sample, "--set", "louder=2", "--set", "even=true", "--out", tmp_path / "s.npz")
    assert result.code == 0, result.err
    points = data.load(str(tmp_path / "s.npz")).points
    assert points.shape == (3, 16, 3) and torch.equal(points[0], points[1])  # without noise
    result = pcgen(*sample, "--set", "points=40", "--out", tmp_path / "more.npz")
    assert result.code == 0 and data.load(str(tmp_path / "more.npz")).points.shape == (3, 40, 3)
    result = pcgen("models", "my_models:Mean")
    assert result.code == 0 and all(name in result.out for name in ("noise", "louder", "even", "points"))
    result = pcgen(*command, "--set", "nosie=1", "--out", tmp_path / "x")
    assert result.code == 2 and "did you mean 'noise'?" in result.err
    for name, told in (
        ("my_models:Maen", "my_models:Maen must be module:Class that Python can import here"),
        ("no_such_module:Mean", "must be module:Class that Python can import here"),
        ("my_models:torch", "my_models:torch must be a subclass of pcgen.models.Learner"),
    ):
        result = pcgen("train", name, "--codes", autoencoder, "--out", tmp_path / "x")
        assert result.code == 2 and told in result.err and len(result.err.strip().splitlines()) == 1


def test_few_clouds_are_changed_for_an_autoencoder_alone_and_it_is_said(pcgen, boxes, autoencoder, tmp_path):
    few = ["--data", boxes, *FAST, *PARTS]
    said = "each batch is changed at random, stretch 0.15, mirror 0.5"
    for name, more, stretch, turned in (
        ("a", [], 0.15, (0, 1)),
        ("b", ["--stretch", 0], 0.0, (0, 1)),
        ("c", ["--rotate", 90, "--rotate-share", 0.25], 0.0, (90, 0.25)),
    ):
        result = pcgen("train", "autoencoder", *few, *more, "--out", tmp_path / name)
        assert result.code == 0, result.err
        assert (said in result.err) == (not more)
        changes = training.Run.open(tmp_path / name).config["training"]["augment"]
        assert changes["stretch"] == stretch and (changes["rotation"], changes["rotated"]) == turned
    result = pcgen("train", "vae", "--codes", autoencoder, "--steps", 3, "--out", tmp_path / "head")
    assert result.code == 0 and "changed at random" not in result.err
    assert training.Run.open(tmp_path / "head").config["training"]["augment"] is None


@pytest.mark.parametrize("seed", [0, 5])
def test_a_run_is_trained_again_bit_for_bit(pcgen, boxes, autoencoder, tmp_path, seed):
    clouds = ["train", "vae", "--data", boxes, *FAST, *PARTS, "--jitter", 0.01]
    head = ["train", "vae", "--codes", autoencoder, "--domain", "nonnegative", "--set", "widths=[8]", "--steps", 3]
    for name, command in (("clouds", clouds), ("head", head)):
        one, two, more = (tmp_path / f"{name}{each}" for each in ("1", "2", "3"))
        assert pcgen(*command, "--seed", seed, "--out", one).code == 0
        result = pcgen("train", "--again", one, "--out", two)
        assert result.code == 0, result.err
        assert (one / "last.safetensors").read_bytes() == (two / "last.safetensors").read_bytes()
        configs = [training.Run.open(run).config for run in (one, two)]
        assert configs[0] == configs[1]
        assert pcgen("train", "--again", one, "--epochs", 1, "--seed", 9, "--out", more).code == 0
        changed = training.Run.open(more).config["training"]
        assert (changed["epochs"], changed["steps"], changed["seed"]) == (1, None, 9)
        assert (one / "last.safetensors").read_bytes() != (more / "last.safetensors").read_bytes()


def test_a_run_whose_data_has_moved_is_trained_again_where_it_is(pcgen, boxes, tmp_path):
    here, there = tmp_path / "here.npz", tmp_path / "there.npz"
    here.write_bytes(boxes.read_bytes())
    assert pcgen("train", "vae", "--data", here, *FAST, *PARTS, "--out", tmp_path / "one").code == 0
    here.rename(there)
    result = pcgen("train", "--again", tmp_path / "one", "--out", tmp_path / "two")
    assert result.code == 2 and "say so with --data SPEC" in result.err
    result = pcgen("train", "--again", tmp_path / "one", "--data", there, "--out", tmp_path / "two")
    assert result.code == 0, result.err
    one, two = (training.load(tmp_path / name, "last").state_dict() for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_head_is_trained_again_where_its_autoencoder_has_moved(pcgen, autoencoder, tmp_path):
    head = ["--codes", autoencoder, "--set", "widths=[8]", "--steps", 3, "--out", tmp_path / "one"]
    assert pcgen("train", "vae", *head).code == 0
    autoencoder.rename(tmp_path / "moved")
    result = pcgen("train", "--again", tmp_path / "one", "--out", tmp_path / "two")
    assert result.code == 2 and "ae: no such run folder; it is the autoencoder of" in result.err
    assert "where it has been moved, say so with --codes RUN" in result.err
    result = pcgen("train", "--again", tmp_path / "one", "--codes", tmp_path / "moved", "--out", tmp_path / "two")
    assert result.code == 0, result.err
    assert (tmp_path / "one" / "last.safetensors").read_bytes() == (tmp_path / "two" / "last.safetensors").read_bytes()
    words = ["--again", tmp_path / "moved", "--codes", tmp_path / "moved", "--out", tmp_path / "three"]
    assert "was trained on clouds, not on codes of an autoencoder" in pcgen("train", *words).err


def test_a_run_that_cannot_be_written_is_refused_before_data_is_read(pcgen, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("all of it")
    for words, message in (
        (["--out", tmp_path / "new", "--resume", "yes"], "resume: must be one of auto; got 'yes'"),
        (["--out", tmp_path / "new", "--resume", "auto", "--overwrite"], "resume, overwrite: give one of them"),
        (["--out", tmp_path / "mine", "--overwrite"], "mine: exists and is not a run folder; choose another --out"),
        (["--out", tmp_path / "mine", "--resume", "auto"], "mine: exists and is not a run folder"),
    ):
        result = pcgen("train", "autoencoder", "--data", tmp_path / "none.npz", *words)
        assert result.code == 2 and message in result.err and "none.npz" not in result.err, result.err
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "all of it" and not (tmp_path / "new").exists()


def test_what_is_said_of_changes_is_what_the_resumed_run_does(pcgen, boxes, tmp_path):
    words = ["train", "autoencoder", "--data", boxes, *FAST, *PARTS, "--out", tmp_path / "a"]
    assert pcgen(*words, "--stretch", 0).code == 0
    result = pcgen(*words, "--resume", "auto")
    assert result.code == 0 and "is finished" in result.err and "changed at random" not in result.err, result.err
    words[-1] = tmp_path / "b"
    assert pcgen(*words).code == 0
    assert "changed at random, stretch 0.15, mirror 0.5" in pcgen(*words, "--resume", "auto").err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["vae", "--again", "run", "--out", "x"], "MODEL: is settled by the run that --again names; leave it out"),
        (["--again", "run", "--set", "code=3", "--out", "x"], "--set: is settled by the run that --again names"),
        (["--again", "run", "--rotate", "3", "--out", "x"], "--rotate: is settled by the run that --again names"),
        (["--again", "run", "--rotate", "0", "--out", "x"], "--rotate: is settled by the run that --again names"),
        (["--again", "run", "--rotate-share", "1", "--out", "x"], "--rotate-share: is settled by the run"),
        (
            ["autoencoder", "--data", "shapes", "--rotate-share", "0.5", "--stretch", "0.1", "--out", "x"],
            "--rotate-share: is of the clouds that --rotate rotates; give --rotate DEGREES, or leave it out",
        ),
        (["--again", "run", "--max-bytes", "9", "--out", "x"], "--max-bytes: is settled by the run that --again names"),
        (
            ["vae", "--codes", "run", "--mirror", "0", "--out", "x"],
            "--mirror: is settled by the run that --codes names",
        ),
        (["vae", "--codes", "run", "--drop-bad", "--out", "x"], "--drop-bad: is settled by the run that --codes names"),
        (
            ["vae", "--codes", "run", "--max-bytes", "9", "--out", "x"],
            "--max-bytes: is settled by the run that --codes",
        ),
        (["--again", "run", "--out", "run"], "run is the run that --again reads; choose another name"),
        (["--again", "run", "--out", "x"], "run: no such run folder"),
        (["--data", "none", "--out", "x"], "MODEL: name a model (`pcgen models` lists them), or a run with --again"),
    ],
)
def test_what_contradicts_a_run_is_told(pcgen, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = pcgen("train", *words)
    assert result.code == 2 and message in result.err and len(result.err.strip().splitlines()) == 1
    assert not any(tmp_path.iterdir())


def test_a_classifier_is_not_told_to_sample(pcgen, boxes, tmp_path):
    result = pcgen("train", "pointnet_classifier", "--data", boxes, *FAST, "--set", "code=8", "--out", tmp_path / "run")
    assert result.code == 0, result.err
    assert "next:" not in result.err


def test_a_head_on_codes_that_are_sets_from_clouds_to_samples(pcgen, boxes, tmp_path):
    settings = ("tokens=4", "channels=2", "width=8", "features=8", "heads=2", "depth=1")
    small = [word for setting in settings for word in ("--set", setting)]
    result = pcgen("train", "set_autoencoder", "--data", boxes, *FAST, *small, "--out", tmp_path / "sets")
    assert result.code == 0, result.err
    assert f"next: pcgen train diffusion --codes {tmp_path / 'sets'}" in result.err
    head = ["--set", "times=10", "--set", "width=16", "--set", "blocks=1", "--batch-size", 8, "--steps", 3]
    result = pcgen("train", "diffusion", "--codes", tmp_path / "sets", *head, "--out", tmp_path / "head")
    assert result.code == 0, result.err
    model = training.load(tmp_path / "head")
    assert model.learns == (4, 2) and model.to_head.mean.shape == (2,)  # one mean a channel, alike for all tokens
    result = pcgen("sample", tmp_path / "head", "-n", 3, "--out", tmp_path / "samples.npz")
    assert result.code == 0, result.err
    assert data.load(str(tmp_path / "samples.npz")).points.shape == (3, 16, 3)
