"""One set of samples under every convention in print, into results/protocols.csv.

python scripts/bench_protocols.py                # on the runs of bench_generation.py
"""

from pathlib import Path
from typing import Annotated

import figures
import torch
import typer

from pcgen import data, metrics, training
from pcgen.data.thinning import thin
from pcgen.metrics.report import HEADLINE

RUNS = Path("runs/generation/ldraw_parts_Technic-1024")
PRESETS = "exact,latent_3d_points,pointflow,lion,dit3d,topodit,dpm"


def main(
    runs: Annotated[Path, typer.Option(help="Runs of one autoencoder's heads, of bench_generation.py.")] = RUNS,
    models: Annotated[str, typer.Option(help="Heads with commas between.")] = "diffusion,wgan_gp,gmm",
    protocols: Annotated[str, typer.Option(help="Names with commas between.")] = PRESETS,
    clouds: Annotated[int, typer.Option(help="Clouds per set.")] = 40,
) -> None:
    """Draw clouds of every head once, and measure them under every protocol, all of their points and clouds."""
    names = models.split(",")
    source = training.read_codes(runs / "autoencoder").source
    points = training.Run.open(runs / names[0]).sample(1).shape[1]
    test = data.load(f"{source.spec}@test", at_least=2 * points, surface_points=2 * points)
    reference = test.points[torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:clouds]]
    train = source.normalization.undo(thin(source.train, points, 0))
    drawn = {}
    for name in names:
        torch.manual_seed(0)
        drawn[name] = training.Run.open(runs / name).sample(clouds)
    rows: list[dict[str, object]] = []
    for preset in protocols.split(","):
        for name, samples in drawn.items():
            first = name == names[0]  # whose report has the rows that are of no model
            report = metrics.evaluate(
                samples,
                reference[:, :points].contiguous(),
                train if first else None,
                preset,
                second=reference[:, points:].contiguous() if first else None,
                emd_clouds=None,
                emd_points=None,
            )
            for row in report.rows:
                own = {"data": source.spec.rpartition("/")[2], "points": points, "clouds": clouds, "protocol": preset}
                own |= {"model": row.name if row.name != "samples" else name, "stamp": report.protocol["hash"]}
                values = {key: round(row.values[key], 5) if key in row.values else "" for key in HEADLINE}
                rows.append({**own, **values})
            print(f"{preset} {name}", flush=True)
            figures.write("protocols", rows)


if __name__ == "__main__":
    typer.run(main)
