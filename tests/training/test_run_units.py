"""A run in the data's own units: place and size, labels, codes, and how much memory a sample takes."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pcgen.data import Clouds, Normalization
from pcgen.models import build
from pcgen.models.diffusion.diffusion import Diffusion
from pcgen.models.variational.vae import VAE
from pcgen.training import Run, fit, load, save, spread_labels

SMALL = {
    "code": 4,
    "encoder": {"name": "pointnet", "widths": [16]},
    "decoder": {"name": "fully_connected", "widths": [16]},
}
PLACE, SIZE = torch.tensor([300.0, -40.0, 1000.0]), 25.0


def far_clouds(n: int = 40) -> Tensor:
    """Balls of radius about 25 about places near (300, -40, 1000), (n, 24, 3)."""
    directions = torch.nn.functional.normalize(torch.randn(n, 24, 3), dim=2)
    return directions * SIZE * (0.8 + 0.4 * torch.rand(n, 1, 1)) + PLACE + torch.randn(n, 1, 3)


def size(clouds: Tensor) -> Tensor:
    """Distance of the farthest point from the mean, (S,)."""
    return (clouds - clouds.mean(1, keepdim=True)).norm(dim=2).amax(1)


@pytest.fixture(params=["unit_sphere", "unit_box", "bbox", "global_std"])
def far(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Run, Tensor]:
    """A run of an autoencoder of normalised clouds far from the origin, with its clouds."""
    clouds = far_clouds()
    normalization = Normalization(request.param).fit(clouds)
    model = build({"name": "autoencoder", "shape": [24, 3], "reconstruction": "chamfer", "lr": 1e-2, **SMALL})
    about = {"normalization": normalization.to_dict()}
    fit(model, normalization.apply(clouds), out=tmp_path / "ae", about=about, steps=40, batch_size=20)
    return Run.open(tmp_path / "ae"), clouds


def test_codes_and_reconstructions_are_of_the_datas_units(far: tuple[Run, Tensor]) -> None:
    run, clouds = far
    codes = run.encode(clouds)
    with torch.no_grad():
        torch.testing.assert_close(codes, run.model().encode(run.normalization.apply(clouds)))
    assert codes.shape == (40, 4)
    decoded, reconstructed = run.decode(codes), run.reconstruct(clouds)
    assert decoded.shape == reconstructed.shape == (40, 24, 3)
    # Decoded codes stand at the mean place; a reconstruction where its own cloud was.
    assert (decoded.mean((0, 1)) - PLACE).norm() < 8
    assert ((reconstructed.mean(1) - clouds.mean(1)).norm(dim=1) < 12).all()
    for found in (decoded, reconstructed):
        assert size(found).mean().item() == pytest.approx(size(clouds).mean().item(), rel=0.35)


def test_samples_stand_at_the_training_clouds_mean_place_and_size(tmp_path: Path) -> None:
    clouds = far_clouds()
    normalization = Normalization("unit_sphere").fit(clouds)
    model = Diffusion((24, 3), times=20, width=8, blocks=1)
    about = {"normalization": normalization.to_dict()}
    fit(model, normalization.apply(clouds), out=tmp_path / "run", about=about, steps=2, batch_size=20)
    run = Run.open(tmp_path / "run")
    told: list[tuple[int, int]] = []
    torch.manual_seed(1)
    samples = run.sample(64, steps=20, progress=lambda done, total: told.append((done, total)))
    torch.manual_seed(1)
    bare = run.model().sample(64, steps=20)
    torch.testing.assert_close(samples, normalization.undo(bare))
    assert samples.shape == (64, 24, 3) and told == [(64, 64)]
    assert (samples.mean((0, 1)) - clouds.mean((0, 1))).norm() < 3
    assert samples.var(1).sum(1).mean().item() == pytest.approx(clouds.var(1).sum(1).mean().item(), rel=0.4)


def test_a_run_of_vectors_samples_and_codes_them_as_they_are(tmp_path: Path) -> None:
    model = fit(VAE((5,), code=2, widths=(8,)), torch.randn(30, 5), out=tmp_path / "run", steps=2)
    run = Run.open(tmp_path / "run")
    torch.manual_seed(1)
    samples = run.sample(7)
    torch.manual_seed(1)
    assert torch.equal(samples, model.sample(7)) and samples.shape == (7, 5)
    x = torch.randn(6, 5)
    with torch.no_grad():
        torch.testing.assert_close(run.encode(x), model.encode(x))
        torch.testing.assert_close(run.decode(run.encode(x)), model.decode(model.encode(x)))
        torch.testing.assert_close(run.reconstruct(x), model.decode(model.encode(x)))


def test_rows_and_codes_of_any_float_are_taken_and_other_shapes_are_told(tmp_path: Path) -> None:
    fit(VAE((5,), code=2, widths=(8,)), torch.randn(30, 5).double(), out=tmp_path / "run", steps=2)
    run, x = Run.open(tmp_path / "run"), torch.randn(6, 5)
    codes = run.encode(x.double())
    torch.testing.assert_close(codes, run.encode(x))
    torch.testing.assert_close(run.decode(codes.double()), run.decode(codes))
    torch.testing.assert_close(run.reconstruct(x.double()), run.reconstruct(x))
    assert run.anomaly_score(x.double()).isfinite().all()
    for call in (run.encode, run.reconstruct, run.anomaly_score):
        with pytest.raises(ValueError, match=r"clouds: must be \(S, 5\), rows of this run's model, got \(6, 4\)"):
            call(x[:, :4])
    with pytest.raises(ValueError, match=r"codes: must be \(S, 2\), those of this run, got \(6, 5\)"):
        run.decode(x)


def test_clouds_on_a_map_are_learned_about_one_origin(tmp_path: Path) -> None:
    """Training and held-out clouds whose own origins differ, and a run in true coordinates."""
    place = torch.tensor([691230.0, 0.0, 5334570.0], dtype=torch.float64)
    train, held_out = (Clouds.of(far_clouds(16).double() + place + shift) for shift in (0.0, 2000.0))
    assert train.origin != held_out.origin

    def trained(data: Clouds | Tensor, validation: Clouds | Tensor, name: str) -> Run:
        model = build({"name": "autoencoder", "shape": [24, 3], "reconstruction": "chamfer", **SMALL})
        fit(model, data, validation=validation, out=tmp_path / name, steps=2, batch_size=8, seed=0)
        return Run.open(tmp_path / name)

    torch.manual_seed(0)
    run = trained(train, held_out, "clouds")
    torch.manual_seed(0)
    bare = trained(train.points, held_out.at(train.origin).points, "tensors")
    assert run.history[-1]["validation"] == bare.history[-1]["validation"]
    torch.manual_seed(0)
    mixed = trained(train, held_out.coordinates, "mixed")
    assert mixed.history[-1]["validation"] == pytest.approx(bare.history[-1]["validation"], rel=1e-4)
    assert run.normalization.origin == train.origin
    torch.testing.assert_close(run.encode(held_out), run.encode(held_out.at(train.origin)))
    decoded = run.decode(run.encode(train))
    true = torch.tensor(train.origin, dtype=torch.float64)
    torch.testing.assert_close(decoded, bare.decode(bare.encode(train.points)).double() + true)


def test_labels_are_given_by_name_and_spread_evenly(tmp_path: Path) -> None:
    labels = torch.arange(40) % 2
    model = VAE((3,), code=1, widths=(), classes=("low", "high"))
    x = torch.randn(40, 3) / 10 + 10.0 * labels[:, None]
    fit(model, x, labels=labels, out=tmp_path / "run", steps=1)
    run = Run.open(tmp_path / "run")

    def drawn(labels: object, n: int = 7) -> list[int]:
        return (run.sample(n, labels).mean(1) > 5).long().tolist()  # type: ignore[arg-type]

    assert drawn(["high", "low"]) == [1, 1, 1, 1, 0, 0, 0] and drawn("high") == [1] * 7
    assert drawn(torch.tensor([0, 1, 1, 0, 0, 0, 1])) == [0, 1, 1, 0, 0, 0, 1]
    assert sorted(set(drawn(None, 60))) == [0, 1]
    assert spread_labels(("a", "b", "c"), ["c", "a"], 5).tolist() == [2, 2, 2, 0, 0]
    with pytest.raises(ValueError, match="labels: must be one of low, high; got 'hihg'; did you mean 'high'"):
        run.sample(3, "hihg")
    with pytest.raises(ValueError, match="labels: must be 1 to 1 classes, which share the 1 clouds, got 2"):
        run.sample(1, ["low", "high"])
    with pytest.raises(ValueError, match="labels: must be one for each of 3 objects"):
        run.sample(3, torch.zeros(2, dtype=torch.int64))
    save(VAE((3,), code=1), tmp_path / "none")
    with pytest.raises(
        ValueError, match="labels: this model takes none; leave them out, or train one that learns by label"
    ):
        Run.open(tmp_path / "none").sample(3, "low")


def test_what_a_run_cannot_do_is_told_with_what_to_do(tmp_path: Path) -> None:
    autoencoder = save(build({"name": "autoencoder", "shape": [24, 3], **SMALL}), tmp_path / "ae")
    with pytest.raises(ValueError, match="ae: autoencoder does not generate; train a head on its codes: pcgen train"):
        autoencoder.sample(2)
    gan = save(build({"name": "gan", "shape": [4]}), tmp_path / "gan")
    for call in (lambda: gan.encode(torch.randn(2, 4)), lambda: gan.decode(torch.randn(2, 4))):
        with pytest.raises(ValueError, match="gan: a run of gan, which has no codes; give the run folder of an auto"):
            call()


def test_load_warns_of_units_that_are_not_the_datas_and_a_run_is_loaded_once(tmp_path: Path) -> None:
    model = Diffusion((8, 3), times=5, width=8, blocks=1)
    clouds = far_clouds()[:, :8]
    about = {"normalization": Normalization("unit_sphere").fit(clouds).to_dict()}
    run = save(model, tmp_path / "run", data=about)
    with pytest.warns(
        UserWarning, match=r"run: this model's clouds are normalised \(unit_sphere\); .*Run\.open\(run\)"
    ):
        load(run.path)
    save(model, tmp_path / "plain", data={"normalization": Normalization("none").to_dict()})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(tmp_path / "plain")
        run.sample(2)
        assert run.trained() is run.trained() and run.trained("last") is not run.trained()


def test_many_large_clouds_are_sampled_in_bounded_memory() -> None:
    """2,000 clouds of 2048 points at once would hold 4 GB in each of a block's activations of width 256."""
    program = (
        "import torch\n"
        "from pathlib import Path\n"
        "from pcgen.models.diffusion.diffusion import Diffusion\n"
        "torch.set_num_threads(1)\n"
        "model = Diffusion((2048, 3), times=2, width=8, blocks=1)\n"
        "assert model.at_once() == 32\n"
        "wide = Diffusion((2048, 3), times=2, width=256, blocks=1)\n"
        "wide.sample(32, steps=1)\n"  # a batch of the default width
        "samples = model.sample(2000, steps=2)\n"
        "assert samples.shape == (2000, 2048, 3)\n"
        # Of this program alone: `ru_maxrss` begins at what the process that started it held.
        "status = Path('/proc/self/status').read_text()\n"
        "print(status.partition('VmHWM:')[2].split()[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 < 1e9  # Linux tells kilobytes
