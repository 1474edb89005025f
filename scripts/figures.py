"""Figures as benchmarks write them: one CSV each in results/, with the machine and the versions they were made on."""

import csv
import io
import platform
import subprocess
from collections.abc import Collection
from datetime import date
from pathlib import Path

import torch

import pcgen
from pcgen.files import write_whole

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"


def _head() -> str:
    """The commit of the source tree; "none" outside of one."""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip() or "none"


_COMMIT = _head()  # that a benchmark began with: the tree may have a later one when its rows are written


def conditions() -> dict[str, str]:
    """What a figure depends on besides its benchmark."""
    return {
        "date": str(date.today()),
        "machine": f"{_processor()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "pcgen": pcgen.__version__,
        "commit": _COMMIT,
    }


def _processor() -> str:
    """The processor's name where the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def write(name: str, rows: list[dict[str, object]], kept: list[dict[str, str]] | None = None) -> Path:
    """Write rows of equal keys as results/NAME.csv, the conditions in every row.

    Args:
        name: of the file.
        rows: what was measured now.
        kept: rows of the same file, of other data or models, that stay as they are, and come first.

    Raises:
        ValueError: the kept rows have other columns.
    """
    RESULTS.mkdir(exist_ok=True)
    path, known = RESULTS / f"{name}.csv", conditions()
    columns = [*rows[0], *known]
    if kept and list(kept[0]) != columns:
        raise ValueError(f"{path}: its rows must have the columns {columns} to be kept, got {list(kept[0])}; move it")
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows([*(kept or []), *({**row, **known} for row in rows)])
    write_whole(path, text.getvalue().encode())
    return path


def of_others(name: str, **measured: Collection[str]) -> list[dict[str, str]]:
    """The rows of results/NAME.csv, if it is there, but those with one of these values in each of these columns."""
    if not has(name):
        return []
    return [row for row in read(name) if not all(row[column] in values for column, values in measured.items())]


def has(name: str) -> bool:
    """Whether there is a results/NAME.csv."""
    return (RESULTS / f"{name}.csv").is_file()


def read(name: str) -> list[dict[str, str]]:
    """The rows of results/NAME.csv."""
    with (RESULTS / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
