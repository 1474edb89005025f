import pytest
import torch

from pcgen.data import Clouds
from pcgen.data.thinning import others, thin


def clouds(count: int = 6) -> Clouds:
    points = torch.arange(count * 2 * 3, dtype=torch.float32).reshape(count, 2, 3)
    return Clouds(
        points,
        normals=-points,
        labels=torch.arange(count) % 2,
        classes=("even", "odd"),
        names=tuple(f"n{row}" for row in range(count)),
        splits=("train", "train", "val", "test", "train", "test")[:count],
        source="made",
        notes=("a note",),
    )


def test_select_takes_everything_of_the_rows() -> None:
    some = clouds().select([4, 1])
    assert torch.equal(some.points, clouds().points[[4, 1]])
    assert some.normals is not None and torch.equal(some.normals, -some.points)
    assert some.labels is not None and some.labels.tolist() == [0, 1]
    assert some.names == ("n4", "n1") and some.splits == ("train", "train")
    assert some.classes == ("even", "odd") and some.notes == ("a note",)


def test_a_mask_selects_the_rows_where_it_is_true() -> None:
    own = clouds()
    mask = torch.tensor([False, True, True, False, False, True])
    for rows in (mask, mask.tolist(), mask.numpy()):
        assert own.select(rows).names == ("n1", "n2", "n5")
        assert torch.equal(own.select(rows).points, own.points[mask])
    assert len(own.select(torch.zeros(6, dtype=torch.bool))) == len(own.select([])) == 0
    with pytest.raises(ValueError, match=r"rows: must be a mask of one truth value for each of 6 clouds, got \(2,\)"):
        own.select(torch.tensor([True, False]))
    with pytest.raises(ValueError, match=r"rows: must be whole numbers, .* got torch\.float32; give indices"):
        own.select(torch.tensor([0.0, 1.7]))


def test_split_takes_its_rows_and_all_is_the_whole() -> None:
    assert clouds().split("test").names == ("n3", "n5")
    assert clouds().split("all").names == clouds().names


def test_a_split_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"made: has no split 'val'; it has train, and all"):
        clouds().select([0, 1]).split("val")
    with pytest.raises(ValueError, match="did you mean 'train'"):
        clouds().split("trian")
    with pytest.raises(ValueError, match="it has none"):
        Clouds(torch.zeros(2, 5, 3)).split("test")


def test_names_are_the_places_unless_given() -> None:
    assert Clouds(torch.zeros(3, 5, 3)).names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"points": torch.zeros(5, 3)}, r"points: must be \(S, N, 3\) float32 .* got \(5, 3\)"),
        ({"points": torch.zeros(5, 4, 3).double()}, "float64"),
        ({"points": torch.zeros(5, 0, 3)}, "N >= 1"),
        ({"normals": torch.zeros(5, 4, 2)}, r"normals: must have the shape of points, \(5, 4, 3\)"),
        ({"labels": torch.zeros(4, dtype=torch.int64), "classes": ("a",)}, r"labels: must be \(5,\) int64"),
        ({"labels": torch.full((5,), 2), "classes": ("a", "b")}, "indices into the 2 classes, got 2 to 2"),
        ({"names": ("a",)}, "names: must be one for each of 5 clouds, got 1"),
        ({"splits": ("train",) * 6}, "splits: must be one for each of 5 clouds, got 6"),
        ({"splits": ("train",) * 4 + ("tset",)}, "did you mean 'test'"),
    ],
)
def test_what_does_not_fit_is_told(arguments: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Clouds(**{"points": torch.zeros(5, 4, 3), **arguments})  # type: ignore[arg-type]


def test_other_points_are_as_many_that_were_not_kept() -> None:
    points = torch.arange(2 * 9).view(2, 9, 1)
    kept, rest = thin(points, 4, 3), others(points, 4, 3)
    assert rest is not None and rest.shape == (2, 4, 1)
    for row in range(2):
        both = {*kept[row].flatten().tolist(), *rest[row].flatten().tolist()}
        assert len(both) == 8 and both <= set(points[row].flatten().tolist())
    assert others(points, 5, 3) is None
