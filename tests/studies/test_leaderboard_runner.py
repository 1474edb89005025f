"""What a leaderboard measures its models against."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from pcgen import data
from pcgen.data.thinning import thin
from pcgen.studies import leaderboard, quality
from pcgen.studies.leaderboard import REFERENCE, Settings, runner
from pcgen.studies.reference import read_reference

SPEC = "shapes:chair=60"
READING = {"up": None, "drop_bad": False, "max_bytes": 2**30}


@pytest.fixture
def settings() -> Settings:
    return Settings(
        SPEC, ["gaussian", "gmm"], config={"gmm": {"components": 2}}, effort=0.001, distances=("cd",), seed=3
    )


def test_codes_are_compared_with_some_chosen_by_seed_and_with_baselines_that_are_drawn_once(
    autoencoder: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[int, int]] = []
    draw = quality.baselines

    def counted(train: Tensor, size: int, draws: int, seed: int = 0) -> dict[str, list[Tensor]]:
        drawn.append((size, draws))
        return draw(train, size, draws, seed)

    monkeypatch.setattr(quality, "baselines", counted)
    monkeypatch.setattr(runner, "MOST", 4)
    entries = list(leaderboard.run(autoencoder, tmp_path / "board", settings, say=lambda *_: None))
    assert [entry.failure for entry in entries] == ["", ""]
    assert drawn == [(4, 4)]
    assert entries[0].quality[1:] == entries[1].quality[1:]
    assert [(entry.effort, entry.options) for entry in entries] == [(0.001, {}), (0.001, {"components": 2})]


def test_the_reference_is_written_with_random_points_of_each_cloud(
    autoencoder: Path, settings: Settings, tmp_path: Path
) -> None:
    """Stored points may be in an order, by height for example."""
    next(iter(leaderboard.run(autoencoder, tmp_path / "board", settings, say=lambda *_: None)))
    written = data.load(str(tmp_path / "board" / REFERENCE))
    whole = read_reference(f"{SPEC}@test", READING, 32)
    assert torch.equal(written.points, thin(whole.points, 32, 3))
    assert not torch.equal(written.points, whole.points[:, :32])
