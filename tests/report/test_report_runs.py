"""Pages of runs and of leaderboards: what runs are measured against, and that distances are between clouds in place."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pcgen import data, metrics, training
from pcgen.data import Clouds
from pcgen.data.training_set import training_set
from pcgen.metrics.verdict import DECODED
from pcgen.report.measured import Beside, tables
from pcgen.report.page import report_html
from pcgen.report.runs import of_board, of_runs
from pcgen.studies import leaderboard
from pcgen.studies.leaderboard import Entry
from pcgen.studies.leaderboard.board import report_file, samples_file
from pcgen.studies.reference import chosen
from pcgen.training import Options

SMALL = {"encoder": {"name": "pointnet", "widths": [8]}, "decoder": {"name": "fully_connected", "widths": [8]}}
MAP = (691230.0, 5334570.0, 0.0)
TEST = 12  # clouds of the source


def boxes(place: tuple[float, ...] = (0.0, 0.0, 0.0)) -> dict[str, Any]:
    """The arrays of boxes that are tall along z, of two classes, one after the other; every third is for tests."""
    points = (np.random.default_rng(0).random((3 * TEST, 64, 3)) - 0.5) * (0.4, 0.5, 2.0)
    labels = np.arange(3 * TEST) // (3 * TEST // 2)
    return {"points": points + place, "labels": labels, "split": ["train", "train", "test"] * TEST}


def trained(folder: Path, source: Path, up: str | None, seed: int = 0) -> Path:
    """An autoencoder and heads, in a folder, that have hardly learned."""
    known = training_set(str(source), points=32, up=up)
    torch.manual_seed(seed)
    training.on_clouds("autoencoder", known, 32, code=4, **SMALL).fit(folder / "autoencoder", Options(steps=2))
    codes = training.read_codes(folder / "autoencoder")
    for name in ("gaussian", "gmm", "parzen"):
        training.on_codes(name, codes).fit(folder / name, Options(steps=2))
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "boxes.npz"
    np.savez(path, **boxes())
    return path


@pytest.fixture(scope="module")
def runs(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("runs"), source, "z")


def test_a_page_is_of_the_clouds_that_were_learned_wherever_they_are(source: Path, tmp_path: Path) -> None:
    own, moved = tmp_path / "own.npz", tmp_path / "moved.npz"
    own.write_bytes(source.read_bytes())
    gmm = trained(tmp_path, own, "z") / "gmm"
    own.rename(moved)
    with pytest.raises(FileNotFoundError, match=r"where it has been moved, say so with --data SPEC"):
        of_runs([gmm], clouds=TEST, distances=["cd"])
    page = of_runs([gmm], clouds=TEST, distances=["cd"], moved=str(moved))
    assert any("moved.npz" in value for _, value in page.facts)
    np.savez(own, **{**boxes(), "points": boxes()["points"] + 0.1})
    with pytest.raises(ValueError, match=r"own\.npz: is not the data that .*gmm was trained on"):
        of_runs([gmm], clouds=TEST, distances=["cd"])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What every run was measured against."""
    found: list[dict[str, Any]] = []
    measure = metrics.evaluate

    def evaluate(samples: Any, reference: Any, train: Any, protocol: Any, **options: Any) -> metrics.Report:
        found.append({"reference": reference, "train": train, "protocol": protocol, **options})
        return measure(samples, reference, train, protocol, **options)

    monkeypatch.setattr(metrics, "evaluate", evaluate)
    return found


def test_the_reference_is_turned_as_the_training_set_was(runs: Path, asked: list[dict[str, Any]]) -> None:
    of_runs([runs / "gaussian"], clouds=TEST, distances=["cd"])
    (found,) = asked
    for clouds in (found["train"], found["reference"].points):
        sides = (clouds.amax(1) - clouds.amin(1)).mean(0)
        assert sides.argmax() == 1  # y is up


def test_the_reference_is_chosen_by_seed_and_not_the_first_class(
    source: Path, runs: Path, asked: list[dict[str, Any]]
) -> None:
    whole = data.load(f"{source}@test", up="z")
    for seed in (0, 1):
        content = of_runs([runs / "gaussian"], clouds=5, distances=["cd"], seed=seed)
        expected = whole.select(chosen(TEST, 5, seed))
        assert torch.equal(asked[seed]["reference"].points, expected.points)
        assert expected.labels is not None and len(expected.labels.unique()) == 2
        assert ("reference", "5 clouds of boxes.npz@test") in content.facts
        assert "numbers stored" in dict(content.models[0].facts)
    assert asked[0]["reference"].names != asked[1]["reference"].names


