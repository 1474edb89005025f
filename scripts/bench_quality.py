"""The quality benchmark of heads on codes of real and built-in shapes, into results/quality.csv; resumable.

python scripts/bench_quality.py --shapes ldraw_parts.npz --out runs/quality
python scripts/bench_quality.py --set gan.r1=0 adds the row "gan r1=0".
"""

from pathlib import Path
from typing import Annotated

import figures
import torch
import typer
from timed import fit_once

from pcgen import data, training
from pcgen.cli.common import parse_model_settings
from pcgen.data.training_set import training_set
from pcgen.models import MODELS
from pcgen.studies.benchmark import benchmark
from pcgen.studies.heads import heads, unseen_codes

SHAPES = figures.ROOT.parent / "shared" / "data" / "ldraw_parts.npz"


def main(
    shapes: Annotated[Path, typer.Option(help="Real shapes with classes and splits, .npz.")] = SHAPES,
    one: Annotated[str, typer.Option(help="The class that is learned alone.")] = "Technic",
    chairs: Annotated[int, typer.Option(help="Built-in chairs, a tenth of them held out.")] = 2000,
    points: Annotated[int, typer.Option(help="Points of each cloud.")] = 1024,
    minutes: Annotated[float, typer.Option(help="Of each autoencoder's training, on all cores.")] = 7.0,
    effort: Annotated[float, typer.Option(help="Multiplies every model's default number of steps.")] = 1.0,
    models: Annotated[str, typer.Option(help="Models with commas between; all heads if not given.")] = "",
    settings: Annotated[list[str] | None, typer.Option("--set", help="MODEL.name=value: rows of that alone.")] = None,
    only: Annotated[str, typer.Option(help="Sets with commas between, by name; all if not given.")] = "",
    cores: Annotated[int, typer.Option(help="Heads that are trained side by side, on a core each.")] = 2,
    out: Annotated[Path, typer.Option(help="The folder of the runs.")] = Path("runs/quality"),
) -> None:
    """Train an autoencoder on each set of shapes and every head on its codes, and score them; other rows stay."""
    sets = {
        "ldraw_parts": str(shapes),
        f"ldraw_parts:{one}": f"{shapes}:{one}",
        "shapes:chair": f"shapes:chair={chairs}",
    }
    if settings and models:
        raise typer.BadParameter("--set names its models itself; leave out --models")
    config = parse_model_settings(settings or [], heads(), lambda name: (MODELS[name], ["shape"]))
    labels: dict[str, str] = {}
    for each in settings or []:
        name, _, setting = each.partition(".")
        labels[name] = f"{labels.get(name, name)} {setting}"
    if only:
        sets = {name: sets[name] for name in only.split(",")}
    rows: list[dict[str, object]] = []
    before = figures.read("quality") if (figures.RESULTS / "quality.csv").is_file() else []
    for name, spec in sets.items():
        folder = out / name.replace(":", "_")
        source = training_set(spec, points=points)
        torch.manual_seed(0)
        torch.set_num_threads(cores)
        fit_once(training.on_clouds("autoencoder", source, points), folder / "autoencoder", minutes)
        codes = training.read_codes(folder / "autoencoder")
        held_out = unseen_codes(codes, data.load(f"{spec}@test", at_least=points, surface_points=points))
        chosen = [*config] or (models.split(",") if models else heads())
        torch.set_num_threads(1)
        runs = folder / " ".join(settings or [])
        for scored in benchmark(codes, held_out, chosen, runs, config=config, effort=effort, processes=cores):
            found = scored.quality
            if labels and found.name not in labels:
                continue  # a baseline, which the rows of defaults have
            low, high = found.interval
            rows.append(
                {
                    "data": name,
                    "training_codes": len(codes.train),
                    "held_out_codes": min(1000, len(held_out)),
                    "code": "x".join(map(str, codes.train.shape[1:])),
                    "model": labels.get(found.name, found.name),
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
            measured = {(row["data"], row["model"]) for row in rows}
            figures.write("quality", rows, [row for row in before if (row["data"], row["model"]) not in measured])


if __name__ == "__main__":
    typer.run(main)
