"""Up axes, normalisations and augmentation: what moves clouds."""

import json

import pytest
import torch

from pcgen.data import NORMALIZATIONS, Augmentation, Normalization
from pcgen.data.axes import UP_AXES, to_y_up


def sample(count: int = 5) -> torch.Tensor:
    points = torch.randn(count, 50, 3) * torch.tensor([1.0, 2.0, 0.5])
    return points * torch.arange(1, count + 1)[:, None, None] + torch.tensor([3.0, -1.0, 10.0])


@pytest.mark.parametrize("up", UP_AXES)
def test_the_up_axis_becomes_y_by_a_rotation(up: str) -> None:
    axis = torch.zeros(3)
    axis["xyz".index(up[-1])] = -1.0 if up.startswith("-") else 1.0
    assert torch.equal(to_y_up(axis, up), torch.tensor([0.0, 1.0, 0.0]))
    matrix = to_y_up(torch.eye(3), up).T
    assert torch.equal(matrix @ matrix.T, torch.eye(3)) and torch.linalg.det(matrix) > 0


def test_an_unknown_axis_is_told() -> None:
    with pytest.raises(ValueError, match="up: must be one of y, z, x, -y, -z, -x; got 'w'"):
        to_y_up(torch.zeros(3), "w")


def test_unit_sphere_centres_the_mean_and_puts_the_farthest_point_at_one() -> None:
    x = Normalization("unit_sphere").apply(sample())
    assert x.mean(1).abs().max() < 1e-5
    assert torch.allclose(x.norm(dim=-1).amax(1), torch.ones(5))


@pytest.mark.parametrize(("name", "side"), [("unit_box", 1.0), ("bbox", 2.0)])
def test_boxes_are_centred_with_their_longest_side_given(name: str, side: float) -> None:
    x = Normalization(name).apply(sample())
    low, high = x.amin(1), x.amax(1)
    assert (low + high).abs().max() < 1e-5
    assert torch.allclose((high - low).amax(1), torch.full((5,), side))


def test_global_std_has_one_mean_and_one_deviation_of_the_training_set() -> None:
    train = sample()
    fitted = Normalization("global_std").fit(train)
    x = fitted.apply(train)
    assert x.mean((0, 1)).abs().max() < 1e-5
    assert x.square().mean().sqrt() == pytest.approx(1, abs=1e-5)
    other = torch.randn(2, 7, 3)
    expected = (other - torch.tensor(fitted.offset)) / fitted.size
    assert torch.allclose(fitted.apply(other), expected)


@pytest.mark.parametrize("name", ["none", "global_std"])
def test_undo_is_the_inverse_where_places_are_kept(name: str) -> None:
    fitted = Normalization(name).fit(sample())
    other = torch.randn(3, 9, 3)
    assert torch.allclose(fitted.undo(fitted.apply(other)), other, atol=1e-5)


@pytest.mark.parametrize("name", ["unit_sphere", "unit_box", "bbox"])
def test_undo_puts_clouds_at_the_mean_place_and_size_of_training(name: str) -> None:
    shape = torch.randn(1, 30, 3)
    train = torch.cat([2 * shape + 1, 4 * shape - 3])
    fitted = Normalization(name).fit(train)
    expected = 3 * shape - 1  # both clouds are one shape: sizes 2 and 4, places 1 and -3
    assert torch.allclose(fitted.undo(fitted.apply(train[:1])), expected, atol=1e-5)


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_a_normalisation_survives_json(name: str) -> None:
    fitted = Normalization(name).fit(sample())
    assert Normalization.from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted


@pytest.mark.parametrize("name", [name for name in NORMALIZATIONS if name != "none"])
def test_clouds_without_size_are_told(name: str) -> None:
    flat = sample()
    flat[3] = 7.0
    with pytest.raises(ValueError, match="equal" if name == "global_std" else "cloud 3 is one point repeated"):
        Normalization(name).fit(torch.full_like(flat, 2.0) if name == "global_std" else flat)


