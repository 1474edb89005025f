import pytest
import torch

from pcgen import ops
from pcgen.models import Batch
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.models.clouds.reconstruction import Reconstruction

CONTRACT = {"autoencoder": {"code": 6, "encoder": {"name": "pointnet", "widths": [8, 8]}}}

SMALL = {"encoder": {"name": "pointnet", "widths": [16, 32]}, "decoder": {"name": "fully_connected", "widths": [32]}}


def boxes(count: int, points: int) -> torch.Tensor:
    """Points uniform in boxes of random sides, (count, points, 3): a cloud is known by three numbers."""
    return (torch.rand(count, points, 3) - 0.5) * (0.2 + torch.rand(count, 1, 3))


@pytest.mark.parametrize("reconstruction", ["chamfer", "emd"])
def test_reconstructs_better_than_the_mean_shape(reconstruction):
    train, held_out = boxes(64, 64), boxes(16, 64)
    model = Autoencoder((64, 3), code=16, reconstruction=reconstruction, lr=3e-3, **SMALL)
    for _ in range(150):
        rows = torch.randint(64, (16,))
        model.update(Batch(train[rows], rows))
    model.eval()
    distance = getattr(ops, reconstruction)
    # The mean shape of clouds without an order: the training cloud that is nearest to all others on average.
    among = torch.stack([distance(train[i].expand(64, -1, -1).contiguous(), train).mean() for i in range(64)])
    medoid = train[among.argmin()].expand(16, -1, -1).contiguous()
    assert model.validate(Batch(held_out)) < 0.8 * distance(medoid, held_out).mean()


def test_codes_do_not_depend_on_the_order_of_points():
    model = Autoencoder((64, 3), code=16, **SMALL).eval()
    clouds = boxes(4, 200)  # of any size
    torch.testing.assert_close(model.encode(clouds[:, torch.randperm(200)]), model.encode(clouds), atol=1e-6, rtol=1e-6)


def test_validation_is_the_loss_averaged_over_rows():
    model, clouds = Autoencoder((8, 3), code=4, **SMALL).eval(), boxes(130, 8)  # more than one part, the last uneven
    each = ops.emd(model.decode(model.encode(clouds)), clouds)
    torch.testing.assert_close(model.validate(Batch(clouds)), each.mean(), atol=1e-6, rtol=1e-5)


def test_a_model_that_has_diverged_blames_itself_and_not_the_clouds():
    model, clouds = Autoencoder((8, 3), code=4, **SMALL), boxes(3, 8)
    with torch.no_grad():
        next(model.decoder.parameters()).fill_(torch.inf)
    with pytest.raises(FloatingPointError, match=r"a decoded cloud is not finite \(the model has diverged"):
        model.update(Batch(clouds, torch.arange(3)))
    with pytest.raises(FloatingPointError, match="has diverged"):
        model.eval().validate(Batch(clouds))


@pytest.mark.parametrize("shape", [(64,), (64, 2), (0, 3), (2, 64, 3)])
def test_shape_must_be_of_clouds(shape):
    with pytest.raises(ValueError, match=r"autoencoder: shape must be \(points, 3\) for clouds, got "):
        Autoencoder(shape)


def test_the_encoder_is_shown_other_points_of_a_cloud_at_every_update_and_all_of_them_afterwards():
    class Watched(torch.nn.Module):
        def forward(self, x):
            seen.append(x)
            return x.mean(dim=1)

    seen, clouds = [], boxes(5, 32)
    model = Autoencoder((32, 3), code=3, encoder=Watched(), decoder=SMALL["decoder"], seen=8)
    for _ in range(2):
        model.update(Batch(clouds))
    model.eval().encode(clouds)
    first, second, all_of_them = seen
    for part in (first, second):
        assert part.shape == (5, 8, 3)
        for row, cloud in zip(part, clouds, strict=True):  # eight different points of its own cloud
            assert (row[:, None] == cloud).all(dim=2).sum() == 8
    assert not torch.equal(first, second) and torch.equal(all_of_them, clouds)


def test_training_takes_matchings_within_the_gap_and_validation_exact_ones(monkeypatch):
    gaps, clouds = [], boxes(5, 32)
    exact = ops.emd
    monkeypatch.setattr(ops, "emd", lambda x, y, gap=0.0: gaps.append(gap) or exact(x, y, gap))
    model = Autoencoder((32, 3), code=3, gap=0.1, **SMALL)
    model.update(Batch(clouds))
    model.eval().validate(Batch(clouds))
    assert gaps == [0.1, 0.0]


def test_the_coarse_distance_draws_all_four_points_of_a_group_to_what_their_mean_is_matched_to():
    distance = Reconstruction("emd", 0.0)
    # Two groups of four around two places, and a point that is left over; a cloud of nine points at both places.
    places = torch.tensor([[0.0, 0.0, 0.0], [5.0, 0.0, 0.0]])
    around = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    decoded = torch.cat([(places[:, None] + around).flatten(0, 1), torch.full((1, 3), 9.0)])[None].requires_grad_()
    found = distance.coarse(decoded, torch.zeros(1, 9, 3))  # every choice of a quarter is the same
    first, second = 1.0, (4.0 + 6.0 + 2 * 26**0.5) / 4
    torch.testing.assert_close(found, torch.tensor([(first + second) / 2]))
    (slope,) = torch.autograd.grad(found.sum(), decoded)
    torch.testing.assert_close(slope[0, :2], torch.tensor([[1.0, 0, 0], [-1, 0, 0]]) / 8)  # unit vectors, a mean of 8
    assert slope[0, 8].abs().sum() == 0
    # Where the places differ, each group goes to its own: 1 from each of its points, whatever their order.
    cloud = places.repeat_interleave(4, dim=0)[torch.randperm(8)][None]
    both = [float(distance.coarse(decoded.detach()[:, :8], cloud)) for _ in range(40)]
    assert min(both) == pytest.approx(1.0)


def test_a_share_of_the_training_matches_coarsely_and_validation_never_does():
    model, clouds = Autoencoder((256, 3), code=4, coarse=0.5, **SMALL), boxes(3, 256)
    asked = []
    model.distance.coarse = lambda decoded, x: asked.append(len(x)) or (decoded - x).norm(dim=2).mean(1)
    for progress in (0.0, 0.49, 0.5, 0.99):
        model.update(Batch(clouds, progress=progress))
    model.eval().validate(Batch(clouds))
    assert asked == [3, 3]
    assert Autoencoder((256, 3), coarse=0.5, reconstruction="chamfer", **SMALL).coarse == 0
    assert Autoencoder((255, 3), coarse=0.5, **SMALL).coarse == 0
    with pytest.raises(ValueError, match="coarse: must be at least 0 and below 1, got 1"):
        Autoencoder((256, 3), coarse=1.0)
