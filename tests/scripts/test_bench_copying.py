"""The benchmark of augmentation against copying, at a tiny size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pcgen import data, training


def test_turned_copies_are_learned_and_measured(script: Callable[[str], Any], tmp_path: Path) -> None:
    program, tables = script("bench_copying"), script("generation_tables")
    program.main(
        chairs=40,
        held_out="shapes:chair=200@test",
        copies="2,32",
        points=32,
        autoencoder=0.005,
        head=0.005,
        out=tmp_path,
    )
    rows = script("figures").read("copying")
    named = [(row["turned"], row["model"]) for row in rows]
    models = ("diffusion", "second sample", "training set")
    assert sorted(named) == sorted((turned, model) for turned in ("2", "32") for model in models)
    for row in rows:
        assert row["clouds"] == "20" and (row["z_u_cd"] == "") == (row["model"] == "training set")
    assert tables.turned(rows).count("*second sample*") == 2
    # Their number is the only difference between the trainings: by default, 1,000 rows would not be changed at random.
    learned = [training.Run.open(tmp_path / f"40-32-{turned}" / "autoencoder").config for turned in (2, 32)]
    assert learned[0]["data"]["shape"][0] < 1000 < learned[1]["data"]["shape"][0]
    assert learned[0]["training"] == learned[1]["training"] and learned[0]["training"]["augment"]

    own = data.load(str(tmp_path / "40-32-2" / "chairs.npz")).points.double()
    heights = own[..., 1].sort(1).values
    torch.testing.assert_close(heights[0], heights[1])  # two turns of one chair
    assert float((own[0] - own[1]).norm()) > 0.1
