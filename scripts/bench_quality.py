"""The quality benchmark of heads on codes of real and built-in shapes, into results/quality.csv; resumable.

python scripts/bench_quality.py --shapes ldraw_parts.npz --out runs/quality
"""

from pathlib import Path
from typing import Annotated

import figures
import torch
import typer

from pcgen import data, training
from pcgen.data.training_set import training_set
from pcgen.studies.benchmark import benchmark
from pcgen.studies.heads import heads, unseen_codes
from pcgen.training import Options

SHAPES = figures.ROOT.parent / "shared" / "data" / "ldraw_parts.npz"


def main(
    shapes: Annotated[Path, typer.Option(help="Real shapes with classes and splits, .npz.")] = SHAPES,
    one: Annotated[str, typer.Option(help="The class that is learned alone.")] = "Technic",
    points: Annotated[int, typer.Option(help="Points of each cloud.")] = 1024,
    effort: Annotated[float, typer.Option(help="Multiplies every model's default number of steps.")] = 1.0,
    models: Annotated[str, typer.Option(help="Models with commas between; all heads if not given.")] = "",
    out: Annotated[Path, typer.Option(help="The folder of the runs.")] = Path("runs/quality"),
) -> None:
    """Train an autoencoder on each set of shapes and every head on its codes, and score them."""
    sets = {"ldraw_parts": str(shapes), f"ldraw_parts:{one}": f"{shapes}:{one}", "shapes:chair": "shapes:chair=1000"}
    rows: list[dict[str, object]] = []
    for name, spec in sets.items():
        folder = out / name.replace(":", "_")
        source = training_set(spec, points=points)
        torch.manual_seed(0)
        job = training.on_clouds("autoencoder", source, points)
        options = Options(seed=0).scaled(job.learner.recipe, effort)
        job.fit(folder / "autoencoder", options, resume="auto", progress=True)
        codes = training.read_codes(folder / "autoencoder")
        held_out = unseen_codes(codes, data.load(f"{spec}@test", at_least=points, surface_points=points))
        chosen = models.split(",") if models else heads()
        for scored in benchmark(codes, held_out, chosen, folder, effort=effort):
            found = scored.quality
            low, high = found.interval
            rows.append(
                {
                    "data": name,
                    "training_codes": len(codes.train),
                    "held_out_codes": min(1000, len(held_out)),
                    "code": "x".join(map(str, codes.train.shape[1:])),
                    "model": found.name,
                    "score": round(found.score, 4),
                    "low": round(low, 4),
                    "high": round(high, 4),
                    "energy": round(found.energy, 5),
                    "novelty": round(found.novelty, 3),
                    "resolved": found.resolved,
                    "seconds": round(scored.seconds, 1),
                    "weights": scored.weights,
                }
            )
            print(f"{name} {found.name}: {found.score:.3f} ({low:.3f} to {high:.3f}), novelty {found.novelty:.2f}")
            figures.write("quality", rows)


if __name__ == "__main__":
    typer.run(main)
