"""An autoencoder and a head: what the head sees, what it draws, and whose the autoencoder is."""

import json
import math
from collections.abc import Sequence
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from pcgen.models import build, describe
from pcgen.models.abilities import can
from pcgen.models.base import Batch, GenerativeModel, GradientLearner, Recipe
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.clouds.outward import outward
from pcgen.models.diffusion.diffusion import Diffusion
from pcgen.models.mixtures.gaussian import Gaussian
from pcgen.models.mixtures.parzen import Parzen
from pcgen.models.variational.vae import VAE
from pcgen.training import fit

SMALL = {"encoder": {"name": "pointnet", "widths": [16, 32]}, "decoder": {"name": "fully_connected", "widths": [32]}}


def boxes(count: int, points: int = 16) -> Tensor:
    """Points uniform in boxes of random sides, (count, points, 3)."""
    return (torch.rand(count, points, 3) - 0.5) * (0.2 + torch.rand(count, 1, 3))


class Tokens(GradientLearner):
    """An autoencoder whose codes are sets of tokens, (B, 4, 2); a batch norm and dropout have modes to disturb."""

    accepts: ClassVar[tuple[str, ...]] = ("cloud",)

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape, self.code_shape = tuple(shape), (4, 2)
        self.inwards = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(self.shape[0]), nn.Dropout(0.5))
        self.outwards = nn.Linear(2, 3 * self.shape[0] // 4)
        self.optimizer = torch.optim.SGD(self.parameters(), 1e-2)

    def encode(self, x: Tensor) -> Tensor:
        codes: Tensor = self.inwards(x).mean(1).unflatten(1, (4, 2))
        return codes

    def decode(self, z: Tensor) -> Tensor:
        return self.outwards(z).reshape(len(z), *self.shape)  # (B, 4, 3 * points / 4)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {"mse": (self.decode(self.encode(batch.x)) - batch.x).square().mean()}


class Roots(Tokens):
    """An autoencoder of points that all lie in one place, which is the root of the code: +-1 come back as they were."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__(shape)
        self.code_shape = (3,)

    def encode(self, x: Tensor) -> Tensor:
        return x.mean(1)

    def decode(self, z: Tensor) -> Tensor:
        return (z.sign() * z.abs().sqrt())[:, None].expand(-1, *self.shape)


class Bernoulli(GenerativeModel):
    """Independent bits: the smallest model whose domain is binary."""

    domain: ClassVar[str] = "binary"

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.register_buffer("chance", torch.zeros(self.shape))
        self.chance: Tensor

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=1, batch_size=None)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        self.chance.copy_(batch.x.mean(0))
        return {}

    def draw(self, n: int) -> Tensor:
        return torch.bernoulli(self.chance.expand(n, *self.shape))


def latent(domain: str | None = None, **head: object) -> LatentCloudModel:
    return LatentCloudModel(Autoencoder((16, 3), code=6, **SMALL), {"name": "gaussian", "shape": [6], **head}, domain)


def drawn_codes(model: LatentCloudModel, n: int) -> Tensor:
    return model.to_head.inverse(model.head.sample(n))


def test_the_head_sees_codes_of_zero_mean_and_unit_deviation() -> None:
    model = latent()
    codes = torch.randn(500, 6) * torch.tensor([1e-3, 1.0, 5.0, 0.0, 2.0, 1.0]) + 7
    seen: list[Tensor] = []
    model.head.setup = lambda data: seen.append(data.x)
    model.setup(Batch(codes))
    torch.testing.assert_close(seen[0].mean(dim=0), torch.zeros(6), atol=1e-4, rtol=0)
    deviation = seen[0].std(dim=0, correction=0)
    # A constant code (a dead unit of the encoder) stays constant.
    torch.testing.assert_close(deviation, torch.tensor([1.0, 1, 1, 0, 1, 1]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("domain", ["real", "raw"])
def test_samples_are_decoded_codes_of_the_training_distribution(domain: str) -> None:
    model = latent(domain, covariance="full")
    codes = model.encode(boxes(300))
    fit(model, codes)
    drawn: list[Tensor] = []
    model.autoencoder.decode = lambda z: drawn.append(z) or torch.zeros(len(z), 16, 3)
    assert model.sample(4000).shape == (4000, 16, 3)
    found = torch.cat(drawn)
    torch.testing.assert_close(found.mean(dim=0), codes.mean(dim=0), atol=0.1 * float(codes.std()), rtol=0)
    torch.testing.assert_close(found.T.cov(), codes.T.cov(), atol=0.1 * float(codes.T.cov().abs().max()), rtol=0)


def test_a_head_of_bits_draws_codes_with_the_moments_of_the_training() -> None:
    autoencoder = Autoencoder((16, 3), code=6, **SMALL)
    model = LatentCloudModel(autoencoder, Bernoulli((24,)))
    codes = model.encode(boxes(300))
    fit(model, codes)
    assert model.to_head.name == "binary" and model.learns == (6,) and model.shape == (16, 3)
    found = drawn_codes(model, 2000)
    # Independent bits of principal components have the mean and the covariance of the codes.
    deviation = codes.std(0).clamp_min(1e-6)
    assert ((found.mean(0) - codes.mean(0)) / deviation).abs().max() < 0.15
    apart = (torch.cov(found.T) - torch.cov(codes.T)) / deviation[:, None] / deviation
    assert apart.abs().max() < 0.2
    assert model.sample(3).shape == (3, 16, 3)


def test_a_head_of_bits_does_not_take_raw_codes_that_are_none() -> None:
    model = LatentCloudModel(Autoencoder((16, 3), code=6, **SMALL), Bernoulli((6,)), domain="raw")
    with pytest.raises(ValueError, match="data: must be 0 or 1 for a Bernoulli on raw codes, got numbers from"):
        fit(model, model.encode(boxes(20)))
    fit(model, (model.encode(boxes(20)) > 0).float())
    with pytest.raises(ValueError, match=r"domain: must be binary \(or raw\) for a Bernoulli, got 'real'"):
        LatentCloudModel(Autoencoder((16, 3), code=6, **SMALL), Bernoulli((6,)), domain="real")


def test_raw_codes_are_the_codes_as_they_are() -> None:
    model, codes = latent("raw", covariance="diagonal"), torch.rand(200, 6) * 3 + 5
    fit(model, codes)
    torch.testing.assert_close(model.head.mean, codes.mean(0))


def test_codes_may_be_sets_of_tokens() -> None:
    torch.manual_seed(2)
    autoencoder = Tokens((16, 3))
    model = LatentCloudModel(autoencoder, Diffusion((4, 2), times=10, width=8, blocks=1))
    codes = model.encode(boxes(40)) * torch.tensor([1.0, 100.0]) + 3
    assert model.learns == (4, 2)
    fit(model, codes, steps=4, batch_size=20)
    seen = model.to_head(codes)
    # Channel by channel, alike for all members: a permutation of the members stays one.
    torch.testing.assert_close(seen.mean((0, 1)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.flatten(0, 1).std(0, correction=0), torch.ones(2), atol=1e-5, rtol=0)
    assert model.sample(5).shape == (5, 16, 3)
    with pytest.raises(ValueError, match=r"head: learns rows of shape \(4, 3\), but codes of shape \(4, 2\)"):
        LatentCloudModel(autoencoder, Diffusion((4, 3)))
    bits = LatentCloudModel(autoencoder, Diffusion((4, 8), times=10, width=8, blocks=1), domain="binary")
    assert bits.to_head.shape((4, 2)) == (4, 8)


def test_the_autoencoder_is_its_owners() -> None:
    """Weights, statistics, modes and whether it learns: nothing of it changes, and what learns is the head alone."""
    autoencoder = Tokens((16, 3))
    autoencoder.train()
    autoencoder.inwards[1].eval()  # its owner has frozen the batch norm's statistics
    autoencoder.outwards.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in autoencoder.state_dict().items()}
    modes = [part.training for part in autoencoder.modules()]
    model = LatentCloudModel(autoencoder, Diffusion((4, 2), times=10, width=8, blocks=1))
    codes = model.encode(boxes(40))
    assert codes.shape == (40, 4, 2) and not codes.requires_grad
    fit(model, codes, steps=3, batch_size=20, average=0.9, validation=codes[:5])
    model.train()
    assert model.head.denoiser.training and model.training
    model.eval()
    assert not model.head.denoiser.training
    model.sample(3)
    model.decode(codes)
    assert [part.training for part in autoencoder.modules()] == modes
    assert not autoencoder.outwards.weight.requires_grad and autoencoder.inwards[0].weight.requires_grad
    for name, value in autoencoder.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(parameter.grad is None for parameter in autoencoder.parameters())
    assert list(model.optimizers()) == ["head.optimizer"]
    moved = {id(p) for group in model.optimizers()["head.optimizer"].param_groups for p in group["params"]}
    assert moved == {id(p) for p in model.head.parameters() if p.requires_grad}


def test_codes_are_taken_and_decoded_in_evaluation_mode() -> None:
    autoencoder, clouds = Tokens((16, 3)).train(), boxes(70)
    model = LatentCloudModel(autoencoder, Diffusion((4, 2)))
    first = model.encode(clouds)
    assert torch.equal(first, model.encode(clouds))  # no dropout
    autoencoder.eval()
    torch.testing.assert_close(first, autoencoder.encode(clouds))
    torch.testing.assert_close(model.decode(first), autoencoder.decode(first))


def test_a_second_training_goes_on_in_the_domain_of_the_first() -> None:
    model = LatentCloudModel(Autoencoder((16, 3), code=6, **SMALL), VAE((6,), code=2, widths=(8,)))
    codes = model.encode(boxes(40))
    fit(model, codes, steps=3)
    domain = {name: value.clone() for name, value in model.to_head.state_dict().items()}
    weight = model.head.decoder.linear.weight.clone()
    model.setup = lambda data: pytest.fail("it has been set up")
    fit(model, 10 * codes + 5, steps=2)
    for name, value in model.to_head.state_dict().items():
        assert torch.equal(value, domain[name]), name
    assert int(model.learned) == int(model.head.learned) == 5
    assert 0 < (model.head.decoder.linear.weight - weight).abs().max() < 0.1  # moved, and not begun anew


def test_labels_reach_the_head() -> None:
    head = VAE((6,), code=2, widths=(), classes=("a", "b"), learn_scale=True)
    model = LatentCloudModel(Autoencoder((16, 3), code=6, **SMALL), head)
    codes, labels = model.encode(boxes(60)), torch.arange(60) % 3 // 2
    codes = codes + labels[:, None] * 20 * codes.std()
    fit(model, codes, labels=labels, steps=2)
    assert model.classes == ("a", "b")
    drawn = model.draw_labels(600)
    assert drawn is not None and drawn.float().mean().item() == pytest.approx(1 / 3, abs=0.08)
    middle = codes.mean(1).mean()
    for label in (0, 1):
        given = torch.full((50,), label)
        assert ((model.to_head.inverse(head.sample(50, labels=given)).mean(1) > middle) == bool(label)).all()
        torch.manual_seed(label)
        sampled = model.sample(50, labels=given, even=True)
        torch.manual_seed(label)
        torch.testing.assert_close(sampled, model.decode(model.to_head.inverse(head.sample(50, labels=given))))


@pytest.mark.parametrize("domain", [None, "real", "unit", "nonnegative", "raw"])
def test_describe_and_build_are_inverse_through_json(domain: str | None) -> None:
    model = latent(domain, covariance="full")
    fit(model, model.encode(boxes(30)))
    described = json.loads(json.dumps(describe(model)))
    assert described["domain"] == domain
    again = build(described)
    assert isinstance(again, LatentCloudModel) and describe(again) == describe(model)
    again.load_state_dict(model.state_dict())
    assert again.to_head.name == model.to_head.name
    torch.manual_seed(1)
    expected = model.sample(4)
    torch.manual_seed(1)
    assert torch.equal(again.sample(4), expected)


def test_what_is_no_autoencoder_or_no_head_is_named() -> None:
    with pytest.raises(ValueError, match="autoencoder: must encode and decode, Gaussian does not"):
        LatentCloudModel(Gaussian((6,)), Gaussian((6,)))
    with pytest.raises(ValueError, match="head: must be a generative model, got Autoencoder"):
        LatentCloudModel(Autoencoder((16, 3), code=6, **SMALL), Autoencoder((16, 3), code=6, **SMALL))


@pytest.mark.parametrize(("domain", "width"), [("real", 7), ("binary", 6)])
def test_head_and_codes_must_be_equally_wide(domain: str, width: int) -> None:
    with pytest.raises(ValueError, match=rf"head: learns rows of shape \({width},\), but codes of shape \(6,\)"):
        LatentCloudModel(Autoencoder((16, 3), code=6, **SMALL), Gaussian((width,)), domain)


def test_samples_have_any_number_of_points_and_even_ones_are_the_decoders() -> None:
    model = latent(None, covariance="full")
    codes = model.encode(boxes(30))
    fit(model, codes)
    torch.manual_seed(0)
    even = model.sample(5, even=True)
    torch.manual_seed(0)
    codes = model.to_head.inverse(model.outward_factor() * model.head.sample(5))
    torch.testing.assert_close(even, model.decode(codes))
    torch.manual_seed(0)
    many = model.sample(5, points=500)  # of the same five shapes
    assert many.shape == (5, 500, 3) and model.sample(2).shape == (2, 16, 3)
    assert (torch.cdist(many, even).amin(dim=2) <= torch.cdist(even, even).flatten(1).amax(dim=1)[:, None] / 2).all()
    with pytest.raises(ValueError, match=r"even: the decoder gives 16 points, got points=500; leave one of them out"):
        model.sample(2, points=500, even=True)


def test_codes_are_moved_outward_until_clouds_vary_as_the_training_clouds_do() -> None:
    """Of codes +-1 all is kept, of normal draws y moved by s: E|root(s y)|^2 = s E|y| = s sqrt(2 / pi)."""
    corners = torch.cartesian_prod(*3 * [torch.tensor([-1.0, 1.0])]).repeat(40, 1)
    windows = LatentCloudModel(Roots((4, 3)), Parzen((3,), rows=len(corners), noise=1.0))
    fit(windows, corners)
    assert windows.outward_factor() == 1  # its samples vary enough
    model = LatentCloudModel(Roots((4, 3)), Gaussian((3,)))
    fit(model, corners)
    assert float(model.kept) == pytest.approx(1, abs=1e-6)
    assert model.outward_factor() == 1.15  # the most: sqrt(pi / 2) = 1.253 is more
    torch.manual_seed(0)
    moved, as_drawn = (model.sample(4000, outward=outward).square().mean() for outward in (True, False))
    assert float(moved) == pytest.approx(1.15 * math.sqrt(2 / math.pi), abs=0.04) and float(as_drawn) == pytest.approx(
        math.sqrt(2 / math.pi), abs=0.03
    )
    state = torch.get_rng_state()
    model._found = None
    model.outward_factor()
    assert torch.equal(torch.get_rng_state(), state)


def test_the_outward_factor_is_between_its_ends() -> None:
    y = torch.randn(256, 5, generator=torch.Generator().manual_seed(0))
    share = float(y.abs().mean() / y.square().mean())  # what roots keep of y; of s y they keep s times as much
    root = outward(lambda x: x.sign() * x.abs().sqrt(), y, 1.1 * share)
    assert root == pytest.approx(1.1, abs=0.01)
    assert outward(lambda x: x, y, 0.9) == 1 and outward(lambda x: x, y, 10.0) == 1.15
    assert outward(lambda x: x, y * torch.nan, 1.0) == 1


def test_sets_and_bits_stay_where_they_are_drawn() -> None:
    for model, count in (
        (LatentCloudModel(Tokens((16, 3)), Diffusion((4, 2), width=8)), 20),
        (latent(name="rbm", shape=[24]), 20),
    ):
        fit(model, model.encode(boxes(count)), steps=2)
        assert model.outward_factor() == 1


def test_states_are_the_heads_decoded_and_only_where_the_head_has_some() -> None:
    model = latent(name="rbm", shape=[24], hidden=4)
    codes = model.encode(boxes(40))
    fit(model, codes, steps=3)
    for options in ({"even": True}, {"even": False, "points": 7}):
        torch.manual_seed(3)
        states = list(model.eval().states(2, steps=5, **options))
        torch.manual_seed(3)
        assert torch.equal(states[-1].x, model.draw(2, steps=5, **options))
        assert [state.at for state in states] == ["start", *(f"sweep {k}" for k in range(1, 6))]
        assert {state.x.shape for state in states} == {(2, options.get("points", 16), 3)}
    with pytest.raises(ValueError, match="even: the decoder gives 16 points, got points=7"):
        next(model.states(2, points=7))
    gaussian = latent()
    assert can(model, "states") and not can(gaussian, "states")
    with pytest.raises(ValueError, match="states: a Gaussian draws in one step"):
        next(gaussian.states(2))


def test_a_head_that_has_diverged_is_told_of_and_not_the_data() -> None:
    class Far(Gaussian):
        def draw(self, n: int) -> Tensor:
            return torch.full((n, *self.shape), 3e38)

    autoencoder = Autoencoder((16, 3), code=3, **SMALL)
    model = LatentCloudModel(autoencoder, Far((3,)))
    fit(model, model.encode(boxes(20)))
    with pytest.raises(FloatingPointError, match=r"a decoded sample is not finite \(the model has diverged"):
        model.sample(2)
