"""The memory and time of sampling, estimated in advance."""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pcgen.models.base import GenerativeModel
from pcgen.seeds import isolated

__all__ = ["Cost", "available_memory", "gigabytes", "sampling_cost"]

_WORTH_A_TRIAL = 5.0  # seconds: what is shorter is not estimated any closer
_TRIAL = 1.0  # seconds that a trial takes before it stands for the whole
_TRIALS = 10.0  # seconds of all trials, where a batch takes hardly longer than a single object
_COPIES = 2  # of the result that are held at once: the batches, and what they are joined into


@dataclass(frozen=True)
class Cost:
    """The memory and time for n samples."""

    n: int
    result: int  # bytes of the result
    batch: int  # objects that are drawn at once
    memory: int  # bytes: the result while it is joined, besides what the network holds of one batch
    seconds: float  # estimated from trial batches

    def check(self, available: int | None) -> None:
        """Refuse a result that cannot fit into that many bytes; None is not known.

        Raises:
            ValueError: it does not fit.
        """
        if available is not None and self.memory > available:
            raise ValueError(
                f"n: {self.n:,} clouds would take {gigabytes(self.memory)} of memory ({gigabytes(self.result)}, and as "
                f"much again while they are joined), and {gigabytes(available)} are available; draw at most "
                f"{int(self.n * available / self.memory):,} at a time, with other seeds"
            )


def sampling_cost(model: GenerativeModel, n: int, element: int = 4, **options: Any) -> Cost:
    """The memory and time that `model.sample(n, **options)` will take.

    Batches of 1, 2, 4, ... objects are sampled until one takes a second and twice as long as a single object, or is a
    whole batch, or until n of them at this rate would take less than five seconds; the time of a whole batch is then on
    the line through the first and the last of them. This does not change later samples.

    Args:
        model: to sample from.
        n: number of objects.
        element: bytes of a number of the result.
        **options: of the model's sampling.

    Raises:
        ValueError: an option that the model does not accept.
    """
    points = options.get("points")
    batch = min(n, model.at_once(points))
    shape = (points or model.shape[0], *model.shape[1:])
    result = n * element * int(torch.Size(shape).numel())
    _timed(model, 1, options)  # What is found once, for all samples, is found here.
    size, single = 1, _timed(model, 1, options)
    seconds = spent = single
    while size < batch and seconds * n / size > _WORTH_A_TRIAL and spent < _TRIALS:
        if seconds >= max(_TRIAL, 2 * single):
            break
        size = min(2 * size, batch)
        seconds = _timed(model, size, options)
        spent += seconds
    each = max(0.0, seconds - single) / (size - 1) if size > 1 else seconds
    start = seconds - size * each  # what a batch takes besides its objects
    return Cost(n, result, batch, _COPIES * result, start * math.ceil(n / batch) + n * each)


def available_memory() -> int | None:
    """Bytes that this process may still take of the machine's memory; None where the system does not tell."""
    found = [_limit("/proc/meminfo", _available), _container(), _address_space()]
    return min((each for each in found if each is not None), default=None)


def gigabytes(size: int) -> str:
    """Bytes in words.

    >>> gigabytes(3 * 2**29)
    '1.5 GiB'
    """
    return f"{size / 2**30:.1f} GiB"


def _timed(model: GenerativeModel, size: int, options: dict[str, Any]) -> float:
    begin = time.monotonic()
    with isolated(0, model.device):
        drawn: Tensor = model.sample(size, **options)
        drawn.flatten()[:1].tolist()  # a GPU is done when a number has come
    return time.monotonic() - begin


def _limit(path: str, read: Callable[[str], int]) -> int | None:
    try:
        return read(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not Linux, or no limit, which is written "max"
        return None


def _available(text: str) -> int:
    (line,) = [line for line in text.splitlines() if line.startswith("MemAvailable:")]
    return int(line.split()[1]) * 1024


def _container() -> int | None:
    """What is left of the memory that a container may use; files that are cached count as free."""
    most = _limit("/sys/fs/cgroup/memory.max", int)
    if most is None:
        return None
    used = _limit("/sys/fs/cgroup/memory.current", int) or 0
    cached = _limit("/sys/fs/cgroup/memory.stat", _inactive_file) or 0
    return max(0, most - max(0, used - cached))


def _inactive_file(text: str) -> int:
    return int(dict(line.split() for line in text.splitlines())["inactive_file"])


def _address_space() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    pages = _limit("/proc/self/statm", lambda text: int(text.split()[0]))
    if limit == resource.RLIM_INFINITY or pages is None:
        return None
    return max(0, limit - pages * os.sysconf("SC_PAGE_SIZE"))
