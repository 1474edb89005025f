"""The exact EMD's CUDA blocks, compiled for the CPU, against the CPU's kernels and scipy; on a GPU, the real ones too."""

import ctypes
from collections.abc import Iterator

import pytest
import torch
from emulation import TYPES, call, program
from test_emd import MATCHED, check_certificate
from torch import Tensor

from pcgen.ops import reference
from pcgen.ops.emd import Matching, match

SIZES = [1, 2, 3, 9, 31, 32, 33, 64, 100, 300]  # around the 8 warps of a block and the groups of 32 points


@pytest.fixture(scope="module")
def programs() -> ctypes.CDLL:
    return program("emd")


@pytest.fixture(params=[0, 1, 2], ids=["in_order", "shuffled", "shuffled_again"])
def order(request: pytest.FixtureRequest, programs: ctypes.CDLL) -> Iterator[int]:
    """Steps run their threads, warps and lanes in order, or in another order each time."""
    programs.set_order(ctypes.c_uint64(request.param))
    yield request.param
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
    assert torch.equal(value, cost.float()) or cost.isnan().any()
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
