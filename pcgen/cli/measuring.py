"""The evaluations of `pcgen evaluate`, one after another: in processes that share them, with parts kept on disk."""

import functools
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pcgen.cli.common import say
from pcgen.cli.evaluation import options

if TYPE_CHECKING:
    from pcgen.data import Clouds
    from pcgen.metrics import Protocol, Report

__all__ = ["measure_all"]


def measure_all(
    reports: "dict[str, Sequence[Report]]",
    measured: Sequence[str],
    generated: "Sequence[Clouds]",
    sets: "Mapping[str, Clouds]",
    presets: "Sequence[Protocol]",
    folder: Path | None,
    asked: Mapping[str, Any],
) -> bool:
    """Add the reports of all sets of samples; returns whether this process is the one that shows them."""
    from pcgen import ranks

    place = ranks.device(asked["device"])
    with ranks.group(place), _folder(folder, len(generated) * len(presets)) as tiles:
        first = ranks.index() == 0
        with warnings.catch_warnings():
            if not first:
                warnings.simplefilter("ignore")
            measure = functools.partial(_measure, sets=sets, presets=presets, tiles=tiles, asked=asked)
            for spec, clouds in zip(measured, generated, strict=True):
                reports[spec] = measure(clouds, title="" if len(measured) == 1 else f", {spec}", listen=first)
    return first


def _measure(
    samples: "Clouds",
    sets: "Mapping[str, Clouds]",
    presets: "Sequence[Protocol]",
    tiles: Path | None,
    asked: Mapping[str, Any],
    title: str,
    listen: bool,
) -> "list[Report]":
    """One report for each protocol."""
    from pcgen import metrics
    from pcgen.cli.progress import pair_progress

    reports = []
    for preset in presets:
        progress = pair_progress(preset.name + title) if listen else nullcontext()
        with progress as heard, options("emd_clouds", "emd_points", "train"):
            found = metrics.evaluate(
                samples,
                sets["reference"],
                sets.get("train"),
                preset,
                second=sets.get("second"),
                tiles=tiles,
                progress=heard,
                **asked,
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
        say(f"{named}: finished parts in it are used if they fit")
    try:
        yield named
    except KeyboardInterrupt:
        if named is not None and named.is_dir():
            say(f"{named}: has the finished parts; the same command continues from there")
        raise
