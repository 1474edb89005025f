"""What the README shows must run."""

import re
import subprocess
import sys
from pathlib import Path

import torch

README = Path(__file__).resolve().parent.parent / "README.md"


def section(title: str) -> str:
    return re.search(rf"(?s)## {title}\n(.*?)\n## ", README.read_text(encoding="utf-8"))[1]


def test_five_minutes_from_python_run():
    code = re.search(r"(?s)```python\n(.*?)```", section("Five minutes, from Python"))[1]
    names: dict = {}
    exec(compile(code, str(README), "exec"), names)  # noqa: S102
    assert names["samples"].shape == (40, 256, 3)
    assert names["report"].one_nna_cd < 0.95  # what a first look should see: shapes, not noise
    torch.testing.assert_close(names["matching"].lower_bound, names["matching"].cost, rtol=1e-12, atol=0)
    assert names["y"].grad.abs().sum() > 0


def test_commands_and_options_of_the_pages_exist(tmp_path):
    """Every pcgen line of the pages must at least parse: with --help at its end it exits 0 and runs nothing."""
    pages = [README, *(README.parent / "docs").rglob("*.md")]
    lines = {
        line for page in pages for line in re.findall(r"(?m)^pcgen .*?(?=\s+#|$)", page.read_text(encoding="utf-8"))
    }
    assert len(lines) >= 8
    # Each model's page has the same command with its own name.
    for line in {
        re.sub(r"train \w+ --codes runs/ae --out runs/\w+$", "train vae --codes runs/ae --out runs/vae", line)
        for line in lines
    }:
        words = [*line.split()[1:], "--help"]
        command = [sys.executable, "-c", "from pcgen.cli import main; main()", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}: {done.stderr}"
