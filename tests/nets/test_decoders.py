"""Decoders: shapes, sizes, what their formulas say, and that each can learn clouds that no single cloud is near to."""

import math

import pytest
import torch
from torch import Tensor, nn

from pcgen import ops
from pcgen.nets.coded_perceptron import CodedPerceptron
from pcgen.nets.decoders import CrossAttention, Folding, Patches, Residual
from pcgen.nets.decoders.folding import fibonacci_sphere, fibonacci_square
from pcgen.nets.parts import DECODERS, build_part

CODE, POINTS = 5, 50
SMALL = {
    "fully_connected": {"widths": [16]},
    "folding": {"widths": [16, 16]},
    "residual": {"coarse": [16], "widths": [8], "features": 2},
    "attention": {"tokens": 3, "width": 16, "heads": 2, "blocks": 2},
    "patches": {"patches": 7, "feature": 3, "hidden": [16], "widths": [16]},
}


def small(name: str) -> nn.Module:
    return build_part({"name": name, **SMALL[name]}, DECODERS, "decoder", code=CODE, points=POINTS)


def boxes(count: int) -> tuple[Tensor, Tensor]:
    """Points uniform in boxes of sides from 0.2 to 2, and others of the same boxes, (count, POINTS, 3) each."""
    sides = 0.2 + 1.8 * torch.rand(count, 1, 3)
    return (torch.rand(count, POINTS, 3) - 0.5) * sides, (torch.rand(count, POINTS, 3) - 0.5) * sides


