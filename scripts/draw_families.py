"""A picture for each family of models, docs/models/FAMILY.png: samples or reconstructions, beside held-out data.

python scripts/draw_families.py --runs runs/quality/shapes_chair --data shapes:chair=1000    # after bench_quality.py
"""

from pathlib import Path
from typing import Annotated

import figures
import torch
import typer
from families import families
from PIL import Image

from pcgen import data, training
from pcgen.models import MODELS, GenerativeModel
from pcgen.view import Camera, picture

_COLOURS = 128
CLOUDS = 8
POINTS = 1024


def main(
    runs: Annotated[Path, typer.Option(help="A folder with a run for each head, by its name.")] = Path(
        "runs/quality/shapes_chair"
    ),
    shapes: Annotated[str, typer.Option("--data", help="What they have learned, SOURCE[:CLASS].")] = "shapes:chair",
    size: Annotated[int, typer.Option(help="Pixels of each cloud.")] = 130,
    out: Annotated[Path, typer.Option(help="The folder of the pictures.")] = figures.ROOT / "docs" / "models",
) -> None:
    """Draw samples of every trained head, a row for each, and held-out clouds below; autoencoders reconstruct those."""
    test = data.load(f"{shapes}@test", at_least=POINTS, surface_points=POINTS).points[:CLOUDS, :POINTS]
    for family, names in families().items():
        trained = [name for name in names if (runs / name / "config.json").is_file()]
        if not trained:
            continue
        drawn = []
        for name in trained:
            torch.manual_seed(0)
            run = training.Run.open(runs / name)
            drawn.append(run.sample(len(test)) if issubclass(MODELS[name], GenerativeModel) else run.reconstruct(test))
        rows, groups = [*trained, "held-out data"], [len(test)] * (len(trained) + 1)
        made = picture(
            [cloud for each in (*drawn, test) for cloud in each],
            out / f"{family}.png",
            rows=rows,
            groups=groups,
            columns=len(test),
            size=size,
            camera=Camera(),
            overwrite=True,
        )
        with Image.open(made.path) as drawing:
            small = drawing.convert("RGB").quantize(_COLOURS)  # a third of the size
        small.save(made.path, optimize=True)
        print(made, flush=True)


if __name__ == "__main__":
    typer.run(main)
