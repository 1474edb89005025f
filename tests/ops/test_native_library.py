"""The compiled library: how it is found, chosen and linked."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pcgen.ops import _library, build_info


def test_build_info() -> None:
    info = build_info()
    assert Path(info["cpu_library"]).is_file()
    assert info["instruction_set"] in _library.INSTRUCTION_SETS
    assert info["cuda_loaded"] <= torch.cuda.is_available()
    assert info["threads"] == torch.get_num_threads()


def test_missing_library_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_library, "FOLDER", tmp_path)
    with pytest.raises(
        ImportError, match=r"not built: no file .*libpcgen_cpu.so; run pip install --no-build-isolation"
    ):
        _library.load.__wrapped__()


def test_broken_library_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "libpcgen_cpu.so").write_bytes(b"no library")
    monkeypatch.setattr(_library, "FOLDER", tmp_path)
    with pytest.raises(ImportError, match=r"libpcgen_cpu.so does not load"):
        _library.load.__wrapped__()


def test_instruction_set_from_the_environment() -> None:
    code = "from pcgen.ops import build_info; print(build_info()['instruction_set'])"

    def run(name: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PCGEN_INSTRUCTION_SET": name}
        return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)

    assert run("portable").stdout.strip() == "portable"
    assert "instruction set: must be one of portable, avx2, avx512; got 'avx'" in run("avx").stderr


def test_links_no_python_and_no_cpp_of_torch() -> None:
    """One build serves every Python, and every torch from 2.10: only C symbols of torch's stable ABI are wanted."""
    if shutil.which("nm") is None:
        pytest.skip("nm is absent (apt-get install binutils)")
    for path in _library.FOLDER.glob("libpcgen_*.so"):
        text = subprocess.run(["nm", "-D", "--undefined-only", path], capture_output=True, text=True, check=True).stdout
        symbols = [line.split()[-1] for line in text.splitlines()]
        of_torch = [s for s in symbols if s.startswith(("aoti_torch_", "torch_"))]
        assert len(of_torch) > 5
        assert not [s for s in symbols if s.startswith(("Py", "_Py"))]
        assert not [s for s in symbols if "c10" in s or "2at" in s or "5torch" in s]
