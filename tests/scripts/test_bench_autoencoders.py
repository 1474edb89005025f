"""The benchmark of autoencoders, at a tiny size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pcgen.data import Augmentation
from pcgen.models.clouds.autoencoder import Autoencoder


def test_a_row_for_each_variant_beside_those_measured_before(script: Callable[[str], Any], tmp_path: Path) -> None:
    sizes = {"points": 16, "chairs": 60, "minutes": 0.005, "only": "shapes:chair", "out": tmp_path}
    program = script("bench_autoencoders")
    program.main(variants="default; Chamfer", **sizes)
    program.main(variants="code of 64", **sizes)
    rows = script("figures").read("autoencoders")
    assert [row["variant"] for row in rows] == ["default", "Chamfer", "code of 64"]
    assert len({row["weights"] for row in rows}) == 2  # a smaller code has fewer
    for row in rows:
        assert row["clouds"] == "6" and 0 < float(row["emd_floor"]) < float(row["emd_test"])
        assert float(row["one_nna_cd_decoded_low"]) <= float(row["one_nna_cd_decoded"]) <= 100
    table = script("generation_tables").autoencoders(rows)
    assert "| Chamfer |" in table and "16 points, 0.005 minutes each, 6 clouds per set" in table


def test_variants_of_the_random_changes_differ_from_the_default_by_what_their_names_say(
    script: Callable[[str], Any],
) -> None:
    program = script("bench_autoencoders")
    default = Autoencoder((16, 3)).recipe.augment
    assert Augmentation(**program.CHANGED) == default
    for name, amounts in {
        "half rotated too": {"rotation": 180, "rotated": 0.5},
        "rotated too": {"rotation": 180},
        "stretched twice as much": {"stretch": 0.3},
    }.items():
        changed = vars(program.VARIANTS[name][2]["augment"])
        assert {key: value for key, value in changed.items() if value != getattr(default, key)} == amounts
