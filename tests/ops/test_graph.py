"""Neighbours as edges, against loops over all points; torch-geometric's layers on them."""

import math
import subprocess
import sys
from fractions import Fraction

import pytest
import torch
from cloud_problems import PROBLEMS, pairs
from torch import Tensor

from pcgen import ops
from pcgen.ops import graph, reference

SIZES_X = [40, 1, 0, 40, 33, 5]
SIZES_Y = [20, 3, 4, 20, 0, 9]


def batched(sizes: list[int], kind: str, dimensions: int = 3) -> tuple[Tensor, Tensor]:
    """Clouds of these sizes in one tensor (N, D) float64, and which cloud each point belongs to."""
    if dimensions > 3:
        points = torch.randint(0, 2, (sum(sizes), dimensions)).double()  # many ties
    else:
        points = PROBLEMS[kind](sum(sizes), 1)[0][:, :dimensions]
    return points, torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))


def squares(x: Tensor, y: Tensor) -> Tensor:
    return reference.squared_distances(y[None], x[None])[0]


def knn_by_loops(x: Tensor, y: Tensor, k: int, batch_x: Tensor, batch_y: Tensor) -> Tensor:
    edges = []
    for i, row in enumerate(squares(x, y)):
        mine = (batch_x == batch_y[i]).nonzero().squeeze(1).tolist()
        edges += [(i, j) for j in sorted(mine, key=lambda j, row=row: (float(row[j]), j))[:k]]
    return torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T


def radius_by_loops(x: Tensor, y: Tensor, r: float, batch_x: Tensor, batch_y: Tensor, most: int, loop: bool) -> Tensor:
    edges = []
    for i, row in enumerate(squares(x, y)):
        near = [j for j in range(len(x)) if batch_x[j] == batch_y[i] and row[j] < r * r and (loop or j != i)]
        edges += [(i, j) for j in near[:most]]
    return torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dimensions", [1, 2, 3, 9])
@pytest.mark.parametrize("kind", ["lattice", "cubes"])
def test_knn_equals_loops(kind: str, dimensions: int, dtype: torch.dtype) -> None:
    x, batch_x = batched(SIZES_X, kind, dimensions)
    y, batch_y = batched(SIZES_Y, kind, dimensions)
    x, y = x.to(dtype), y.to(dtype)
    for k in (1, 7):
        assert torch.equal(graph.knn(x, y, k, batch_x, batch_y), knn_by_loops(x, y, k, batch_x, batch_y))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dimensions", [1, 3])
