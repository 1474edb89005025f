"""Training clouds that are deformed: where their points go, which clouds they are, and what is kept of them."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from pcgen.data.thinning import thin
from pcgen.metrics import z_u
from pcgen.models import build, describe
from pcgen.models.base import Batch
from pcgen.models.clouds import deforming
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.models.clouds.deformed import DeformedCloudModel
from pcgen.models.clouds.deforming import Exemplars, deform
from pcgen.models.mixtures.parzen import Parzen
from pcgen.ops import chamfer_matrix
from pcgen.training import fit

SMALL = {"encoder": {"name": "pointnet", "widths": [16, 32]}, "decoder": {"name": "fully_connected", "widths": [32]}}


class Boxes(Autoencoder):
    """Codes are the sides of a box, and decoded clouds points in it: in other places at each call, if it `draws`."""

    def __init__(self, shape: Sequence[int], draws: bool = False) -> None:
        super().__init__(shape, code=3, **SMALL)  # type: ignore[arg-type]
        self.draws = draws
        self.places = torch.rand(self.shape) - 0.5

    def encode(self, x: Tensor) -> Tensor:
        return x.amax(1) - x.amin(1)

    def decode(self, z: Tensor) -> Tensor:
        places = torch.rand(self.shape) - 0.5 if self.draws else self.places
        return places * z[:, None]


def exemplars(count: int, points: int) -> Tensor:
    return (torch.rand(count, points, 3) - 0.5) * (0.5 + torch.rand(count, 1, 3))


def windows(clouds: Tensor, points: int = 32, draws: bool = False, **config: float) -> DeformedCloudModel:
    autoencoder = Boxes((points, 3), draws)
    head = Parzen((3,), rows=len(clouds), neighbours=3, **config)  # type: ignore[arg-type]
    model = DeformedCloudModel(autoencoder, head, Exemplars.of(clouds))
    fit(model, model.encode(clouds))
    return model.eval()


def test_points_move_as_the_mean_of_the_four_decoded_ones_nearest_to_them() -> None:
    clouds, before, after = torch.randn(3, 40, 3), torch.randn(3, 25, 3), torch.randn(3, 25, 3)
    nearest = torch.cdist(clouds.double(), before.double()).argsort(2)[..., :4]
    expected = torch.stack([x + (after[b] - before[b])[nearest[b]].mean(1) for b, x in enumerate(clouds)])
    torch.testing.assert_close(deform(clouds, before, after), expected)
    assert torch.equal(deform(clouds, before, before), clouds)
    two = deform(clouds, before[:, :2], after[:, :2])  # a decoder of fewer points than neighbours
    torch.testing.assert_close(two, clouds + (after - before)[:, None, :2].mean(2))


def test_a_code_of_its_own_gives_the_training_cloud_and_another_one_its_points_moved() -> None:
    clouds = exemplars(20, 64)
    model = windows(clouds, scale=1e-6, noise=1e-6)
    kept = {tuple(point) for point in clouds.flatten(0, 1).mul(1e3).round().int().tolist()}
    found = model.sample(10, points=40)
    assert found.shape == (10, 40, 3)
    assert {tuple(point) for point in found.flatten(0, 1).mul(1e3).round().int().tolist()} <= kept
    assert all(len(cloud.unique(dim=0)) == 40 for cloud in found)  # no point twice
    assert torch.cdist(model.sample(5, points=500), model.sample(1)).isfinite().all()  # more than it has


@pytest.mark.parametrize("draws", [False, True])
def test_a_decoder_of_boxes_deforms_boxes_into_boxes(draws: bool) -> None:
    """From sides a to sides b each coordinate moves by about (b / a - 1) of itself; beyond 0, sides are mirrored."""
    clouds = exemplars(30, 2000)
    model = windows(clouds, points=2000, draws=draws, scale=1.0, noise=0.05)
    torch.manual_seed(3)
    codes, rows = model.head.draw_about(8)
    own = model.head.centres[rows]
    wanted, before = model.to_head.inverse(own + 2 * (codes - own)), model.to_head.inverse(own)
    torch.manual_seed(3)
    found = model.sample(8, points=2000, farther=2.0)
    # The outermost points have neighbours that are all inside, so they move a little less.
    ratio = (found.square().mean(1) / clouds[rows].square().mean(1)).sqrt()
    torch.testing.assert_close(ratio, (wanted / before).abs(), rtol=0.03, atol=0.02)
    assert (ratio - 1).abs().max() > 0.1


def test_a_share_of_the_clouds_is_mirrored() -> None:
    clouds = exemplars(40, 64)
    clouds[..., 0] = clouds[..., 0].abs() ** 2  # most points of each are at its left
    model = windows(clouds, scale=1e-3, noise=1e-3)

    def share(mirror: float | None = None) -> float:
        x = model.sample(40, points=64, mirror=mirror)[..., 0]
        middle = (x.amin(1) + x.amax(1)) / 2
        return float((x.mean(1) > middle).float().mean())

    assert share() == 0 and share(1.0) == 1
    assert 0.2 < share(0.5) < 0.8
    before, after = model.sample(40, mirror=0.0), model.sample(40, mirror=1.0)
    assert before[..., 0].amin() > -0.05 and after[..., 0].amin() > -0.05  # about the middle of its box, not the origin


def test_decoded_clouds_can_still_be_had() -> None:
    clouds = exemplars(20, 64)
    model = windows(clouds)
    torch.manual_seed(0)
    decoded = model.sample(6, deform=False, points=100)
    torch.manual_seed(0)
    again = model._clouds(model.head.draw(6), 100, even=False, outward=True)
    assert torch.equal(decoded, again)
    torch.manual_seed(0)
    even = model.sample(6, even=True)
    torch.manual_seed(0)
    torch.testing.assert_close(even, model.decode(model.to_head.inverse(model.head.sample(6))))


def test_exemplars_are_kept_with_the_weights() -> None:
    clouds = exemplars(12, 48)
    model = windows(clouds)
    assert describe(model)["exemplars"] == {"count": 12, "points": 48, "mirror": 0.0}
    described = {**describe(model), "autoencoder": model.autoencoder}
    again = build(described)
    again.load_state_dict(model.state_dict())
    again.eval()
    assert model.exemplars.farther != 1
    torch.manual_seed(1)
    first = model.sample(5)
    torch.manual_seed(1)
    assert torch.equal(again.sample(5), first)  # type: ignore[operator]


def test_samples_are_as_far_from_the_training_clouds_as_these_are_from_each_other() -> None:
    clouds = exemplars(60, 400)
    model = windows(clouds, points=200, scale=2.0)
    training = thin(clouds, 200, 0)
    apart = chamfer_matrix(training, training).fill_diagonal_(torch.inf).amin(1)

    def score(farther: float | None) -> float:
        torch.manual_seed(1)
        found = [chamfer_matrix(model.sample(60, farther=farther), training).amin(1) for _ in range(4)]
        return sum(float(z_u(away, apart)) for away in found) / 4

    assert 0.5 < float(model.exemplars.farther) < 2
    assert score(0.5) < -1 < score(None) < 1 < score(2.0)


def test_so_many_points_are_kept_that_all_clouds_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    clouds = exemplars(30, 50)
    assert Exemplars.of(clouds).clouds.equal(clouds)
    monkeypatch.setattr(deforming, "_STORED", 30 * 3 * 20)
    monkeypatch.setattr(deforming, "_FEWEST", 5)
    few = Exemplars.of(clouds).clouds
    assert few.shape == (30, 20, 3) and torch.cdist(few, clouds).amin(2).max() < 1e-3
    monkeypatch.setattr(deforming, "_FEWEST", 25)
    assert Exemplars.of(clouds).clouds.shape == (30, 25, 3)


def test_what_cannot_be_deformed_is_named() -> None:
    clouds = exemplars(10, 32)
    model = windows(clouds)
    with pytest.raises(ValueError, match="farther: must be a positive number, got 0"):
        model.sample(2, farther=0.0)
    with pytest.raises(ValueError, match="farther: is for clouds that are deformed, and these are decoded; leave it"):
        model.sample(2, farther=2.0, deform=False)
    with pytest.raises(ValueError, match=r"deform: the decoder's own points \(even\) are of no deformed cloud"):
        model.sample(2, even=True, deform=True)
    autoencoder = Autoencoder((32, 3), code=3, **SMALL)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"head: must have windows .* 10 exemplars, and this Gaussian has not; take"):
        DeformedCloudModel(autoencoder, {"name": "gaussian", "shape": (3,)}, Exemplars(10, 32))
    with pytest.raises(ValueError, match=r"head: must have windows .* 10 exemplars, and this Parzen has not"):
        DeformedCloudModel(autoencoder, Parzen((3,), rows=11), Exemplars(10, 32))
    with pytest.raises(ValueError, match=r"mirror: must be a share from 0 to 1, got 2"):
        model.sample(2, mirror=2)
    empty = DeformedCloudModel(autoencoder, Parzen((3,), rows=10), {"count": 10, "points": 32})
    with pytest.raises(ValueError, match=r"exemplars: must be the training clouds, and there are none yet"):
        empty.setup(Batch(torch.randn(10, 3)))
