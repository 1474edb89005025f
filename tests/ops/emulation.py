"""The programs of the CUDA blocks, compiled for the CPU: one file of cuda_emulation/ each."""

import ctypes
import os
import shlex
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent.parent / "csrc"
TYPES = {torch.float32: "float", torch.float64: "double"}  # as the names of exported functions end


@cache
def program(name: str) -> ctypes.CDLL:
    """The functions of cuda_emulation/NAME.cpp; the test is skipped where they cannot be compiled."""
    compiler = shlex.split(os.environ.get("CXX", "g++"))
    if shutil.which(compiler[0]) is None or not SOURCES.is_dir():
        pytest.skip("the programs cannot be compiled: no C++ compiler, or no source tree")
    flags = ["-std=c++20", "-O3", "-shared", "-fPIC", "-ffp-contract=off", f"-I{SOURCES}"]
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / f"{name}.so"
        subprocess.run([*compiler, *flags, HERE / "cuda_emulation" / f"{name}.cpp", "-o", library], check=True)
        return ctypes.CDLL(str(library))  # stays loaded without its file


def call(function: object, *arguments: Tensor | float | bool | None) -> None:
    """Call a compiled function: tensors as pointers, None as the null pointer, numbers as C's int or double."""
    values = (_value(argument) for argument in arguments)
    function(*values)  # type: ignore[operator]


def _value(argument: Tensor | float | bool | None) -> object:
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if argument is None:
        return ctypes.c_void_p(None)
    return ctypes.c_double(argument) if isinstance(argument, float) else argument
