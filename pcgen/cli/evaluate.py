"""`pcgen evaluate`: metrics of samples, as tables and as JSON."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pcgen.cli import evaluate_options as own
from pcgen.cli.common import check_out, emd_limit, given, parse_metrics, say
from pcgen.cli.evaluation import at_points, load_sets, options
from pcgen.cli.measuring import measure_all
from pcgen.cli.options import FOUR_GIB, Device, DropBad, EmdClouds, EmdPoints, MaxBytes, Overwrite, Seed, Threads
from pcgen.errors import choose

if TYPE_CHECKING:
    from pcgen.data import Clouds
    from pcgen.metrics import FeatureSpace, Protocol, Report

__all__ = ["evaluate"]

_OF_REPORTS = ("samples", "seeds", "published", "out", "overwrite")  # what reports that are there already are shown by


def evaluate(
    context: typer.Context,
    samples: own.Samples,
    reference: own.Reference = None,
    train: own.Train = None,
    second: own.Second = None,
    protocol: own.Protocols = "exact",
    normalize: own.Normalize = None,
    metrics: own.Distances = "cd,emd",
    seeds: own.Seeds = False,
    published: own.Published = None,
    points: own.Points = None,
    clouds: own.Clouds = None,
    emd_clouds: EmdClouds = None,
    emd_points: EmdPoints = None,
    full_matrix: own.FullMatrix = False,
    features: own.Features = None,
    out: own.Out = None,
    tiles: own.Tiles = None,
    device: Device = "cpu",
    threads: Threads = None,
    up: own.UpOfData = None,
    samples_up: own.SamplesUp = None,
    max_bytes: MaxBytes = FOUR_GIB,
    drop_bad: DropBad = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Measure generated clouds against a reference: JSD, MMD, coverage and 1-NNA, with oracles for comparison.

    `torchrun --nproc-per-node 2 -m pcgen evaluate ...` divides the distances among processes.
    """
    if out is not None:
        check_out(out, ".json", overwrite)
    distances = parse_metrics(metrics)
    measured = _to_measure(samples, reference)
    if not measured:
        _refuse_measuring(context)
    presets = _presets(protocol, normalize)
    _check_machine(device, threads, tiles)
    reports, read = _read(samples, measured, seeds)
    _check_published(published, presets if measured else (), read)
    spaces = [_feature_space(run) for run in features or ()]
    beside = None
    if measured:
        others = {"reference": reference, "train": train, "second": second}
        with options("max_bytes"):
            generated, sets = load_sets(measured, others, points, up, samples_up, drop_bad, max_bytes)
        at = [at_points(preset, [*generated, *sets.values()], points) for preset in presets]
        _check_alike(read, measured, generated, len(sets["reference"]), at, clouds, seed)
        asked = {
            "distances": distances,
            "clouds": clouds,
            "emd_clouds": emd_limit(emd_clouds),
            "emd_points": emd_limit(emd_points),
            "full": full_matrix,
            "features": spaces,
            "device": device,
            "seed": seed,
        }
        beside = None if out is None or tiles else out.with_name(f"{out.name}.tiles")
        if not measure_all(reports, measured, generated, sets, at, tiles or beside, asked):
            return
    _show({spec: reports[spec] for spec in samples}, seeds, published, out)
    if out is not None and beside is not None:
        from pcgen.metrics.store import TileStore

        TileStore(beside).clear()


def _to_measure(samples: Sequence[str], reference: str | None) -> list[str]:
    """Which of the SAMPLES are clouds, rather than reports."""
    measured = [spec for spec in samples if not spec.endswith(".json")]
    if len(set(samples)) < len(samples):
        raise ValueError(f"SAMPLES: must be different files or sets, got {', '.join(samples)}; name each once")
    if measured and reference is None:
        raise ValueError(
            "--reference: name the clouds to compare the samples with, for example shapes:chair or data.npz@test"
        )
    return measured


