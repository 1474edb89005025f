"""Figures as benchmarks write them: one CSV each in results/, with the machine and the versions they were made on."""

import csv
import platform
import subprocess
from datetime import date
from pathlib import Path

import torch

import pcgen

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"


def conditions() -> dict[str, str]:
    """What a figure depends on besides its benchmark."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {
        "date": str(date.today()),
        "machine": f"{_processor()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "pcgen": pcgen.__version__,
        "commit": commit.stdout.strip() or "none",
    }


def _processor() -> str:
    """The processor's name where the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def write(name: str, rows: list[dict[str, object]]) -> Path:
    """Write rows of equal keys as results/NAME.csv, the conditions in every row."""
    RESULTS.mkdir(exist_ok=True)
    path, known = RESULTS / f"{name}.csv", conditions()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], *known])
        writer.writeheader()
        writer.writerows({**row, **known} for row in rows)
    return path


def read(name: str) -> list[dict[str, str]]:
    """The rows of results/NAME.csv."""
    with (RESULTS / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
