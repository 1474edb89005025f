"""The compiled libraries: found, loaded, and described."""

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any

import torch

from pcgen.errors import choose

__all__ = ["DEVICES", "INSTRUCTION_SETS", "build_info", "load", "set_instruction_set"]

# The variable is for a build beside this one, such as that of scripts/sanitize.sh.
FOLDER = Path(os.environ.get("PCGEN_LIBRARY_FOLDER") or Path(__file__).resolve().parent.parent / "lib")
BUILD = "pip install --no-build-isolation -e . in pcgen's source tree"
INSTRUCTION_SETS = ("portable", "avx2", "avx512")
DEVICES = {"cpu"}  # those with kernels; `load` adds "cuda"


@cache
def load() -> None:
    """Load the CPU library, and the CUDA one where there is a CUDA device; once in a process.

    The environment variable PCGEN_INSTRUCTION_SET (portable, avx2 or avx512) replaces the automatic choice.

    Raises:
        ImportError: the CPU library is not built, or does not load.
    """
    cpu, cuda = FOLDER / "libpcgen_cpu.so", FOLDER / "libpcgen_cuda.so"
    if not cpu.is_file():
        raise ImportError(f"pcgen's native library is not built: no file {cpu}; run {BUILD}")
    paths = [cpu, cuda] if torch.cuda.is_available() and cuda.is_file() else [cpu]
    for path in paths:
        try:
            torch.ops.load_library(path)
        except OSError as error:
            raise ImportError(f"pcgen's native library {path} does not load: {error}; build it anew: {BUILD}") from None
    if cuda in paths:
        DEVICES.add("cuda")
    if asked := os.environ.get("PCGEN_INSTRUCTION_SET"):
        set_instruction_set(asked)


def set_instruction_set(name: str) -> None:
    """Run the kernels of another instruction set: portable, avx2 or avx512, where this processor has it."""
    choose(name, INSTRUCTION_SETS, "instruction set")
    if _functions().pcgen_set_instruction_set(name.encode()):
        raise ValueError(f"instruction set: {name} is not there on this processor; it has {instruction_set()}")


def instruction_set() -> str:
    """The instruction set whose kernels run."""
    value: bytes = _functions().pcgen_instruction_set()
    return value.decode()


def build_info() -> dict[str, Any]:
    """What is built and loaded: paths of the libraries (None where absent), and the instruction set in use."""
    load()
    cuda = FOLDER / "libpcgen_cuda.so"
    return {
        "cpu_library": str(FOLDER / "libpcgen_cpu.so"),
        "cuda_library": str(cuda) if cuda.is_file() else None,
        "cuda_loaded": "cuda" in DEVICES,
        "instruction_set": instruction_set(),
        "threads": torch.get_num_threads(),
    }


@cache
def _functions() -> ctypes.CDLL:
    library = ctypes.CDLL(str(FOLDER / "libpcgen_cpu.so"))
    library.pcgen_instruction_set.restype = ctypes.c_char_p
    library.pcgen_set_instruction_set.argtypes = [ctypes.c_char_p]
    return library
