"""Samplers of heads: how good codes are after how many evaluations of the network, and how long they take.

python scripts/bench_samplers.py        # on the runs of bench_generation.py; --diffusion RUN --flow RUN name others
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import curves
import figures
import torch
import typer
from torch import Tensor

from pcgen import data, training
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.diffusion.samplers import SAMPLERS
from pcgen.solvers import METHODS
from pcgen.studies.heads import draw_codes, unseen_codes
from pcgen.studies.quality import quality

RUNS = Path("runs/generation/shapes_chair-1024")
WAYS = {"diffusion": ("sampler", [*SAMPLERS, "ancestral"]), "flow_matching": ("solver", list(METHODS))}
TIMED = 1000  # codes, and clouds
DEFAULT = "default"


def main(
    autoencoder: Annotated[Path, typer.Option(help="The run whose codes the heads learned.")] = RUNS / "autoencoder",
    diffusion: Annotated[Path, typer.Option(help="A run of diffusion on them.")] = RUNS / "diffusion",
    flow: Annotated[Path, typer.Option(help="A run of flow matching on them.")] = RUNS / "flow_matching",
    held_out: Annotated[
        str, typer.Option(help="Clouds that none of them has seen, SPEC.")
    ] = "shapes:chair=10000@test",  # a thousand; the first ones are those of a smaller set
    evaluations: Annotated[str, typer.Option(help="Of the network, with commas between.")] = "5,10,20,40,80",
    draws: Annotated[int, typer.Option(help="Sets of codes that are drawn in each way.")] = 4,
) -> None:
    """Draw codes in every way and score them by the quality benchmark: results/samplers.csv, docs/samplers.png."""
    codes = training.read_codes(autoencoder)
    clouds = data.load(held_out, at_least=codes.points, surface_points=2 * codes.points)
    unseen = unseen_codes(codes, clouds)[:TIMED]
    rows: list[dict[str, object]] = []
    for name, folder in (("diffusion", diffusion), ("flow_matching", flow)):
        model = training.Run.open(folder).model()
        option, ways = WAYS[name]
        counts = [int(each) for each in evaluations.split(",")]
        for way in (DEFAULT, *ways):
            tried = [{}] if way == DEFAULT else [{option: way, "steps": count} for count in counts]
            for row in _scored(model, codes.train, unseen, tried, draws):
                rows.append({"head": name, "sampler": way, "held_out_codes": len(unseen), **row})
                print(" ".join(f"{key}={value}" for key, value in rows[-1].items()), flush=True)
            figures.write("samplers", rows)
    curves.draw(curves.PATH)


def _scored(
    model: LatentCloudModel, train: Tensor, held_out: Tensor, tried: list[dict[str, Any]], draws: int
) -> Iterator[dict[str, object]]:
    """The figures of each of a few ways to draw; all of them start from the same noise."""
    sets: dict[str, list[Tensor]] = {}
    counted: list[int] = []
    for place, options in enumerate(tried):
        draw_codes(model, 1, 0, **options)  # finds how far draws are stretched, once for all
        with _evaluations(model) as count:
            drawn = [draw_codes(model, len(held_out), seed, **options) for seed in range(draws)]
        counted.append(count() // draws)
        sets[str(place)] = drawn
    found = quality(sets, train, held_out)
    for options, evaluations, each in zip(tried, counted, found, strict=False):  # baselines follow the ways
        low, high = each.interval
        yield {
            "evaluations": evaluations,
            "score": round(each.score, 4),
            "low": round(low, 4),
            "high": round(high, 4),
            "novelty": round(each.novelty, 3),
            "seconds_1000_codes": round(_seconds(lambda o=options: draw_codes(model, TIMED, 0, **o)), 3),
            "seconds_1000_clouds": "" if options else round(_seconds(lambda: model.sample(TIMED)), 2),
        }


@contextmanager
def _evaluations(model: LatentCloudModel) -> Iterator[Callable[[], int]]:
    """How often the head's network is evaluated inside a `with` block: a sampler may leave a rest of steps out."""
    calls: list[None] = []
    network: Any = model.head.denoiser
    hook = network.register_forward_hook(lambda *_: calls.append(None))
    try:
        yield lambda: len(calls)
    finally:
        hook.remove()


def _seconds(work: Callable[[], object]) -> float:
    work()  # the first one warms up
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    torch.manual_seed(0)
    typer.run(main)
