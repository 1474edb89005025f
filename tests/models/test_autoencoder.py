import pytest
import torch

from pcgen import ops
from pcgen.models import Batch, build, describe
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.mixtures.gaussian import Gaussian

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


def latent(**head) -> LatentCloudModel:
    return LatentCloudModel(Autoencoder((16, 3), code=6, **SMALL), {"name": "gaussian", "shape": [6], **head})


def test_the_head_sees_codes_of_zero_mean_and_unit_deviation():
    model = latent()
    codes = torch.randn(500, 6) * torch.tensor([1e-3, 1.0, 5.0, 0.0, 2.0, 1.0]) + 7
    seen = []
    model.head.setup = lambda data: seen.append(data.x)
    model.setup(Batch(codes))
    torch.testing.assert_close(seen[0].mean(dim=0), torch.zeros(6), atol=1e-4, rtol=0)
    deviation = seen[0].std(dim=0, correction=0)
    # A constant code (a dead unit of the encoder) stays constant.
    torch.testing.assert_close(deviation, torch.tensor([1.0, 1, 1, 0, 1, 1]), atol=1e-4, rtol=0)


def test_samples_are_decoded_codes_of_the_training_distribution():
    model = latent(covariance="full")
    codes = model.encode(boxes(300, 16))
    model.setup(Batch(codes))
    model.update(Batch(codes, torch.arange(300)))
    drawn = []
    model.autoencoder.decode = lambda z: drawn.append(z) or torch.zeros(len(z), 16, 3)
    assert model.sample(4000).shape == (4000, 16, 3)
    drawn = torch.cat(drawn)
    torch.testing.assert_close(drawn.mean(dim=0), codes.mean(dim=0), atol=0.1 * float(codes.std()), rtol=0)
    torch.testing.assert_close(drawn.T.cov(), codes.T.cov(), atol=0.1 * float(codes.T.cov().abs().max()), rtol=0)


def test_training_a_head_leaves_the_autoencoder_as_it_was():
    model = latent()
    before = {name: value.clone() for name, value in model.autoencoder.state_dict().items()}
    codes = model.encode(boxes(40, 16))
    model.setup(Batch(codes))
    model.train()
    model.update(Batch(codes, torch.arange(40)))
    model.sample(3)
    for name, value in model.autoencoder.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_describe_and_build_are_inverse_through_json():
    import json

    model = latent(covariance="full")
    again = build(json.loads(json.dumps(describe(model))))
    assert describe(again) == describe(model)
    again.load_state_dict(model.state_dict())


def test_what_is_no_autoencoder_or_no_head_is_named():
    with pytest.raises(ValueError, match="autoencoder: must encode and decode, Gaussian does not"):
        LatentCloudModel(Gaussian((6,)), Gaussian((6,)))
    with pytest.raises(ValueError, match="head: must be a generative model, got Autoencoder"):
        LatentCloudModel(Autoencoder((16, 3), code=6, **SMALL), Autoencoder((16, 3), code=6, **SMALL))


def test_head_and_codes_must_be_equally_wide():
    with pytest.raises(ValueError, match=r"head: learns rows of shape \(7,\), but codes of shape \(6,\)"):
        LatentCloudModel(Autoencoder((16, 3), code=6, **SMALL), Gaussian((7,)))
