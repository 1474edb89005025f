"""`pcgen complete`: clouds of any sizes from one source, names of where they came from, units, errors."""

import numpy as np
import pytest
import torch

from pcgen import data, training
from pcgen.data import Normalization
from pcgen.models import build
from pcgen.training import fit, save

FEW = ["--candidates", 20, "--steps", 2]
SMALL = {"encoder": {"name": "pointnet", "widths": [8]}, "decoder": {"name": "fully_connected", "widths": [16]}}
PLACE, SIZE = torch.tensor([40.0, -7.0, 3.0]), 9.0


def clouds(count):
    return (torch.rand(count, 32, 3) - 0.5) * SIZE + PLACE


def head_of(tmp_path, normalization="global_std", name="gaussian", **head):
    """The run of a head on the codes of boxes far from the origin, normalised, of two classes."""
    train = clouds(40)
    fitted = Normalization(normalization).fit(train)
    model = build(
        {
            "name": "latent_cloud_model",
            "autoencoder": {"name": "autoencoder", "shape": [32, 3], "code": 4, "reconstruction": "chamfer", **SMALL},
            "head": {"name": name, "shape": [4], **head},
        }
    )
    about = {"normalization": fitted.to_dict()}
    labels = torch.arange(40) % 2 if model.classes else None
    fit(model, model.encode(fitted.apply(train)), labels=labels, out=tmp_path / "run", about=about, steps=1)
    return tmp_path / "run"


def test_a_file_of_partial_clouds_is_completed_and_names_say_of_which(pcgen, tmp_path):
    run, partial = head_of(tmp_path), clouds(2)[:, :10]
    data.save(tmp_path / "p.npz", data.Clouds(partial, names=("left", "right.ply")))
    words = ["complete", run, tmp_path / "p.npz", "-n", 3, *FEW]
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        result = pcgen(*words, "--seed", seed, "--out", tmp_path / f"{name}.npz")
        assert result.code == 0, result.err
    assert "3 completions of each of 2 clouds, of 32 points (seed 2)" in result.err
    a, b, c = (data.load(str(tmp_path / f"{name}.npz")) for name in "abc")
    assert a.names == ("left-1", "left-2", "left-3", "right-1", "right-2", "right-3")
    assert torch.equal(a.points, b.points) and not torch.equal(a.points, c.points)
    # The partial clouds' own points, in the data's units.
    torch.testing.assert_close(a.points[:, :10], partial.repeat_interleave(3, 0), atol=1e-4, rtol=0)
    torch.manual_seed(1)
    found = training.Run.open(run).complete(partial, 3, candidates=20, steps=2)
    torch.testing.assert_close(found.flatten(0, 1), a.points)


def test_a_folder_of_clouds_of_different_sizes(pcgen, tmp_path):
    (tmp_path / "scans").mkdir()
    for name, points in (("a", 5), ("b", 9)):
        data.save(tmp_path / "scans" / f"{name}.ply", clouds(1)[:, :points])
    words = ["-n", 2, *FEW, "--out", tmp_path / "out.npz", "--png", tmp_path / "out.png"]
    result = pcgen("complete", head_of(tmp_path), tmp_path / "scans", *words)
    assert result.code == 0, result.err
    assert (tmp_path / "out.png").exists() and "out.png" in result.err
    assert data.load(str(tmp_path / "out.npz")).names == ("a-1", "a-2", "b-1", "b-2")
    words = ["-n", 2, *FEW, "--out", f"{tmp_path}/files/", "--format", "xyz"]
    assert pcgen("complete", tmp_path / "run", tmp_path / "scans", *words).code == 0
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == ["a-1.xyz", "a-2.xyz", "b-1.xyz", "b-2.xyz"]


