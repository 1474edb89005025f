"""The exact EMD's CUDA blocks, compiled for the CPU, against scipy and the CPU's kernels; on a GPU, the real ones."""

import ctypes
import importlib
from collections.abc import Callable, Iterator

import pytest
import torch
from emulation import TYPES, call, program, race
from test_emd import MATCHED, check_certificate
from torch import Tensor

from pcgen import ops
from pcgen.ops import reference
from pcgen.ops.emd import Matching, emd, emd_matrix, match

SIZES = [1, 2, 3, 9, 31, 32, 33, 64, 100, 300]  # around the 8 warps of a block and the groups of 32 points


@pytest.fixture(scope="module")
def programs() -> ctypes.CDLL:
    return program("emd")


@pytest.fixture
def set_order(programs: ctypes.CDLL) -> Iterator[Callable[[int], None]]:
    """Steps run their threads, warps and lanes in another order each time, drawn by a seed; in order where it is 0."""
    yield lambda seed: programs.set_order(ctypes.c_uint64(seed))
    programs.set_order(ctypes.c_uint64(0))


def _clouds(kind: str, batch: int, n: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    made = [MATCHED[kind](n) for _ in range(batch)]
    return torch.stack([x for x, _ in made]).to(dtype), torch.stack([y for _, y in made]).to(dtype)


def _match(programs: ctypes.CDLL, x: Tensor, y: Tensor, gap: float = 0.0, start: Tensor | None = None) -> Matching:
    batch, n = x.shape[:2]
    index = torch.empty(batch, n, dtype=torch.int64)
    cost, bound = torch.empty(2, batch, dtype=torch.float64)
    x_dual, y_dual = torch.empty(2, batch, n, dtype=torch.float64)
    value = torch.empty(batch)
    function = getattr(programs, f"match_{TYPES[x.dtype]}")
    call(function, x, y, batch, n, float(gap), start, index, cost, bound, x_dual, y_dual, value)
    torch.testing.assert_close(value, cost.float(), rtol=0, atol=0, equal_nan=True)
    return Matching(index, cost, bound, x_dual, y_dual)


def _same(a: Matching, b: Matching) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in Matching.__dataclass_fields__)


