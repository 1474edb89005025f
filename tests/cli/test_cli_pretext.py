"""A model that has codes and does not decode them, on the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from pcgen import data

SMALL = ["--set", "code=8", "--set", 'encoder={"name": "pointnet", "widths": [16]}', "--set", "widths=[16]"]


@pytest.fixture
def run(pcgen, boxes, tmp_path) -> Path:
    folder = tmp_path / "puzzle"
    result = pcgen("train", "jigsaw", "--data", boxes, "--points", 32, "--steps", 6, *SMALL, "--out", folder)
    assert result.code == 0 and f"next: pcgen classify {folder} --data" in result.err, result.err
    return folder


def test_its_codes_are_classified_and_written(pcgen, boxes, run, tmp_path):
    clouds = data.load(str(boxes))
    splits = tuple("train" if row < 30 else "test" for row in range(40))
    known = data.Clouds(clouds.points, labels=clouds.labels, classes=clouds.classes, splits=splits)
    labelled, table = data.save(tmp_path / "known.npz", known), tmp_path / "table"
    result = pcgen("classify", run, "--data", labelled, "--out", table)
    assert result.code == 0, result.err
    rows = json.loads((table / "classification.json").read_text())["rows"]
    names = [f"{name}[{run}]" for name in ("svm", "svm_untrained", "svm_norms")]
    assert [row["name"] for row in rows] == ["majority", *names]
    assert [row["details"].get("width") for row in rows] == [None, 8, 8, 8]
    result = pcgen("encode", run, boxes, "--out", tmp_path / "codes.npz")
    assert result.code == 0, result.err
    with np.load(tmp_path / "codes.npz") as written:
        assert written["codes"].shape == (40, 8) and set(written.files) == {"codes", "names", "labels", "classes"}


def test_what_needs_a_decoder_is_refused(pcgen, boxes, run, tmp_path):
    for words, message in (
        (["reconstruct", run, boxes, "--out", tmp_path / "x.npz"], "a run of jigsaw, which cannot decode its codes"),
        (["train", "gaussian", "--codes", run, "--out", tmp_path / "x"], "which cannot decode its codes; give the run"),
        (["sample", run, "-n", 2, "--out", tmp_path / "x.npz"], "jigsaw does not generate; give a run of a model that"),
    ):
        result = pcgen(*words)
        assert result.code == 2 and message in result.err, result.err
        assert not words[-1].exists()
