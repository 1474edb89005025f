"""What a leaderboard measures its models against."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pcgen import data, training
from pcgen.data.thinning import thin
from pcgen.data.training_set import training_set
from pcgen.studies import leaderboard, quality
from pcgen.studies.leaderboard import REFERENCE, Settings, runner
from pcgen.studies.reference import read_reference
from pcgen.training import Options

SPEC = "shapes:chair=60"
READING = {"up": None, "drop_bad": False, "max_bytes": 2**30}


@pytest.fixture
def settings() -> Settings:
    return Settings(
        SPEC, ["gaussian", "gmm"], config={"gmm": {"components": 2}}, effort=0.001, distances=("cd",), seed=3
    )


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        *((name, 0, "must be at least 1, got 0") for name in ("seeds", "clouds", "reference_clouds", "processes")),
        *((name, 0, "must be at least 1, got 0") for name in ("emd_clouds", "emd_points")),
        ("emd_points", "all", "must be one of auto; got 'all'"),
        ("distances", "cd", r"must be a list of names, got the text 'cd'; give \['cd'\]"),
        ("protocols", "exact", "must be a list of names, got the text 'exact'"),
        ("models", "gmm", "must be a list of names, got the text 'gmm'"),
    ],
)
def test_settings_that_no_suite_can_have_are_refused_before_any_training(
    settings: Settings, name: str, value: object, told: str
) -> None:
    with pytest.raises(ValueError, match=f"^{name}: {told}"):
        replace(settings, **{name: value})
    replace(settings, clouds=1, reference_clouds=None, emd_clouds=None, emd_points="auto")


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


def test_a_table_is_of_one_autoencoder_and_one_reference(autoencoder: Path, settings: Settings, tmp_path: Path) -> None:
    board = tmp_path / "board"
    first = list(leaderboard.run(autoencoder, board, replace(settings, models=["gmm"]), say=lambda *_: None))
    others = replace(settings, models=["gaussian"])
    told: dict[str, Any] = {"say": lambda *_: None, "kept": first}
    assert [entry.failure for entry in leaderboard.run(autoencoder, board, others, **told)] == [""]
    fewer = replace(others, reference_clouds=3)
    with pytest.raises(ValueError, match=r"reference.npz: has other clouds than shapes:chair=60 now; choose another"):
        next(iter(leaderboard.run(autoencoder, board, fewer, **told)))
    source = training_set("shapes:chair=60", points=32)
    torch.manual_seed(1)
    training.on_clouds("autoencoder", source, 32, code=4).fit(autoencoder, Options(seed=1, steps=3), overwrite=True)
    with pytest.raises(ValueError, match=r"its gmm has learned other codes than those of .*choose another --out"):
        next(iter(leaderboard.run(autoencoder, board, others, **told)))


@pytest.mark.parametrize("normalize", ["unit_sphere", "none"])
def test_clouds_that_were_normalised_each_by_itself_are_compared_so(normalize: str, tmp_path: Path) -> None:
    """Samples have no size of their own then, but the reference has."""
    source = training_set(SPEC, points=32, normalize=normalize)
    job = training.on_clouds("autoencoder", source, 32, code=4)
    job.fit(tmp_path / "autoencoder", Options(seed=0, steps=3))
    settings = Settings(SPEC, ["gaussian"], effort=0.001, distances=("cd",))
    (entry,) = leaderboard.run(tmp_path / "autoencoder", tmp_path / "board", settings, say=lambda *_: None)
    (report,) = entry.reports["exact"]
    assert report.protocol["normalization"] == normalize
