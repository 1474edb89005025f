"""Where the pages' commands run: a folder with the files and runs that pages speak of, all of them small."""

import contextlib
import io
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from page_blocks import shortened

from pcgen import data

Run = Callable[[list[str]], str]


@pytest.fixture(scope="session")
def pcgen() -> Run:
    """Run `pcgen WORDS...` in this process, where it stands; returns all that it printed."""
    from pcgen.cli import main

    def run(words: list[str]) -> str:
        said, code = io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            patch.setattr(sys, "argv", ["pcgen", *words])
            _quick_pictures(patch)
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                try:
                    main()
                except SystemExit as stopped:
                    code = int(stopped.code or 0)
        assert code == 0, f"pcgen {' '.join(words)}: {said.getvalue()}"
        return said.getvalue()

    return run


@pytest.fixture(autouse=True)
def _pictures_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages' blocks of Python draw as their commands do."""
    _quick_pictures(monkeypatch)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """A command's --threads is not for those after it."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, pcgen: Run) -> Path:
    """What pages take for granted: folders of meshes, sets of clouds, and runs."""
    folder = tmp_path_factory.mktemp("world")
    for name in ("meshes", "scans"):
        for kind in ("chair", "table"):
            _boxes(folder / name / kind, 30)
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(40, 1024, 3, generator=generator) * (0.2 + torch.rand(40, 1, 3, generator=generator))
    splits = tuple((["train"] * 14 + ["val"] * 2 + ["test"] * 4) * 2)
    labels = torch.arange(40) // 20
    parts = data.Clouds(points - 0.5, labels=labels, classes=("Technic", "Brick"), splits=splits)
    data.save(folder / "parts.npz", parts)
    data.save(folder / "half_chairs.npz", data.Clouds(0.1 * points[:2, :40] + 0.4))
    lines = (
        "data convert meshes/ --normalize unit_sphere --points 4096 --out shapes.npz",
        "data convert scans/:chair@test --points 512 --out scans.npz",
        "train autoencoder --data shapes:chair --out runs/ae",
        "train autoencoder --data shapes.npz --out runs/both",
        "train diffusion --codes runs/both --out runs/by_class",
        "train diffusion --codes runs/ae --out runs/diffusion",
        "train gan --codes runs/ae --out runs/gan",
        "train som --codes runs/ae --out runs/som",
        "sample runs/diffusion --out samples.npz",
        "sample runs/diffusion --out chairs.npz",
        "suite --data shapes:chair --codes runs/ae --out runs/board",
    )
    with contextlib.chdir(folder):
        for line in lines:
            pcgen(shortened(line.split()))
    for copy, run in (("a", "diffusion"), ("b", "gan")):
        shutil.copytree(folder / "runs" / run, folder / "runs" / copy)
    return folder


def _quick_pictures(patch: pytest.MonkeyPatch) -> None:
    """Small ones, by matplotlib: Open3D starts a process for every picture, which takes seconds."""
    from pcgen.view import engines, sheet

    def refuse(*_: object, **__: object) -> None:
        raise engines.NotDrawn("not in the tests of pages")

    patch.setattr(engines.Open3D, "draw", refuse)
    patch.setattr(sheet, "_ROOM", (480, 120))
    patch.setattr(sys.modules["pcgen.view.film"], "_ROOM", (240, 120))  # the package has a function of that name


def _boxes(folder: Path, count: int) -> None:
    """Meshes of boxes of different sides."""
    folder.mkdir(parents=True)
    faces = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    for number in range(count):
        sides = (1.0, 0.5 + 0.02 * number, 1.5 - 0.03 * number)
        corners = [[side * (corner >> axis & 1) for axis, side in enumerate(sides)] for corner in range(8)]
        lines = ["OFF", "8 6 12", *(" ".join(map(str, corner)) for corner in corners)]
        lines += [f"4 {' '.join(map(str, face))}" for face in faces]
        (folder / f"{number}.off").write_text("\n".join(lines) + "\n")
