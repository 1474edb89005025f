"""What the outward factor of decoded codes changes, on the runs of bench_generation.py, into results/outward.csv.

python scripts/bench_outward.py --runs runs/generation
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import figures
import torch
import typer
from draws import sets

from pcgen import training


def main(
    runs: Annotated[Path, typer.Option(help="The folder of bench_generation.py.")] = Path("runs/generation"),
    models: Annotated[str, typer.Option(help="Heads with commas between.")] = "diffusion,gmm",
    points: Annotated[int, typer.Option(help="Points of each cloud.")] = 1024,
) -> None:
    """Sample each head with and without the factor, from the same random numbers."""
    rows: list[dict[str, object]] = []
    for each in sets(runs, points):
        for name in models.split(","):
            run = training.Run.open(each.folder / name)
            row: dict[str, object] = {
                "data": each.name,
                "learned": len(each.train),
                "clouds": len(each.test),
                "model": name,
                "factor": round(run.model().outward_factor(), 3),  # type: ignore[operator]
            }
            for outward in (False, True):
                torch.manual_seed(0)
                found = each.judge(partial(run.sample, len(each.test), outward=outward))
                row |= {f"{'scaled' if outward else 'sampled'}_{key}": value for key, value in found.items()}
            rows.append(row)
            print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
            figures.write("outward", rows)


if __name__ == "__main__":
    typer.run(main)
