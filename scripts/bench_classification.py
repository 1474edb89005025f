"""Codes of an autoencoder and of a puzzle under a linear SVM, their floors, and supervised references; resumable.

python scripts/bench_classification.py --out runs/classification
"""

from pathlib import Path
from typing import Annotated

import figures
import torch
import typer
from timed import fit_once

from pcgen import training
from pcgen.data.training_set import training_set
from pcgen.studies import classification
from pcgen.training import Options

SHAPES = figures.ROOT.parent / "shared" / "data" / "ldraw_parts.npz"


def main(
    shapes: Annotated[str, typer.Option(help="Shapes with classes and splits, SOURCE[:CLASS].")] = str(SHAPES),
    points: Annotated[int, typer.Option(help="Points of each cloud that is encoded.")] = 1024,
    autoencoder: Annotated[float, typer.Option(help="Minutes of the autoencoder's training.")] = 7.0,
    jigsaw: Annotated[float, typer.Option(help="Minutes of the training on the jigsaw puzzle.")] = 7.0,
    epochs: Annotated[int, typer.Option(help="Of each supervised reference: time would favour the plainest.")] = 20,
    labelled_points: Annotated[int, typer.Option(help="Points of each cloud that a reference sees.")] = 256,
    references: Annotated[str, typer.Option(help="Their names with commas between; all if not given.")] = "",
    out: Annotated[Path, typer.Option(help="The folder of the runs.")] = Path("runs/classification"),
) -> None:
    """Train an autoencoder and a puzzle without labels and classifiers with them, and test all of them."""
    source = training_set(shapes, points=points)
    sets = classification.labelled(shapes, at_least=1, surface_points=max(2048, points))
    rows = [_row(shapes, sets, classification.majority(sets), "always the largest class")]
    for model, duration in (("autoencoder", autoencoder), ("jigsaw", jigsaw)):
        torch.manual_seed(0)
        fit_once(training.on_clouds(model, source, points), out / model, duration)
        what = f"linear SVM on codes of `{model}`"
        names = (what, f"{what} untrained", f"{what} untrained, batch norm fitted")
        made = classification.on_codes(out / model, sets)
        rows += [_row(shapes, sets, row, name) for row, name in zip(made, names, strict=True)]
        figures.write("classification", rows)
    for name in references.split(",") if references else classification.usable(sets):
        options = Options(epochs=epochs)
        folder = out / f"{name}-{labelled_points}"
        row = classification.supervised(
            name, sets, folder, points=labelled_points, options=options, resume="auto", progress=True
        )
        rows.append(_row(shapes, sets, row, row.what))
        figures.write("classification", rows)


def _row(shapes: str, sets: classification.Sets, row: classification.Row, name: str) -> dict[str, object]:
    low, high = row.interval
    sizes = {"classes": len(sets.train.classes), "learned": len(sets.train), "tested": len(sets.test)}
    return {
        "data": Path(shapes).stem,
        **sizes,
        "points": row.points,
        "classifier": name,
        "accuracy": round(row.accuracy, 4),
        "accuracy_low": round(low, 4),
        "accuracy_high": round(high, 4),
        "class_accuracy": round(row.class_accuracy, 4),
        "epochs": row.details.get("epochs", ""),
        "seconds": round(row.seconds),
        "right": row.right,
    }


if __name__ == "__main__":
    typer.run(main)
