"""Generators after ten minutes of training in all, beside what the training set itself scores; resumable.

python scripts/bench_generation.py --out runs/generation
"""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Annotated

import figures
import torch
import typer
from draws import NONE, Judge
from generation_tables import BASELINES
from timed import fit_once

from pcgen import data, metrics, training
from pcgen.data.enlarging import enlarged
from pcgen.data.thinning import thin
from pcgen.data.training_set import training_set
from pcgen.metrics.report import HEADLINE
from pcgen.metrics.row import Row
from pcgen.models.clouds.resampling import resample
from pcgen.models.inference import in_batches

SHARED = figures.ROOT.parent / "shared" / "data"
COPIES = 25  # of each mesh, changed: 80 meshes become a set that can be learned
COPYING = ("copies", "novelty", "z_u_cd", "c_t_cd", "authenticity_cd", "vendi_cd")


def main(
    shapes: Annotated[Path, typer.Option(help="Real shapes with classes and splits, .npz.")] = SHARED
    / "ldraw_parts.npz",
    classes: Annotated[str, typer.Option(help="Classes of them, with commas between.")] = "Technic,Brick,Plate,Wheel",
    meshes: Annotated[Path, typer.Option(help="A folder of meshes, which is enlarged.")] = SHARED / "meshes_obj",
    chairs: Annotated[int, typer.Option(help="Built-in chairs, a tenth of them held out.")] = 2000,
    models: Annotated[
        str, typer.Option(help="Heads with commas between.")
    ] = "diffusion,flow_matching,parzen,wgan_gp,gmm",
    points: Annotated[int, typer.Option(help="Points of each cloud.")] = 1024,
    autoencoder: Annotated[float, typer.Option(help="Minutes of the autoencoder's training.")] = 7.0,
    head: Annotated[float, typer.Option(help="Minutes of each head's training.")] = 3.0,
    only: Annotated[str, typer.Option(help="Sets with commas between, by name; all if not given.")] = "",
    out: Annotated[Path, typer.Option(help="The folder of the runs.")] = Path("runs/generation"),
) -> None:
    """Train an autoencoder and heads on each set for the same time, and measure what they generate."""
    sets = {"shapes:chair": f"shapes:chair={chairs}"}
    if shapes.is_file():
        sets |= {f"ldraw_parts:{name}": f"{shapes}:{name}" for name in classes.split(",") if name}
    if meshes.is_dir():
        sets["meshes_obj"] = str(_enlarged(meshes, out / "meshes_obj.npz", 2 * points))
    if only:
        sets = {name: sets[name] for name in only.split(",")}
    protocol = dataclasses.replace(metrics.protocol("exact"), points=points)
    rows: list[dict[str, object]] = []
    measured = {*models.split(","), *BASELINES}
    kept = figures.of_others(f"generation_{points}", data=sets, model=measured)  # what was measured before
    for of, spec in sets.items():
        folder = out / f"{of.replace(':', '_')}-{points}"
        source = training_set(spec, points=points)
        torch.manual_seed(0)
        job = training.on_clouds("autoencoder", source, points)
        fit_once(job, folder / "autoencoder", autoencoder)
        codes = training.read_codes(folder / "autoencoder")
        test = data.load(f"{spec}@test", at_least=points, surface_points=2 * points)
        train = source.normalization.undo(thin(source.train, points, 0))
        decoded = resample(in_batches(codes.autoencoder, codes.autoencoder.decode, codes.train)).cpu()
        decoded = source.normalization.undo(decoded)
        judge = Judge(test.points[:, :points].contiguous(), train)
        torch.manual_seed(0)
        several = {"training set": judge(judge.some(train), learned=False)}
        several["training set decoded"] = judge(judge.some(decoded))
        for name in models.split(","):
            torch.manual_seed(0)
            trained = fit_once(training.on_codes(name, codes), folder / name, head)
            torch.manual_seed(0)
            drawn = trained.sample(len(test))
            several[name] = judge(partial(trained.sample, len(test)))
            first = name == models.split(",")[0]  # whose report has the rows that are not of a model
            oracles = {"training set decoded": decoded} if first else {}
            kinds = {"oracles": oracles, "emd_clouds": None, "tiles": folder / "tiles"}
            report = metrics.evaluate(drawn, test, train, protocol, **kinds)
            seconds = sum(training.Run.open(folder / each).history[-1]["seconds"] for each in ("autoencoder", name))
            for row in report.rows if first else report.rows[:1]:
                rows.append(_row(of, points, row, name, seconds, several))
                print(" ".join(f"{key}={value}" for key, value in rows[-1].items()), flush=True)
            figures.write(f"generation_{points}", rows, kept)


def _enlarged(meshes: Path, path: Path, points: int) -> Path:
    """The meshes as a set of clouds, each several times, turned and stretched."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        clouds = data.load(f"{meshes}@train,val,test", points=points)
        data.save(path, enlarged(clouds, COPIES, data.Augmentation(rotation=180, stretch=0.2, mirror=0.5)))
    return path


def _row(
    of: str, points: int, row: Row, model: str, seconds: float, several: dict[str, dict[str, object]]
) -> dict[str, object]:
    values: dict[str, object] = {}
    for metric in HEADLINE:
        values[metric] = round(row.values[metric], 5)
        low, high = row.intervals[metric]
        values |= {f"{metric}_low": round(low, 5), f"{metric}_high": round(high, 5)}
    values |= {name: round(row.values[name], 4) if name in row.values else "" for name in COPYING}
    named = row.name if row.name != "samples" else model
    first = {"data": of, "points": points, "model": named, "clouds": row.clouds, "seconds": round(seconds)}
    return first | values | several.get(named, NONE)


if __name__ == "__main__":
    typer.run(main)
