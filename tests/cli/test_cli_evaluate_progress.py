"""`pcgen evaluate`: what it shows on its way, and what it keeps on disk to go on from."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import rich.console
from evaluated_sets import AGAINST

from pcgen.cli import progress
from pcgen.cli.progress import pair_progress
from pcgen.metrics import Progress, pairs


def test_finished_parts_are_gone_with_the_report_and_kept_where_asked(pcgen: Callable, sets: Path) -> None:
    Path("e.json.tiles").mkdir()
    Path("e.json.tiles", "mine.txt").write_text("mine")
    assert pcgen("evaluate", "a.npz", *AGAINST, "--out", "e.json").code == 0
    assert [path.name for path in Path("e.json.tiles").iterdir()] == ["mine.txt"]
    assert pcgen("evaluate", "a.npz", *AGAINST, "--out", "f.json").code == 0
    assert not Path("f.json.tiles").exists()
    assert pcgen("evaluate", "a.npz", *AGAINST, "--out", "g.json", "--tiles", "kept").code == 0
    assert len(list(Path("kept").iterdir())) > 5 and not Path("g.json.tiles").exists()
    texts = {Path(name).read_text() for name in ("e.json", "f.json", "g.json")}
    assert len(texts) == 1
    assert pcgen("evaluate", "b.npz", *AGAINST).code == 0 and not list(sets.glob("*.tiles/*.npz"))


def test_the_time_that_is_left_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pair_progress("lion") as show:
        show(Progress("estimate", 0, 10, 3660.0))
        show(Progress("CD", 5, 10, 1830.0))
    assert capsys.readouterr().err.strip() == "lion: 10 pairs, about 1 h 1 min"
    monkeypatch.setattr(progress, "_LINE_SECONDS", -1.0)
    with pair_progress("lion") as show:
        show(Progress("estimate", 0, 10, 1.0))
        show(Progress("CD: samples x reference", 5, 10, 1830.0))
    assert capsys.readouterr().err.strip() == "lion: CD: samples x reference: 5 of 10 pairs, about 30 min 30 s left"


def test_on_80_columns_progress_keeps_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    bars = progress._bars("pairs")
    bars.add_task(
        "latent_3d_points, runs/a/long/way/samples.npz: EMD: training set decoded x reference",
        total=1_319_600,
        completed=1_200_000,
        left="about 59 min 59 s",
    )
    console = rich.console.Console(width=80, record=True, file=io.StringIO())
    console.print(bars.get_renderable())
    (line,) = console.export_text().rstrip().splitlines()
    assert len(line.rstrip()) <= 80 and line.startswith("about 59 min 59 s left ")
    assert " 1200000/1319600 pairs; latent_3d" in line and line.rstrip().endswith("…")


def test_an_interrupted_evaluation_says_where_it_goes_on(
    pcgen: Callable, sets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pairs, "_search", stop)
        result = pcgen("evaluate", "a.npz", *AGAINST, "--out", "e.json")
    assert (
        result.code == 130
        and "e.json.tiles: has the finished parts; the same command continues from there" in result.err
    )
    assert not Path("e.json").exists() and list(Path("e.json.tiles").iterdir())
    again = pcgen("evaluate", "a.npz", *AGAINST, "--out", "e.json")
    assert again.code == 0 and "e.json.tiles: finished parts in it are used" in again.err
    assert not Path("e.json.tiles").exists()
