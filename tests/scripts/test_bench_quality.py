"""The benchmark of heads on codes, at a tiny size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pcgen.studies.quality import BASELINES


def test_rows_of_settings_have_those_of_their_own_model_and_stand_beside_the_defaults(
    script: Callable[[str], Any], tmp_path: Path
) -> None:
    sizes = {"chairs": 60, "points": 16, "minutes": 0.005, "effort": 0.001, "only": "shapes:chair", "cores": 1}
    program, figures = script("bench_quality"), script("figures")
    program.main(models="gan,gaussian", out=tmp_path / "runs", **sizes)
    program.main(settings=["gan.r1=0", "gaussian.covariance=full", "gan.lr=0.01"], out=tmp_path / "runs", **sizes)
    rows = figures.read("quality")
    changed = ["gan r1=0 lr=0.01", "gaussian covariance=full"]
    assert [row["model"] for row in rows] == [*BASELINES, "gan", "gaussian", *changed]
    for row in rows:
        assert (row["data"], row["held_out_codes"]) == ("shapes:chair", "6")
        assert float(row["low"]) <= float(row["high"]) and (int(row["weights"]) > 0) == (row["model"] not in BASELINES)
    assert f"| {changed[0]} |" in script("code_tables").quality(rows)
