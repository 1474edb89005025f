"""The benchmark of heads, at a tiny size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_row_for_the_decoded_training_set_and_one_for_each_variant(
    script: Callable[[str], Any], tmp_path: Path
) -> None:
    sizes = {"points": 16, "autoencoder": 0.005, "minutes": 0.005}
    program = script("bench_heads")
    names = "diffusion;not stretched;gan;gan, least validation"
    program.main(shapes="shapes:chair=60", variants=names, out=tmp_path, **sizes)
    rows = script("figures").read("heads")
    assert [row["variant"] for row in rows] == ["training set decoded", *names.split(";")]
    assert set(names.split(";")) <= {*program.VARIANTS, *program.DRAWN}
    for row in rows:
        assert row["clouds"] == "6" and (row["loss_held_out"] == "") == (row is rows[0])
        assert 0 <= float(row["one_nna_cd_mean"]) <= 1 and 0 <= float(row["one_nna_cd_error"]) < 0.1
    assert "*training set decoded*" in script("generation_tables").heads(rows)
