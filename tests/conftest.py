"""What all tests share: real shapes where they are at hand, a fixed seed for every test, and a place for figures."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shapes_dir() -> Path:
    """The folder of real shapes beside the repository (`../shared/data`); the test is skipped where it is absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real shapes are absent: no folder {folder}")
    return folder


@pytest.fixture(scope="session")
def open3d_imports() -> None:
    """Skips the test, with the reason, where Open3D cannot be imported."""
    try:
        import open3d  # noqa: F401
    except (ImportError, OSError) as reason:
        pytest.skip(str(reason))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[..., None]:
    """measured(what, found, right): a number of the theorem of the model that the file is of, and what it is to be.

    The file is test_models_NAME.py, or has MODEL = NAME.
    `right` is a number, or a word or two. `python scripts/bench_theorems.py` makes a table of what tests tell so.
    """

    def tell(what: str, found: float, right: float | str) -> None:
        if path := os.environ.get("PCGEN_MEASURED"):
            model = getattr(request.module, "MODEL", request.path.stem.removeprefix("test_models_"))
            row = {"model": model, "what": what}
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(json.dumps({**row, "found": float(found), "right": right}) + "\n")

    return tell
