"""`pcgen evaluate`: how good samples are, as tables and as JSON."""

import functools
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pcgen.cli.common import check_out, emd_limit, parse_metrics, say
from pcgen.cli.options import FOUR_GIB, DropBad, EmdClouds, EmdPoints, MaxBytes, Overwrite, Seed, Up
from pcgen.errors import choose

if TYPE_CHECKING:
    from pcgen.data import Clouds
    from pcgen.metrics import FeatureSpace, Protocol, Report

__all__ = ["evaluate"]


def evaluate(
    samples: Annotated[
        list[str],
        typer.Argument(
            help="Generated clouds, SOURCE[:CLASS]\\[@SPLIT], or a report that --out wrote; several stand side by side."
        ),
    ],
    reference: Annotated[
        str | None,
        typer.Option(help="Clouds to hold them against; @test unless a split is named, all where they have no splits."),
    ] = None,
    train: Annotated[
        str | None, typer.Option(help="The training set, for the oracle rows; @train unless a split is named.")
    ] = None,
    second: Annotated[
        str | None,
        typer.Option(help="Another sampling of the reference's shapes, for an oracle row (surfaces have one anyway)."),
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="exact, latent_3d_points, pointflow, lion, dpm, or several with commas between.")
    ] = "exact",
    metrics: Annotated[str, typer.Option(help="Distances of MMD, COV and 1-NNA: cd, emd, or cd,emd.")] = "cd,emd",
    seeds: Annotated[
        bool, typer.Option("--seeds", help="The SAMPLES are of one model by several seeds: mean and deviation too.")
    ] = False,
    published: Annotated[
        str | None, typer.Option(help="Print published numbers of a ShapeNet class beneath: airplane, chair or car.")
    ] = None,
    points: Annotated[
        int | None, typer.Option(min=1, help="Subsample every cloud to this many points (default: all sets' smallest).")
    ] = None,
    emd_clouds: EmdClouds = None,
    emd_points: EmdPoints = None,
    full_matrix: Annotated[
        bool, typer.Option("--full-matrix", help="Every EMD: precision, recall, density and coverage under it too.")
    ] = False,
    features: Annotated[
        list[str] | None,
        typer.Option(
            help="A run folder; may be given many times. A classifier's: the Frechet distance on its features. "
            "An autoencoder's: energy distance and kernel MMD of its codes, tested."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the report as JSON.")] = None,
    tiles: Annotated[
        Path | None,
        typer.Option(
            help="Keep finished parts in this folder, for other evaluations too (default: beside --out, until it is "
            "written): an evaluation that was killed goes on from there."
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (default: torch's choice).")] = None,
    up: Up = "y",
    max_bytes: MaxBytes = FOUR_GIB,
    drop_bad: DropBad = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Measure generated clouds against a reference: JSD, MMD, coverage and 1-NNA, beside what oracles score.

    `torchrun --nproc-per-node 2 -m pcgen evaluate ...` shares the distances among processes.
    """
    if out is not None:
        check_out(out, ".json", overwrite)
    distances = parse_metrics(metrics)
    measured = [spec for spec in samples if not spec.endswith(".json")]
    if len(set(samples)) < len(samples):
        raise ValueError(f"SAMPLES: must be different files or sets, got {', '.join(samples)}; name each once")
    if measured and reference is None:
        raise ValueError("--reference: name the clouds to hold the samples against, shapes:chair or data.npz@test say")
    import rich.console
    import torch

    from pcgen import metrics as pcgen_metrics
    from pcgen import ranks
    from pcgen.cli.evaluation import at_points, load_sets
    from pcgen.cli.reports import as_json, as_tables, by_set, check_alike, conditions, read_reports
    from pcgen.files import write_whole
    from pcgen.metrics.store import TileStore

    if threads is not None:
        torch.set_num_threads(threads)
    if tiles is not None and tiles.exists() and not tiles.is_dir():
        raise ValueError(f"--tiles: must be a folder, {tiles} is a file; name another one")
    asked = [choose(name.strip(), pcgen_metrics.PROTOCOLS, "--protocol") for name in protocol.split(",")]
    names = list(dict.fromkeys(asked))  # a protocol that is named twice is measured once
    reports = {spec: read_reports(Path(spec)) for spec in samples if spec not in measured}
    read = by_set(reports)
    if seeds and len(read) + len(measured) < 2:
        raise ValueError(f"--seeds: must have two sets of samples or more, got {samples[0]}; name the others too")
    if published is not None:
        of = {*(names if measured else ()), *(each.protocol["name"] for found in reports.values() for each in found)}
        for name in of:  # refused before any work where there are no such numbers
            with _options("published"):
                pcgen_metrics.published(name, published)
    if not measured:
        check_alike(read, {})
    spaces = [_feature_space(run) for run in features or ()]
    first = True
    if measured:
        others = {"reference": reference, "train": train, "second": second}
        with _options("up", "max_bytes"):
            generated, sets = load_sets(measured, others, points, up, drop_bad, max_bytes)
        presets = [at_points(pcgen_metrics.protocol(name), [*generated, *sets.values()], points) for name in names]
        sizes = {spec: len(clouds) for spec, clouds in zip(measured, generated, strict=True)}
        planned = {
            spec: {preset.name: conditions(preset, size, len(sets["reference"]), seed) for preset in presets}
            for spec, size in sizes.items()
        }
        check_alike(read, planned)
        options = {
            "distances": distances,
            "emd_clouds": emd_limit(emd_clouds),
            "emd_points": emd_limit(emd_points),
            "full": full_matrix,
            "features": spaces,
            "seed": seed,
        }
        beside = None if out is None or tiles else out.with_name(f"{out.name}.tiles")
        with ranks.group(torch.device("cpu")), _folder(tiles or beside, len(generated) * len(presets)) as folder:
            first = ranks.index() == 0
            with warnings.catch_warnings():
                if not first:
                    warnings.simplefilter("ignore")
                measure = functools.partial(_measure, sets=sets, presets=presets, tiles=folder, options=options)
                for spec, clouds in zip(measured, generated, strict=True):
                    reports[spec] = measure(clouds, title="" if len(measured) == 1 else f", {spec}", listen=first)
    if not first:
        return
    console = rich.console.Console()
    found = by_set({spec: reports[spec] for spec in samples})
    for table in as_tables(found, mean=seeds, published=published):
        console.print(table)
    if out is not None:
        write_whole(out, as_json(found, mean=seeds).encode())
        say(f"{out}: the report as JSON")
        if measured and beside is not None:
            TileStore(beside).clear()


def _feature_space(path: str) -> "FeatureSpace":
    """The model of a run folder, and what its clouds go through."""
    from pcgen import training
    from pcgen.metrics import FeatureSpace

    run = training.Run.open(path)
    try:
        return FeatureSpace(run.model(), path, run.normalization)
    except ValueError as error:
        raise ValueError(f"--features {path}: {str(error).removeprefix('model: ')}") from error


def _measure(
    samples: "Clouds",
    sets: "Mapping[str, Clouds]",
    presets: "Sequence[Protocol]",
    tiles: Path | None,
    options: Mapping[str, Any],
    title: str,
    listen: bool,
) -> "list[Report]":
    """One report for each protocol."""
    from pcgen import metrics
    from pcgen.cli.progress import pair_progress

    reports = []
    for preset in presets:
        progress = pair_progress(preset.name + title) if listen else nullcontext()
        with progress as heard, _options("emd_clouds", "emd_points"):
            found = metrics.evaluate(
                samples,
                sets["reference"],
                sets.get("train"),
                preset,
                second=sets.get("second"),
                tiles=tiles,
                progress=heard,
                **options,
            )
        reports.append(found)
    return reports


@contextmanager
def _folder(named: Path | None, evaluations: int) -> Iterator[Path | None]:
    """Where finished parts are kept; several evaluations without such a folder share them in a temporary one."""
    if named is None and evaluations > 1:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    if named is not None and named.is_dir():
        say(f"{named}: its finished parts are used where they fit")
    try:
        yield named
    except KeyboardInterrupt:
        if named is not None and named.is_dir():
            say(f"{named}: holds what is finished; the same command goes on from there")
        raise


@contextmanager
def _options(*arguments: str) -> Iterator[None]:
    """Errors that begin with the name of one of these arguments of the library name the option instead."""
    try:
        yield
    except ValueError as error:
        name, colon, rest = str(error).partition(":")
        if name in arguments:
            raise ValueError(f"--{name.replace('_', '-')}{colon}{rest}") from error
        raise