@pytest.mark.parametrize(("kind", "r"), [("lattice", 1.0), ("lattice", 2.0), ("lattice", 1.01), ("cubes", 0.3)])
def test_radius_equals_loops(kind: str, r: float, dimensions: int, dtype: torch.dtype) -> None:
    """On a lattice most distances are r itself: those points are outside."""
    x, batch_x = batched(SIZES_X, kind, dimensions)
    y, batch_y = batched(SIZES_Y, kind, dimensions)
    for most in (3, 32):
        found = graph.radius(x.to(dtype), y.to(dtype), r, batch_x, batch_y, most)
        assert torch.equal(found, radius_by_loops(x, y, r, batch_x, batch_y, most, loop=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("spacing", [1.0, 0.1, 0.7])
def test_spheres_through_lattice_points_have_one_rule(spacing: float, dtype: torch.dtype) -> None:
    """Rational arithmetic, rounded once, decides for radii at, just below and just above every distance there is."""
    x = (torch.cartesian_prod(*[torch.arange(4)] * 3) * spacing).to(dtype)
    radii = [r for d in squares(x, x[:1]).unique().sqrt().tolist()[1:] for r in (math.nextafter(d, 0), d, d + 1e-12)]

    def rounded(value: Fraction) -> float:
        return torch.tensor(float(value), dtype=dtype).item()

    # From the corner at 0 differences are the coordinates themselves; a square of one coordinate is rounded once.
    on_axis = [j for j, point in enumerate(x.tolist()) if sum(value > 0 for value in point) <= 1]
    places = range(len(x)) if spacing == 1 else on_axis
    lengths = {j: rounded(sum(Fraction(value) ** 2 for value in x[j].tolist())) for j in places}
    for r in radii:
        square = rounded(Fraction(r) ** 2)
        open_ball = set(graph.radius(x, x[:1], r, max_num_neighbors=64)[1].tolist()) & set(places)
        assert open_ball == {j for j in places if lengths[j] < square}, r
        closed = set(ops.ball_query(x[None, :1], x[None], r, 64).flatten().tolist()) & set(places)
        assert closed == {j for j in places if lengths[j] <= square}, r


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_sphere_itself_is_outside_and_the_next_point_inside(dtype: torch.dtype) -> None:
    x = torch.zeros(2, 3, dtype=dtype)
    for r in [0.1, 0.7, 1.0, 1 / 3, math.pi, 1e-3, 12345.678]:
        x[1, 0] = r
        exact = x[1, 0].item()
        assert graph.radius(x, x[:1], exact).tolist() == [[0], [0]]
        assert ops.ball_query(x[None, :1], x[None], exact, 2).tolist() == [[[0, 1]]]
        x[1, 0] = torch.nextafter(x[1, 0], torch.zeros((), dtype=dtype))
        assert graph.radius(x, x[:1], exact).tolist() == [[0, 0], [0, 1]]
    # sqrt(2) in float64 lies above the root of 2, as its square shows, which in float32 is 2.
    x[1] = torch.tensor([1, 1, 0])
    assert len(graph.radius(x, x[:1], math.sqrt(2))[1]) == (2 if dtype == torch.float64 else 1)


def test_points_of_one_place_are_in_the_smallest_ball() -> None:
    for dtype in (torch.float32, torch.float64):
        x = torch.ones(3, 3, dtype=dtype)
        assert graph.radius(x, x[:1], 1e-200).shape == (2, 3)


def test_one_cloud_needs_no_batch() -> None:
    (x,), (y,) = pairs("cubes", 1, 50, 20, torch.float64)
    none = torch.zeros(50, dtype=torch.int64), torch.zeros(20, dtype=torch.int64)
    assert torch.equal(graph.knn(x, y, 4), knn_by_loops(x, y, 4, *none))
    assert torch.equal(graph.radius(x, y, 0.4), radius_by_loops(x, y, 0.4, *none, 32, loop=True))
    assert graph.fps(x, ratio=0.11).shape == (6,)  # the ceiling of 5.5
    assert graph.knn(x[:0], y, 4).shape == (2, 0) and graph.fps(x[:0]).shape == (0,)


def test_features_of_half_precision_are_widened() -> None:
    for dtype in (torch.float16, torch.bfloat16):
        x = torch.randn(40, 8).to(dtype)
        assert torch.equal(graph.knn(x, x, 5), graph.knn(x.float(), x.float(), 5))


def test_large_clouds_of_features_go_in_parts() -> None:
    """4,200 x 4,200 distances are more than are held at once; a point's copies are its nearest."""
    places, copies = torch.randn(1400, 4), 3
    x = places.repeat(copies, 1)
    query, found = graph.knn(x, x, copies)
    assert torch.equal(query, torch.arange(len(x)).repeat_interleave(copies))
    assert torch.equal(found % 1400, query % 1400)


def test_farthest_points_of_each_cloud() -> None:
    x, batch = batched(SIZES_X, "lattice")
    found = graph.fps(x, batch, 0.3, random_start=False)
    expected = []
    for cloud, size in enumerate(SIZES_X):
        if size:
            points, first = x[batch == cloud][None], (batch == cloud).nonzero()[0]
            count = -(-3 * size // 10)
            expected.append(reference.farthest_points(points, count, torch.zeros(1, dtype=torch.int64))[0] + first)
    assert torch.equal(found, torch.cat(expected))
    starts = {int(graph.fps(x, batch, 0.3)[0]) for _ in range(20)}
    assert len(starts) > 5 and all(start < SIZES_X[0] for start in starts)


def test_bad_input_is_named() -> None:
    x, batch = torch.rand(4, 3), torch.tensor([0, 0, 1, 1])
    with pytest.raises(ValueError, match=r"batch_y: must be int64 and give the cloud of each point, \(4,\), got"):
        graph.knn(x, x, 1, batch, batch[:3])
    with pytest.raises(ValueError, match="batch_x: must not descend, from 0 on; sort the points"):
        graph.radius(x, x, 1, batch.flip(0), batch)
    with pytest.raises(ValueError, match=r"x: must have at most 3 dimensions, got \(4, 5\); pass positions"):
        graph.fps(torch.rand(4, 5))
    with pytest.raises(ValueError, match="y: must have as many dimensions as x, 5, got 4"):
        graph.knn(torch.rand(4, 5), torch.rand(4, 4), 1)
    with pytest.raises(ValueError, match=r"y: must be of .* type and device, torch.float32 on cpu, got torch.float64"):
        graph.knn(x, x.double(), 1)
    with pytest.raises(ValueError, match=r"x: must be float32 or float64, got torch\.int64"):
        graph.knn(x.long(), x.long(), 1)
    with pytest.raises(ValueError, match="k: must be at least 1, got 0"):
        graph.knn(x, x, 0)
    with pytest.raises(ValueError, match="r: must be finite and above 0, got 0"):
        graph.radius(x, x, 0)
    with pytest.raises(ValueError, match="max_num_neighbors: must be at least 1, got 0"):
        graph.radius(x, x, 1, max_num_neighbors=0)
    with pytest.raises(ValueError, match=r"ratio: must be in \(0, 1\], got 1.5"):
        graph.fps(x, ratio=1.5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("columns", [1, 3, 8])
def test_a_point_that_is_not_finite_is_named(columns: int, dtype: torch.dtype) -> None:
    """With its argument and its index among all points, whatever call of a kernel finds it."""
    batch = torch.tensor([0, 0, 1, 1, 1, 2, 2])
    good = torch.rand(7, columns, dtype=dtype)
    bad = good.clone()
    bad[4, -1] = float("nan")
    searches = {"knn": lambda x, y: graph.knn(x, y, 1, batch, batch)}
    if columns <= 3:
        searches["radius"] = lambda x, y: graph.radius(x, y, 1, batch, batch)
        with pytest.raises(ValueError, match="x: must be finite, got nan in point 4; drop or repair such points first"):
            graph.fps(bad, batch)
    for name, search in searches.items():
        for argument, pair in {"x": (bad, good), "y": (good, bad)}.items():
            message = f"^{argument}: must be finite, got nan in point 4; drop or repair such points first"
            with pytest.raises(ValueError, match=message):
                search(*pair)
            assert search(good, good).shape[0] == 2, name


@pytest.mark.parametrize(("columns", "others"), [(3, 2), (2, 3), (1, 2), (3, 4)])
def test_points_of_different_dimensions_are_refused(columns: int, others: int) -> None:
    x, y = torch.rand(5, columns), torch.rand(5, others)
    with pytest.raises(ValueError, match=f"y: must have as many dimensions as x, {columns}, got {others}"):
        graph.knn(x, y, 1)
    if others <= 3:
        with pytest.raises(ValueError, match=f"y: must have as many dimensions as x, {columns}, got {others}"):
            graph.radius(x, y, 0.5)


def test_a_vector_is_points_of_one_dimension() -> None:
    x, y = torch.rand(20), torch.rand(7)
    assert torch.equal(graph.knn(x, y[:, None], 3), graph.knn(x[:, None], y, 3))
    assert torch.equal(graph.knn(x, y, 1)[1], (y[:, None] - x).abs().argmin(1))
    with pytest.raises(ValueError, match="y: must have as many dimensions as x, 1, got 3"):
        graph.radius(x, torch.rand(7, 3), 0.5)


def test_nothing_is_served_unless_asked() -> None:
    code = "import sys, torch, pcgen.ops.graph; print('torch_geometric' in sys.modules, hasattr(torch.ops.pyg, 'knn'))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]


@pytest.fixture(scope="module")
def served() -> None:
    """torch-geometric on pcgen's neighbours, or on pyg-lib's where that is installed."""
    from torch_geometric import typing

    lacking = {name for name in ("knn", "radius", "fps") if not getattr(typing, f"WITH_{name.upper()}")}
    assert set(graph.serve_torch_geometric()) == lacking
    assert graph.serve_torch_geometric() == ()


@pytest.mark.usefixtures("served")
def test_graphs_of_torch_geometric() -> None:
    from torch_geometric import nn

    x, batch = batched([30, 12, 25], "cubes")
    edges = knn_by_loops(x, x, 5, batch, batch)
    assert torch.equal(nn.knn_graph(x, 4, batch), edges[:, edges[0] != edges[1]].flip(0))
    for most in (3, 32):
        found = nn.radius_graph(x, 0.4, batch, max_num_neighbors=most)
        assert torch.equal(found, radius_by_loops(x, x, 0.4, batch, batch, most, loop=False).flip(0))
    everyone = nn.fps(x, batch, ratio=1.0)
    assert torch.equal(everyone.sort().values, torch.arange(67))
    with pytest.raises(ValueError, match="cosine: must be False"):
        nn.knn(x, x, 2, batch, batch, cosine=True)


@pytest.mark.usefixtures("served")
def test_arguments_that_are_the_defaults_of_pyg_lib_reach_the_ops() -> None:
    """torch's dispatcher leaves out every trailing argument that equals the schema's default."""
    from torch_geometric import nn

    x, batch = batched([30, 12, 25], "cubes")
    one = torch.zeros_like(batch)
    assert torch.equal(nn.knn(x, x, 1), knn_by_loops(x, x, 1, one, one))
    assert torch.equal(nn.knn(x, x, 1, batch, batch), knn_by_loops(x, x, 1, batch, batch))
    assert torch.equal(nn.radius(x, x, 1.0), radius_by_loops(x, x, 1.0, one, one, 32, loop=True))
    assert torch.equal(nn.radius(x, x, 1.0, batch, batch), radius_by_loops(x, x, 1.0, batch, batch, 32, loop=True))
    assert nn.fps(x, batch).shape == (15 + 6 + 13,)
    torch.testing.assert_close(nn.knn_interpolate(x, x, x[:5], k=1), x[:5])
    assert torch.equal(torch.ops.pyg.knn(x, x), knn_by_loops(x, x, 1, one, one))
    assert torch.equal(torch.ops.pyg.radius(x, x), nn.radius(x, x, 1.0))


@pytest.mark.usefixtures("served")
def test_the_ops_are_registered_as_torch_asks() -> None:
    x, ptr = torch.rand(20, 3), torch.tensor([0, 8, 20])
    torch.library.opcheck(torch.ops.pyg.knn.default, (x, x, ptr, ptr, 2))
    torch.library.opcheck(torch.ops.pyg.radius.default, (x, x, ptr, ptr, 0.4))
    torch.library.opcheck(torch.ops.pyg.fps.default, (x, ptr, 0.5, False))


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_layers_compile_as_one_graph(backend: str) -> None:
    from torch_geometric import nn

    x = torch.rand(40, 3)
    dynamic = nn.DynamicEdgeConv(nn.MLP([6, 8], norm=None), 3)
    convolve = nn.PointNetConv(nn.MLP([3, 8], norm=None), add_self_loops=False)

    def abstraction(x: Tensor) -> Tensor:
        chosen = nn.fps(x, ratio=0.25, random_start=False)
        query, found = nn.radius(x, x[chosen], 0.5)
        features: Tensor = convolve((None, None), (x, x[chosen]), torch.stack([found, query]))
        return features

    for layer in (dynamic, abstraction):
        compiled = torch.compile(layer, fullgraph=True, backend=backend)
        torch.testing.assert_close(compiled(x), layer(x))
    compiled = torch.compile(dynamic, fullgraph=True, backend=backend)
    expected = torch.autograd.grad(dynamic(x).sum(), list(dynamic.parameters()))
    torch.testing.assert_close(torch.autograd.grad(compiled(x).sum(), list(dynamic.parameters())), expected)


@pytest.mark.usefixtures("served")
def test_set_abstraction_of_pointnet2() -> None:
    """The layer of torch-geometric's PointNet++: farthest points, balls around them, a PointNet in each."""
    from torch_geometric import nn

    x, batch = batched([50, 20, 35], "cubes")
    x = x.float()
    layer = nn.PointNetConv(nn.MLP([3, 8, 16], norm=None), add_self_loops=False)
    chosen = nn.fps(x, batch, ratio=0.4)
    query, found = nn.radius(x, x[chosen], 0.5, batch, batch[chosen], max_num_neighbors=64)
    features = layer((None, None), (x, x[chosen]), torch.stack([found, query]))

    expected = []
    for i in chosen.tolist():
        ball = (batch == batch[i]) & ((x - x[i]).double().norm(dim=1) < 0.5)
        expected.append(layer.local_nn(x[ball] - x[i]).amax(0))
    assert chosen.shape == (20 + 8 + 14,)
    torch.testing.assert_close(features, torch.stack(expected), rtol=1e-5, atol=1e-6)
    assert torch.autograd.grad(features.sum(), list(layer.parameters()))[0].abs().sum() > 0


@pytest.mark.usefixtures("served")
def test_dynamic_edges_of_features() -> None:
    from torch_geometric import nn

    features, batch = torch.randn(60, 16), torch.arange(3).repeat_interleave(torch.tensor([20, 10, 30]))
    mlp = nn.MLP([32, 8], norm=None)
    edges = knn_by_loops(features, features, 6, batch, batch).flip(0)
    static, dynamic = nn.EdgeConv(mlp), nn.DynamicEdgeConv(mlp, 6)  # both draw the parameters anew
    torch.testing.assert_close(dynamic(features, batch), static(features, edges))


@pytest.mark.usefixtures("served")
def test_interpolation_between_clouds() -> None:
    from torch_geometric import nn

    coarse, batch = batched([15, 12], "cubes")
    values = (coarse @ torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64)).repeat(1, 2)
    again = nn.knn_interpolate(values, coarse, coarse, batch, batch, k=3)
    torch.testing.assert_close(again, values, rtol=1e-6, atol=1e-6)  # a point at a node has the node's value


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch_geometric

    monkeypatch.delattr(torch_geometric.typing, "WITH_FPS")
    with pytest.raises(RuntimeError, match=r"has no torch_geometric.typing.WITH_FPS\): install torch-geometric 2.8"):
        graph.serve_torch_geometric()
