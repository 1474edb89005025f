import pytest
import torch

from pcgen import ops
from pcgen.nets.ball_conv import BallConv, ball_edges
from pcgen.nets.pointnet2 import PointNet2, spread


def small(**sizes) -> PointNet2:
    given = {"centres": (12, 4), "radii": (0.8, 1.6), "neighbours": (6, 5), "widths": ((8, 8), (12,), (16,)), **sizes}
    net = PointNet2(10, **given)
    for _ in range(3):
        net(torch.randn(6, 40, 3))
    return net.eval()


def by_definition(conv: BallConv, features: torch.Tensor, points: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """One cloud, ball by ball: the maximum of the perceptron over the first points inside."""
    rows = []
    for centre in centres:
        inside = [j for j, p in enumerate(points) if float((p - centre).norm()) <= conv.radius][: conv.neighbours]
        pairs = torch.stack([torch.cat((features[j], points[j] - centre)) for j in inside])
        rows.append(conv.conv.local_nn(pairs).amax(0))
    return torch.stack(rows)


@pytest.mark.parametrize("channels", [0, 5])
def test_a_level_is_pointnet_on_every_ball(channels):
    conv = BallConv(channels, (7, 9), 0.9, 6).eval()
    points, features = torch.randn(3, 20, 3), torch.randn(3, 20, channels)
    centres = points[:, :8]
    found = conv(features.flatten(0, 1), points, centres).view(3, 8, 9)
    for b in range(3):
        torch.testing.assert_close(
            found[b], by_definition(conv, features[b], points[b], centres[b]), atol=1e-5, rtol=1e-5
        )


def test_edges_are_those_of_each_cloud_alone():
    points = torch.randn(2, 10, 3)
    centres = points[:, :3]
    edges = ball_edges(centres, points, 1.0, 4)
    expected = [
        (10 * b + j, 3 * b + i)
        for b in range(2)
        for i in range(3)
        for j in [j for j in range(10) if float((points[b, j] - centres[b, i]).norm()) <= 1.0][:4]
    ]
    assert list(map(tuple, edges.T.tolist())) == expected


def test_gradient_of_a_level_is_right():
    conv = BallConv(2, (4,), 1.5, 4).double().eval()
    points = torch.randn(2, 6, 3, dtype=torch.float64)
    features = torch.randn(12, 2, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda f: conv(f, points, points[:, :3]), features)


def test_spread_is_farthest_point_order_from_the_outermost_point():
    x = torch.randn(3, 25, 3)
    found = spread(x)
    for cloud, ordered in zip(x, found, strict=True):
        start = (cloud - cloud.mean(0)).norm(dim=1).argmax()
        chosen = [int(start)]
        while len(chosen) < 25:
            chosen.append(int(torch.cdist(cloud, cloud[chosen]).amin(1).argmax()))
        assert torch.equal(ordered, cloud[chosen])


def test_the_first_points_are_what_sampling_level_by_level_chooses():
    """Farthest-point sampling of the first 12 points, from the same start, gives the first 4 of them."""
    points = spread(torch.randn(4, 40, 3))
    start = torch.zeros(4, dtype=torch.int64)
    assert torch.equal(ops.farthest_points(points, 12, start), torch.arange(12).expand(4, 12))
    assert torch.equal(ops.farthest_points(points[:, :12].contiguous(), 4, start), torch.arange(4).expand(4, 4))


def test_order_of_points_does_not_matter_though_balls_overflow():
    net, x = small(neighbours=(2, 2)), torch.randn(5, 60, 3)
    with torch.no_grad():
        torch.testing.assert_close(net(x[:, torch.randperm(60)]), net(x), atol=1e-5, rtol=1e-5)


def test_a_cloud_is_coded_alone_in_evaluation():
    net, x = small(), torch.randn(4, 30, 3)
    with torch.no_grad():
        torch.testing.assert_close(net(x)[2:3], net(x[2:3]), atol=1e-5, rtol=1e-5)


def test_multi_resolution_levels_see_the_cloud_itself():
    """The second level and the code have what PointNets on the ball's and on all points of the cloud give."""
    net, x = small(grouping="multi_resolution"), torch.randn(3, 40, 3)
    first, second = net.levels
    with torch.no_grad():
        cloud = spread(x)
        few, fewer = cloud[:, :12], cloud[:, :4]
        below = first(cloud.new_empty(120, 0), cloud, few)
        features = [second(below, few, fewer).view(3, 4, -1), net.raw_levels[0](cloud.new_empty(120, 0), cloud, fewer)]
        for b in range(3):
            raw = by_definition(net.raw_levels[0], cloud.new_empty(40, 0), cloud[b], fewer[b])
            torch.testing.assert_close(features[1].view(3, 4, -1)[b], raw, atol=1e-5, rtol=1e-5)
        whole = net.whole(torch.cat((features[0], features[1].view(3, 4, -1), fewer), 2))
        torch.testing.assert_close(net(x), torch.cat((whole, net.raw_whole(x)), 1), atol=1e-5, rtol=1e-5)
    assert net(x).shape == (3, 10) and whole.shape == (3, 5)


@pytest.mark.parametrize("grouping", ["single_scale", "multi_resolution"])
def test_features_of_points_go_with_their_points(grouping):
    net = PointNet2(
        10,
        centres=(12, 4),
        radii=(0.8, 1.6),
        neighbours=(6, 5),
        widths=((8,), (8,), (8,)),
        grouping=grouping,
        features=2,
    ).eval()
    x = torch.randn(2, 30, 5)
    changed = x.clone()
    changed[:, :, 3:] += 1
    with torch.no_grad():
        torch.testing.assert_close(net(x[:, torch.randperm(30)]), net(x), atol=1e-5, rtol=1e-5)
        assert not torch.allclose(net(changed), net(x), atol=1e-3)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"radii": (0.5,)}, r"radii: must be 2 for 2 levels of centres \[12, 4\], got \[0.5\]"),
        ({"widths": ((8,), (8,))}, "widths: must be 3 for 2 levels"),
        ({"neighbours": (0, 4)}, r"neighbours: must be one positive number for each level, got \[0, 4\]"),
        ({"grouping": "msg"}, "grouping: must be one of single_scale, multi_resolution; got 'msg'"),
        ({"widths": ((8,), (0,), (8,))}, r"widths: must be at least one width of at least 1 for each level, got \[0\]"),
    ],
)
def test_sizes_are_checked(sizes, message):
    with pytest.raises(ValueError, match=message):
        small(**sizes)
