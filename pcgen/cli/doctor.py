"""`pcgen doctor`: what is built, which devices there are, what is missing and the command that installs it."""

import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec

import typer

from pcgen.cli.cards import cuda
from pcgen.cli.findings import BROKEN, BUILD, LACKS, OK, Finding, one_line

__all__ = ["doctor", "report"]


def doctor() -> None:
    """Say what is built, which devices there are, what is missing and the command that installs it."""
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
        if finding.remedy:
            # Never wrapped: it is there to be copied.
            console.print(f"\n{finding.name}:\n    {finding.remedy}", markup=False, highlight=False, soft_wrap=True)
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
        _waiting(),
        _library(),
        cuda(),
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
        return [Finding("packages", BROKEN, f"missing: {said}", "pip install " + " ".join(f"'{r}'" for r in lacking))]
    shown = ("numpy", "scipy", "scikit-learn", "trimesh", "h5py", "pot", "torch-geometric", "matplotlib")
    return [Finding("packages", OK, ", ".join(f"{name} {_version(name)}" for name in shown if _version(name)))]


def _torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("torch", BROKEN, one_line(error), "pip install torch")
    capability = torch.backends.cpu.get_cpu_capability()
    return Finding(
        "torch", OK, f"{torch.__version__}, {torch.get_num_threads()} threads, {capability} on this processor"
    )


_FEW_SPINS = 10_000  # tens of microseconds


def _waiting() -> Finding:
    """Whether OpenMP's threads soon sleep while they wait, as pcgen asks where it is imported before torch."""
    name = "waiting threads"
    policy, spins = os.environ.get("OMP_WAIT_POLICY"), os.environ.get("GOMP_SPINCOUNT")
    if (policy or "").lower() == "passive" or ((spins or "").isdecimal() and int(spins or 0) <= _FEW_SPINS):
        return Finding(name, OK, "sleep, and leave the processors to other work")
    if policy or spins:
        found = f"spin, as OMP_WAIT_POLICY={policy}" if policy else f"spin, as GOMP_SPINCOUNT={spins}"
    else:
        found = "spin: torch was imported before pcgen"
    return Finding(name, LACKS, f"{found}; slow beside other work", "export GOMP_SPINCOUNT=5000")


def _library() -> Finding:
    name = "distances (C++)"
    try:
        from pcgen.ops._library import build_info

        info = build_info()
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        return Finding(name, BROKEN, one_line(error), BUILD)
    found = f"{info['instruction_set']} kernels, {info['cpu_library']}"
    return Finding(name, OK, f"{found}, {info['cuda_library']}" if info["cuda_loaded"] else found)


def _compiler() -> Finding:
    path = next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None)
    if path is None:
        return Finding("C++ compiler", LACKS, "none; needed only to rebuild pcgen", "apt-get install g++")
    return Finding("C++ compiler", OK, path)


def _open3d() -> list[Finding]:
    """Whether Open3D imports, asked in a process of its own, and whether it draws without a screen."""
    import numpy as np

    from pcgen.view import engines
    from pcgen.view.camera import Camera, frame

    package, pictures = "Open3D", "pictures"
    if find_spec("open3d") is None:
        line = engines.remedy("No module named 'open3d'")
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
            Finding(pictures, LACKS, f"drawn by matplotlib, because {reason}", engines.remedy(str(reason))),
        ]
    return [Finding(package, OK, _open3d_version()), Finding(pictures, OK, "drawn by Open3D without a screen")]


def _open3d_version() -> str:
    return _version("open3d-cpu") or _version("open3d") or "of unknown version"


def _display() -> Finding:
    from pcgen.view import display

    if not sys.platform.startswith("linux"):
        return Finding("windows", OK, f"{platform.system()} has a display")
    if reason := display.obstacle():
        return Finding("windows", LACKS, f"{reason}: use ssh -X, or draw pictures, pcgen view --png out.png")
    return Finding("windows", OK, f"on display {display.name()}")


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
