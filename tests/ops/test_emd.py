"""Earth Mover's distance and matchings against scipy, their certificates, and what does not change them."""

import pytest
import torch
from cloud_problems import PROBLEMS, pairs
from torch import Tensor

from pcgen.ops import reference
from pcgen.ops.emd import Matching, emd, emd_matrix, match

SIZES = [1, 2, 3, 15, 16, 17, 64, 130]


def _clusters(n: int) -> Tensor:
    return 5.0 * torch.randint(0, 3, (n, 3)) + 0.01 * torch.randn(n, 3, dtype=torch.float64)


def _duplicates(n: int) -> Tensor:
    points = torch.randn(max(1, n // 8), 3, dtype=torch.float64)
    return points[torch.randint(0, len(points), (n,))]


def _plane(n: int, height: float) -> Tensor:
    return torch.cat([torch.rand(n, 2), torch.full((n, 1), height)], 1).double()


def _half_stuck(n: int) -> Tensor:
    cloud = torch.randn(n, 3, dtype=torch.float64)
    cloud[: n // 2] = 0
    return cloud


def _on_axis(n: int) -> Tensor:
    return torch.randint(-9, 10, (n, 1)) * torch.tensor([[0.0, -0.5, 0.0]], dtype=torch.float64)


def _with_outlier(n: int, place: float) -> Tensor:
    cloud = torch.randn(n, 3, dtype=torch.float64)
    cloud[-1] = place
    return cloud


def _islands(n: int) -> Tensor:
    """As many points here as very far away, in clouds of a thousandth of that distance, and one still farther."""
    cloud = torch.rand(n, 3, dtype=torch.float64)
    cloud[: n // 2] += 1e7
    cloud[n // 2 : n // 2 + 1] = -1e10
    return cloud


def _nearly_equal(n: int) -> tuple[Tensor, Tensor]:
    cloud = torch.rand(n, 3, dtype=torch.float64)
    return cloud, cloud[torch.randperm(n)] + 1e-12 * torch.randn(n, 3, dtype=torch.float64)


MATCHED = {kind: (lambda n, make=make: make(n, n)) for kind, make in PROBLEMS.items()} | {
    "clusters": lambda n: (_clusters(n), _clusters(n)),
    "duplicates": lambda n: (_duplicates(n), _duplicates(n)),
    "planes": lambda n: (_plane(n, 0), _plane(n, 1)),
    "half_stuck": lambda n: (_half_stuck(n), _half_stuck(n)),
    "outlier": lambda n: (_with_outlier(n, 1e4), torch.randn(n, 3, dtype=torch.float64)),
    "shared_outlier": lambda n: (_with_outlier(n, 1e4), _with_outlier(n, 1e4)),
    "shared_outlier_far": lambda n: (_with_outlier(n, -1e15), _with_outlier(n, -1e15)),
    "outliers_side_by_side": lambda n: (_with_outlier(n, 1e9), _with_outlier(n, 1e9 + 0.5)),
    "islands": lambda n: (_islands(n), _islands(n)),
    "nearly_equal": _nearly_equal,
    "to_one_point": lambda n: (torch.randn(n, 3, dtype=torch.float64), torch.zeros(n, 3, dtype=torch.float64)),
    "from_one_point": lambda n: (torch.ones(n, 3, dtype=torch.float64), torch.randn(n, 3, dtype=torch.float64)),
    "line_with_ties": lambda n: (_on_axis(n), _on_axis(n)),
    "nearly_a_line": lambda n: (_on_axis(n) + 1e-9 * torch.randn(n, 3).double(), _on_axis(n)),
    "two_points": lambda n: (torch.zeros(n, 3).double(), torch.ones(n, 3).double()),
    "huge": lambda n: (1e6 * torch.randn(n, 3).double(), 1e6 * torch.randn(n, 3).double()),
    "very_far_apart": lambda n: (torch.randn(n, 3).double(), torch.randn(n, 3).double() + 1e6),
}


def check_certificate(x: Tensor, y: Tensor, matching: Matching, gap: float = 0.0) -> None:
    """Everything that a matching claims, recomputed from the clouds alone."""
    distances = reference.squared_distances(x, y).sqrt()  # (B, N, N)
    check_shares(distances, matching, gap)
    n = x.shape[1]
    rounding = 1e-13 * distances.amax((1, 2))
    assert torch.equal(matching.index.sort(1).values, torch.arange(n).expand_as(matching.index))
    cost = distances.gather(2, matching.index[:, :, None]).mean((1, 2))
    assert (cost - matching.cost).abs().le(rounding).all()
    slack = distances - matching.x_dual[:, :, None] - matching.y_dual[:, None]
    assert slack.amin((1, 2)).ge(-rounding).all()
    bound = matching.x_dual.mean(1) + matching.y_dual.mean(1)
    assert (bound - matching.lower_bound).abs().le(rounding).all()
    assert (cost - bound).le(gap * cost + rounding).all()


def check_shares(distances: Tensor, matching: Matching, gap: float = 0.0) -> None:
    """The claims as shares of the cost, and of the numbers that are rounded: the size of the clouds does not matter."""
    u, v = matching.x_dual, matching.y_dual
    cost = distances.gather(2, matching.index[:, :, None]).mean((1, 2))
    torch.testing.assert_close(matching.cost, cost, rtol=1e-12, atol=1e-300)
    size = u.abs().mean(1) + v.abs().mean(1)
    assert (u.mean(1) + v.mean(1) - matching.lower_bound).abs().le(1e-13 * size).all()
    sizes = distances + u.abs()[:, :, None] + v.abs()[:, None]
    assert (distances - u[:, :, None] - v[:, None] + 1e-14 * sizes).ge(0).all()
    assert (cost - matching.lower_bound).le(max(gap, 1e-9) * cost).all()
    assert matching.gap.le(max(gap, 1e-9)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("kind", MATCHED)
def test_optimal_and_certified(kind: str, dtype: torch.dtype, instruction_set: str) -> None:
    for n in SIZES:
        made = [MATCHED[kind](n) for _ in range(4)]
        x, y = (torch.stack(clouds).to(dtype) for clouds in zip(*made, strict=True))
        matching = match(x, y)
        check_certificate(x, y, matching)
        optimum = reference.match(x, y)[1]
        torch.testing.assert_close(matching.cost, optimum, rtol=1e-12, atol=1e-300, msg=f"{kind} {n}")
        torch.testing.assert_close(emd(x, y), optimum.to(dtype), rtol=2e-7 if dtype == torch.float32 else 1e-12, atol=0)


@pytest.mark.parametrize(
    "kind",
    ["cubes", "spheres", "lattice", "clusters", "duplicates", "far_apart", "shared_outlier", "outliers_side_by_side"],
)
def test_optimal_at_full_size(kind: str) -> None:
    x, y = (cloud.float()[None] for cloud in MATCHED[kind](1500))
    matching = match(x, y)
    check_certificate(x, y, matching)
    torch.testing.assert_close(matching.cost, reference.match(x, y)[1], rtol=1e-12, atol=0)


@pytest.mark.parametrize("gap", [0.0, 0.01])
@pytest.mark.parametrize("place", [1e3, 1e5, 1e7, 1e11, 1e15, 1e30, 1e150, 1e200, 1e290])
def test_a_point_that_both_clouds_share_costs_nothing(place: float, gap: float, instruction_set: str) -> None:
    """By the triangle inequality, a shared point stays where it is, and the others are matched as without it."""
    x, y = torch.rand(2, 3, 64, 3, dtype=torch.float64)
    optimum = reference.match(x[:, 1:], y[:, 1:])[1] * 63 / 64
    for sign in (1, -1):
        x[:, 0] = y[:, 0] = torch.tensor([place, 0, sign * place], dtype=torch.float64)
        matching = match(x, y, gap)
        assert (matching.cost >= optimum * (1 - 1e-9)).all()
        assert (matching.lower_bound <= optimum * (1 + 1e-9)).all()
        assert matching.gap.le(max(gap, 1e-9)).all()
        if gap == 0:
            torch.testing.assert_close(matching.cost, optimum, rtol=1e-9, atol=0)
            torch.testing.assert_close(emd(x, y), optimum, rtol=1e-9, atol=0)


def test_float32_clouds_with_a_shared_point_that_absorbs_all_differences() -> None:
    """Seen from the shared point, all others are in one place."""
    x, y = torch.rand(2, 2, 40, 3)
    optimum = reference.match(x[:, 1:], y[:, 1:])[1] * 39 / 40
    x[:, 0] = y[:, 0] = -1e30
    matching = match(x, y)
    torch.testing.assert_close(matching.cost, optimum, rtol=1e-9, atol=0)
    assert matching.gap.le(1e-9).all()
    again = match(x, y, start=torch.randn(2, 40))
    torch.testing.assert_close(again.cost, optimum, rtol=1e-9, atol=0)


def test_what_scaling_loses_is_no_certificate() -> None:
    """Float64 cannot have both numbers in one unit."""
    x, y = torch.rand(2, 1, 20, 3, dtype=torch.float64) * 1e-40
    x[:, 0] = y[:, 0] = 1e300
    with pytest.raises(RuntimeError, match=r"gap: must be larger, since rounding hides .*, got 0; give 1e-6, or drop"):
        match(x, y)


@pytest.mark.parametrize("noise", [0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3])
def test_clouds_that_are_nearly_equal(noise: float, instruction_set: str) -> None:
    x = torch.rand(2, 200, 3, dtype=torch.float64)
    y = x[:, torch.randperm(200)] + noise * torch.randn(2, 200, 3, dtype=torch.float64)
    matching = match(x, y)
    check_certificate(x, y, matching)
    torch.testing.assert_close(matching.cost, reference.match(x, y)[1], rtol=1e-12, atol=0)


def test_hand_computed() -> None:
    x = torch.tensor([[[0.0, 0, 0], [1, 0, 0]]])
    y = torch.tensor([[[2.0, 0, 0], [0, 3, 0]]])
    # 0 to (0, 3, 0) and 1 to (2, 0, 0): (3 + 1) / 2; the other way (2 + sqrt 10) / 2.
    matching = match(x, y)
    assert matching.index.tolist() == [[1, 0]] and matching.cost.tolist() == [2.0] and emd(x, y).tolist() == [2.0]


def test_shifted_and_shuffled_cloud_moves_by_the_shift() -> None:
    x = torch.rand(3, 400, 3, dtype=torch.float64)
    shift = torch.tensor([0.3, -0.4, 1.2], dtype=torch.float64)
    order = torch.randperm(400)
    y = x[:, order] + shift
    torch.testing.assert_close(emd(x, y), torch.full((3,), 1.3, dtype=torch.float64), rtol=1e-14, atol=0)
    assert torch.equal(emd(x, x[:, order]), torch.zeros(3, dtype=torch.float64))


def test_distance_on_a_line_is_that_of_the_sorted_points() -> None:
    x, y = pairs("line", 3, 700, 700, torch.float64)
    direction = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)
    along = [(cloud @ direction / direction.norm()).sort(1).values for cloud in (x, y)]
    torch.testing.assert_close(emd(x, y), (along[0] - along[1]).abs().mean(1), rtol=1e-12, atol=0)


def test_many_points_in_one_place_or_on_a_line() -> None:
    n = 20_000
    x, y, place = torch.randn(1, n, 1), torch.randn(1, n, 1), torch.tensor([0.5, -1.0, 2.0])
    for cloud, other in ((x * place, place.expand(1, n, 3)), (place.expand(1, n, 3), y * place)):
        expected = (cloud.double() - other.double()).norm(dim=2).mean(1)
        torch.testing.assert_close(match(cloud.contiguous(), other.contiguous()).cost, expected, rtol=1e-13, atol=0)
    matching = match(x * place, y * place)
    expected = (x.double().sort(1).values - y.double().sort(1).values).abs().mean((1, 2)) * place.double().norm()
    torch.testing.assert_close(matching.cost, expected, rtol=1e-13, atol=0)
    torch.testing.assert_close(matching.lower_bound, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("kind", ["cubes", "lattice", "duplicates"])
def test_order_of_the_points_does_not_matter_to_the_last_bit(kind: str) -> None:
    x, y = (cloud[None] for cloud in MATCHED[kind](333))
    first = match(x, y)
    for _ in range(3):
        again = match(x[:, torch.randperm(333)], y[:, torch.randperm(333)])
        assert torch.equal(again.cost, first.cost) and torch.equal(again.lower_bound, first.lower_bound)


def test_symmetric_scales_and_obeys_the_triangle() -> None:
    x, y, z = (torch.rand(4, 150, 3, dtype=torch.float64) for _ in range(3))
    torch.testing.assert_close(emd(x, y), emd(y, x), rtol=1e-14, atol=0)
    assert torch.equal(emd(x * 2**40, y * 2**40), emd(x, y) * 2**40)
    assert (emd(x, z) <= emd(x, y) + emd(y, z)).all()


@pytest.mark.parametrize("scale", [1e-290, 1e300, 1.7e308])
def test_ends_of_the_range_of_float64(scale: float) -> None:
    x, y = torch.rand(1, 50, 3, dtype=torch.float64), torch.rand(1, 50, 3, dtype=torch.float64)
    torch.testing.assert_close(emd(x * scale, y * scale) / scale, emd(x, y), rtol=1e-12, atol=0)


def test_value_is_the_same_in_any_batch_order_and_thread_count() -> None:
    x, y = pairs("spheres", 5, 200, 200, torch.float32)
    threads = torch.get_num_threads()
    first = match(x, y)
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            for rows in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2]):
                again = match(x[rows], y[rows])
                assert torch.equal(again.cost, first.cost[rows]) and torch.equal(again.index, first.index[rows])
                assert torch.equal(again.x_dual, first.x_dual[rows]) and torch.equal(again.y_dual, first.y_dual[rows])
        with pytest.raises(ValueError, match="y: must be finite, got nan in point 7 of cloud 1"):
            match(x[:2], y[:2].index_put((torch.tensor(1), torch.tensor(7)), torch.tensor(float("nan"))))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("gap", [0.3, 0.01, 0.001])
@pytest.mark.parametrize("kind", MATCHED)
def test_gap_is_certified(kind: str, gap: float) -> None:
    for n in (1, 5, 100, 300):
        x, y = (cloud[None] for cloud in MATCHED[kind](n))
        matching = match(x, y, gap)
        check_certificate(x, y, matching, gap)
        assert matching.gap.item() <= gap + 1e-12


def _unbalanced(n: int) -> tuple[Tensor, Tensor]:
    """A coarse cluster, and two tight ones far apart with other shares of the points in each cloud.

    Prices of the tight ones must differ by their distance, and an auction raises them by less than their size per bid.
    """

    def cluster(count: int, size: float, place: list[float]) -> Tensor:
        return torch.rand(count, 3, dtype=torch.float64) * size + torch.tensor(place, dtype=torch.float64)

    half, most = n // 2, 3 * n // 8
    sides = [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]
    clouds = [
        torch.cat([cluster(half, 1e-3, [0.5, 2, 0]), cluster(most, 1e-7, many), cluster(n - half - most, 1e-7, few)])
        for many, few in (sides, sides[::-1])
    ]
    return clouds[0], clouds[1]


ADVERSARIAL = {"unbalanced": _unbalanced} | {
    kind: MATCHED[kind] for kind in ("clusters", "half_stuck", "outlier", "shared_outlier_far", "nearly_equal")
}


@pytest.mark.parametrize("gap", [0.3, 0.01, 1e-6])
@pytest.mark.parametrize("start", ["zeros", "noise", "absurd", "none"])
@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_gap_is_certified_from_any_start(kind: str, start: str, gap: float, instruction_set: str) -> None:
    """Also where an auction ends at its limit of bids, before every point is matched."""
    n = 256
    x, y = (cloud[None] for cloud in ADVERSARIAL[kind](n))
    duals = {
        "zeros": torch.zeros(1, n),
        "noise": torch.randn(1, n),
        "absurd": 1e300 * torch.randn(1, n, dtype=torch.float64),
        "none": None,
    }
    matching = match(x, y, gap, start=duals[start])
    check_certificate(x, y, matching, gap)
    optimum = reference.match(x, y)[1]
    assert (matching.lower_bound <= optimum * (1 + 1e-12)).all() and (optimum <= matching.cost * (1 + 1e-12)).all()


@pytest.mark.parametrize("kind", ["cubes", "lattice", "clusters"])
def test_start_from_any_duals(kind: str) -> None:
    x, y = (cloud[None] for cloud in MATCHED[kind](200))
    first = match(x, y)
    starts = {
        "own": first.y_dual,
        "nearly": match(x + 0.01 * torch.randn_like(x), y).y_dual,
        "noise": torch.randn(1, 200),
        "absurd": 1e300 * torch.randn(1, 200, dtype=torch.float64),
    }
    for name, start in starts.items():
        again = match(x, y, start=start)
        check_certificate(x, y, again)
        torch.testing.assert_close(again.cost, first.cost, rtol=1e-13, atol=0, msg=name)


def test_gap_of_a_pair_that_could_not_be_matched_is_not_zero() -> None:
    """As on a GPU, where such a pair is NaN."""
    cost = torch.tensor([2.0, 0.0, float("nan")], dtype=torch.float64)
    nothing = torch.zeros(3, 1, dtype=torch.float64)
    gap = Matching(nothing.long(), cost, cost / 2, nothing, nothing).gap
    assert gap[:2].tolist() == [0.5, 0.0] and gap[2].isnan()


def test_matrix_is_that_of_the_pairs() -> None:
    a, b = torch.rand(3, 60, 3), torch.rand(4, 60, 3)
    calls: list[tuple[int, int]] = []
    matrix = emd_matrix(a, b, progress=lambda done, total: calls.append((done, total)))
    assert matrix.dtype == torch.float64 and calls == [(4, 12), (8, 12), (12, 12)]
    for i in range(3):
        assert torch.equal(matrix[i], match(a[i].expand(4, -1, -1), b).cost)
    assert emd_matrix(a, b[:0]).shape == (3, 0)


def test_matrix_of_a_set_with_itself() -> None:
    a = torch.rand(4, 50, 3)
    calls: list[tuple[int, int]] = []
    matrix = emd_matrix(a, a, progress=lambda done, total: calls.append((done, total)))
    assert torch.equal(matrix, matrix.T) and torch.equal(matrix.diag(), torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(matrix, emd_matrix(a, a.clone()), rtol=1e-13, atol=0)
    assert calls == [(4, 10), (7, 10), (9, 10), (10, 10)]