@pytest.mark.parametrize("dtype", TYPES, ids=TYPES.values())
@pytest.mark.parametrize("kind", MATCHED)
def test_optimal_and_certified(programs: ctypes.CDLL, kind: str, dtype: torch.dtype) -> None:
    for n in SIZES:
        x, y = _clouds(kind, 2, n, dtype)
        matching = _match(programs, x, y)
        check_certificate(x, y, matching)
        torch.testing.assert_close(matching.cost, match(x, y).cost, rtol=1e-12, atol=1e-300, msg=f"{kind} {n}")
        if n < 100:
            torch.testing.assert_close(matching.cost, reference.match(x, y)[1], rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("kind", ["cubes", "spheres", "lattice", "clusters", "duplicates"])
def test_optimal_at_full_size(programs: ctypes.CDLL, kind: str) -> None:
    x, y = _clouds(kind, 1, 1500)
    matching = _match(programs, x, y)
    check_certificate(x, y, matching)
    torch.testing.assert_close(matching.cost, match(x, y).cost, rtol=1e-12, atol=0)


@pytest.mark.parametrize("kind", ["cubes", "lattice", "line", "clusters", "one_place", "shared_points", "far_apart"])
def test_no_order_of_threads_matters(programs: ctypes.CDLL, set_order: Callable[[int], None], kind: str) -> None:
    _check_orders(programs, set_order, *_clouds(kind, 2, 270))


def test_no_order_of_threads_matters_in_the_second_try(programs: ctypes.CDLL, set_order: Callable[[int], None]) -> None:
    _check_orders(programs, set_order, *_clouds("shared_outlier_far", 2, 70))


def _check_orders(programs: ctypes.CDLL, set_order: Callable[[int], None], x: Tensor, y: Tensor) -> None:
    for gap in (0.0, 0.05):
        set_order(0)
        first = _match(programs, x, y, gap)
        assert _same(_match(programs, x, y, gap), first)
        for seed in (1, 2, 3):
            set_order(seed)
            assert _same(_match(programs, x, y, gap), first), f"order {seed}, gap {gap}"


@pytest.mark.parametrize("place", [1e3, 1e7, 1e15, 1e150, 1e200])
def test_a_point_that_both_clouds_share_costs_nothing(programs: ctypes.CDLL, place: float) -> None:
    x, y = torch.rand(2, 2, 64, 3, dtype=torch.float64)
    optimum = reference.match(x[:, 1:], y[:, 1:])[1] * 63 / 64
    x[:, 0] = y[:, 0] = place
    for gap in (0.0, 0.01):
        matching = _match(programs, x, y, gap)
        assert matching.gap.le(max(gap, 1e-9)).all() and (matching.lower_bound <= optimum * (1 + 1e-9)).all()
        assert (matching.cost >= optimum * (1 - 1e-9)).all()
        if gap == 0:
            torch.testing.assert_close(matching.cost, optimum, rtol=1e-9, atol=0)


def test_warps_do_not_race() -> None:
    race("emd")


@pytest.mark.parametrize("kind", ["cubes", "lattice", "duplicates", "line"])
def test_order_of_the_points_does_not_matter_to_the_last_bit(programs: ctypes.CDLL, kind: str) -> None:
    x, y = _clouds(kind, 1, 300)
    first = _match(programs, x, y)
    for _ in range(3):
        again = _match(programs, x[:, torch.randperm(300)].contiguous(), y[:, torch.randperm(300)].contiguous())
        assert torch.equal(again.cost, first.cost) and torch.equal(again.lower_bound, first.lower_bound)


@pytest.mark.parametrize("gap", [0.3, 0.01, 0.001])
@pytest.mark.parametrize("kind", MATCHED)
def test_gap_is_certified(programs: ctypes.CDLL, kind: str, gap: float) -> None:
    for n in (1, 40, 200):
        x, y = _clouds(kind, 1, n)
        matching = _match(programs, x, y, gap)
        check_certificate(x, y, matching, gap)
        assert matching.gap.item() <= gap + 1e-12


def test_a_gap_is_used(programs: ctypes.CDLL) -> None:
    x, y = _clouds("cubes", 3, 300)
    assert (_match(programs, x, y, 0.1).cost > _match(programs, x, y).cost).all()


@pytest.mark.parametrize("kind", ["cubes", "lattice", "clusters"])
def test_start_from_any_duals(programs: ctypes.CDLL, kind: str) -> None:
    x, y = _clouds(kind, 1, 200)
    first = _match(programs, x, y)
    starts = {
        "own": first.y_dual,
        "nearly": _match(programs, x + 0.01 * torch.randn_like(x), y).y_dual,
        "noise": torch.randn(1, 200, dtype=torch.float64),
        "absurd": 1e300 * torch.randn(1, 200, dtype=torch.float64),
    }
    for name, start in starts.items():
        again = _match(programs, x, y, start=start)
        check_certificate(x, y, again)
        torch.testing.assert_close(again.cost, first.cost, rtol=1e-13, atol=0, msg=name)


@pytest.mark.parametrize("scale", [1e-290, 2.0**-60, 2.0**40, 1e300])
def test_scale(programs: ctypes.CDLL, scale: float) -> None:
    x, y = _clouds("cubes", 1, 60, torch.float64)
    ours, expected = _match(programs, x * scale, y * scale).cost / scale, _match(programs, x, y).cost
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=0)


def test_a_pair_that_cannot_be_solved_is_nan(programs: ctypes.CDLL) -> None:
    x, y = _clouds("cubes", 4, 50)
    good = _match(programs, x, y)
    x[1, 49, 2], y[2, 0, 0] = float("nan"), float("inf")
    start = torch.zeros(4, 50, dtype=torch.float64)
    start[3, 7] = float("inf")
    matching = _match(programs, x, y, start=start)
    assert matching.cost.isnan().tolist() == [False, True, True, True]
    torch.testing.assert_close(matching.cost[0], good.cost[0], rtol=1e-12, atol=0)
    for flagged in (matching.lower_bound[1:], matching.x_dual[1:], matching.y_dual[1:]):
        assert flagged.isnan().all()
    assert matching.index[1:].eq(-1).all() and matching.index[0].sort().values.equal(torch.arange(50))


def test_matrix_is_that_of_the_pairs(programs: ctypes.CDLL) -> None:
    a, b = torch.rand(3, 60, 3), torch.rand(4, 60, 3)
    matrix = torch.empty(3, 4, dtype=torch.float64)
    call(programs.matrix_float, a, b, 3, 4, 60, 0.0, matrix)
    for i in range(3):
        assert torch.equal(matrix[i], _match(programs, a[i].expand(4, -1, -1).contiguous(), b).cost)


def test_matrix_by_several_rows_at_once_as_on_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = torch.rand(5, 40, 3), torch.rand(4, 40, 3)
    by_row = emd_matrix(a, b), emd_matrix(a, a)
    monkeypatch.setitem(importlib.import_module("pcgen.ops.emd")._PAIRS_AT_ONCE, "cpu", 9)
    calls: list[tuple[int, int]] = []
    assert torch.equal(emd_matrix(a, b, progress=lambda done, total: calls.append((done, total))), by_row[0])
    assert calls == [(12, 20), (20, 20)]
    matrix = emd_matrix(a, a, progress=lambda done, total: calls.append((done, total)))
    assert torch.equal(matrix, matrix.T) and torch.equal(matrix, by_row[1])
    assert calls[2:] == [(9, 15), (14, 15), (15, 15)]


