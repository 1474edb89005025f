"""What `pcgen doctor` finds of CUDA: the cards that are there, and whether pcgen's kernels run on them."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from pcgen.cli.findings import BUILD, LACKS, OK, Finding, one_line

__all__ = ["Card", "cuda"]

_DEFAULT = "/usr/local/cuda/bin"


@dataclass(frozen=True)
class Card:
    """A card as its driver tells it, whatever torch is installed."""

    name: str
    driver: str
    capability: tuple[int, int]


def _cards() -> list[Card]:
    """What nvidia-smi, which comes with the driver, lists; nothing where it is absent or fails."""
    path = shutil.which("nvidia-smi")
    if path is None:
        return []
    command = [path, "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
        rows = [line.split(", ") for line in said.splitlines()]
        return [Card(name, driver, (int(c.partition(".")[0]), int(c.partition(".")[2]))) for name, driver, c in rows]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def cuda() -> Finding:
    """Which cards there are, whether pcgen's kernels run on them, and why not."""
    name = "CUDA"
    try:
        import torch

        from pcgen.ops._library import build_info

        info = build_info()
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        return Finding(name, LACKS, f"not checked: {one_line(error)}")
    cards = _cards()
    kernels = "no CUDA kernels of pcgen"
    if info["cuda_library"] is not None:
        least = "" if info["cuda_driver"] is None else f", driver {info['cuda_driver']} or newer"
        kernels = f"pcgen's kernels are for {' '.join(info['cuda_targets'])} (CUDA {info['cuda_toolkit']}{least})"
    seen = ", ".join(f"{card.name} (sm_{card.capability[0]}{card.capability[1]})" for card in cards) or "no card"
    driver = f", driver {cards[0].driver}" if cards else ""
    built = "without CUDA" if torch.version.cuda is None else f"for CUDA {torch.version.cuda}"
    found = f"{seen}{driver}; torch {built}; {kernels}; {_nvcc()}"
    if not cards and not torch.cuda.is_available():
        return Finding(name, LACKS, f"{found}; everything runs on the CPU")
    fault = _cuda_fault(info, cards)
    return Finding(name, LACKS, f"{found}; {fault[0]}", fault[1]) if fault else Finding(name, OK, found)


def _cuda_fault(info: dict[str, Any], cards: list[Card]) -> tuple[str, str] | None:
    """Why pcgen's kernels cannot run on the cards that are there, and what to type; None where they can."""
    import torch

    from pcgen.ops._cuda_build import CudaBuild

    if info["cuda_library"] is None:
        return "pcgen is built without CUDA kernels", f"{BUILD}, with nvcc on the PATH"
    if info["cuda_failure"] is not None:
        return f"the kernels do not load: {info['cuda_failure']}", BUILD
    least = info["cuda_driver"]
    if cards and least is not None and int(cards[0].driver.partition(".")[0]) < int(least):
        return (
            "the driver is too old for the kernels",
            f"install a driver of version {least} or newer, or build with an older nvcc",
        )
    build = CudaBuild(info["cuda_toolkit"], info["cuda_targets"])
    strange = [card for card in cards if not build.runs_on(card.capability)]
    if strange:
        architecture = "".join(map(str, strange[0].capability))
        return f"the kernels have no code for {strange[0].name}", f"PCGEN_CUDA_ARCHITECTURES={architecture} {BUILD}"
    if torch.version.cuda is None:
        return "this torch does not see it", "pip install --force-reinstall torch  # a build for CUDA"
    if not torch.cuda.is_available():
        return "torch sees no device", "python -c 'import torch; torch.cuda.init()'  # it says why"
    return None


def _nvcc() -> str:
    """The nvcc that compiles pcgen, found as setup.py finds it."""
    home = os.environ.get("CUDA_HOME")
    folders = [*([os.path.join(home, "bin")] if home else []), None, _DEFAULT]  # None: those of the PATH
    path = next(filter(None, (shutil.which("nvcc", path=folder) for folder in folders)), None)
    if path is None:
        return "no nvcc"
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nvcc at {path} does not run ({one_line(error)})"
    release = said.partition("release ")[2].partition(",")[0]
    return f"nvcc {release}" if release else f"nvcc at {path} prints no version"