def test_misuse_of_a_normalisation_is_told() -> None:
    with pytest.raises(ValueError, match="did you mean 'unit_box'"):
        Normalization("unit_bx")
    with pytest.raises(ValueError, match="must be fitted"):
        Normalization("global_std").apply(sample())
    with pytest.raises(ValueError, match="must be fitted"):
        Normalization("unit_box").undo(sample())
    with pytest.raises(ValueError, match=r"points: must be clouds \(S, N, 3\)"):
        Normalization("bbox").fit(torch.zeros(3, 3))
    with pytest.raises(ValueError, match="normalization: must have name"):
        Normalization.from_dict({"name": "bbox"})
    for offset in ([1.0, 2.0], [1.0, 2.0, "x"], [1.0, 2.0, 3.0, 4.0]):
        with pytest.raises(ValueError, match="normalization: must have name, offset of three numbers"):
            Normalization.from_dict({"name": "bbox", "offset": offset, "size": 1.0, "fitted": True})


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_a_placement_puts_every_cloud_back_where_it_was(name: str) -> None:
    x = sample(300)  # more than are worked on at a time
    fitted = Normalization(name).fit(x[:4])
    y, placement = fitted.place(x)
    assert torch.equal(y, fitted.apply(x)) and len(placement) == 300
    assert torch.allclose(placement.undo(y), x, rtol=1e-6, atol=1e-6 * x.abs().max())
    part = placement.select([7, 2])
    few = part.undo(y[[7, 2]][:, :9])  # reconstructions may have another number of points
    assert few.dtype == torch.float32 and torch.allclose(few, x[[7, 2]][:, :9], rtol=1e-6, atol=1e-4)
    with pytest.raises(ValueError, match=r"must be the 2 clouds that were placed, \(2, M, 3\), got \(300, 50, 3\)"):
        part.undo(y)
    large = placement.size.flatten() > placement.size.median()
    assert torch.equal(placement.select(large).offset, placement.offset[large])
    with pytest.raises(ValueError, match=r"rows: must be a mask of one truth value for each of 2 clouds, got \(300,\)"):
        part.select(large)


def test_a_placement_is_a_clouds_mean_and_radius() -> None:
    square = torch.tensor([[[2.0, 0, 0], [-2, 0, 0], [0, 2, 0], [0, -2, 0]]])
    _, placement = Normalization("unit_sphere").place(square + torch.tensor([5.0, 6, 7]))
    assert placement.offset.tolist() == [[[5, 6, 7]]] and placement.size.tolist() == [[[2]]]
    assert placement.undo(torch.ones(1, 1, 3)).tolist() == [[[7, 8, 9]]]


def test_rotation_keeps_heights_and_radii_and_covers_its_range() -> None:
    x = sample(1).expand(2000, -1, -1)
    y = Augmentation(rotation=30)(x)
    assert torch.allclose(y[..., 1], x[..., 1], atol=1e-5)
    assert torch.allclose(y[..., ::2].norm(dim=-1), x[..., ::2].norm(dim=-1), atol=1e-4)
    turned = torch.atan2(y[:, 0, 0], y[:, 0, 2]) - torch.atan2(x[:, 0, 0], x[:, 0, 2])
    degrees = torch.rad2deg(torch.atan2(turned.sin(), turned.cos()))
    assert degrees.abs().max() <= 30.01 and degrees.max() > 29 and degrees.min() < -29
    assert abs(degrees.mean()) < 4 * 30 / 3**0.5 / 2000**0.5


def test_a_share_of_the_clouds_is_rotated_and_the_others_are_bitwise_the_same() -> None:
    x = sample(1).expand(4000, -1, -1)
    y = Augmentation(rotation=180, rotated=0.25)(x)
    same = (y == x).flatten(1).all(1)
    assert abs(float(same.double().mean()) - 0.75) < 4 * (0.25 * 0.75 / 4000) ** 0.5
    turned = torch.atan2(y[~same, 0, 0], y[~same, 0, 2]) - torch.atan2(x[~same, 0, 0], x[~same, 0, 2])
    degrees = torch.rad2deg(torch.atan2(turned.sin(), turned.cos()))  # uniform, not shrunk
    assert abs(float(degrees.abs().mean()) - 90) < 4 * 180 / 12**0.5 / len(degrees) ** 0.5
    assert torch.equal(Augmentation(rotation=180, rotated=0)(x), x)


def test_scale_and_jitter_have_the_spread_they_say() -> None:
    x = sample(1).expand(4000, -1, -1)
    size = (Augmentation(scale=0.25)(x) / x)[:, 0, 0]
    assert size.min() >= 0.8 - 1e-5 and size.max() <= 1.25 + 1e-5
    assert abs(size.log().mean()) < 4 * torch.tensor(1.25).log() / 3**0.5 / 4000**0.5
    noise = Augmentation(jitter=0.01)(x) - x
    assert noise.std() == pytest.approx(0.01, rel=0.01)


def test_stretching_and_mirroring_are_what_they_say() -> None:
    x = sample()
    factors = Augmentation(stretch=0.25)(x) / x
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors), rtol=1e-4, atol=1e-4)
    assert factors.min() >= 1 / 1.25 and factors.max() <= 1.25 + 1e-4 and (factors[:, 0, 0] != factors[:, 0, 1]).all()
    mirrored = Augmentation(mirror=0.5)(x)
    turned = (mirrored[:, 0, 0] != x[:, 0, 0]).nonzero().flatten()
    assert 0 < len(turned) < len(x) and torch.equal(mirrored[..., 1:], x[..., 1:])
    assert torch.equal(mirrored[turned][..., 0], -x[turned][..., 0])
    assert torch.equal(Augmentation(mirror=1)(x)[..., 0], -x[..., 0])


