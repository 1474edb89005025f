"""Training throughput of the paper's autoencoder at 2048 points, beside eager PyTorch without a distance.

python scripts/bench_training.py
"""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any

import figures
import torch
import typer
from torch import Tensor, nn

from pcgen import data
from pcgen.data.thinning import thin
from pcgen.models.base import Batch
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.training.options import computes_bf16

PAPER = {"name": "fully_connected", "widths": [256, 256], "norm": None}
ROUNDS = 3  # of all variants, one after another: the best round of each counts


class Eager(nn.Module):
    """The autoencoder of Achlioptas et al. as it is written elsewhere: 1x1 convolutions, batch norm, a maximum."""

    def __init__(self, points: int) -> None:
        super().__init__()
        widths = (3, 64, 128, 128, 256, 128)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv1d(before, after, 1), nn.BatchNorm1d(after), nn.ReLU()]
        self.encoder = nn.Sequential(*layers)
        self.decoder = nn.Sequential(
            nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 3 * points)
        )
        self.optimizer = torch.optim.Adam(self.parameters(), 1e-3)

    def update(self, batch: Batch) -> None:
        """One step on the mean square of what is decoded: no distance between clouds at all."""
        decoded = self.decoder(self.encoder(batch.x.transpose(1, 2)).amax(dim=2))
        self.optimizer.zero_grad()
        decoded.square().mean().backward()
        self.optimizer.step()


def main(
    points: Annotated[int, typer.Option(help="Points of each cloud.")] = 2048,
    batch: Annotated[int, typer.Option(help="Clouds of a batch.")] = 32,
    steps: Annotated[int, typer.Option(help="Updates of each round.")] = 8,
) -> None:
    """Time updates of each variant and write results/training.csv."""
    clouds = data.load(f"shapes:chair={4 * batch}", points=2 * points).points
    paper: dict[str, Any] = {"decoder": PAPER, "seen": None, "coarse": (0, 0), "matrix_lr": 0.0}
    variants: dict[str, tuple[Any, bool]] = {
        "eager PyTorch, no distance": (Eager(points), False),
        "pcgen, the paper's, Chamfer": (Autoencoder((points, 3), reconstruction="chamfer", **paper), False),
        "pcgen, the paper's, exact EMD": (Autoencoder((points, 3), gap=0.0, **paper), False),
        "pcgen, the paper's, exact EMD, 512 points seen": (
            Autoencoder((points, 3), gap=0.0, **{**paper, "seen": 512}),
            False,
        ),
        "pcgen, default, by fours": (Autoencoder((points, 3)), False),
        "pcgen, default, by twos": (Autoencoder((points, 3), coarse=(0, 0.9)), False),
        "pcgen, default, all points": (Autoencoder((points, 3), coarse=(0, 0)), False),
    }
    if computes_bf16(torch.device("cpu")):
        variants |= {f"{name}, bf16": (model, True) for name, (model, _) in variants.items()}
    for model, bf16 in variants.values():  # the first matchings, of clouds that are not decoded yet, take longer
        _seconds(model.train().update, clouds, points, batch, 2 * steps, bf16)
    best = {
        name: min(_seconds(model.update, clouds, points, batch, steps, bf16) for _ in range(ROUNDS))
        for name, (model, bf16) in variants.items()
    }
    eager = best["eager PyTorch, no distance"]
    rows: list[dict[str, object]] = []
    for name, seconds in best.items():
        rate = batch * steps / seconds
        rows.append({"points": points, "batch": batch, "variant": name, "clouds_per_second": round(rate, 1)})
        rows[-1]["times_eager"] = round(eager / seconds, 2)
        print(f"{name}: {rate:.1f} clouds a second, {eager / seconds:.2f} times eager")
    figures.write("training", rows)


def _seconds(
    update: Callable[[Batch], object], clouds: Tensor, points: int, batch: int, steps: int, bf16: bool
) -> float:
    begin = time.perf_counter()
    for _ in range(steps):
        rows = torch.randperm(len(clouds))[:batch]
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            update(Batch(thin(clouds[rows], points), rows))
    return time.perf_counter() - begin


if __name__ == "__main__":
    typer.run(main)
