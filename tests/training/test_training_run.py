"""Run folders: what is one, what is none, and models that come back from them."""

import json
import os
from pathlib import Path

import pytest
import torch
from tiny_learners import Denoiser, Line, vectors

from pcgen.data import Normalization
from pcgen.files import read_tensors, write_tensors
from pcgen.models import MODELS
from pcgen.training import Run, fit, load, save


def test_a_model_of_the_suite_is_built_from_its_run_alone(tmp_path: Path) -> None:
    model = fit(MODELS["gan"]((5,)), vectors(), out=tmp_path / "run", steps=5, batch_size=8)
    torch.manual_seed(3)
    expected = model.sample(4)
    loaded = load(tmp_path / "run")
    torch.manual_seed(3)
    assert torch.equal(loaded.sample(4), expected)


def test_loading_draws_no_random_numbers(tmp_path: Path) -> None:
    save(MODELS["gan"]((5,)), tmp_path / "run")
    before = torch.get_rng_state()
    load(tmp_path / "run")
    assert torch.equal(torch.get_rng_state(), before)


def test_an_autoencoder_and_a_head_on_its_codes_make_a_self_contained_run(tmp_path: Path) -> None:
    from pcgen.models.clouds.latent import LatentCloudModel

    clouds = vectors(12, 48).reshape(12, 16, 3)
    small = {"encoder": {"name": "pointnet", "widths": [8]}, "decoder": {"name": "fully_connected", "widths": [8]}}
    ae = MODELS["autoencoder"]((16, 3), code=4, **small)
    fit(ae, clouds, validation=clouds[:3], out=tmp_path / "ae", steps=4, batch_size=4)
    ae = load(tmp_path / "ae")
    model = LatentCloudModel(ae, MODELS["gan"]((4,)))
    codes = model.encode(clouds)
    fit(model, codes, validation=codes[:5], out=tmp_path / "head", steps=6, batch_size=4)
    for name in ("config.json", "last.safetensors", "best.safetensors"):
        (tmp_path / "ae" / name).unlink()
    loaded = load(tmp_path / "head", "last")
    torch.manual_seed(0)
    expected = model.sample(3)
    torch.manual_seed(0)
    assert torch.equal(loaded.sample(3), expected)
    assert expected.shape == (3, 16, 3)


CONSTANT = {"schedule": "constant"}  # A cosine ends where it was to end, and is not extended.


@pytest.mark.parametrize(
    ("name", "config", "batch_size"),
    [
        ("gan", {}, 8),
        ("wgan_gp", {}, 8),
        ("vae", {}, 8),
        ("diffusion", {}, 8),
        ("gaussian", {}, None),
        ("gmm", {"components": 3}, None),
    ],
)
def test_models_of_the_suite_are_resumed_bit_for_bit(
    tmp_path: Path, name: str, config: dict, batch_size: int | None
) -> None:
    def train(out: str, steps: int, **options: object) -> None:
        torch.manual_seed(0)
        model = MODELS[name]((5,), **config)
        fit(model, vectors(), out=tmp_path / out, steps=steps, batch_size=batch_size, seed=2, **{**CONSTANT, **options})

    train("whole", 7, log_every=1)
    train("parts", 4, log_every=1)
    train("parts", 7, log_every=1, resume="auto")
    assert (tmp_path / "whole" / "last.safetensors").read_bytes() == (
        tmp_path / "parts" / "last.safetensors"
    ).read_bytes()


def test_an_own_class_is_loaded_into_an_instance(tmp_path: Path) -> None:
    model = fit(Denoiser((5,)), vectors(), out=tmp_path / "run", steps=2)

    class Hidden(Denoiser):
        """A class that no other process could import."""

    for loaded in (load(tmp_path / "run"), load(tmp_path / "run", model=Denoiser((5,)))):
        assert torch.equal(loaded.net[0].weight, model.net[0].weight)
    fit(Hidden((5,)), vectors(), out=tmp_path / "hidden", steps=2)
    with pytest.raises(ValueError, match=r"its model \S*Hidden cannot be built by name .* model="):
        load(tmp_path / "hidden")
    assert load(tmp_path / "hidden", model=Hidden((5,))).net[0].weight.shape == (8, 5)


