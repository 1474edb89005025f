"""What augmentation does against copying: few chairs, each turned several times, beside held-out ones; resumable.

python scripts/bench_copying.py --out runs/copying
"""

from pathlib import Path
from typing import Annotated

import figures
import torch
import typer
from timed import fit_once

from pcgen import data, metrics, training
from pcgen.data.enlarging import enlarged
from pcgen.data.thinning import thin
from pcgen.data.training_set import training_set
from pcgen.metrics.sets import SECOND, TRAINING

TURNED = data.Augmentation(rotation=180)  # about the up axis
SHARES = ("one_nna_cd", "one_nna_emd")
COPYING = ("copies", "novelty", "z_u_cd", "c_t_cd", "authenticity_cd", "vendi_cd")


def main(
    chairs: Annotated[int, typer.Option(help="Built-in chairs, nine tenths of them to learn from.")] = 200,
    held_out: Annotated[str, typer.Option(help="Other chairs, SPEC.")] = "shapes:chair=2000@test",
    copies: Annotated[str, typer.Option(help="Turned copies of each chair that are learned, with commas.")] = "1,4,16",
    model: Annotated[str, typer.Option(help="The head.")] = "diffusion",
    points: Annotated[int, typer.Option(help="Points of each cloud.")] = 1024,
    autoencoder: Annotated[float, typer.Option(help="Minutes of the autoencoder's training.")] = 4.0,
    head: Annotated[float, typer.Option(help="Minutes of the head's training.")] = 2.0,
    out: Annotated[Path, typer.Option(help="The folder of the runs.")] = Path("runs/copying"),
) -> None:
    """Learn the same chairs once, and in several turns, for the same time; hold samples against turned chairs."""
    test = enlarged(data.load(held_out, points=2 * points), 1, TURNED, seed=1)
    reference, second = (part.contiguous() for part in test.points.split(points, dim=1))
    rows: list[dict[str, object]] = []
    for count in [int(each) for each in copies.split(",")]:
        folder = out / f"{chairs}-{points}-{count}"
        source = training_set(str(_turned(chairs, count, 2 * points, folder / "chairs.npz")), points=points)
        torch.manual_seed(0)
        job = training.on_clouds("autoencoder", source, points)
        # By default, only a set of few rows is changed at random: that would be a second difference between the turns.
        fit_once(job, folder / "autoencoder", autoencoder, augment=job.learner.recipe.augment)
        codes = training.read_codes(folder / "autoencoder")
        torch.manual_seed(0)
        run = fit_once(training.on_codes(model, codes), folder / model, head)
        torch.manual_seed(0)
        drawn = run.sample(len(reference))
        report = metrics.evaluate(drawn, reference, thin(source.train, points, 0), second=second, emd_clouds=None)
        about = {"data": "shapes:chair", "points": points, "chairs": chairs, "turned": count, "clouds": len(reference)}
        for row in report.rows:
            if row.name in ("samples", TRAINING, SECOND):
                values: dict[str, object] = {"model": model if row.name == "samples" else row.name}
                for metric in SHARES:
                    low, high = row.intervals[metric]
                    values |= {metric: round(row.values[metric], 5)}
                    values |= {f"{metric}_low": round(low, 5), f"{metric}_high": round(high, 5)}
                values |= {name: round(row.values[name], 4) if name in row.values else "" for name in COPYING}
                rows.append({**about, **values})
                print(" ".join(f"{key}={value}" for key, value in rows[-1].items()), flush=True)
        figures.write("copying", rows)


def _turned(chairs: int, copies: int, points: int, path: Path) -> Path:
    """The chairs to learn from, each in so many turns, as a file."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        clouds = data.load(f"shapes:chair={chairs}@train,val", points=points)
        data.save(path, enlarged(clouds, copies, TURNED))
    return path


if __name__ == "__main__":
    typer.run(main)
