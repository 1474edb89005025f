"""What doctor finds, and what it says where something is missing."""

import importlib
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
import typer

from pcgen.cli import cards
from pcgen.cli.cards import cuda
from pcgen.cli.doctor import doctor, report
from pcgen.cli.findings import Finding
from pcgen.ops import build_info

module: Any = importlib.import_module("pcgen.cli.doctor")  # pcgen.cli.doctor, as an attribute, is the command


@pytest.fixture(scope="module")
def findings() -> dict[str, Finding]:
    return {finding.name: finding for finding in report()}


def test_it_finds_what_this_machine_has(findings: dict[str, Finding]) -> None:
    assert torch.__version__ in findings["torch"].found
    assert "CUDA" in findings and (findings["CUDA"].state == "ok") <= torch.cuda.is_available()
    assert findings["pictures"].found.startswith("drawn by")
    assert findings["distances (C++)"].state == "ok" and "kernels" in findings["distances (C++)"].found


def test_what_is_missing_has_what_to_type(findings: dict[str, Finding]) -> None:
    for finding in findings.values():
        assert finding.state in ("ok", "optional", "missing")
        assert not (finding.state == "ok" and finding.remedy) and not (
            finding.state == "missing" and not finding.remedy
        )


def test_a_missing_package_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = metadata.version

    def version(package: str) -> str:
        if package == "trimesh":
            raise metadata.PackageNotFoundError(package)
        return "2.1.0" if package == "torch" else versions(package)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "requires", lambda _: ["trimesh", "torch>=2.10", "numpy", "ruff; extra == 'dev'"])
    (finding,) = module._packages()
    assert finding.state == "missing"
    assert finding.found == "missing: trimesh (absent), torch>=2.10 (2.1.0)"
    assert finding.remedy == "pip install 'trimesh' 'torch>=2.10'"


def test_a_library_that_is_not_built_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise ImportError("pcgen's native library is not built")

    monkeypatch.setattr("pcgen.ops._library.build_info", absent)
    finding = module._library()
    assert (finding.state, finding.found) == ("missing", "pcgen's native library is not built")
    assert "pip install" in finding.remedy


@pytest.mark.parametrize(
    ("policy", "spins", "state", "found"),
    [
        ("passive", None, "ok", "sleep"),
        ("PASSIVE", None, "ok", "sleep"),
        (None, "0", "ok", "sleep"),
        ("active", None, "optional", "spin, as OMP_WAIT_POLICY=active"),
        (None, "5000", "ok", "sleep"),
        (None, "300000", "optional", "spin, as GOMP_SPINCOUNT=300000"),
        (None, None, "optional", "spin: torch was imported before pcgen"),
    ],
)
def test_threads_that_spin_are_told(
    policy: str | None, spins: str | None, state: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("OMP_WAIT_POLICY", policy), ("GOMP_SPINCOUNT", spins)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    finding = module._waiting()
    assert finding.state == state and finding.found.startswith(found)
    assert finding.remedy == ("" if state == "ok" else "export GOMP_SPINCOUNT=5000")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Finding]:
    """What doctor finds where nvidia-smi says a line and pcgen's library is built for sm_80 to sm_90 by CUDA 13.0."""
    built = {
        **build_info(),
        "cuda_library": "libpcgen_cuda.so",
        "cuda_toolkit": "13.0",
        "cuda_driver": "580",
        "cuda_targets": ("sm_80", "sm_90"),
    }
    monkeypatch.setattr("pcgen.ops._library.build_info", lambda: built)

    def find(line: str) -> Finding:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\necho '{line}'\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return cuda()

    return find