def _refuse_measuring(context: typer.Context) -> None:
    """Refuse the options that were given and would be ignored, since all of SAMPLES are reports."""
    if asked := given(context, _OF_REPORTS):
        raise ValueError(
            f"SAMPLES: must have clouds among them for {', '.join(asked)}, got reports alone, in which nothing is "
            "measured again; leave out these options"
        )


def _presets(protocol: str, normalize: str | None) -> "list[Protocol]":
    """The protocols that are named, each once, under the normalisation that is asked for."""
    from pcgen.data import NORMALIZATIONS
    from pcgen.metrics import PROTOCOLS

    names = dict.fromkeys(choose(name.strip(), PROTOCOLS, "--protocol") for name in protocol.split(","))
    if normalize is None:
        return [PROTOCOLS[name] for name in names]
    choose(normalize, NORMALIZATIONS, "--normalize")
    return [dataclasses.replace(PROTOCOLS[name], normalization=normalize) for name in names]


def _check_machine(device: str, threads: int | None, tiles: Path | None) -> None:
    """Refuse a device or a folder that cannot be used, before any work."""
    import torch

    from pcgen.ranks import device as device_of_process

    if threads is not None:
        torch.set_num_threads(threads)
    with options("device"):
        device_of_process(device)
    if tiles is not None and tiles.exists() and not tiles.is_dir():
        raise ValueError(f"--tiles: must be a folder, {tiles} is a file; name another one")


def _read(
    samples: Sequence[str], measured: Sequence[str], seeds: bool
) -> "tuple[dict[str, Sequence[Report]], dict[str, dict[str, Report]]]":
    """The reports among the SAMPLES, as they are given and by set."""
    from pcgen.cli.reports import by_set, check_alike, read_reports

    reports: dict[str, Sequence[Report]] = {spec: read_reports(Path(spec)) for spec in samples if spec not in measured}
    read = by_set(reports)
    if seeds and len(read) + len(measured) < 2:
        raise ValueError(f"--seeds: must have two sets of samples or more, got {samples[0]}; name the others too")
    if not measured:
        check_alike(read, {})
    return reports, read


def _check_published(
    published: str | None, presets: "Sequence[Protocol]", read: "Mapping[str, Mapping[str, Report]]"
) -> None:
    """Refuse, before any work, to show published numbers where there are none."""
    from pcgen import metrics

    names = {*(preset.name for preset in presets), *(name for of in read.values() for name in of)}
    for name in names if published is not None else ():
        with options("published"):
            metrics.published(name, str(published))


def _check_alike(
    read: "Mapping[str, Mapping[str, Report]]",
    measured: Sequence[str],
    generated: "Sequence[Clouds]",
    reference: int,
    presets: "Sequence[Protocol]",
    clouds: int | None,
    seed: int,
) -> None:
    """Refuse, before any work, sets that cannot be in one table."""
    from pcgen.cli.reports import check_alike, conditions

    def limited(count: int) -> int:
        return count if clouds is None else min(count, clouds)

    planned = {
        spec: {preset.name: conditions(preset, limited(len(each)), limited(reference), seed) for preset in presets}
        for spec, each in zip(measured, generated, strict=True)
    }
    check_alike(read, planned)


def _feature_space(path: str) -> "FeatureSpace":
    """The model of a run folder, and what its clouds go through."""
    from pcgen import training
    from pcgen.metrics import FeatureSpace

    run = training.Run.open(path)
    try:
        return FeatureSpace(run.model(), path, run.normalization)
    except ValueError as error:
        raise ValueError(f"--features {path}: {str(error).removeprefix('model: ')}") from error


def _show(reports: "Mapping[str, Sequence[Report]]", seeds: bool, published: str | None, out: Path | None) -> None:
    """Print the tables, and write the reports where they are asked for."""
    import rich.console

    from pcgen.cli.reports import as_json, as_tables, by_set
    from pcgen.files import write_whole

    console = rich.console.Console()
    found = by_set(reports)
    for table in as_tables(found, mean=seeds, published=published):
        console.print(table)
    if out is not None:
        write_whole(out, as_json(found, mean=seeds).encode())
        say(f"{out}: the report as JSON")
