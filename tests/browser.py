"""Pages as a browser shows them; where there is none, tests that need one are skipped and say so."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium to open the page in")


def shown(page: Path) -> str:
    """The page's elements once its program has run; it must have said nothing on the console."""
    found = _run(page, "--enable-logging=stderr", "--dump-dom")
    said = [line for line in found.stderr.splitlines() if "CONSOLE" in line or "Uncaught" in line]
    assert said == []
    return found.stdout


def shot(page: Path, width: int, height: int) -> np.ndarray:
    """A picture of the page, (height, width, 3)."""
    picture = page.with_suffix(".png")
    _run(page, f"--window-size={width},{height}", "--hide-scrollbars", f"--screenshot={picture}")
    return np.asarray(Image.open(picture).convert("RGB")).astype(int)


def coloured(picture: np.ndarray) -> int:
    """How many pixels are neither black, white nor grey: points of clouds are, and little else."""
    return int((picture.max(2) - picture.min(2) > 60).sum())


def dark(page: Path) -> Path:
    """A copy of the page that is dark."""
    copy = page.with_name(f"dark-{page.name}")
    copy.write_text(page.read_text().replace('<html lang="en">', '<html lang="en" data-theme="dark">'))
    return copy


def _run(page: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    common = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000"]
    command = [str(BROWSER), *common, f"--user-data-dir={page.parent / 'profile'}", *words, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
