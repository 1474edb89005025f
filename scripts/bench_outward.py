"""What the outward factor of decoded codes changes, on the runs of bench_generation.py, into results/outward.csv.

python scripts/bench_outward.py --runs runs/generation
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import figures
import torch
import typer
from draws import Judge

from pcgen import data, training
from pcgen.data.thinning import thin


def main(
    runs: Annotated[Path, typer.Option(help="The folder of bench_generation.py.")] = Path("runs/generation"),
    models: Annotated[str, typer.Option(help="Heads with commas between.")] = "diffusion,gmm",
    points: Annotated[int, typer.Option(help="Points of each cloud.")] = 1024,
    clouds: Annotated[int, typer.Option(help="Held-out clouds of each set at most.")] = 120,
) -> None:
    """Sample each head with and without the factor, from the same random numbers."""
    rows: list[dict[str, object]] = []
    folders = sorted(folder for folder in runs.glob(f"*-{points}") if folder.is_dir())
    if not folders:
        raise typer.BadParameter(f"{runs}: has no sets of {points} points; run bench_generation.py first")
    for folder in folders:
        codes = training.read_codes(folder / "autoencoder")
        spec = codes.source.about["training_set"]["spec"]
        test = data.load(f"{spec}@test", at_least=points, surface_points=2 * points).points[:clouds, :points]
        train = codes.source.normalization.undo(thin(codes.source.train, points, 0))
        judge = Judge(test.contiguous(), train)
        for name in models.split(","):
            run = training.Run.open(folder / name)
            row: dict[str, object] = {
                "data": _named(folder.name.removesuffix(f"-{points}")),
                "learned": len(train),
                "clouds": len(test),
                "model": name,
                "factor": round(run.model().outward_factor(), 3),  # type: ignore[attr-defined]
            }
            for outward in (False, True):
                torch.manual_seed(0)
                found = judge(partial(run.sample, len(test), outward=outward))
                row |= {f"{'scaled' if outward else 'sampled'}_{key}": value for key, value in found.items()}
            rows.append(row)
            print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
            figures.write("outward", rows)


def _named(folder: str) -> str:
    """The name of a set of bench_generation.py, whose folder has an underscore in the place of the colon."""
    source, _, kind = folder.rpartition("_")
    return f"{source}:{kind}" if source in ("shapes", "ldraw_parts") else folder


if __name__ == "__main__":
    typer.run(main)
