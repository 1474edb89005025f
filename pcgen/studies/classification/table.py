"""The table of a classification: its rows, in JSON and in Markdown."""

import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pcgen.files import write_whole

__all__ = ["Row", "check_out", "kept", "table", "write"]

_NAME = "classification"


@dataclass(frozen=True)
class Row:
    """One classifier of the table.

    Attributes:
        name: unique in its table.
        what: in words.
        accuracy: share of the test clouds classified rightly.
        class_accuracy: mean over the classes of the share within each.
        interval: of `accuracy` over other draws of test clouds, 95%.
        points: points of each cloud that it saw; 0 for one that sees none.
        seconds: that it took to train, encoding included.
        details: what it was made with.
        classes: the share classified rightly of each class that is tested.
        right: "1" for each test cloud that is classified rightly, "0" for each other, in their order: rows of one table
            are of the same clouds, and so are compared cloud by cloud; empty in tables of earlier versions.
    """

    name: str
    what: str
    accuracy: float
    class_accuracy: float
    interval: tuple[float, float]
    points: int = 0
    seconds: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)
    classes: Mapping[str, float] = field(default_factory=dict)
    right: str = ""


def check_out(out: str | Path, runs: Collection[str]) -> None:
    """Refuse a folder that no table can be written into; nothing is made.

    Args:
        out: the folder.
        runs: names of folders that may stand in it without a table: trainings that were stopped before it was written.

    Raises:
        FileExistsError: it is a file or would stand in one, or has something else in it than a table and its
            classifiers.
        OSError: it cannot be made or written to.
    """
    out = Path(out)
    try:
        there = next(each for each in (out, *out.parents) if each.exists())
        if there.is_dir():
            # Made and gone at once: permissions do not tell all, of a file system that is full or of the kernel say.
            with tempfile.TemporaryDirectory(dir=there, prefix=".pcgen-"):
                pass
        others = [each.name for each in out.iterdir() if each.name not in runs] if out.is_dir() else []
    except OSError as error:
        raise OSError(
            f"--out: {out} cannot be made or written to ({error.strerror or error}); choose another folder"
        ) from error
    if not there.is_dir():
        raise FileExistsError(f"--out: must be a folder, and {there} is a file; choose another one")
    if others and not (out / f"{_NAME}.json").is_file():
        raise FileExistsError(f"{out}: has {others[0]} in it and is not a classification; choose another --out")


def kept(out: str | Path, about: Mapping[str, Any], runs: Collection[str]) -> list[Row]:
    """The rows of a table that is in `out` already.

    Args:
        out: the folder.
        about: what the rows must have been made with.
        runs: as in `check_out`.

    Raises:
        ValueError: they were made otherwise, and the message names both sides; or the table's file is damaged.
        OSError: as `check_out`.
    """
    check_out(out, runs)
    out = Path(out)
    path = out / f"{_NAME}.json"
    if not path.is_file():
        return []
    before, rows = _read(path)
    for name, value in about.items():
        if before.get(name) != value:
            raise ValueError(
                f"{out}: its {name} is {_short(before.get(name))}, asked for is {_short(value)}; choose another --out"
            )
    return rows


def _read(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """What a table was made with, and its rows."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        rows = []
        for row in before["rows"]:
            low, high = row["interval"]
            rows.append(Row(**{**row, "interval": (low, high)}))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: damaged, or not written by this pcgen ({type(error).__name__}: {error}); delete it: the "
            "trainings beside it are kept, and are tested again"
        ) from error
    return dict(before), rows


def write(rows: Sequence[Row], out: str | Path, about: Mapping[str, Any]) -> Path:
    """Write classification.json and classification.md into `out`; returns the second."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**about, "rows": [asdict(row) for row in rows]}, indent=2)
    write_whole(out / f"{_NAME}.json", (text + "\n").encode())
    path = out / f"{_NAME}.md"
    write_whole(path, (table(rows, about) + "\n").encode())
    return path


def table(rows: Sequence[Row], about: Mapping[str, Any]) -> str:
    """The rows in Markdown, accuracies in percent."""
    lines = [
        "| classifier | accuracy % | 95% | mean class accuracy % | points | time |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for row in rows:
        low, high = (100 * bound for bound in row.interval)
        cells = [row.what, f"{100 * row.accuracy:.1f}", f"{low:.1f} to {high:.1f}", f"{100 * row.class_accuracy:.1f}"]
        cells += [str(row.points or ""), f"{row.seconds:.0f} s" if row.seconds else ""]
        lines.append(f"| {' | '.join(cells)} |")
    sizes = f"{about['train']['clouds']} clouds learned, {about['test']['clouds']} tested"
    note = f"{about['data']}: {sizes}, {len(about['classes'])} classes, seed {about['seed']}."
    return "\n".join([*lines, "", note])


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
