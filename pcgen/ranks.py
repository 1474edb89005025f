"""Distributed training: processes that `torchrun` started. No other module of pcgen knows about them.

With one process, these functions do nothing.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = [
    "TIMEOUT",
    "agree",
    "alike",
    "check_alike",
    "count",
    "device",
    "first",
    "gather",
    "group",
    "index",
    "part_noise",
    "reduce_mean",
    "reduce_sum",
    "share",
]

TIMEOUT = 300.0  # Seconds that ranks wait for each other before they raise an error.


def count() -> int:
    """The number of processes, 1 outside a group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def index() -> int:
    """The number of this process, 0 outside a group."""
    return dist.get_rank() if count() > 1 else 0


@contextmanager
def group(device: torch.device, timeout: float = TIMEOUT) -> Iterator[None]:
    """Context that joins the processes that torchrun started; an existing group is used without change.

    A process that waits longer than `timeout` seconds for another, or loses its connection to it, raises RuntimeError.
    So if one rank ends, all end.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or not dist.is_available() or dist.is_initialized():
        yield
        return
    # Flags are sent by gloo even if gradients are sent by NCCL, so that they need no synchronisation of the device.
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=timedelta(seconds=timeout))
    try:
        yield
    finally:
        dist.destroy_process_group()


def device(name: str | torch.device) -> torch.device:
    """The device of this process. With CUDA and several processes on a machine, each process has its own device.

    Raises:
        ValueError: the device does not exist, there are fewer devices than processes, or pcgen does not support it.
    """
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    here = ", ".join(["cpu", *(f"cuda:{place}" for place in range(found))])
    try:
        asked = torch.device(name)
    except RuntimeError:  # torch does not know the name
        asked = None
    if asked is None or asked.type not in ("cpu", "cuda"):
        raise ValueError(f"device: must be cpu, cuda or cuda:N, got '{name}'; this machine has {here}")
    if asked.type == "cpu":
        return torch.device("cpu")
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    place = int(os.environ.get("LOCAL_RANK", "0")) if local > 1 else (asked.index or 0)
    if found < max(local, place + 1):
        raise ValueError(
            f"device: {name} was asked for by {local} process(es), and {found} CUDA device(s) were found; this machine "
            f"has {here}"
        )
    return torch.device("cuda", place)


def first(value: Tensor) -> Tensor:
    """Rank 0's value of a CPU tensor, on every rank."""
    if count() > 1:
        value = value.clone()
        dist.broadcast(value, 0)
    return value


def agree(values: Sequence[float]) -> list[float]:
    """The maximum over ranks of each value."""
    if count() == 1:
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64)
    dist.all_reduce(tensor, dist.ReduceOp.MAX)
    return [float(value) for value in tensor.tolist()]


def gather(value: Tensor) -> list[Tensor]:
    """Every rank's value of a CPU tensor, in the order of the ranks; the shape must be the same on all ranks."""
    if count() == 1:
        return [value]
    values = [torch.empty_like(value) for _ in range(count())]
    dist.all_gather(values, value)
    return values


def reduce_sum(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor by its sum over ranks, in place: for sufficient statistics of EM, SOM, NMF, batch norm."""
    if count() > 1:
        for tensor in tensors:
            dist.all_reduce(tensor)


def reduce_mean(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor by its mean over ranks, in place."""
    tensors = list(tensors)
    reduce_sum(tensors)
    if count() > 1:
        for tensor in tensors:
            tensor /= count()


def share(pieces: int) -> range:
    """Indices of this rank's share of `pieces` of work: every n-th one, where n is the number of ranks."""
    return range(index(), pieces, count())


def alike(model: nn.Module) -> None:
    """Copy the parameters and buffers of rank 0 to every rank."""
    if count() > 1:
        for value in model.state_dict().values():
            dist.broadcast(value, 0)


def part_noise(seed: int | None) -> None:
    """Make the noise of the ranks differ: rank r seeds its global generator with seed + r; rank 0 does nothing."""
    if count() > 1:
        base = int(first(torch.tensor((torch.initial_seed() if seed is None else seed) % 2**62)))
        if index() > 0:
            torch.manual_seed(base + index())


def check_alike(model: nn.Module, optimized: bool) -> None:
    """Check that all ranks have the same learned state.

    For a model that is `optimized`, these are the parameters, since its buffers may be statistics of the rank's own
    rows. For other models, these are the parameters and buffers.

    Raises:
        RuntimeError: the states differ, so the ranks train different models.
    """
    if count() == 1:
        return
    named = dict(model.named_parameters()) if optimized else model.state_dict()
    if not named:
        return
    with torch.no_grad():
        sums = torch.stack([value.detach().to(torch.float64).sum().cpu() for value in named.values()])
    both = gather(sums)
    for other in both[1:]:
        for name, here, there in zip(named, both[0].tolist(), other.tolist(), strict=True):
            if here != there and not (here != here and there != there):
                raise RuntimeError(
                    f"{type(model).__name__}: {name} differs between ranks: its update does not go through "
                    "pcgen.optim.descend or pcgen.ranks.reduce_sum; train it with one process"
                )
