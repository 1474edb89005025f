"""`pcgen doctor`: what is built, which devices there are, what is missing and the line that mends it."""

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

import typer

__all__ = ["Finding", "doctor", "report"]

_BUILD = "pip install --no-build-isolation -e . (in the source tree)"
OK, LACKS, BROKEN = "ok", "optional", "missing"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `state` is "ok", "optional" (does without it) or "missing" (needed)."""

    name: str
    state: str
    found: str
    mend: str = ""  # the line to type; empty where there is nothing to mend


def doctor() -> None:
    """Say what is built, which devices there are, what is missing and the line that mends it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    findings = report()
    styles = {OK: "green", LACKS: "yellow", BROKEN: "bold red"}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("", "what", "found"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        table.add_row(Text(finding.state, styles[finding.state]), finding.name, Text(finding.found))
    console = Console()
    console.print(table)
    for finding in findings:
        if finding.mend:
            # Never wrapped: it is there to be copied.
            console.print(f"\n{finding.name}:\n    {finding.mend}", markup=False, highlight=False, soft_wrap=True)
    broken = [finding.name for finding in findings if finding.state == BROKEN]
    verdict = f"pcgen cannot run yet: {', '.join(broken)}" if broken else "pcgen can train, sample, evaluate and draw"
    console.print(f"\n{verdict}", markup=False, highlight=False, soft_wrap=True)
    if broken:
        raise typer.Exit(1)


def report() -> list[Finding]:
    """Look at everything that pcgen uses, in the order in which it is needed; takes a few seconds."""
    return [
        _python(),
        *_packages(),
        _torch(),
        _library(),
        _cuda(),
        _compiler(),
        *_open3d(),
        _display(),
        _optional("tensorboard", "curves of trainings in a browser"),
    ]


def _python() -> Finding:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    return Finding("Python", OK, found)


def _packages() -> list[Finding]:
    """Every requirement that pcgen's own metadata states, against what is installed."""
    from packaging.requirements import Requirement

    try:
        requirements = [Requirement(line) for line in metadata.requires("pcgen") or []]
    except metadata.PackageNotFoundError:
        return [Finding("packages", LACKS, "pcgen runs from its source tree, not installed", "pip install -e .")]
    wanted = [r for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
    lacking = [r for r in wanted if (have := _version(r.name)) is None or not r.specifier.contains(have, True)]
    if lacking:
        said = ", ".join(f"{r} ({_version(r.name) or 'absent'})" for r in lacking)
        return [Finding("packages", BROKEN, f"lacks {said}", "pip install " + " ".join(f"'{r}'" for r in lacking))]
    shown = ("numpy", "scipy", "scikit-learn", "trimesh", "h5py", "pot", "torch-geometric", "matplotlib")
    return [Finding("packages", OK, ", ".join(f"{name} {_version(name)}" for name in shown if _version(name)))]


def _torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("torch", BROKEN, _line(error), "pip install torch")
    capability = torch.backends.cpu.get_cpu_capability()
    return Finding(
        "torch", OK, f"{torch.__version__}, {torch.get_num_threads()} threads, {capability} on this processor"
    )


def _library() -> Finding:
    name = "distances (C++)"
    try:
        from pcgen.ops._library import build_info

        info = build_info()
    except (ImportError, OSError, RuntimeError) as error:
        return Finding(name, BROKEN, _line(error), _BUILD)
    return Finding(name, OK, f"{info['instruction_set']} kernels, {info['cpu_library']}")


def _cuda() -> Finding:
    name = "CUDA"
    try:
        import torch

        from pcgen.ops._library import build_info

        devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        library = build_info()["cuda_library"]
    except (ImportError, OSError, RuntimeError) as error:
        return Finding(name, LACKS, f"not asked: {_line(error)}")
    compiler = _nvcc()
    if not devices:
        why = "this torch is built without it" if torch.version.cuda is None else "torch sees no device"
        return Finding(name, LACKS, f"{why}; all runs on the processor; {compiler}")
    found = f"{', '.join(devices)}; torch for CUDA {torch.version.cuda}; {compiler}"
    if library is None:
        return Finding(
            name, LACKS, f"{found}; pcgen's kernels are not built for it", "pip install --no-build-isolation -e ."
        )
    return Finding(name, OK, f"{found}; {library}")


def _nvcc() -> str:
    path = shutil.which("nvcc")
    if path is None:
        return "no nvcc"
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nvcc at {path} does not run ({_line(error)})"
    release = said.partition("release ")[2].partition(",")[0]
    return f"nvcc {release}" if release else f"nvcc at {path} tells no version"


def _compiler() -> Finding:
    path = next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None)
    if path is None:
        return Finding("C++ compiler", LACKS, "none; needed to build pcgen anew only", "apt-get install g++")
    return Finding("C++ compiler", OK, path)


def _open3d() -> list[Finding]:
    """Whether Open3D imports, asked in a process of its own, and whether it draws without a screen."""
    import numpy as np

    from pcgen.view import engines
    from pcgen.view.camera import Camera, frame

    package, pictures = "Open3D", "pictures"
    if find_spec("open3d") is None:
        line = engines.mend("No module named 'open3d'")
        return [
            Finding(package, LACKS, "not installed: no windows", line),
            Finding(pictures, OK, "drawn by matplotlib without a screen"),
        ]
    cloud = np.eye(3)
    try:
        engines.by_open3d(frame([cloud], Camera(), 64), [cloud], 0.1, timeout=20)
    except engines.NotDrawn as reason:
        asked = subprocess.run([sys.executable, "-c", "import open3d"], capture_output=True, text=True, check=False)
        imports = OK if asked.returncode == 0 else LACKS
        said = "" if imports == OK else f", does not import: {(asked.stderr.strip().splitlines() or [''])[-1]}"
        return [
            Finding(package, imports, f"{_open3d_version()}{said}"),
            Finding(pictures, LACKS, f"drawn by matplotlib, as {reason}", engines.mend(str(reason))),
        ]
    return [Finding(package, OK, _open3d_version()), Finding(pictures, OK, "drawn by Open3D without a screen")]


def _open3d_version() -> str:
    return _version("open3d-cpu") or _version("open3d") or "of unknown version"


def _display() -> Finding:
    if not sys.platform.startswith("linux"):
        return Finding("windows", OK, f"{platform.system()} has a display")
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if display:
        return Finding("windows", OK, f"on display {display}")
    return Finding("windows", LACKS, "no display (DISPLAY is not set): ssh -X, or pictures, pcgen view --png out.png")


def _optional(package: str, use: str) -> Finding:
    version = _version(package)
    if version is None:
        return Finding(package, LACKS, f"not installed: {use}", f"pip install {package}")
    return Finding(package, OK, version)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
