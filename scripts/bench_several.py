"""Generators by several sets of samples each, under the Earth Mover's Distance too, on the runs of bench_generation.py.

python scripts/bench_several.py --runs runs/generation
"""

import math
import statistics
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import figures
import torch
import typer
from draws import Set, copies, sets
from torch import Tensor

from pcgen import metrics, training
from pcgen.metrics.report import HEADLINE
from pcgen.metrics.sets import SAMPLES, TRAINING


def main(
    runs: Annotated[Path, typer.Option(help="The folder of bench_generation.py.")] = Path("runs/generation"),
    models: Annotated[
        str, typer.Option(help="Heads with commas between.")
    ] = "diffusion,flow_matching,parzen,wgan_gp,gmm",
    points: Annotated[int, typer.Option(help="Points of each cloud.")] = 1024,
    clouds: Annotated[int, typer.Option(help="Samples of each model, in sets as large as the held-out one.")] = 600,
    only: Annotated[str, typer.Option(help="Sets with commas between, by name; all if not given.")] = "",
) -> None:
    """Measure several sets of each model's samples, and of training clouds; rows of other sets and models are kept."""
    rows: list[dict[str, object]] = []
    of, heads = (names.split(",") if names else [] for names in (only, models))
    chosen = list(sets(runs, points, of))
    kept = figures.of_others(f"several_{points}", data=[each.name for each in chosen], model=[*heads, TRAINING])
    protocol = replace(metrics.protocol("exact"), points=points)
    for each in chosen:
        draws = {name: partial(training.Run.open(each.folder / name).sample, len(each.test)) for name in heads}
        count = max(2, clouds // len(each.test))
        held_out = copies([each.test, *each.others], each.train)
        for model, draw in {**draws, TRAINING: each.judge.some(each.judge.train)}.items():
            torch.manual_seed(0)
            own = [draw() for _ in range(count)]
            row: dict[str, object] = {"data": each.name, "points": points, "model": model}
            row |= {"clouds": len(each.test), "draws": count, **_means(own, each, protocol)}
            row |= {"copies": "" if model == TRAINING else copies(own, each.train), "copies_held_out": held_out}
            rows.append(row)
            print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
            figures.write(f"several_{points}", rows, kept)


def _means(own: list[Tensor], of: Set, protocol: metrics.Protocol) -> dict[str, object]:
    """The mean of each metric over several sets, and its standard error."""
    first, *others = own
    oracles = {f"set {place}": clouds for place, clouds in enumerate(others, 2)}
    report = metrics.evaluate(
        first, of.test, protocol=protocol, oracles=oracles, emd_clouds=None, tiles=of.folder / "tiles"
    )
    found = [row.values for row in report.rows if row.name in (SAMPLES, *oracles)]
    means: dict[str, object] = {}
    for metric in HEADLINE:
        values = [scores[metric] for scores in found]
        means[f"{metric}_mean"] = round(statistics.mean(values), 5)
        means[f"{metric}_error"] = round(statistics.stdev(values) / math.sqrt(len(own)), 5)
    return means


if __name__ == "__main__":
    typer.run(main)
