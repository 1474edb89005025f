"""The files of a leaderboard: what is in its folder already, and the table as JSON and Markdown."""

import dataclasses
import itertools
import json
import math
import os
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pcgen.files import write_whole
from pcgen.metrics.report import HEADLINE, Report
from pcgen.metrics.tables import copying_columns
from pcgen.models import MODELS
from pcgen.studies.leaderboard.entry import Entry, check_entries
from pcgen.studies.leaderboard.table import markdown
from pcgen.studies.quality import Quality

__all__ = ["REFERENCE", "kept", "read", "report_file", "samples_file", "write"]

REFERENCE = "reference.npz"
_KEPT = (*HEADLINE, *(key for distance in ("cd", "emd") for key, _, _ in copying_columns(distance)))
# What a leaderboard that was stopped before its first model was measured may have left, beside the models' folders.
_LEFT = (
    "autoencoder",
    REFERENCE,
    "tiles",
    "leaderboard.md",
    "contact_sheet.png",
    "fidelity_coverage.png",
    "nearest.png",
)


def samples_file(folder: Path, seed: int) -> Path:
    """Where a model's samples of one seed are."""
    return folder / f"samples-{seed}.npz"


def report_file(folder: Path, protocol: str, seed: int, of: str | None = None) -> Path:
    """Where the report on them under one protocol is, or on samples of one class."""
    return folder / f"report-{protocol}-{seed}{'' if of is None else f'-{_in_a_name(of)}'}.json"


def class_file(out: Path, of: str) -> Path:
    """Where the table of one class is."""
    return out / f"leaderboard-{_in_a_name(of)}.md"


def _in_a_name(text: str) -> str:
    """A class as a part of a file's name: what no file system takes is replaced, in one way for each class."""
    return urllib.parse.quote(text, safe=" ")


def kept(out: str | Path, about: Mapping[str, Any], models: Sequence[str]) -> list[Entry]:
    """The entries of a leaderboard that is in `out` already.

    Those of `models`, which are to be trained again or on, hold until they are measured again, so that a leaderboard
    that is stopped once more has lost nothing. Models that failed are left out.

    Raises:
        ValueError: what is there was made otherwise, or its reports cannot be in one table: the message names both
            sides.
        FileExistsError: the folder has something else in it than a leaderboard and its autoencoder.
        FileNotFoundError: the samples of a model that is not in `models`, or a report on them, are missing.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out}: is a file, and a leaderboard is a folder; choose another --out")
    path = out / "leaderboard.json"
    if not path.is_file():
        known = {*_LEFT, *MODELS} if (out / REFERENCE).is_file() else {"autoencoder"}
        found = [each.name for each in out.iterdir()] if out.is_dir() else []
        others = [name for name in found if name not in known and not name.startswith("leaderboard-")]
        if others:
            raise FileExistsError(f"{out}: has {others[0]} in it and is not a leaderboard; choose another --out")
        return []
    board = _read_board(path)
    for name, value in _placed(about, Path()).items():
        if board.get(name) != value:
            raise ValueError(f"{out}: its {name} is {board.get(name)}, asked for is {value}; choose another --out")
    entries = []
    for row in (row for row in board["rows"] if not row["failure"]):
        try:
            entries.append(_read(out / row["model"], row, about["seed"]))
        except (FileNotFoundError, ValueError):
            if row["model"] not in models:
                raise
    _check(entries, path)
    return entries


def read(out: str | Path) -> tuple[dict[str, Any], list[Entry]]:
    """What a leaderboard was made by, and its entries, with those that failed.

    Raises:
        FileNotFoundError: there is no leaderboard, or samples or a report of it are missing.
        ValueError: it is damaged, or its reports cannot be in one table.
    """
    out = Path(out)
    path = out / "leaderboard.json"
    if not path.is_file():
        raise FileNotFoundError(f"{out}: is not a leaderboard: has no {path.name}; `pcgen suite --out {out}` makes one")
    board = _read_board(path)
    rows = board.pop("rows")
    entries = [
        Entry(row["model"], failure=row["failure"], **_trained(row))
        if row["failure"]
        else _read(out / row["model"], row, board["seed"])
        for row in rows
    ]
    _check(entries, path)
    return board, entries


def _check(entries: Sequence[Entry], path: Path) -> None:
    """`check_entries`, with the way out."""
    try:
        check_entries(entries)
    except ValueError as error:
        raise ValueError(
            f"{path}: {error}; to measure all models again, delete it: the trainings beside it are kept"
        ) from error


def _read_board(path: Path) -> dict[str, Any]:
    try:
        board = _placed(json.loads(path.read_text(encoding="utf-8")), path.parent)
        rows = board["rows"]
        if not all(
            {"model", "failure", "seeds", "results", "training_seconds", "quality", "classes"} <= row.keys()
            for row in rows
        ):
            raise KeyError("an entry of a row")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: damaged, or not written by this pcgen ({type(error).__name__}: {error}); delete it: the "
            "trainings beside it are kept, and their samples are measured again"
        ) from error
    return board


def _placed(about: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What a leaderboard was made by, with the whole path of its autoencoder, which is told from a folder.

    Earlier versions told it from the working directory.
    """
    if "autoencoder" not in about:
        return dict(about)
    path = Path(about["autoencoder"])
    there = folder / path
    return {**about, "autoencoder": str((path if path.exists() and not there.exists() else there).resolve())}


