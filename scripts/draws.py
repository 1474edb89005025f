"""Several sets of samples of one model against held-out clouds, under CD."""

import math
import statistics
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
import typer
from torch import Tensor

from pcgen import data, metrics, ops, training
from pcgen.data.thinning import thin

__all__ = ["NONE", "Judge", "Set", "copies", "sets"]

_CLOUDS = 2400  # samples of each model in all, in sets as large as the held-out one: few clouds tell little each
_NOVEL = 600  # of them, whose nearest training clouds are searched
_SETS = 60  # at most
NONE = {"draws": "", "one_nna_cd_mean": "", "one_nna_cd_error": "", "z_u_cd_mean": ""}


class Judge:
    """What several sets of clouds score on average.

    Args:
        test: held-out clouds, (R, N, 3).
        train: the training clouds, (T, N, 3).
        share: of the usual number of sets.
    """

    def __init__(self, test: Tensor, train: Tensor, share: float = 1.0) -> None:
        self.test, self.train = test, train
        self.between = ops.chamfer_matrix(test, test)
        self.near = ops.chamfer_matrix(test, train).amin(1)
        self.sets, self.novel = (min(_SETS, max(2, int(share * clouds) // len(test))) for clouds in (_CLOUDS, _NOVEL))

    def __call__(self, draw: Callable[[], Tensor], learned: bool = True) -> dict[str, object]:
        """1-NNA's mean over sets and its standard error, as fractions, and Z_U's mean if the sets were learned.

        Args:
            draw: gives another set of as many clouds as are held out, (R, N, 3).
            learned: whether they come of a model; Z_U of training clouds themselves says nothing.
        """
        found, scores = [], []
        for place in range(self.sets):
            clouds = draw()
            inside, across = ops.chamfer_matrix(clouds, clouds), ops.chamfer_matrix(clouds, self.test)
            found.append(metrics.one_nna(across, inside, self.between).accuracy)
            if learned and place < self.novel:
                scores.append(metrics.z_u(ops.chamfer_matrix(clouds, self.train).amin(1), self.near))
        return {
            "draws": len(found),
            "one_nna_cd_mean": round(statistics.mean(found), 5),
            "one_nna_cd_error": round(statistics.stdev(found) / math.sqrt(len(found)), 5),
            "z_u_cd_mean": round(statistics.mean(scores), 4) if learned else "",
        }

    def copies(self, draw: Callable[[], Tensor], stored: Tensor) -> float:
        """The mean share of copies in several sets; `stored` are the training clouds with all of their points."""
        return copies((draw() for _ in range(self.novel)), stored)

    def some(self, clouds: Tensor) -> Callable[[], Tensor]:
        """Sets of these clouds, (S, N, 3), each without repetitions."""

        def draw() -> Tensor:
            return clouds[torch.randperm(len(clouds))[: len(self.test)]]

        return draw


def copies(several: Iterable[Tensor], stored: Tensor) -> float:
    """The mean share of copies in sets of clouds, (R, N, 3) each; `stored` are the training clouds, with all points."""
    return round(statistics.mean(metrics.find_copies(clouds, stored).copies for clouds in several), 4)


class Set(NamedTuple):
    """A set of bench_generation.py, its runs and its clouds in the unit of the data."""

    name: str
    folder: Path
    test: Tensor  # (R, N, 3)
    others: tuple[Tensor, ...]  # further samplings of the same shapes, where as many points are stored
    train: Tensor  # (T, M, 3), with all stored points
    judge: Judge


def sets(runs: Path, points: int, only: Collection[str] = ()) -> Iterator[Set]:
    """The sets in a folder of bench_generation.py whose clouds have so many points: those named, or all.

    Raises:
        typer.BadParameter: there are none.
    """
    named = {folder: _named(folder.name.removesuffix(f"-{points}")) for folder in runs.glob(f"*-{points}")}
    folders = sorted(folder for folder, name in named.items() if folder.is_dir() and (not only or name in only))
    if not folders:
        of = f" of {', '.join(only)}" if only else ""
        raise typer.BadParameter(f"{runs}: has no sets{of} of {points} points; run bench_generation.py first")
    for folder in folders:
        codes = training.read_codes(folder / "autoencoder")
        spec = codes.source.about["training_set"]["spec"]
        stored = data.load(f"{spec}@test", at_least=points, surface_points=2 * points).points
        test, *others = (part.contiguous() for part in stored.split(points, dim=1) if part.shape[1] == points)
        undo = codes.source.normalization.undo
        judge = Judge(test, undo(thin(codes.source.train, points, 0)))
        yield Set(named[folder], folder, test, tuple(others), undo(codes.source.train), judge)


def _named(folder: str) -> str:
    """The name of a set, whose folder has an underscore in the place of the colon."""
    source, _, kind = folder.rpartition("_")
    return f"{source}:{kind}" if source in ("shapes", "ldraw_parts") else folder
