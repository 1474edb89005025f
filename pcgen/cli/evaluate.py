"""`pcgen evaluate`: how good samples are, as a table and as JSON."""

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pcgen.cli.common import FOUR_GIB, DropBad, MaxBytes, Overwrite, Seed, Up, check_out, parse_metrics, say

if TYPE_CHECKING:
    from pcgen.data import Clouds
    from pcgen.metrics import Protocol

__all__ = ["evaluate"]


def evaluate(
    samples: Annotated[
        str, typer.Argument(help="Generated clouds: any SOURCE[:CLASS]\\[@SPLIT] that data can be read from.")
    ],
    reference: Annotated[str, typer.Option(help="Clouds to hold them against; @test unless a split is named.")],
    train: Annotated[
        str | None, typer.Option(help="The training set, for the oracle rows; @train unless a split is named.")
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="exact, latent_3d_points, pointflow, lion, dpm, or several with commas between.")
    ] = "exact",
    metrics: Annotated[str, typer.Option(help="Distances of MMD, COV and 1-NNA: cd, emd, or cd,emd.")] = "cd,emd",
    published: Annotated[
        str | None, typer.Option(help="Print published numbers of a ShapeNet class beneath: airplane, chair or car.")
    ] = None,
    points: Annotated[
        int | None, typer.Option(min=1, help="Subsample every cloud to this many points (default: all sets' smallest).")
    ] = None,
    emd_clouds: Annotated[int, typer.Option(min=0, help="EMD on at most this many clouds a side; 0: all.")] = 64,
    emd_points: Annotated[int, typer.Option(min=0, help="EMD on at most this many points a cloud; 0: all.")] = 512,
    out: Annotated[Path | None, typer.Option(help="Write the report as JSON.")] = None,
    tiles: Annotated[
        Path | None, typer.Option(help="A folder for finished parts: an evaluation that was killed goes on from there.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (default: torch's choice).")] = None,
    up: Up = "y",
    max_bytes: MaxBytes = FOUR_GIB,
    drop_bad: DropBad = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Measure generated clouds against a reference: JSD, MMD, coverage and 1-NNA, beside what oracles score."""
    if out is not None:
        check_out(out, ".json", overwrite)
    distances = parse_metrics(metrics)
    import json

    import rich.console
    import torch

    from pcgen import data
    from pcgen import metrics as pcgen_metrics
    from pcgen.cli.progress import pair_progress
    from pcgen.metrics import side_by_side
    from pcgen.training.files import write_whole

    if threads is not None:
        torch.set_num_threads(threads)
    if tiles is not None and tiles.exists() and not tiles.is_dir():
        raise ValueError(f"--tiles: must be a folder, {tiles} is a file; name another one")
    presets = [pcgen_metrics.protocol(name.strip()) for name in protocol.split(",")]
    if published is not None:
        for preset in presets:
            pcgen_metrics.published(preset.name, published)  # refused before any work where there are no such numbers
    read = functools.partial(data.load, up=up, drop_bad=drop_bad, max_bytes=max_bytes)
    sets: dict[str, Clouds] = {"samples": read(samples)}
    say(*sets["samples"].notes)
    for name, spec, split in (("reference", reference, "test"), ("train", train, "train")):
        if spec is not None:
            full, note = data.default_split(spec, split)
            # Twice the points of a surface: the second half is a second sample of the same shapes, an oracle's row.
            size = (2 if name == "reference" else 1) * (points or sets["samples"].points.shape[1])
            sets[name] = read(full, surface_points=size)
            say(*([note] if note else []), *sets[name].notes)
    chosen = [_at_points(preset, sets, points) for preset in presets]
    reports = []
    for each in chosen:
        with pair_progress(each.name) as progress:
            reports.append(
                pcgen_metrics.evaluate(
                    sets["samples"],
                    sets["reference"],
                    sets.get("train"),
                    each,
                    distances=distances,
                    emd_clouds=emd_clouds or None,
                    emd_points=emd_points or None,
                    seed=seed,
                    tiles=tiles,
                    progress=progress,
                )
            )
    console = rich.console.Console()
    console.print(reports[0].table(published) if len(reports) == 1 else side_by_side(reports))
    if out is not None:
        text = (
            reports[0].to_json()
            if len(reports) == 1
            else json.dumps([json.loads(r.to_json()) for r in reports], indent=2)
        )
        write_whole(out, text.encode())
        say(f"{out}: the report as JSON")


def _at_points(protocol: "Protocol", sets: "dict[str, Clouds]", points: int | None) -> "Protocol":
    """The protocol with the number of points asked for; without one, the smallest set's where the sets differ."""
    counts = {name: clouds.points.shape[1] for name, clouds in sets.items()}
    if points is None and (protocol.points is not None or len(set(counts.values())) == 1):
        return protocol
    wanted = min(counts.values()) if points is None else points
    for name, count in counts.items():
        if count < wanted:
            raise ValueError(f"--points: {wanted} are asked for, but the {name} ({sets[name].source}) have {count}")
        if count > wanted:
            say(f"{name}: {wanted} of the {count} points of each cloud are used ({protocol.subset})")
    return dataclasses.replace(protocol, points=wanted)
