"""What the models' own tests have measured of their theorems, beside the exact values.

python scripts/bench_theorems.py
python scripts/bench_theorems.py --tests tests/models/test_models_gan.py    # only this model's rows; others stay
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import figures
import typer

from pcgen.models import MODELS

ALL = "tests/models"


def main(
    tests: Annotated[str, typer.Option(help="Files of tests, or folders, with commas between.")] = ALL,
) -> None:
    """Run the tests and write results/theorems.csv."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "measured.jsonl"
        command = [sys.executable, "-m", "pytest", "-n", "0", *tests.split(",")]
        told = {**os.environ, "PCGEN_MEASURED": str(path)}
        if subprocess.run(command, cwd=figures.ROOT, env=told).returncode:
            sys.exit("theorems: a test has failed; no table is written")
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    order = list(MODELS)
    kept = figures.of_others("theorems", model={row["model"] for row in found}) if tests != ALL else []
    figures.write("theorems", sorted(found, key=lambda row: order.index(row["model"])), kept)


if __name__ == "__main__":
    typer.run(main)
