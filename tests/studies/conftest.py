"""An autoencoder that has hardly learned, for studies of heads."""

from pathlib import Path

import pytest
import torch

from pcgen import training
from pcgen.data.training_set import training_set
from pcgen.training import Options


@pytest.fixture
def autoencoder(tmp_path: Path) -> Path:
    """The run folder of an autoencoder of 60 chairs of 32 points, with codes of 4."""
    source = training_set("shapes:chair=60", points=32)
    torch.manual_seed(0)
    training.on_clouds("autoencoder", source, 32, code=4).fit(tmp_path / "autoencoder", Options(seed=0, steps=3))
    return tmp_path / "autoencoder"
