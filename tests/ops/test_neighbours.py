"""k nearest, ball query and farthest points, against the float64 references."""

import pytest
import torch
from cloud_problems import PROBLEMS, pairs
from scipy.spatial import cKDTree

from pcgen import ops
from pcgen.ops import reference

TIED = ["lattice", "one_place", "shared_points"]  # squared distances without rounding: indices are comparable


@pytest.mark.parametrize("kind", PROBLEMS)
def test_knn_equals_reference(kind: str, instruction_set: str) -> None:
    for n, m, k in [(1, 1, 1), (30, 70, 5), (130, 64, 64), (65, 129, 1)]:
        x, y = pairs(kind, 2, n, m, torch.float64)
        squares, indices = ops.knn(x, y, k)
        expected, order = reference.knn(x, y, k)
        torch.testing.assert_close(squares, expected, rtol=1e-14, atol=0)
        reached = reference.squared_distances(x, y).gather(2, indices)
        torch.testing.assert_close(reached, expected, rtol=1e-14, atol=0)
        if kind in TIED:
            assert torch.equal(indices, order)


def test_knn_in_float32_equals_the_tree_of_scipy() -> None:
    x, y = pairs("spheres", 1, 500, 3000, torch.float32)
    distances, indices = cKDTree(y[0].double()).query(x[0].double(), 8)
    squares, ours = ops.knn(x, y, 8)
    torch.testing.assert_close(squares[0].sqrt().double(), torch.as_tensor(distances), rtol=1e-6, atol=0)
    assert (ours[0] == torch.as_tensor(indices)).double().mean() > 0.999  # near ties may change places


@pytest.mark.parametrize("kind", ["cubes", "lattice", "one_place"])
def test_ball_query_equals_reference(kind: str, instruction_set: str) -> None:
    x, y = pairs(kind, 2, 40, 150, torch.float64)
    for radius, k in [(0.0, 3), (0.2, 4), (1.0, 30), (10.0, 200)]:
        assert torch.equal(ops.ball_query(x, y, radius, k), reference.ball_query(x, y, radius, k)), (radius, k)


@pytest.mark.parametrize("kind", [*TIED, "cubes", "far_from_origin"])
def test_farthest_points_equal_reference(kind: str, instruction_set: str) -> None:
    for n, k in [(1, 1), (70, 70), (200, 20)]:
        x, _ = pairs(kind, 3, n, 1, torch.float64)
        start = torch.randint(n, (3,))
        assert torch.equal(ops.farthest_points(x, k, start), reference.farthest_points(x, k, start))


def test_farthest_points_spread() -> None:
    """Gonzalez: no point is farther from those chosen than twice the best possible radius, here that of a line of k."""
    line = torch.zeros(1, 1000, 3)
    line[0, :, 0] = torch.linspace(0, 1, 1000)
    chosen = ops.farthest_points(line, 8)
    covered = ops.knn(line, line[:, chosen[0]], 1)[0].sqrt().max()
    assert covered <= 2 / 16 + 1e-6


def test_farthest_points_are_seeded_by_torch() -> None:
    x = torch.rand(4, 50, 3)
    torch.manual_seed(1)
    first = ops.farthest_points(x, 5)
    torch.manual_seed(1)
    assert torch.equal(first, ops.farthest_points(x, 5))
    assert len({int(i) for _ in range(20) for i in ops.farthest_points(x, 1)}) > 10


def test_threads_and_batches_change_nothing() -> None:
    x, y = pairs("cubes", 3, 300, 200, torch.float32)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        together = ops.knn(x, y, 3)[1], ops.ball_query(x, y, 0.2, 5)
    finally:
        torch.set_num_threads(threads)
    for b in range(3):
        assert torch.equal(together[0][b : b + 1], ops.knn(x[b : b + 1], y[b : b + 1], 3)[1])
        assert torch.equal(together[1][b : b + 1], ops.ball_query(x[b : b + 1], y[b : b + 1], 0.2, 5))


def test_bad_input_is_named() -> None:
    x = torch.rand(2, 5, 3)
    with pytest.raises(ValueError, match="k: must be at most the number of points in each cloud of y, 4, got 5"):
        ops.knn(x, x[:, :4], 5)
    with pytest.raises(ValueError, match="k: must be at least 1, got 0"):
        ops.ball_query(x, x, 0.1, 0)
    with pytest.raises(ValueError, match="radius: must be finite and not negative, got -1"):
        ops.ball_query(x, x, -1, 2)
    with pytest.raises(ValueError, match="k: must be from 1 to the number of points in each cloud, 5, got 6"):
        ops.farthest_points(x, 6)
    with pytest.raises(ValueError, match=r"start: must be in \[0, 5\), got 5"):
        ops.farthest_points(x, 2, torch.tensor([0, 5]))
    with pytest.raises(ValueError, match="start: must be one int64 index for each cloud"):
        ops.farthest_points(x, 2, torch.tensor([0]))
    for op in (
        lambda: ops.knn(x / 0, x, 1),
        lambda: ops.ball_query(x, x / 0, 1, 1),
        lambda: ops.farthest_points(x / 0, 1),
    ):
        with pytest.raises(ValueError, match="must be finite, got inf"):
            op()


def test_opcheck() -> None:
    x, y = torch.rand(2, 7, 3), torch.rand(2, 8, 3)
    torch.library.opcheck(torch.ops.pcgen.knn.default, (x, y, 3))
    torch.library.opcheck(torch.ops.pcgen.ball_query.default, (x, y, 0.3, 3))
    torch.library.opcheck(torch.ops.pcgen.farthest_points.default, (x, 3, torch.tensor([0, 6])))
