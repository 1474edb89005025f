"""Protocols: the conventions in print, and a hash that changes with whatever a number depends on."""

import dataclasses

import pytest

from pcgen.metrics import PROTOCOLS, Protocol, protocol


def test_presets_bind_the_conventions_in_print() -> None:
    bound = {
        p.name: (p.normalization, p.points, p.emd, p.grid, p.samples_per_reference, p.split) for p in PROTOCOLS.values()
    }
    assert bound == {
        "exact": ("none", None, "exact", "reference", 1, None),
        "latent_3d_points": ("none", 2048, "approxmatch", "absolute", 3, "test"),
        "pointflow": ("none", 2048, "approxmatch_pointflow", "absolute", 1, "val"),
        "lion": ("none", 2048, "approxmatch_squared", "absolute", 1, "val"),
        "dit3d": ("none", 2048, "approxmatch_squared", "absolute", 1, "val"),
        "topodit": ("none", 2048, "approxmatch_squared", "absolute", 1, "val"),
        "dpm": ("bbox", 2048, None, "absolute", 1, "test"),
    }
    assert {name: p.batch for name, p in PROTOCOLS.items() if p.batch} == {"dit3d": 64, "topodit": 8}
    assert [name for name, p in PROTOCOLS.items() if p.subset == "random"] == ["exact"]


def test_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(
        ValueError, match=r"protocol: must be one of exact, .*got 'point_flow'; did you mean 'pointflow'\?"
    ):
        protocol("point_flow")
    own = dataclasses.replace(protocol("exact"), points=512)
    assert protocol(own) is own


def test_a_changed_preset_says_in_what() -> None:
    assert [p.departures() for p in PROTOCOLS.values()] == [[]] * 7
    changed = dataclasses.replace(protocol("lion"), points=512, subset="random")
    assert changed.departures() == ["points: 512, lion has 2048", "subset: random, lion has first"]
    assert dataclasses.replace(protocol("exact"), points=512).departures() == []
    assert dataclasses.replace(protocol("exact"), batch=8).departures() == ["batch: 8, exact has None"]
    placed = dataclasses.replace(protocol("exact"), normalization="unit_sphere")
    assert placed.departures() == ["normalization: unit_sphere, exact has none"]
    assert dataclasses.replace(changed, name="mine").departures() == []


def test_hash_covers_every_field_and_condition() -> None:
    base = protocol("lion")
    changed: dict[str, object] = {
        "name": "mine",
        "normalization": "bbox",
        "points": 1024,
        "subset": "random",
        "emd": "exact",
        "grid": "reference",
        "batch": 64,
        "samples_per_reference": 2,
        "seeds": 5,
        "split": "test",
    }
    assert {*changed, "about"} == {f.name for f in dataclasses.fields(Protocol)}
    stamps = [base.stamp(seed=0, deviations=[])]
    stamps += [
        dataclasses.replace(base, **{name: value}).stamp(seed=0, deviations=[]) for name, value in changed.items()
    ]
    stamps += [base.stamp(seed=1, deviations=[]), base.stamp(seed=0, deviations=["samples: 30 for 40"])]
    assert len({s["hash"] for s in stamps}) == len(stamps)
    assert base.stamp(deviations=[], seed=0) == stamps[0]


def test_hashes_are_pinned() -> None:
    # A change here changes what numbers may be compared: it must be meant, and said in the changelog.
    assert {name: p.stamp()["hash"] for name, p in PROTOCOLS.items()} == {
        "exact": "4291aeba4914",
        "latent_3d_points": "99dc874e8905",
        "pointflow": "04e683e4189e",
        "lion": "51c808063c7e",
        "dit3d": "250c7f16e83a",
        "topodit": "cdd5ba468e77",
        "dpm": "289a898550f7",
    }


def test_bad_fields_are_named() -> None:
    with pytest.raises(ValueError, match=r"normalization: must be one of none, unit_sphere, .*; got 'box'"):
        dataclasses.replace(protocol("exact"), normalization="box")
    for name in ("points", "batch", "samples_per_reference", "seeds"):
        with pytest.raises(ValueError, match=f"{name}: must be at least 1, got 0"):
            dataclasses.replace(protocol("exact"), **{name: 0})
    for name, given, names in (
        ("subset", "last", "first, random"),
        ("grid", "around", "absolute, reference"),
        ("emd", "sinkhorn", "exact, approxmatch, approxmatch_pointflow, approxmatch_squared"),
        ("split", "tests", "train, val, test"),
    ):
        with pytest.raises(ValueError, match=f"{name}: must be one of {names}; got '{given}'"):
            dataclasses.replace(protocol("exact"), **{name: given})
    free = dataclasses.replace(protocol("lion"), points=None, emd=None, batch=None, split=None)
    assert (free.points, free.emd, free.batch, free.split) == (None, None, None, None)
