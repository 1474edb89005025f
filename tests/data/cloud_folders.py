"""Folders of small clouds, and a mesh of a box."""

from pathlib import Path

import numpy as np

RANDOM = np.random.default_rng(0)
BOX_OFF = """OFF
8 6 0
0 0 0
1 0 0
1 2 0
0 2 0
0 0 3
1 0 3
1 2 3
0 2 3
4 0 3 2 1
4 4 5 6 7
4 0 1 5 4
4 2 3 7 6
4 1 2 6 5
4 0 4 7 3
"""


def write(path: Path, points: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, points)
    else:
        path.write_text("\n".join(" ".join(map(str, row)) for row in points))


def folder(root: Path, layout: list[str], size: int = 12) -> Path:
    for number, name in enumerate(layout):
        write(root / name, RANDOM.normal(size=(size, 3)) + number)
    return root


def broken_folder(root: Path) -> Path:
    folder(root, ["a.npy", "b.npy", "c.npy", "d.npy"])
    points = np.load(root / "b.npy")
    points[3, 1] = np.nan
    np.save(root / "b.npy", points)
    (root / "c.npy").write_bytes(b"damage")
    return root