def test_every_head_is_measured_beside_what_its_own_autoencoder_decodes(
    source: Path, runs: Path, asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    other = trained(tmp_path, source, "z", seed=1)
    content = of_runs([runs / "gaussian", runs / "gmm", other / "gmm"], clouds=TEST, distances=["cd"])
    first, second, third = (each["oracles"][DECODED] for each in asked)
    assert first is second and not torch.equal(first, third)
    assert not any("Different from data" in sentence for model in content.models for sentence in model.verdict)
    rows = [name for name, _ in content.tables[0].oracles if name.startswith(DECODED)]
    assert len(rows) == 2 and str(other / "gmm") in rows[1]


def test_clouds_that_were_normalised_each_by_itself_are_compared_so(
    source: Path, runs: Path, asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    of_runs([runs / "gmm"], clouds=TEST, distances=["cd"])
    training.on_clouds(
        "autoencoder", training_set(str(source), points=32, up="z", normalize="unit_box"), 32, code=4, **SMALL
    ).fit(tmp_path / "autoencoder", Options(steps=2))
    training.on_codes("gmm", training.read_codes(tmp_path / "autoencoder")).fit(tmp_path / "gmm", Options(steps=2))
    of_runs([tmp_path / "gmm"], clouds=TEST, distances=["cd"])
    assert [each["protocol"].normalization for each in asked] == ["none", "unit_box"]


def test_deformed_training_clouds_are_not_limited_by_the_autoencoder(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited: list[bool] = []

    def told(_: metrics.Report, decoded: bool) -> list[str]:
        limited.append(decoded)
        return []

    monkeypatch.setattr("pcgen.report.runs.verdict", told)
    of_runs([runs / "gmm", runs / "parzen"], clouds=TEST, distances=["cd"])
    assert limited == [True, False]


def test_what_is_decoded_does_not_depend_on_the_other_runs(runs: Path, asked: list[dict[str, Any]]) -> None:
    of_runs([runs / "gaussian", runs / "gmm"], clouds=TEST, distances=["cd"])
    of_runs([runs / "gmm"], clouds=TEST, distances=["cd"])
    assert torch.equal(asked[1]["oracles"][DECODED], asked[2]["oracles"][DECODED])


def test_a_page_says_how_it_deviates_from_the_protocol_and_what_was_noted_of_each_run(runs: Path) -> None:
    content = of_runs([runs / "gaussian", runs / "gmm"], clouds=TEST + 8, distances=["cd"])
    said = f"sets: {TEST + 8} samples, the protocol advises {TEST}; COV depends on it"
    assert said in content.tables[0].notes
    assert len(set(content.tables[0].notes)) == len(content.tables[0].notes)
    page = report_html(content)
    for model in content.models:
        (copies,) = (note for note in model.notes if note.startswith("exact: copies: "))
        assert copies in page and said in page and said not in " ".join(model.notes)


def test_reports_of_other_protocols_or_references_are_on_no_page_together() -> None:
    samples, known, other = (torch.rand(6, 16, 3) for _ in range(3))
    first = metrics.evaluate(samples, known, distances=("cd",))
    dpm = metrics.evaluate(samples, known, protocol="dpm", distances=("cd",))
    with pytest.raises(ValueError, match=r"must share one protocol; a has exact .*, b has dpm "):
        tables({"a": [first], "b": [dpm]}, "exact")
    moved = metrics.evaluate(samples, other, distances=("cd",))
    with pytest.raises(ValueError, match=r"must share one reference set; a, set 1 has .*, a, set 2 has a tensor"):
        tables({"a": [first, moved]}, "exact")


def test_clouds_beside_training_clouds_of_one_point_each_have_no_novelty() -> None:
    """It would be infinite, which a page cannot tell."""
    train, clouds = torch.rand(4, 1, 3).expand(4, 16, 3).contiguous(), torch.rand(3, 16, 3)
    gallery, ratios = Beside(train, None, 16, 0).gallery("samples", clouds, ["a", "b", "c"])
    assert ratios is None and "novelty" not in gallery.numbers and len(gallery.beside) == 3


def test_runs_on_coordinates_of_a_map_are_compared_where_they_stand(tmp_path: Path) -> None:
    np.savez(tmp_path / "boxes.npz", **boxes(MAP))
    run = trained(tmp_path, tmp_path / "boxes.npz", None) / "gaussian"
    content = of_runs([run], clouds=TEST, distances=["cd"])
    gallery = content.galleries[0]
    # In true coordinates, float32 is off by a quarter; and relative to two origins, by millions.
    assert max(gallery.numbers["CD to the reference, thousandths"]) < 10_000
    assert max(gallery.numbers["novelty"]) < 1000
    assert abs(gallery.points).max() < 100
    assert np.diff(np.unique(gallery.points[..., 1])).min() < 1e-3  # not the half of float32 five million away


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A leaderboard far from the origin, whose samples have an origin of their own and whose autoencoder is gone."""
    out, entries = tmp_path / "board", []
    points = torch.as_tensor(boxes()["points"][::3], dtype=torch.float32)
    reference = Clouds(points, origin=MAP)
    for name, effort in (("gmm", 1.0), ("vae", 0.1)):
        shift = torch.tensor([10.0, 20.0, 0.0])
        samples = Clouds(points + shift, origin=(MAP[0] - 10, MAP[1] - 20, MAP[2]))
        (out / name).mkdir(parents=True)
        data.save(samples_file(out / name, 0), samples)
        report = metrics.evaluate(samples, reference, distances=["cd"])
        report_file(out / name, "exact", 0).write_text(report.to_json())
        file, options = samples_file(out / name, 0), {"width": 8}
        entries.append(Entry(name, {"exact": (report,)}, file, effort=effort, options=options))
    data.save(out / leaderboard.REFERENCE, reference)
    about = {"autoencoder": str(tmp_path / "gone"), "protocols": ["exact"], "data": "scans/:box", "seed": 0}
    leaderboard.write(entries, out, about)
    return out


def test_samples_of_a_leaderboard_are_moved_to_the_origin_of_its_reference(board: Path) -> None:
    content = of_board(board)
    for gallery in content.galleries[:2]:  # the samples are the reference
        assert max(gallery.numbers["CD to the reference, thousandths"]) < 1e-3


def test_a_page_of_a_leaderboard_says_where_models_differ_in_training(board: Path) -> None:
    content = of_board(board)
    assert content.title == "Generators of scans:box" and ("reference", "12 clouds of scans:box") in content.facts
    notes = " ".join(content.notes)
    assert "1 for gmm; 0.1 for vae" in notes and "gmm.width=8, vae.width=8" in notes
