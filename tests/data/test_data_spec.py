from pathlib import Path

import numpy as np
import pytest

from pcgen.data import Spec, default_split, info, load, parse
from pcgen.data.spec import short


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("shapes", Spec("shapes")),
        ("shapes:chair", Spec("shapes", ("chair",))),
        ("shapes:chair=200,mug@test", Spec("shapes", ("chair=200", "mug"), ("test",))),
        ("a/b.npz@train,val", Spec("a/b.npz", (), ("train", "val"))),
        ("a/b.npz:Figure Accessory@all", Spec("a/b.npz", ("Figure Accessory",), ("all",))),
        ("C:\\data\\b.npz", Spec("C:\\data\\b.npz")),
        ("C:\\data\\b.npz:Brick@val", Spec("C:\\data\\b.npz", ("Brick",), ("val",))),
        ("/data/me@lab/b.npz", Spec("/data/me@lab/b.npz")),
        ("/data/a:b/c.npz", Spec("/data/a:b/c.npz")),
    ],
)
def test_a_spec_is_taken_apart_and_put_together(text: str, spec: Spec) -> None:
    assert parse(text) == spec
    assert str(spec) == text


def test_a_path_that_exists_is_a_source_whatever_signs_it_holds(tmp_path: Path) -> None:
    folder = tmp_path / "a:b@test"
    folder.mkdir()
    assert parse(str(folder)) == Spec(str(folder))
    assert parse(f"{folder}:chair@train") == Spec(str(folder), ("chair",), ("train",))


def test_a_class_of_a_source_of_one_letter_is_not_a_drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse("a:mug") == Spec("a:mug")
    (tmp_path / "a").mkdir()
    assert parse("a:mug@test") == Spec("a", ("mug",), ("test",))


@pytest.mark.parametrize("count", ["3000000000", "9" * 5000])
def test_more_built_in_shapes_than_can_be_named_are_refused(count: str) -> None:
    told = "the names of 3000000000 clouds: would take 838.19 GiB" if len(count) < 20 else "must be FAMILY=COUNT"
    for family in ("chair", "scene"):
        with pytest.raises(ValueError, match=rf"^shapes:{family}.*: {told}"):
            load(f"shapes:{family}={count}")


def test_a_folder_called_shapes_is_told_from_the_built_in_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load("shapes:mug=3", surface_points=16).notes == ()
    (tmp_path / "shapes").mkdir()
    np.save(tmp_path / "shapes" / "a.npy", np.ones((5, 3)))
    for spec in ("shapes:mug=3", "shapes:scene=3@train"):
        note = f"{spec}: the built-in shapes; for the folder write ./shapes"
        assert load(spec, surface_points=16).notes == (note,) and note in str(info(spec)["notes"])
    for spec in ("./shapes", "./shapes@all", str(tmp_path / "shapes")):
        own = load(spec)
        assert own.names == ("a.npy",) and own.notes == ()


def test_an_unknown_split_and_no_text_are_told() -> None:
    with pytest.raises(ValueError, match="did you mean 'train'"):
        parse("shapes:chair@trian")
    with pytest.raises(ValueError, match="SOURCE"):
        parse(" ")


def test_default_split_says_so_only_where_none_is_named() -> None:
    assert default_split("x.npz:Brick", "test") == ("x.npz:Brick@test", "x.npz:Brick names no split: @test is taken")
    assert default_split("x.npz@val", "test") == ("x.npz@val", None)


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("/far/away/boxes.npz", "boxes.npz"),
        ("data/boxes.npz:Brick@test", "boxes.npz:Brick@test"),
        ("shapes:chair=300@test", "shapes:chair=300@test"),
        ("scans/", "scans"),
        ("/far/away/scans/", "scans"),
        ("scans/:chair", "scans:chair"),
        ("data/scans//:chair,table@train", "scans:chair,table@train"),
        ("data/scans/@test", "scans@test"),
        ("data/scans@2024", "scans@2024"),
        ("./", "./"),
    ],
)
def test_a_short_spec_has_no_folders_and_always_its_source(spec: str, shown: str) -> None:
    assert short(spec) == shown