def test_save_makes_a_run_that_cannot_be_resumed(tmp_path: Path) -> None:
    model = Line()
    with torch.no_grad():
        model.weight.fill_(7)
    run = save(model, tmp_path / "run", data={"normalization": Normalization("none").to_dict()})
    assert run.normalization == Normalization("none")
    assert run.history == []
    assert load(run.path, model=Line()).weight.item() == 7
    with pytest.raises(FileExistsError, match="has a run already"):
        save(model, tmp_path / "run")
    save(model, tmp_path / "run", overwrite=True)
    with pytest.raises(ValueError, match=r"was written by pcgen\.training\.save, not by a training"):
        fit(Line(), torch.ones(4, 1), out=tmp_path / "run", resume="auto", steps=2)


def test_what_is_no_run_is_told_with_its_path_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "file.npz").touch()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "config.json").write_text('{"model":')
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.json").write_text("[]")
    (tmp_path / "early").mkdir()
    (tmp_path / "early" / "config.json").write_text('{"model": {"name": "gan", "shape": [5]}}')
    for name, kind, told in (
        ("absent", FileNotFoundError, "absent: no such run folder; .*pcgen train"),
        ("empty/file.npz", FileNotFoundError, r"empty/file\.npz: is a file, not a run folder; give the --out"),
        ("empty", FileNotFoundError, r"empty: not a run folder: has no config\.json; give the --out"),
        ("torn", ValueError, r"torn/config\.json: damaged"),
        ("odd", ValueError, r"odd/config\.json: not a run's"),
        ("early", FileNotFoundError, r"early/last\.safetensors: no such checkpoint"),
    ):
        with pytest.raises(kind, match=told):
            load(tmp_path / name)
    save(Line(), tmp_path / "run")
    with pytest.raises(FileNotFoundError, match=r"best\.safetensors: no such checkpoint"):
        load(tmp_path / "run", "best", model=Line())
    with pytest.raises(ValueError, match="checkpoint: must be one of best, last; got 'lst'"):
        load(tmp_path / "run", "lst", model=Line())


def test_weights_that_do_not_fit_the_configuration_are_named(tmp_path: Path) -> None:
    run = save(MODELS["gan"]((5,)), tmp_path / "run")
    path = run.checkpoint("last")
    tensors, about = read_tensors(path)
    name = next(name for name in tensors if name.endswith("weight"))
    short = name.removeprefix("model.")
    for changed, told in (
        ({**tensors, name: torch.zeros(2, 3)}, rf"tensor {short} is \(2, 3\), and \(\d+, \d+\) in the model"),
        ({key: value for key, value in tensors.items() if key != name}, f"has no tensor {short}"),
        ({**tensors, "model.extra": torch.zeros(1)}, "holds tensor extra"),
    ):
        write_tensors(path, changed, about)
        with pytest.raises(ValueError, match=rf"^{path}: .*{told}"):
            load(run.path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=rf"^{path}: damaged .*; train again$"):
        load(run.path)
    run.checkpoint("best").touch()
    with pytest.raises(ValueError, match=r"best\.safetensors: damaged .*; use --checkpoint last or train again$"):
        load(run.path)


def test_a_folder_that_cannot_be_made_is_told_by_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "good.npz").touch()
    with pytest.raises(OSError, match=r"good\.npz/run: could not be made \(Not a directory\); choose another --out"):
        save(Line(), tmp_path / "good.npz" / "run")


def test_a_configuration_of_another_size_is_told_by_the_tensor(tmp_path: Path) -> None:
    run = save(MODELS["gan"]((5,)), tmp_path / "run")
    config = json.loads((run.path / "config.json").read_text())
    config["model"]["shape"] = [6]
    (run.path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="in the model of its configuration; the two do not belong together"):
        load(run.path)
    config["model"]["name"] = "gann"
    (run.path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="did you mean 'gan'"):
        load(run.path)


def test_a_history_survives_a_torn_last_line_and_tells_of_any_other(tmp_path: Path) -> None:
    fit(Line(), torch.ones(4, 1), out=tmp_path / "run", steps=4, log_every=1)
    run = Run.open(tmp_path / "run")
    text = run.history_path.read_text()
    run.history_path.write_text(text[:-9])
    assert [row["step"] for row in run.history] == [1, 2, 3]
    run.history_path.write_text("x" + text)
    with pytest.raises(ValueError, match=r"history\.jsonl: line 1 is not JSON"):
        _ = run.history


def test_no_run_holds_a_pickle(tmp_path: Path) -> None:
    fit(Denoiser((5,)), vectors(), validation=vectors(), out=tmp_path / "run", steps=4, average=0.9)
    for name in os.listdir(tmp_path / "run"):
        data = (tmp_path / "run" / name).read_bytes()
        assert data[:1] == b"{" or data[8:9] == b"{", name  # JSON, or the JSON header of safetensors
