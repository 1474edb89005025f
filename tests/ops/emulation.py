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
    _check_compiler()
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / f"{name}.so"
        _compile(name, library, "-O3", "-shared", "-fPIC")
        return ctypes.CDLL(str(library))  # stays loaded without its file


def race(name: str) -> None:
    """Run cuda_emulation/NAME.cpp as a program whose warps race; what a missing barrier lets happen is a failure."""
    _check_compiler()
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / name
        flags = ("-fsanitize=thread", "-pthread")
        trial = Path(folder) / "trial.cpp"
        trial.write_text("int main() { return 0; }")
        tried = subprocess.run([*_compiler(), *flags, trial, "-o", binary], capture_output=True)
        if tried.returncode != 0 or subprocess.run([binary], capture_output=True).returncode != 0:
            pytest.skip("ThreadSanitizer does not run here")
        _compile(name, binary, "-O1", "-g", "-DPCGEN_WARPS_RACE", *flags)
        result = subprocess.run([binary], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[:4000]


def _compiler() -> list[str]:
    return shlex.split(os.environ.get("CXX", "g++"))


def _check_compiler() -> None:
    if shutil.which(_compiler()[0]) is None or not SOURCES.is_dir():
        pytest.skip("the programs cannot be compiled: no C++ compiler, or no source tree")


def _compile(name: str, output: Path, *flags: str) -> None:
    source = HERE / "cuda_emulation" / f"{name}.cpp"
    common = ("-std=c++20", "-ffp-contract=off", f"-I{SOURCES}")
    subprocess.run([*_compiler(), *common, *flags, source, "-o", output], check=True)


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