def _read(folder: Path, row: Mapping[str, Any], seed: int) -> Entry:
    """The entry of one row, from the model's folder."""
    name, samples = row["model"], samples_file(folder, seed)
    seeds = range(seed, seed + row["seeds"])
    files = {protocol: [report_file(folder, protocol, each) for each in seeds] for protocol in row["results"]}
    of_classes = {each: report_file(folder, next(iter(files)), seed, each) for each in row["classes"]}
    for file in [*itertools.chain(*files.values()), *of_classes.values(), samples]:
        if not file.is_file():
            what = "samples are" if file == samples else "report is"
            raise FileNotFoundError(
                f"{file}: {name}'s {what} missing; name {name} in --models, so that it is measured again"
            )
    reports = {protocol: tuple(map(_report, each)) for protocol, each in files.items()}
    found = tuple(map(_quality, row["quality"]))
    classes = {each: _report(file) for each, file in of_classes.items()}
    return Entry(name, reports, samples, row["training_seconds"], "", found, classes, **_trained(row))


def _quality(values: Mapping[str, Any]) -> Quality:
    """The quality of codes; what is no number, as a ratio to a baseline of 0, is null in JSON."""
    numbers: dict[str, Any] = {name: math.nan if value is None else value for name, value in values.items()}
    low, high = (math.nan if end is None else end for end in values["interval"])
    return Quality(**{**numbers, "interval": (low, high)})


def _in_json(value: Any, other: Callable[[float], Any]) -> Any:
    """A value with what `other` makes of infinity and NaN, which JSON does not have."""
    if isinstance(value, Mapping):
        return {name: _in_json(each, other) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_in_json(each, other) for each in value]
    return other(value) if isinstance(value, float) and not math.isfinite(value) else value


def _trained(row: Mapping[str, Any]) -> dict[str, Any]:
    """How a row's model was trained, which older leaderboards do not say."""
    return {"effort": row.get("effort"), "options": row.get("options", {})}


def _report(path: Path) -> Report:
    return Report.from_json(path.read_text("utf-8"))


def write(entries: Sequence[Entry], out: str | Path, about: Mapping[str, Any]) -> Path:
    """Write leaderboard.json and leaderboard.md into `out`, and a table for each class; returns the second.

    Raises:
        ValueError: the reports cannot be in one table; the message names two that differ, and nothing is written.
    """
    out = Path(out)
    _check(entries, out / "leaderboard.json")
    out.mkdir(parents=True, exist_ok=True)
    first = next((entry for entry in entries if entry.reports), Entry(""))
    board = {
        **_told_from(about, out),
        "stamps": {protocol: reports[0].protocol for protocol, reports in first.reports.items()},
        "rows": [_row(entry) for entry in entries],
        "oracles": {
            protocol: [{"row": row.name, "values": row.values} for row in reports[0].rows[1:]]
            for protocol, reports in first.reports.items()
        },
    }
    # An option from Python may be a module or a function: it is recorded by what it prints.
    text = json.dumps(board, indent=2, default=str, allow_nan=False)
    write_whole(out / "leaderboard.json", (text + "\n").encode())
    path = out / "leaderboard.md"
    write_whole(path, (markdown(entries) + "\n").encode())
    for name in dict.fromkeys(name for entry in entries for name in entry.classes):
        own = [_of_class(entry, name) for entry in entries if name in entry.classes]
        write_whole(class_file(out, name), f"# {name}\n\n{markdown(own)}\n".encode())
    return path


def _told_from(about: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What a leaderboard was made by, with the path from its folder to its autoencoder: both may be moved together."""
    if "autoencoder" not in about:
        return dict(about)
    return {**about, "autoencoder": os.path.relpath(Path(about["autoencoder"]).resolve(), folder.resolve())}


def _of_class(entry: Entry, name: str) -> Entry:
    """The entry of a model's samples of one class."""
    report = entry.classes[name]
    reports = {str(report.protocol["name"]): (report,)}
    return Entry(entry.name, reports, seconds=entry.seconds, effort=entry.effort, options=entry.options)


def _row(entry: Entry) -> dict[str, Any]:
    results = {}
    for protocol in entry.reports:
        spread = {metric: found for metric, found in entry.spread(protocol).items() if metric in _KEPT}
        results[protocol] = {
            "mean": {metric: mean for metric, (mean, _) in spread.items()},
            "deviation": {metric: deviation for metric, (_, deviation) in spread.items()} if entry.sets > 1 else None,
        }
    return {
        "model": entry.name,
        "failure": entry.failure or None,
        "effort": entry.effort,
        "options": {name: _in_json(value, str) for name, value in entry.options.items()},
        "training_seconds": round(entry.seconds, 1),
        "seeds": entry.sets,
        "classes": list(entry.classes),
        "quality": [_in_json(dataclasses.asdict(each), lambda _: None) for each in entry.quality],
        "results": results,
    }