def test_a_card_that_torch_cannot_use_is_told(card: Callable[[str], Finding], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    finding = card("NVIDIA A100, 580.65.06, 8.0")
    assert finding.state == "optional" and finding.remedy.startswith("pip install") and "CUDA" in finding.remedy
    assert finding.found.startswith("NVIDIA A100 (sm_80), driver 580.65.06; torch without CUDA; ")
    assert "kernels are for sm_80 sm_90 (CUDA 13.0, driver 580 or newer)" in finding.found


@pytest.mark.parametrize(
    ("line", "found", "mend"),
    [
        ("NVIDIA A100, 550.54.15, 8.0", "the driver is too old", "install a driver of version 580 or newer"),
        ("Tesla T4, 580.65.06, 7.5", "no code for Tesla T4", "PCGEN_CUDA_ARCHITECTURES=75 pip install"),
        ("NVIDIA H200, 580.65.06, 9.0", "torch sees no device", "python -c"),
    ],
)
def test_why_the_kernels_cannot_run(
    card: Callable[[str], Finding], monkeypatch: pytest.MonkeyPatch, line: str, found: str, mend: str
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    finding = card(line)
    assert finding.state == "optional" and found in finding.found and finding.remedy.startswith(mend)


def test_why_the_cuda_library_does_not_load(card: Callable[[str], Finding], monkeypatch: pytest.MonkeyPatch) -> None:
    known = importlib.import_module("pcgen.ops._library").build_info()
    monkeypatch.setattr("pcgen.ops._library.build_info", lambda: {**known, "cuda_failure": "undefined symbol: x"})
    finding = card("NVIDIA H200, 580.65.06, 9.0")
    assert finding.state == "optional" and "the kernels do not load: undefined symbol: x" in finding.found
    assert finding.remedy.startswith("pip install")


def test_the_compiler_of_cuda_home_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder, release in (("path", "12.8"), ("home/bin", "13.0")):
        (tmp_path / folder).mkdir(parents=True)
        nvcc = tmp_path / folder / "nvcc"
        nvcc.write_text(f"#!/bin/sh\necho 'Cuda compilation tools, release {release}, V1'\n")
        nvcc.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "path"), prepend=":")
    monkeypatch.delenv("CUDA_HOME", raising=False)
    assert cards._nvcc() == "nvcc 12.8"
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "home"))
    assert cards._nvcc() == "nvcc 13.0"
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "none"))
    assert cards._nvcc() == "nvcc 12.8"


def test_a_card_that_can_be_used(card: Callable[[str], Finding], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert card("NVIDIA H200, 580.65.06, 9.0").state == "ok"


def test_no_card_is_no_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_HOME", raising=False)
    monkeypatch.setattr(cards, "_DEFAULT", str(tmp_path))
    finding = cuda()
    assert (finding.state, finding.remedy) == ("optional", "")
    assert finding.found.startswith("no card; ") and finding.found.endswith("no nvcc; everything runs on the CPU")


def test_open3d_that_is_absent_costs_windows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    package, pictures = module._open3d()
    assert (package.state, pictures.state) == ("optional", "ok")
    assert package.remedy.startswith("pip install open3d") and "matplotlib" in pictures.found


def test_open3d_that_breaks_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'ImportError: libusb-1.0.so.0: cannot open shared object file' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(module, "find_spec", lambda name: object())
    monkeypatch.setattr(sys, "executable", str(broken))
    package, pictures = module._open3d()
    assert "does not import: ImportError: libusb" in package.found
    assert "drawn by matplotlib" in pictures.found and "libusb" in pictures.found
    assert pictures.remedy.startswith("apt-get install libusb-1.0-0")


@pytest.mark.parametrize("state", ["ok", "optional", "missing"])
def test_the_exit_code_says_whether_the_main_job_can_run(
    state: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "pip install " + "a-package " * 30  # wider than any terminal, and still in one piece
    monkeypatch.setattr(module, "report", lambda: [Finding("torch", state, "here", line)])
    if state == "missing":
        with pytest.raises(typer.Exit) as stopped:
            doctor()
        assert stopped.value.exit_code == 1
    else:
        doctor()
    said = capsys.readouterr().out
    assert line.strip() in said
    assert ("pcgen cannot run yet: torch" in said) == (state == "missing")
