"""Flow matching on clouds: how noise is coupled to data, at equal time of training, by evaluations; resumable.

python scripts/bench_couplings.py --minutes 12 --out runs/couplings
"""

from pathlib import Path
from typing import Annotated, Any

import figures
import torch
import typer
from timed import fit_once
from torch import Tensor

from pcgen import data, metrics, training
from pcgen.data.thinning import thin
from pcgen.data.training_set import training_set
from pcgen.metrics.row import Row
from pcgen.models.flows.flow_matching import FlowMatching
from pcgen.nets.modes import evaluating
from pcgen.solvers import solve

# Independent noise is fresh anyway.
VARIANTS: dict[str, dict[str, Any]] = {
    "independent": {"coupling": "independent", "fresh": 0.0},
    "optimal": {"coupling": "optimal", "fresh": 0.0},
    "optimal, fresh .2": {"coupling": "optimal", "fresh": 0.2},
    "optimal, fresh .5": {"coupling": "optimal", "fresh": 0.5},
}
METRICS = ("one_nna_cd", "one_nna_emd", "mmd_cd", "mmd_emd")
KNOWN = "training set"
FINE = 100  # steps, for the shape of the paths


def main(
    chairs: Annotated[int, typer.Option(help="Built-in chairs, a tenth of them held out.")] = 2000,
    points: Annotated[int, typer.Option(help="Points of each cloud.")] = 256,
    minutes: Annotated[float, typer.Option(help="Of training, each.")] = 12.0,
    evaluations: Annotated[str, typer.Option(help="Of the network, with commas between.")] = "4,8,16,32",
    variants: Annotated[str, typer.Option(help="Names with semicolons between; all if not given.")] = "",
    out: Annotated[Path, typer.Option(help="The folder of the runs.")] = Path("runs/couplings"),
) -> None:
    """Train flow matching under each coupling for the same time, and measure what few evaluations draw."""
    spec = f"shapes:chair={chairs}"
    source = training_set(spec, points=points)
    test = data.load(f"{spec}@test", points=points)
    train = thin(source.train, points, 0)
    own = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[: len(test)]]
    counts = [int(each) for each in evaluations.split(",")]
    rows: list[dict[str, object]] = []
    for name in [each.strip() for each in variants.split(";")] if variants else VARIANTS:
        folder = out / name.replace(",", "").replace(" ", "_")
        torch.manual_seed(0)
        job = training.on_clouds("flow_matching", source, points, **VARIANTS[name])
        run = fit_once(job, folder, minutes)
        drawn = {}
        for count in counts:
            torch.manual_seed(0)
            drawn[str(count)] = run.sample(len(test), steps=count)
        report = metrics.evaluate(own, test, oracles=drawn, emd_clouds=None)
        found = {row.name: row for row in report.rows}
        about = {"points": points, "minutes": minutes, "clouds": len(test)}
        if not rows:
            rows.append({**about, "coupling": KNOWN, "updates": "", "bend": "", **_figures("", found["samples"])})
        bend = round(bending(run.model(), steps=FINE), 4)
        for count in counts:
            own_row = {"coupling": name, "updates": run.history[-1]["step"], "bend": bend}
            rows.append({**about, **own_row, **_figures(count, found[str(count)])})
            print(" ".join(f"{key}={value}" for key, value in rows[-1].items()), flush=True)
        figures.write("couplings", rows)


@torch.no_grad()
def bending(model: FlowMatching, paths: int = 64, steps: int = FINE) -> float:
    """How far the field changes along paths from noise to data, relative to its mean: 0 on straight lines.

        mean over paths of  (1/K) sum over k of |v_k - v|^2 / |v|^2,  v = (1/K) sum over k of v_k = x(1) - x(0)

    with v_k the velocity at the k-th of K equal steps of Euler's method. Liu, Gong, Liu (2023), Flow Straight and Fast,
    call the numerator straightness.
    """
    passed: list[Tensor] = []

    def field(t: float, x: Tensor) -> Tensor:
        passed.append(model.velocity(x, x.new_full((len(x),), t)))
        return passed[-1]

    generator = torch.Generator().manual_seed(0)
    with evaluating(model):
        start = torch.randn(paths, *model.shape, generator=generator)
        solve(field, start, [step / steps for step in range(steps + 1)], "euler")
    v = torch.stack(passed).flatten(2)  # (K, paths, numbers)
    mean = v.mean(0)
    return float(((v - mean).square().sum(2).mean(0) / mean.square().sum(1)).mean())


def _figures(count: int | str, row: Row) -> dict[str, object]:
    values: dict[str, object] = {"evaluations": count}
    for metric in METRICS:
        low, high = row.intervals[metric]
        values |= {metric: _five(row.values[metric]), f"{metric}_low": _five(low), f"{metric}_high": _five(high)}
    return values


def _five(value: float) -> float:
    return round(value, 5)


if __name__ == "__main__":
    typer.run(main)