def test_a_part_of_a_cloud_that_was_normalised_by_itself_is_placed_at_the_mean_and_it_is_said(tmp_path):
    run = training.Run.open(head_of(tmp_path, "unit_box"))
    partial = clouds(1)[:, :10]
    with pytest.warns(UserWarning, match=r"normalised by itself \(unit_box\), which a part of one cannot be"):
        found = run.complete(partial, 1, candidates=20, steps=2)
    torch.testing.assert_close(found[:, 0, :10], partial, atol=1e-4, rtol=0)
    assert (found[0, 0, 10:] - PLACE).abs().max() < 4 * SIZE


def test_labels_by_name(pcgen, tmp_path):
    run = head_of(tmp_path, name="vae", code=2, widths=[], classes=["low", "high"])
    data.save(tmp_path / "p.npz", clouds(2)[:, :10])
    for labels in ("low", "low, high"):
        words = ["--labels", labels, "--overwrite", "--out", tmp_path / "out.npz"]
        result = pcgen("complete", run, tmp_path / "p.npz", *FEW, *words)
        assert result.code == 0, result.err
    for labels, message in (
        ("hihg", "labels: must be one of low, high; got 'hihg'; did you mean 'high'?"),
        ("low,low,high", "labels: must be one for each of 2 partial clouds, got shape (3,)"),
    ):
        result = pcgen("complete", run, tmp_path / "p.npz", "--labels", labels, *FEW, "--out", tmp_path / "no.npz")
        assert result.code == 2 and message in result.err


def test_bad_points_are_left_out_if_asked_and_a_source_without_others_is_refused(pcgen, tmp_path):
    run, holed = head_of(tmp_path), clouds(1)[:, :10]
    holed[0, 3] = torch.nan
    (tmp_path / "scans").mkdir()
    np.save(tmp_path / "scans" / "a.npy", holed[0].numpy())
    result = pcgen("complete", run, tmp_path / "scans", "--drop-bad", *FEW, "--out", tmp_path / "out.npz")
    assert result.code == 0, result.err
    assert "a.npy: 1 of 10 points left out, which are NaN or infinite" in result.err
    good = holed[:, ~holed[0].isnan().any(1)]
    torch.testing.assert_close(data.load(str(tmp_path / "out.npz")).points[:1, :9], good, atol=1e-4, rtol=0)
    np.save(tmp_path / "scans" / "a.npy", holed[0].numpy() * np.nan)
    result = pcgen("complete", run, tmp_path / "scans", "--drop-bad", *FEW, "--out", f"{tmp_path}/none/")
    assert result.code == 2 and "scans: no cloud is left to complete; pcgen data check" in result.err
    assert not (tmp_path / "none").exists()


def test_what_cannot_be_completed_is_told_in_one_line(pcgen, tmp_path):
    run = head_of(tmp_path)
    holed = clouds(1)[:, :10]
    holed[0, 3] = torch.nan
    np.savez(tmp_path / "nan.npz", points=holed.numpy())
    data.save(tmp_path / "p.npz", clouds(1)[:, :10])
    save(build({"name": "autoencoder", "shape": [32, 3], "code": 4, **SMALL}), tmp_path / "ae")
    for words, message in (
        ((tmp_path / "ae", tmp_path / "p.npz"), "ae: a run of autoencoder, which cannot complete clouds; give a head"),
        ((run, tmp_path / "none.npz"), "none.npz: no such file or folder"),
        ((run, tmp_path / "nan.npz"), "cloud 0: point 3 is [nan, nan, nan]; 1 of 10 hold NaN"),
        ((run, tmp_path / "p.npz", "--candidates", 3), "candidates: must be at least 4, got 3"),
        ((run, tmp_path / "p.npz", "--labels", "chair"), "labels: this model takes none; leave them out"),
        ((run, tmp_path / "p.npz", "-n", 0), "'-n'"),
    ):
        result = pcgen("complete", *words, "--out", tmp_path / "no.npz")
        assert result.code == 2 and message in result.err, result.err
        assert len(result.err.strip().splitlines()) == 1 and not (tmp_path / "no.npz").exists()
