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


@pytest.mark.parametrize("group", [2, 4])
def test_the_coarse_distance_draws_all_points_of_a_group_to_what_their_mean_is_matched_to(group):
    distance = Reconstruction("emd", 0.0)
    # Two groups around two places, and a point that is left over; a cloud that is at the first place alone.
    places = torch.tensor([[0.0, 0.0, 0.0], [5.0, 0.0, 0.0]])
    around = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])[:group]
    decoded = torch.cat([(places[:, None] + around).flatten(0, 1), torch.full((1, 3), 9.0)])[None].requires_grad_()
    found = distance.coarse(decoded, torch.zeros(1, 2 * group + 1, 3), group)
    near, far = 1.0, (places[1] + around).norm(dim=1).mean()
    torch.testing.assert_close(found, ((near + far) / 2)[None])
    (slope,) = torch.autograd.grad(found.sum(), decoded)
    units = torch.tensor([[1.0, 0, 0], [-1, 0, 0]]) / (2 * group)  # the slope of a mean of 2 * group distances
    torch.testing.assert_close(slope[0, :2], units)
    assert slope[0, -1].abs().sum() == 0
    # Of a cloud of both places, evenly spread points are one of each: each group goes to its own.
    cloud = places.repeat_interleave(group, dim=0)[torch.randperm(2 * group)][None]
    torch.testing.assert_close(distance.coarse(decoded.detach()[:, :-1], cloud, group), torch.ones(1))


def test_shares_of_the_training_match_coarsely_and_validation_never_does():
    model, clouds = Autoencoder((256, 3), code=4, coarse=(0.3, 0.5), **SMALL), boxes(3, 256)
    asked = []
    model.distance.coarse = lambda decoded, x, group: asked.append(group) or (decoded - x).norm(dim=2).mean(1)
    for progress in (0.0, 0.29, 0.3, 0.49, 0.5, 0.99):
        model.update(Batch(clouds, progress=progress))
    model.eval().validate(Batch(clouds))
    assert asked == [4, 4, 2, 2]
    assert Autoencoder((256, 3), reconstruction="chamfer", **SMALL).coarse == (0, 0)
    assert Autoencoder((255, 3), **SMALL).coarse == (0, 0)


@pytest.mark.parametrize("coarse", [(0.5, 0.4), (0.5, 1.0), (-0.1, 0.5), (0.5,), 0.5])
def test_shares_that_are_no_shares_are_refused(coarse):
    with pytest.raises(ValueError, match="coarse: must be two shares of the training, 0 <= four <= two < 1, got "):
        Autoencoder((256, 3), coarse=coarse)


def test_hidden_layers_are_learned_by_muon_unless_told_otherwise():
    model = Autoencoder((64, 3), encoder={"name": "pointnet", "widths": [32, 64]}, decoder=SMALL["decoder"])
    groups = {name: each.param_groups[0]["params"] for name, each in model.optimizers().items()}
    assert [tuple(p.shape) for p in groups["matrix_optimizer"]] == [(64, 32), (128, 64), (32, 128)]
    told = {id(p) for params in groups.values() for p in params}
    assert told == {id(p) for p in model.parameters()}
    before = [p.detach().clone() for p in model.parameters()]
    model.update(Batch(boxes(4, 64)))
    assert not any(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    assert list(Autoencoder((64, 3), matrix_lr=0, **SMALL).optimizers()) == ["optimizer"]
