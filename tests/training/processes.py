"""Processes for the tests of training, forked from one that has imported torch, so that they start at once."""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess

import torch

_context = multiprocessing.get_context("forkserver")
# The first optimizer of a process imports torch._dynamo, which takes seconds.
_context.set_forkserver_preload(["pcgen.training", "torch._dynamo"])


def start(function: Callable[..., None], *arguments: object, **environment: str) -> BaseProcess:
    """Run a function of a module in another process, with as many threads as this one."""
    process = _context.Process(target=_run, args=(function, arguments, environment, torch.get_num_threads()))
    process.start()
    return process


def _run(function: Callable[..., None], arguments: tuple, environment: dict[str, str], threads: int) -> None:
    os.environ |= environment
    torch.set_num_threads(threads)
    function(*arguments)