def test_augmentation_draws_from_the_global_stream_alone() -> None:
    x, change = sample(), Augmentation(rotation=180, jitter=0.1, scale=0.1)
    torch.manual_seed(5)
    first = change(x)
    torch.manual_seed(5)
    assert torch.equal(first, change(x)) and not torch.equal(first, change(x))
    assert torch.equal(Augmentation()(x), x)


def test_centred_changes_leave_the_middle_of_every_cloud_where_it_is() -> None:
    x = sample() + torch.tensor([5.0, -2.0, 3.0])
    changed = Augmentation(stretch=0.5, scale=0.2, mirror=0.5, centred=True)(x)

    def middle(clouds: torch.Tensor) -> torch.Tensor:
        return (clouds.amin(1) + clouds.amax(1)) / 2

    torch.testing.assert_close(middle(changed), middle(x))
    assert not torch.allclose(changed, x)
    torch.manual_seed(5)
    apart = Augmentation(rotation=90, centred=True)(x)
    torch.manual_seed(5)
    about_origin = Augmentation(rotation=90)(x - middle(x)[:, None])
    torch.testing.assert_close(apart, about_origin + middle(x)[:, None])


def test_normals_stay_perpendicular_to_the_surface_that_is_changed() -> None:
    """Of a sphere: each tangent t becomes T t, so the normal of the changed surface is perpendicular to it."""
    normals = torch.nn.functional.normalize(torch.randn(40, 30, 3, dtype=torch.float64), dim=2)
    tangents = torch.linalg.cross(normals, torch.randn_like(normals))
    x = torch.cat([torch.cat((p, normals), 2) for p in (normals, normals + tangents)], 1) + torch.tensor(
        [3.0, 2.0, -7.0, 0, 0, 0]
    )
    for centred in (False, True):
        change = Augmentation(rotation=180, scale=0.3, stretch=0.4, mirror=0.5, centred=centred)
        torch.manual_seed(1)
        moved = change(x)
        points, turned = moved[..., :3].split(30, 1), moved[:, :30, 3:]
        torch.testing.assert_close(((points[1] - points[0]) * turned).sum(2), torch.zeros(40, 30).double())
        torch.testing.assert_close(turned.norm(dim=2), torch.ones(40, 30).double())
        middle = (moved[..., :3].amin(1, keepdim=True) + moved[..., :3].amax(1, keepdim=True)) / 2
        assert ((points[0] - middle) * turned).sum(2).mean() > 0  # outwards, as before
        torch.manual_seed(1)
        assert torch.equal(change(x[..., :3]), moved[..., :3])  # by the same random numbers
    missing = torch.cat((normals, torch.zeros_like(normals)), 2)
    assert Augmentation(stretch=0.5, rotation=90)(missing)[..., 3:].eq(0).all()


def test_an_augmentation_says_what_it_does() -> None:
    assert str(Augmentation(stretch=0.15, mirror=0.5)) == "stretch 0.15, mirror 0.5"
    centred = "stretch 0.15, mirror 0.5 about each cloud's centre"
    assert str(Augmentation(stretch=0.15, mirror=0.5, centred=True)) == centred
    assert str(Augmentation(jitter=0.5, centred=True)) == "jitter 0.5"
    assert str(Augmentation(rotation=90, mirror=1, rotated=0.5)) == "rotation 90 of a share of 0.5, mirror 1"
    assert str(Augmentation(rotated=0.5)) == "no change" and str(Augmentation(rotation=90)) == "rotation 90"
    assert str(Augmentation(centred=True)) == "no change"
    assert str(Augmentation()) == "no change"


def test_misuse_of_augmentation_is_told() -> None:
    with pytest.raises(ValueError, match="jitter: must be a number of at least 0, got -1"):
        Augmentation(jitter=-1)
    with pytest.raises(ValueError, match="mirror: must be a share from 0 to 1, got 2"):
        Augmentation(mirror=2)
    with pytest.raises(ValueError, match=r"rotated: must be a share from 0 to 1, got 1\.5"):
        Augmentation(rotation=90, rotated=1.5)
    with pytest.raises(ValueError, match="rotation: must be"):
        Augmentation(rotation=float("nan"))
    with pytest.raises(ValueError, match=r"batch of clouds \(B, N, 3\)"):
        Augmentation()(torch.zeros(5, 3))
