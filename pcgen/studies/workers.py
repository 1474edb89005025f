"""Work on several models at once, in processes of their own."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context, parent_process
from typing import TypeVar

import torch

__all__ = ["side_by_side"]

T = TypeVar("T")


def side_by_side(work: Callable[[str], T], names: Sequence[str], processes: int, threads: int) -> Iterator[T]:
    """`work` of each name, in the order of the names, by several processes with so many threads each.

    Heads are small networks, which several threads hardly train faster than one: two cores do most with a process of
    one thread on each. Processes are started anew, so a script that uses them guards its main program by
    `if __name__ == "__main__"`. They end with this process, and at Ctrl-C.

    Args:
        work: a function that can be sent to another process, as its result can.
        names: its arguments.
        processes: at most as many as there are names are started.
        threads: of each process.

    Raises:
        ChildProcessError: a process was killed, for want of memory for example.
    """
    count = min(processes, len(names))
    if count == 0:
        return
    try:
        with ProcessPoolExecutor(count, get_context("spawn"), _begin, (threads,)) as pool:
            yield from pool.map(partial(_interruptible, work), names)
    except BrokenProcessPool as error:
        raise ChildProcessError(
            f"processes: one of {count} was killed, perhaps for want of memory; give fewer --processes to go on"
        ) from error


def _begin(threads: int) -> None:
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A training that outlives its parent could write into a run that somebody has started again."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _interruptible(work: Callable[[str], T], name: str) -> T:
    try:
        return work(name)
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C, also where a training was saved first
        os._exit(1)  # an exception would only end this name's work, and the next one's would begin
