"""The compiled libraries: found, loaded, and described."""

import ctypes
import os
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import torch

from pcgen.errors import choose
from pcgen.ops._cuda_build import CudaBuild

__all__ = ["DEVICES", "INSTRUCTION_SETS", "build_info", "load", "set_instruction_set"]

# The variable selects another build of the libraries, such as that of scripts/sanitize.sh.
FOLDER = Path(os.environ.get("PCGEN_LIBRARY_FOLDER") or Path(__file__).resolve().parent.parent / "lib")
BUILD = "pip install --no-build-isolation -e . in pcgen's source tree"
INSTRUCTION_SETS = ("portable", "avx2", "avx512")
DEVICES = {"cpu"}  # devices with kernels; `load` adds "cuda"
FAILURES: list[str] = []  # why the CUDA library does not load


@cache
def load() -> None:
    """Load the CPU library, and the CUDA library if there is one and torch is built for CUDA; once per process.

    If the CUDA library does not load, pcgen works on the CPU; a warning and `pcgen doctor` say why. Whether there is a
    GPU is not asked: that would keep processes that are forked later from using it.

    The environment variable PCGEN_INSTRUCTION_SET (portable, avx2 or avx512) replaces the automatic choice of the
    instruction set. PCGEN_LIBRARY_FOLDER replaces the folder of the libraries.

    Raises:
        ImportError: the CPU library is not built, or does not load.
    """
    cpu, cuda = FOLDER / "libpcgen_cpu.so", FOLDER / "libpcgen_cuda.so"
    if not cpu.is_file():
        raise ImportError(f"pcgen's native library is not built: no file {cpu}; run {BUILD}")
    try:
        torch.ops.load_library(cpu)
    except OSError as error:
        raise ImportError(f"pcgen's native library {cpu} does not load: {error}; build it again: {BUILD}") from None
    if torch.version.cuda is not None and cuda.is_file():
        try:
            torch.ops.load_library(cuda)
            DEVICES.add("cuda")
        except OSError as error:
            FAILURES[:] = [" ".join(str(error).split())]
            warnings.warn(
                f"pcgen works on the CPU alone: its CUDA library {cuda} does not load: {FAILURES[0]}; build it again: "
                f"{BUILD}",
                stacklevel=2,
            )
    if asked := os.environ.get("PCGEN_INSTRUCTION_SET"):
        set_instruction_set(asked)


def set_instruction_set(name: str) -> None:
    """Use the kernels of another instruction set: portable, avx2 or avx512, if this processor has it."""
    choose(name, INSTRUCTION_SETS, "instruction set")
    if _functions().pcgen_set_instruction_set(name.encode()):
        raise ValueError(f"instruction set: {name} is not available on this processor; it has {instruction_set()}")


def instruction_set() -> str:
    """The instruction set of the kernels in use."""
    value: bytes = _functions().pcgen_instruction_set()
    return value.decode()


def build_info() -> dict[str, Any]:
    """What is built and loaded.

    Returns:
        cpu_library: path of the CPU library.
        cuda_library: path of the CUDA library, None if it is not built.
        cuda_loaded: whether the CUDA library is loaded, and torch sees a CUDA device.
        cuda_failure: why it does not load, None if it was not tried or is loaded.
        cuda_toolkit: version of the CUDA toolkit that compiled it ("13.0"), None if it is not built.
        cuda_targets: its targets (("sm_80", "sm_90", "compute_90"), the last one is PTX for newer cards), or ().
        cuda_driver: major version of the minimum driver ("580"), None if it is unknown.
        instruction_set: instruction set of the CPU kernels in use: portable, avx2 or avx512.
        threads: number of torch's threads.
    """
    load()
    path = FOLDER / "libpcgen_cuda.so"
    cuda = CudaBuild.read(path) if path.is_file() else None
    return {
        "cpu_library": str(FOLDER / "libpcgen_cpu.so"),
        "cuda_library": None if cuda is None else str(path),
        "cuda_loaded": "cuda" in DEVICES and torch.cuda.is_available(),
        "cuda_failure": FAILURES[0] if FAILURES else None,
        "cuda_toolkit": None if cuda is None else cuda.toolkit,
        "cuda_targets": () if cuda is None else cuda.targets,
        "cuda_driver": None if cuda is None else cuda.driver,
        "instruction_set": instruction_set(),
        "threads": torch.get_num_threads(),
    }


@cache
def _functions() -> ctypes.CDLL:
    library = ctypes.CDLL(str(FOLDER / "libpcgen_cpu.so"))
    library.pcgen_instruction_set.restype = ctypes.c_char_p
    library.pcgen_set_instruction_set.argtypes = [ctypes.c_char_p]
    return library