@pytest.mark.parametrize("dtype", TYPES, ids=TYPES.values())
@pytest.mark.parametrize("kind", ["cubes", "lattice", "clusters", "very_far_apart"])
def test_lower_bound_of_any_duals(programs: ctypes.CDLL, kind: str, dtype: torch.dtype) -> None:
    x, y = _clouds(kind, 2, 150, dtype)
    optimum = _match(programs, x, y)
    distances = reference.squared_distances(x, y).sqrt()
    wild = 10 * distances.amax() * torch.randn(2, 150, dtype=torch.float64)
    for duals in (optimum.x_dual, torch.zeros_like(wild), wild):
        ours = torch.empty(2, dtype=torch.float64)
        call(getattr(programs, f"lower_bound_{TYPES[dtype]}"), x, y, 2, 150, duals, ours)
        expected = duals.mean(1) + (distances - duals[:, :, None]).amin(1).mean(1)
        rounding = 1e-13 * (distances.amax() + duals.abs().amax()).item()
        assert (ours >= expected - rounding).all() and (ours <= optimum.cost).all()
        if duals is not wild:  # those beyond the clouds' diameter are of no use, and replaced
            torch.testing.assert_close(ours, expected, rtol=0, atol=rounding)


@pytest.mark.parametrize("dtype", TYPES, ids=TYPES.values())
def test_gradient(programs: ctypes.CDLL, dtype: torch.dtype) -> None:
    x, y = _clouds("shared_points", 3, 300, dtype)
    y[:, :100] += 0.1
    g = torch.rand(3, dtype=dtype)
    index = match(x, y).index
    ours = torch.empty_like(x), torch.empty_like(y)
    gradient = getattr(programs, f"gradient_{TYPES[dtype]}")
    call(gradient, g, x, y, 3, 300, index, *ours)
    for a, b in zip(ours, torch.ops.pcgen.emd_backward(g, x, y, index), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6 if dtype == torch.float32 else 1e-14, atol=0)
    index[1] = -1  # a pair that was not solved
    call(gradient, g, x, y, 3, 300, index, *ours)
    for a in ours:
        assert a[1].isnan().all() and a[::2].isfinite().all()


@pytest.mark.skipif(not ops.build_info()["cuda_loaded"], reason="no CUDA device, or pcgen's CUDA library is not built")
@pytest.mark.parametrize("dtype", TYPES, ids=TYPES.values())
@pytest.mark.parametrize("kind", MATCHED)
def test_on_the_gpu(kind: str, dtype: torch.dtype) -> None:
    for n in (1, 7, 33, 300, 1024):
        x, y = _clouds(kind, 3, n, dtype)
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            a, b = x.cuda().requires_grad_(), y.cuda().requires_grad_()
            exact, again, within = match(a, b), match(a, b), match(a, b, 0.02)
            warm = match(a, b, start=exact.y_dual)
            value = emd(a, b)
            gradient = torch.autograd.grad(value.sum(), (a, b))
            matrix = emd_matrix(a.detach(), b.detach())
            bound = torch.ops.pcgen.emd_lower_bound(a, b, exact.x_dual)
        stream.synchronize()
        assert _same(exact, again)
        for matching, gap in ((exact, 0.0), (within, 0.02), (warm, 0.0)):
            on_cpu = Matching(*(getattr(matching, name).cpu() for name in Matching.__dataclass_fields__))
            check_certificate(x, y, on_cpu, gap)
        expected = match(x, y).cost
        torch.testing.assert_close(exact.cost.cpu(), expected, rtol=1e-12, atol=1e-300)
        torch.testing.assert_close(value.detach().cpu(), expected.to(dtype), rtol=2e-7, atol=1e-300)
        torch.testing.assert_close(matrix.diag().cpu(), expected, rtol=1e-12, atol=1e-300)
        assert (bound <= exact.cost).all()
        on_cpu = torch.ops.pcgen.emd_backward(torch.ones(3, dtype=dtype), x, y, exact.index.cpu())
        for p, q in zip(gradient, on_cpu, strict=True):
            torch.testing.assert_close(p.cpu(), q, rtol=1e-5, atol=0)


@pytest.mark.skipif(not ops.build_info()["cuda_loaded"], reason="no CUDA device, or pcgen's CUDA library is not built")
@pytest.mark.parametrize("n", [2048, 5000, 16384])
def test_sizes_on_the_gpu(n: int) -> None:
    x, y = _clouds("spheres", 2, n)
    matching = match(x.cuda(), y.cuda())
    torch.testing.assert_close(matching.cost.cpu(), match(x, y).cost, rtol=1e-12, atol=0)
