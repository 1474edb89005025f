"""What all tests share: real shapes where they are at hand, and a fixed seed for every test."""

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


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
