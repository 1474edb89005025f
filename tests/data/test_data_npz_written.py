"""What `save` writes as .npz: whole or not at all, and the same when it is loaded."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from few_clouds import POINTS

from pcgen.data import Clouds, load, save


def test_what_is_saved_is_loaded_alike(tmp_path: Path) -> None:
    clouds = load("shapes:mug=4,lamp=3", surface_points=32)
    path = save(tmp_path / "a.npz", clouds)
    again = load(str(path))
    assert torch.equal(again.points, clouds.points) and again.names == clouds.names and again.splits == clouds.splits
    assert again.normals is not None and clouds.normals is not None and torch.equal(again.normals, clouds.normals)
    assert again.labels is not None and clouds.labels is not None and torch.equal(again.labels, clouds.labels)
    assert again.classes == clouds.classes == ("mug", "lamp")
    tensor = save(tmp_path / "b.npz", torch.from_numpy(POINTS).requires_grad_())
    assert np.array_equal(load(str(tensor)).points.numpy(), POINTS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask()


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("name", ["a.npz", "a.ply", "a/"])
def test_clouds_with_a_gradient_are_saved_as_those_without(tmp_path: Path, name: str) -> None:
    points = torch.from_numpy(POINTS[:1]).requires_grad_()
    normals = torch.nn.functional.normalize(points, dim=2)
    clouds = Clouds(points, normals=normals, boxes=torch.ones(1, 2, 6))
    again = load(str(save(f"{tmp_path}/{name}", clouds)))
    assert torch.equal(again.points, points) and again.normals is not None and torch.equal(again.normals, normals)
    assert (again.boxes is not None) == (name == "a.npz") and clouds.points.requires_grad


def test_nothing_is_overwritten_unasked_and_nothing_half_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save(path, torch.zeros(1, 2, 3))
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=f"{path}: exists"):
        save(path, torch.ones(1, 2, 3))
    assert path.read_bytes() == before
    save(path, torch.ones(1, 2, 3), overwrite=True)
    assert load(str(path)).points.sum() == 6
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        save(tmp_path / "no" / "a.npz", torch.ones(1, 2, 3))
    with pytest.raises(ValueError, match=r"must end in \.npz"):
        save(tmp_path / "a.h5", torch.ones(1, 2, 3))
    with pytest.raises(ValueError, match="points: must be"):
        save(tmp_path / "c.npz", torch.ones(2, 3))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.npz"]


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save(path, torch.zeros(1, 2, 3))
    code = (
        "import resource, signal, sys, torch; from pcgen.data import save\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "save(sys.argv[1], torch.ones(10, 1000, 3), overwrite=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    kept = "the old file is unchanged; free some space or choose another folder"
    assert last == f"OSError: {path}: could not be written (File too large); {kept}"
    assert load(str(path)).points.shape == (1, 2, 3)
    assert [item.name for item in tmp_path.iterdir()] == ["a.npz"]
