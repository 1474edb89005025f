"""Training clouds deformed by `parzen` beside its decoded clouds, on the runs of bench_generation.py.

python scripts/bench_deforming.py --runs runs/generation
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import figures
import torch
import typer
from draws import sets

from pcgen import training

VARIANTS: dict[str, dict[str, Any]] = {
    "decoded": {"deform": False},
    "deformed": {},
    "deformed, not mirrored": {"mirror": 0.0},
    "deformed, as far as drawn": {"farther": 1.0},
    "deformed, 1.8 as far": {"farther": 1.8},
}


def main(
    runs: Annotated[Path, typer.Option(help="The folder of bench_generation.py.")] = Path("runs/generation"),
    points: Annotated[int, typer.Option(help="Points of each cloud.")] = 1024,
) -> None:
    """Sample the same codes in several ways."""
    rows: list[dict[str, object]] = []
    for each in sets(runs, points):
        run = training.Run.open(each.folder / "parzen")
        found = round(float(run.model().exemplars.farther), 2)  # type: ignore[union-attr, arg-type]
        for name, options in VARIANTS.items():
            draw = partial(run.sample, len(each.test), **options)
            torch.manual_seed(0)
            row: dict[str, object] = {"data": each.name, "learned": len(each.train), "clouds": len(each.test)}
            row |= {"farther": found, "variant": name}
            row |= each.judge(draw)
            torch.manual_seed(0)
            rows.append(row | {"copies": each.judge.copies(draw, each.train)})
            print(" ".join(f"{key}={value}" for key, value in rows[-1].items()), flush=True)
            figures.write("deforming", rows)


if __name__ == "__main__":
    typer.run(main)
