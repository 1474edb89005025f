"""The neighbours' CUDA blocks, compiled for the CPU, against the CPU's kernels; on a GPU, the real ones too."""

import ctypes

import pytest
import torch
from cloud_problems import PROBLEMS, pairs
from emulation import TYPES, call, program, race
from torch import Tensor

from pcgen import ops

SIZES = [
    (1, 1, 1),
    (9, 31, 5),
    (5, 33, 33),
    (20, 200, 64),
    (20, 200, 65),
    (3, 150, 150),
]
FUSED = ops.build_info()["instruction_set"] != "portable"

# Each operation of the blocks rounds as the CPU's vector kernels do, so results agree to the last bit.
pytestmark = pytest.mark.skipif(not FUSED, reason="the portable kernels round products that CUDA's and AVX's fuse")


@pytest.fixture(scope="module")
def programs() -> ctypes.CDLL:
    return program("neighbours")


def _knn(programs: ctypes.CDLL, x: Tensor, y: Tensor, k: int) -> tuple[Tensor, Tensor]:
    out = x.new_full((*x.shape[:2], k), -1), torch.full((*x.shape[:2], k), -1)
    call(getattr(programs, f"knn_{TYPES[x.dtype]}"), x, y, len(x), x.shape[1], y.shape[1], k, *out)
    return out


def _ball_query(programs: ctypes.CDLL, x: Tensor, y: Tensor, radius: float, k: int) -> Tensor:
    out = torch.full((*x.shape[:2], k), -2)
    call(getattr(programs, f"ball_query_{TYPES[x.dtype]}"), x, y, len(x), x.shape[1], y.shape[1], radius, k, out)
    return out


def _farthest(programs: ctypes.CDLL, x: Tensor, k: int, start: Tensor) -> Tensor:
    out = torch.full((len(x), k), -1)
    call(getattr(programs, f"farthest_points_{TYPES[x.dtype]}"), x, len(x), x.shape[1], k, start, out)
    return out


@pytest.mark.parametrize("dtype", TYPES, ids=TYPES.values())
@pytest.mark.parametrize("kind", PROBLEMS)
def test_knn(programs: ctypes.CDLL, kind: str, dtype: torch.dtype) -> None:
    for n, m, k in SIZES:
        x, y = pairs(kind, 2, n, m, dtype)
        for ours, expected in zip(_knn(programs, x, y, k), ops.knn(x, y, k), strict=True):
            assert torch.equal(ours, expected), (n, m, k)


@pytest.mark.parametrize("dtype", TYPES, ids=TYPES.values())
@pytest.mark.parametrize("kind", ["cubes", "lattice", "one_place", "far_from_origin"])
def test_ball_query(programs: ctypes.CDLL, kind: str, dtype: torch.dtype) -> None:
    for n, m, radius, k in [(1, 1, 0.0, 3), (20, 150, 0.2, 4), (20, 150, 1.0, 40), (9, 64, 10.0, 70)]:
        x, y = pairs(kind, 2, n, m, dtype)
        assert torch.equal(_ball_query(programs, x, y, radius, k), ops.ball_query(x, y, radius, k)), (n, m, radius, k)


@pytest.mark.parametrize("dtype", TYPES, ids=TYPES.values())
@pytest.mark.parametrize("kind", PROBLEMS)
def test_farthest_points(programs: ctypes.CDLL, kind: str, dtype: torch.dtype) -> None:
    for n, k in [(1, 1), (70, 70), (256, 9), (600, 40)]:
        x, _ = pairs(kind, 3, n, 1, dtype)
        start = torch.randint(n, (3,))
        assert torch.equal(_farthest(programs, x, k, start), ops.farthest_points(x, k, start)), (n, k)


def test_no_result_depends_on_the_order_of_threads(programs: ctypes.CDLL) -> None:
    x, y = pairs("lattice", 2, 20, 300, torch.float32)
    start = torch.tensor([3, 299])

    def run() -> list[Tensor]:
        chosen = _farthest(programs, y, 50, start)
        return [*_knn(programs, x, y, 12), *_knn(programs, x, y, 100), _ball_query(programs, x, y, 1.0, 9), chosen]

    expected = run()
    try:
        for seed in range(1, 6):
            programs.set_order(ctypes.c_uint64(seed))
            assert all(torch.equal(a, b) for a, b in zip(run(), expected, strict=True)), seed
    finally:
        programs.set_order(ctypes.c_uint64(0))


def test_warps_do_not_race() -> None:
    race("neighbours")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_shows(programs: ctypes.CDLL, bad: float) -> None:
    """Where the CPU refuses, a GPU would have to wait for its answer: it gives NaN, or what becomes NaN."""
    x, y = pairs("cubes", 2, 10, 40, torch.float32)
    x[0, 3, 1] = y[1, 7, 2] = bad
    for k in (5, 40):
        squares, indices = _knn(programs, x, y, k)
        assert squares[0].isnan().any(1).nonzero().squeeze(1).tolist() == [3] and squares[1].isnan().all()
        assert indices.min() >= 0 and indices.max() < 40
    inside = _ball_query(programs, x, y, 100.0, 40)
    assert (inside[0, 3] == -1).all() and (inside[0, 4] >= 0).all()
    assert (inside[1] != 7).all() and (inside[1] >= 0).sum(1).tolist() == [39] * 10
    assert _farthest(programs, y, 5, torch.tensor([0, 0]))[1].tolist() == [0, 7, 7, 7, 7]


def test_a_start_out_of_range_reads_nothing_out_of_range(programs: ctypes.CDLL) -> None:
    x, _ = pairs("cubes", 2, 10, 1, torch.float32)
    assert _farthest(programs, x, 1, torch.tensor([-5, 10])).tolist() == [[0], [9]]


@pytest.mark.skipif(not ops.build_info()["cuda_loaded"], reason="no CUDA device, or pcgen's CUDA library is not built")
@pytest.mark.parametrize("dtype", TYPES, ids=TYPES.values())
@pytest.mark.parametrize("kind", PROBLEMS)
def test_on_the_gpu(kind: str, dtype: torch.dtype) -> None:
    for n, m, k in [*SIZES, (3000, 2048, 20)]:
        x, y = pairs(kind, 3, n, m, dtype)
        stream, start = torch.cuda.Stream(), torch.randint(m, (3,))
        with torch.cuda.stream(stream):
            a, b = x.cuda(), y.cuda()
            found = [*ops.knn(a, b, k), ops.ball_query(a, b, 0.4, k), ops.farthest_points(b, k, start.cuda())]
        stream.synchronize()
        expected = [*ops.knn(x, y, k), ops.ball_query(x, y, 0.4, k), ops.farthest_points(y, k, start)]
        assert all(torch.equal(p.cpu(), q) for p, q in zip(found, expected, strict=True)), (n, m, k)
    with pytest.raises(ValueError, match=r"start: must be in \[0, 5\), got 5"):
        ops.farthest_points(torch.rand(1, 5, 3).cuda(), 2, torch.tensor([5]).cuda())