def fitted(make: nn.Module, codes: Tensor, clouds: Tensor, steps: int) -> float:
    """The mean EMD between what a decoder writes of the codes and the clouds, after so many steps of Adam."""
    optimizer = torch.optim.Adam(make.parameters(), 1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        ops.emd(make(codes), clouds).mean().backward()
        optimizer.step()
    with torch.no_grad():
        return float(ops.emd(make(codes), clouds).mean())


class Constant(nn.Module):
    """The same learned cloud whatever the code: the best that a decoder which does not see the code can do."""

    def __init__(self) -> None:
        super().__init__()
        self.cloud = nn.Parameter(torch.randn(POINTS, 3) / 3)

    def forward(self, z: Tensor) -> Tensor:
        return self.cloud.expand(len(z), -1, -1)


def test_every_decoder_has_a_small_configuration() -> None:
    assert set(SMALL) == set(DECODERS)


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_writes_clouds_of_its_size_one_a_code(name: str) -> None:
    decoder, z = small(name), torch.randn(4, CODE)
    clouds = decoder(z)
    assert clouds.shape == (4, POINTS, 3)
    torch.testing.assert_close(decoder(z[[2, 0]]), clouds[[2, 0]])  # each code is decoded by itself


@pytest.mark.parametrize("name", DECODERS)
def test_a_gradient_reaches_every_parameter_and_the_code(name: str) -> None:
    decoder, z = small(name), torch.randn(4, CODE, requires_grad=True)
    for parameter in decoder.parameters():  # A correction that starts at zero hides what is behind it.
        nn.init.normal_(parameter, std=0.3)
    decoder(z).square().sum().backward()
    assert z.grad is not None and (z.grad.abs().sum(1) > 0).all()
    for key, parameter in decoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key


def test_no_single_cloud_is_as_near_to_eight_boxes_as_a_second_sampling_of_each() -> None:
    clouds, again = boxes(8)
    assert fitted(Constant(), torch.randn(8, CODE), clouds, 150) > ops.emd(clouds, again).mean()


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_learns_eight_boxes_better_than_a_second_sampling_of_each_tells_them(name: str) -> None:
    clouds, again = boxes(8)
    assert fitted(small(name), torch.randn(8, CODE), clouds, 150) < 0.75 * ops.emd(clouds, again).mean()


@pytest.mark.parametrize(
    ("decoder", "count"),
    [
        # U 33x7 of waves or 3x7 of points, and 7x7; V and b (5 + 1) x 7 twice; W and a (7 + 1) x 3
        (Folding(5, 50, widths=(7, 7)), 231 + 21 + 2 * (49 + 2 * 42 + 24)),
        # the perceptron and its norm, the features, U (3+2)x8, V and b (5 + 1) x 8, W and a (8 + 1) x 3
        (Residual(5, 50, coarse=[16], widths=[8], features=2), 6 * 16 + 32 + 17 * 150 + 100 + 40 + 48 + 27),
        # (3 + 3) numbers of 7 patches, a norm; U 2x16, V and b (3 + 1) x 16, W and a 17 x 3
        (Patches(5, 50, patches=7, feature=3, hidden=[16], widths=[16]), 6 * 16 + 32 + 17 * 42 + 32 + 64 + 51),
        # tokens, queries, out; a block: q, kv, out, three norms, the perceptron
        (
            CrossAttention(5, 50, tokens=3, width=8, heads=2),
            6 * 24 + 400 + 27 + (72 + 144 + 72 + 3 * 16 + 9 * 16 + 17 * 8),
        ),
    ],
    ids=["folding", "residual", "patches", "attention"],
)
def test_decoders_have_the_parameters_of_their_formulas(decoder: nn.Module, count: int) -> None:
    assert sum(parameter.numel() for parameter in decoder.parameters()) == count


@pytest.mark.parametrize("shared", [True, False])
def test_a_coded_perceptron_is_a_perceptron_of_point_and_code_side_by_side(shared: bool) -> None:
    net = CodedPerceptron(3, CODE, (6, 7), 2).double()
    points, code = torch.randn(4, 9, 3, dtype=torch.float64), torch.randn(4, CODE, dtype=torch.float64)
    if shared:
        points = points[:1].expand(4, -1, -1)
    h, known = points, code[:, None].expand(-1, 9, -1)
    for own, its in zip(net.points, net.codes, strict=True):
        joined = nn.functional.linear(torch.cat([h, known], 2), torch.cat([own.weight, its.weight], 1), its.bias)
        h = joined.clamp_min(0)
    torch.testing.assert_close(net(points[0] if shared else points, code), net.out(h))


@pytest.mark.parametrize("template", ["sphere", "square", "ball"])
def test_a_folding_has_any_number_of_points(template: str) -> None:
    decoder, z = Folding(CODE, POINTS, template=template, widths=(8, 8)), torch.randn(2, CODE)
    assert decoder(z).shape == (2, POINTS, 3)
    assert decoder(z, points=333).shape == (2, 333, 3)
    assert torch.equal(decoder(z), decoder(z)) == (template != "ball")


def test_a_template_that_is_drawn_gives_clouds_of_one_law() -> None:
    """Two drawings of 2000 points of one code are as near as two drawings of any law on a surface of that size."""
    decoder, z = Folding(CODE, POINTS, template="ball", widths=(8, 8)), torch.randn(1, CODE)
    with torch.no_grad():
        first, second = decoder(z, points=2000), decoder(z, points=2000)
    spread = (first - first.mean(1, keepdim=True)).norm(dim=2).mean()
    torch.testing.assert_close(first.mean(1), second.mean(1), rtol=0, atol=0.1 * float(spread))
    assert float(ops.emd(first, second)) < 0.2 * float(spread)


@pytest.mark.parametrize("points", [100, 1000])
def test_the_sphere_template_is_spread_as_evenly_as_a_hexagonal_grid_nearly(points: int) -> None:
    sphere = fibonacci_sphere(points).double()
    torch.testing.assert_close(sphere.norm(dim=1), torch.ones(points, dtype=torch.float64), rtol=0, atol=1e-6)
    assert sphere.mean(0).abs().max() < 5 / points
    nearest = torch.cdist(sphere, sphere).fill_diagonal_(9).amin(1)
    hexagonal = math.sqrt(8 * math.pi / (math.sqrt(3) * points))  # the most that is possible on that area
    assert nearest.min() > 0.75 * hexagonal and nearest.max() < 1.05 * hexagonal


@pytest.mark.parametrize("points", [400, 1600, 3600])
def test_the_square_template_is_spread_as_evenly_as_a_grid_nearly(points: int) -> None:
    square = fibonacci_square(points)
    assert square.abs().max() < 1
    cells = ((square + 1) * 5).long()
    share = torch.bincount(cells[:, 0] * 10 + cells[:, 1], minlength=100) / points  # of each of 10 x 10 cells
    assert (share - 0.01).abs().max() < 2.5 / points
    nearest = torch.cdist(square, square).fill_diagonal_(9).amin(1) * math.sqrt(points) / 2  # 1 on a grid
    assert nearest.min() > 0.9 and nearest.max() < 1.2


def test_a_residual_starts_as_its_perceptron_and_patches_lie_about_their_centres() -> None:
    z = torch.randn(3, CODE)
    residual = Residual(CODE, POINTS)
    assert torch.equal(residual(z), residual.coarse(z))
    patches = Patches(CODE, POINTS, patches=8, feature=3)  # 7 points each, the last of 1
    nn.init.zeros_(patches.unfold.out.weight)
    nn.init.zeros_(patches.unfold.out.bias)
    centres = patches.write(z).unflatten(1, (8, 6))[..., :3]
    assert torch.equal(patches(z), centres.repeat_interleave(7, 1)[:, :POINTS])


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"name": "folding", "template": "cube"}, "template: must be one of sphere, square, ball; got 'cube'"),
        ({"name": "folding", "widths": [8, 0]}, r"widths: must be one or more widths of at least 1, got \[8, 0\]"),
        ({"name": "residual", "features": -1}, "features: must be at least 0, got -1"),
        ({"name": "residual", "widths": []}, r"widths: .* got \[\]"),
        ({"name": "attention", "heads": 5}, "heads: must divide the width, 64, got 5"),
        ({"name": "attention", "tokens": 0}, "tokens: must be at least 1, got 0"),
        ({"name": "attention", "blocks": 0}, "blocks: must be at least 1, got 0"),
        ({"name": "patches", "patches": 51}, "patches: must be at most the 50 points of a cloud, got 51"),
        ({"name": "patches", "feature": 0}, "feature: must be at least 1, got 0"),
    ],
)
def test_wrong_arguments_are_named(part: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_part(part, DECODERS, "decoder", code=CODE, points=POINTS)
