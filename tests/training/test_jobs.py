"""Codes read again, and runs trained again, from nothing but their folders."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pcgen import data
from pcgen.data import Clouds
from pcgen.data.thinning import thin
from pcgen.data.training_set import training_set
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.training import Options, Run, again, heads, on_clouds, on_codes, read_codes

SMALL: dict[str, Any] = {"code": 4, "encoder": {"name": "pointnet", "widths": [8]}, "reconstruction": "chamfer"}
SMALL["decoder"] = {"name": "fully_connected", "widths": [8]}


def weights(run: Path) -> bytes:
    return (run / "last.safetensors").read_bytes()


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An npz of 24 boxes of 40 points, of two classes."""
    generator = torch.Generator().manual_seed(1)
    points = (torch.rand(24, 40, 3, generator=generator) - 0.5) * (0.2 + torch.rand(24, 1, 3, generator=generator))
    clouds = Clouds(points, labels=torch.arange(24) % 2, classes=("even", "odd"), splits=("train",) * 24)
    return data.save(tmp_path_factory.mktemp("shapes") / "shapes.npz", clouds)


@pytest.fixture(scope="module")
def _autoencoder(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "ae"
    torch.manual_seed(0)
    job = on_clouds("autoencoder", training_set(str(shapes), points=16, normalize="unit_sphere"), 16, **SMALL)
    job.fit(run, Options(steps=3, batch_size=8, seed=0))
    return run


@pytest.fixture
def autoencoder(_autoencoder: Path, tmp_path: Path) -> Path:
    """A run folder of a trained autoencoder, without codes."""
    run = tmp_path / "ae"
    run.mkdir()
    for file in _autoencoder.iterdir():
        if file.name != "codes.safetensors":
            (run / file.name).write_bytes(file.read_bytes())
    return run


def count_encodings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many clouds were encoded at each call, from now on."""
    calls: list[int] = []
    encode = Autoencoder.encode
    monkeypatch.setattr(Autoencoder, "encode", lambda self, x: (calls.append(len(x)), encode(self, x))[1])
    return calls


def test_codes_are_those_of_the_clouds_and_are_kept(autoencoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_encodings(monkeypatch)
    first = read_codes(autoencoder)
    # 23 clouds of twice the model's points, by eight draws of them, and a held-out one.
    assert sum(calls) == 8 * 23 + 1 and first.samplings.shape == (8, 23, 4) and first.held_out.shape == (1, 4)
    assert first.facts.classes == ("even", "odd") and first.facts.rows == len(first.rows) == 184
    labels = first.source.labels
    assert first.labels is not None and torch.equal(first.labels.view(8, 23), labels.expand(8, 23))
    clouds, seed = first.source.train, first.source.about["training_set"]["seed"]
    for draw in (0, 7):
        drawn = thin(clouds, first.autoencoder.shape[0], seed + draw)
        torch.testing.assert_close(first.rows.view(8, 23, 4)[draw], first.autoencoder.encode(drawn).detach())
    assert torch.equal(first.train, first.rows[:23]) and not torch.equal(first.rows[:23], first.rows[23:46])
    torch.testing.assert_close(first.held_out, first.autoencoder.encode(first.source.held_out).detach())
    calls.clear()
    second = read_codes(autoencoder)
    assert calls == [] and torch.equal(first.train, second.train) and torch.equal(first.held_out, second.held_out)


def test_another_checkpoint_or_a_damaged_file_makes_the_codes_anew(
    autoencoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = read_codes(autoencoder, checkpoint="best")
    calls = count_encodings(monkeypatch)
    kept = autoencoder / "codes.safetensors"
    for damaged in (kept.read_bytes()[:-3], b"", b"{}"):
        kept.write_bytes(damaged)
        calls.clear()
        assert torch.equal(read_codes(autoencoder, checkpoint="best").train, best.train)
        assert sum(calls) == 185
    _change_a_weight(autoencoder)
    calls.clear()
    changed = read_codes(autoencoder, checkpoint="best")
    assert sum(calls) == 185 and not torch.equal(changed.train, best.train)


@pytest.mark.parametrize(("tokens", "points"), [(6, 15), (20, 20)])
def test_codes_of_tokens_are_of_no_fewer_points(shapes: Path, tmp_path: Path, tokens: int, points: int) -> None:
    small: dict[str, Any] = {"tokens": tokens, "channels": 2, "width": 8, "features": 8, "heads": 1, "depth": 1}
    job = on_clouds("set_autoencoder", training_set(str(shapes), points=30), 30, **small)
    job.fit(tmp_path / "sets", Options(steps=1, batch_size=4, seed=0))
    codes = read_codes(tmp_path / "sets")
    assert codes.train.shape == (23, tokens, 2) and codes.points == points


def test_windows_deform_the_training_clouds_which_their_run_keeps(autoencoder: Path, tmp_path: Path) -> None:
    codes = read_codes(autoencoder)
    assert codes.mirror == 0.5  # as in the autoencoder's training, of fewer than a thousand clouds
    job = on_codes("parzen", codes)
    job.fit(tmp_path / "windows", Options())
    model: Any = Run.open(tmp_path / "windows").model()
    assert torch.equal(model.exemplars.clouds, codes.source.train)  # 23 clouds of 40 points
    found = model.sample(46, farther=1e-5, mirror=0.0)
    nearest = torch.cdist(found[:, None], model.exemplars.clouds[None]).amin(3)  # (46, 23, 16)
    assert (nearest.amax(2).amin(1) < 1e-3).all()  # points of one training cloud each,
    assert nearest.amax(2).argmin(1).bincount(minlength=23).eq(2).all()  # of each cloud as often
    once_more, _ = again(tmp_path / "windows")
    assert torch.equal(once_more.learner.exemplars.clouds, model.exemplars.clouds)  # type: ignore[attr-defined]
    assert type(on_codes("gaussian", codes).learner) is LatentCloudModel


def _change_a_weight(run: Path) -> None:
    from pcgen.files import read_tensors, write_tensors

    tensors, about = read_tensors(run / "best.safetensors")
    names = [name for name in tensors if name.endswith("encoder.norms.0.bias") and "optimizer" not in name]
    changed = {name: tensors[name] + 0.5 for name in names}  # of the weights and of their average
    write_tensors(run / "best.safetensors", {**tensors, **changed}, about)


def test_codes_of_a_run_that_cannot_be_written_are_not_kept(autoencoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(f"{path}: could not be written (Permission denied)")

    with monkeypatch.context() as patched:
        patched.setattr(heads, "write_tensors", refuse)
        with pytest.warns(UserWarning, match=r"again each time: .*ae/codes\.safetensors"):
            without = read_codes(autoencoder)
    assert not (autoencoder / "codes.safetensors").exists()
    assert torch.equal(read_codes(autoencoder).train, without.train)


def test_a_run_that_is_overwritten_loses_its_codes(autoencoder: Path) -> None:
    from pcgen.training import save

    read_codes(autoencoder)
    assert (autoencoder / "codes.safetensors").exists()
    save(Autoencoder((16, 3), **SMALL), autoencoder, overwrite=True)
    assert not (autoencoder / "codes.safetensors").exists()


def test_moved_data_is_read_where_it_is_and_other_data_is_refused(
    autoencoder: Path, shapes: Path, tmp_path: Path
) -> None:
    codes = read_codes(autoencoder)
    moved = tmp_path / "moved.npz"
    moved.write_bytes(shapes.read_bytes())
    config = json.loads((autoencoder / "config.json").read_text())
    config["data"]["training_set"]["spec"] = str(tmp_path / "gone.npz")
    (autoencoder / "config.json").write_text(json.dumps(config))
    with pytest.raises(FileNotFoundError, match=r"gone\.npz.* where it has been moved, say so with --data SPEC"):
        read_codes(autoencoder)
    assert torch.equal(read_codes(autoencoder, data=str(moved)).train, codes.train)
    clouds = data.load(f"{shapes}@all")
    other = data.save(
        tmp_path / "other.npz", Clouds(clouds.points * 1.01, labels=clouds.labels, classes=clouds.classes)
    )
    with pytest.raises(ValueError, match=r"other\.npz: is not the data that .*ae was trained on \(.*; now .*\): bring"):
        read_codes(autoencoder, data=str(other))


@pytest.mark.parametrize(("name", "config"), [("vae", {"code": 2}), ("autoencoder", {})])
def test_a_run_of_clouds_is_repeated_from_its_configuration_alone(
    shapes: Path, tmp_path: Path, name: str, config: dict[str, Any]
) -> None:
    from pcgen.data import Augmentation

    options = Options(steps=4, batch_size=8, seed=5, schedule="cosine", augment=Augmentation(rotation=30, jitter=0.01))
    torch.manual_seed(5)
    on_clouds(name, training_set(str(shapes), points=16), 16, **{**SMALL, **config}).fit(tmp_path / "one", options)
    torch.manual_seed(99)  # Whatever state the generator is in.
    job, same = again(tmp_path / "one")
    assert same.to_dict() == Run.open(tmp_path / "one").config["training"]
    job.fit(tmp_path / "two", same)
    assert weights(tmp_path / "one") == weights(tmp_path / "two")
    job, other = again(tmp_path / "one", seed=6, epochs=2)
    assert (other.seed, other.epochs, other.steps, other.schedule) == (6, 2, None, "cosine")
    job.fit(tmp_path / "three", other)
    assert weights(tmp_path / "one") != weights(tmp_path / "three")


def test_a_head_in_a_domain_is_repeated_from_its_configuration_alone(
    autoencoder: Path, shapes: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved.npz"
    moved.write_bytes(shapes.read_bytes())
    torch.manual_seed(3)
    codes = read_codes(autoencoder, data=str(moved))
    options = Options(steps=4, batch_size=8, seed=3)
    on_codes("vae", codes, "unit", code=2, widths=[8]).fit(tmp_path / "one", options)
    torch.manual_seed(99)
    job, same = again(tmp_path / "one")
    assert isinstance(job.learner, LatentCloudModel) and job.learner.to_head.name == "unit"
    assert job.learner.head.classes == ("even", "odd") and job.source.spec == str(moved)
    job.fit(tmp_path / "two", same)
    assert weights(tmp_path / "one") == weights(tmp_path / "two")


def test_classes_are_those_of_the_data_or_none(autoencoder: Path, shapes: Path) -> None:
    source, codes = training_set(str(shapes), points=16), read_codes(autoencoder)
    for make in (
        lambda **config: on_clouds("diffusion", source, 16, **config),
        lambda **c: on_codes("vae", codes, **c),
    ):
        for classes in (["odd", "even"], ["even", "odd", "neither"], ["a", "b"]):
            with pytest.raises(
                ValueError,
                match=rf"^classes: must be even, odd, those of .*npz in their order, got {', '.join(classes)};",
            ):
                make(classes=classes)
        assert make(classes=["even", "odd"]).learner.classes == make().learner.classes == ("even", "odd")
        assert make(classes=()).learner.classes == ()


def test_what_has_changed_since_is_told(autoencoder: Path, shapes: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.npz"
    own.write_bytes(shapes.read_bytes())
    on_clouds("autoencoder", training_set(str(own), points=16), 16, **SMALL).fit(tmp_path / "ae2", Options(steps=1))
    clouds = data.load(f"{shapes}@all")
    data.save(own, Clouds(clouds.points + 0.1, labels=clouds.labels, classes=clouds.classes), overwrite=True)
    with pytest.raises(ValueError, match=r"own\.npz: is not the data that .*ae2 was trained on"):
        again(tmp_path / "ae2")
    assert again(tmp_path / "ae2", data=str(shapes))[0].source.spec == str(shapes)  # where the same data is now
    on_codes("gaussian", read_codes(autoencoder)).fit(tmp_path / "head", Options(seed=0))
    assert heads.data_again(Run.open(tmp_path / "head")).spec == str(shapes)  # of a head: its autoencoder's clouds
    with pytest.raises(ValueError, match=r"own\.npz: is not the data that .*head was trained on"):
        heads.data_again(Run.open(tmp_path / "head"), str(own))
    _change_a_weight(autoencoder)
    with pytest.warns(UserWarning, match=r"ae: the codes differ from those that .*head was trained on"):
        again(tmp_path / "head")


def test_a_run_that_does_not_say_how_it_was_made_is_told(tmp_path: Path) -> None:
    from pcgen.training import save

    torch.manual_seed(0)
    save(Autoencoder((16, 3), **SMALL), tmp_path / "run")
    with pytest.raises(ValueError, match="run: the run does not say what it was trained on and how"):
        again(tmp_path / "run")
