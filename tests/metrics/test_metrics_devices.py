"""Sets on a GPU: the tiles that fill it, and, where there is one, the numbers of the CPU."""

import dataclasses

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from pcgen.metrics import PROTOCOLS, evaluate
from pcgen.metrics.blocks import Block


def on_gpu(count: int) -> Tensor:
    """Clouds that say they are on a GPU, whether there is one or not."""
    with FakeTensorMode():
        return torch.empty(count, 8, 3, device="cuda")


def test_tiles_are_as_large_as_fills_the_device() -> None:
    gpu = Block("", "exact", on_gpu(600), on_gpu(600))
    cpu = dataclasses.replace(gpu, a=torch.empty(600, 8, 3), b=torch.empty(600, 8, 3))
    assert max(tile.pairs for tile in cpu.tiles()) == 16 * 16
    assert max(tile.pairs for tile in gpu.tiles()) == 128 * 128
    assert dataclasses.replace(gpu, distance="chamfer").side == 512
    assert gpu.stored_as != cpu.stored_as == "exact"  # the last bits differ


def test_a_distance_without_a_kernel_for_the_device_is_computed_on_the_cpu() -> None:
    block = Block("", "approxmatch", on_gpu(30), on_gpu(30))
    assert block.device.type == "cpu" and block.side == 16 and block.stored_as == "approxmatch"
    assert Block("", "chamfer", on_gpu(3), on_gpu(3)).device.type == "cuda"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("preset", PROTOCOLS)
def test_a_gpu_gives_the_numbers_of_the_cpu(preset: str) -> None:
    sides = torch.rand(30, 1, 3) + 0.2
    samples, reference, train = (torch.rand(30, 64, 3) * sides.roll(turn, 0) - 0.3 for turn in range(3))
    want = evaluate(samples, reference, train, preset, second=reference.flip(1) * 1.01, full=True)
    got = evaluate(samples, reference, train, preset, second=reference.flip(1) * 1.01, full=True, device="cuda")
    assert got.protocol == want.protocol
    for ours, theirs in zip(got.rows, want.rows, strict=True):
        assert dict(ours.values) == pytest.approx(dict(theirs.values), rel=1e-4, abs=1e-6)
    already = evaluate(samples.cuda(), reference.cuda(), train.cuda(), preset, full=True)
    assert already.values == pytest.approx(dict(want.values), rel=1e-4, abs=1e-6)
