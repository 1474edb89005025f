"""The scripts as modules, which write their figures aside."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Any]:
    """A program of scripts/ by its name; what it measures goes to a folder of the test's own."""
    if not (REPOSITORY / "docs").is_dir():
        pytest.skip("no source tree with its scripts and pages")
    monkeypatch.syspath_prepend(REPOSITORY / "scripts")
    monkeypatch.setattr(importlib.import_module("figures"), "RESULTS", tmp_path / "results")
    return importlib.import_module
