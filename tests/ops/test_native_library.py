"""The compiled library: how it is found, chosen and linked."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pcgen.ops import _library, build_info
from pcgen.ops._cuda_build import CudaBuild


def test_build_info() -> None:
    info = build_info()
    assert Path(info["cpu_library"]).is_file()
    assert info["instruction_set"] in _library.INSTRUCTION_SETS
    assert info["cuda_loaded"] <= torch.cuda.is_available()
    assert info["threads"] == torch.get_num_threads()


def test_an_import_asks_for_no_gpu() -> None:
    """Torch would keep forked processes from using it."""
    program = """
import torch
def asked(): raise RuntimeError("asked for a GPU")
torch.cuda.is_available = asked
import pcgen.ops
print(float(pcgen.ops.emd(torch.zeros(1, 1, 3), torch.ones(1, 1, 3))))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout.startswith("1.73"), result.stderr


def test_build_of_the_cuda_library() -> None:
    info = build_info()
    if info["cuda_library"] is None:
        assert (info["cuda_toolkit"], info["cuda_targets"], info["cuda_driver"]) == (None, (), None)
        pytest.skip("the CUDA library is not built here")
    assert int(info["cuda_driver"]) >= 525 and float(info["cuda_toolkit"]) >= 12
    *code, last = info["cuda_targets"]
    assert code and all(target.startswith("sm_") for target in code) and last.startswith("compute_")
    if shutil.which("cuobjdump"):
        said = subprocess.run(["cuobjdump", "-lelf", info["cuda_library"]], capture_output=True, text=True).stdout
        assert set(re.findall(r"\.(sm_\d+)\.cubin", said)) == set(code)


@pytest.mark.parametrize(
    ("capability", "runs"),
    [((7, 5), False), ((8, 0), True), ((8, 9), True), ((9, 0), True), ((10, 0), False), ((12, 1), True)],
)
def test_cards_that_a_build_serves(capability: tuple[int, int], runs: bool) -> None:
    """Code serves later cards of its generation, PTX all later ones."""
    assert CudaBuild("13.0", ("sm_80", "sm_90", "compute_120")).runs_on(capability) == runs


def test_a_file_that_is_no_cuda_library_is_named(tmp_path: Path) -> None:
    (tmp_path / "libpcgen_cuda.so").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"libpcgen_cuda.so: must be pcgen's CUDA library, .* build it again"):
        CudaBuild.read(tmp_path / "libpcgen_cuda.so")
    assert CudaBuild("14.2", ()).driver is None


def test_cards_are_chosen_when_building(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Path(__file__).resolve().parent.parent.parent / "setup.py"
    if not recipe.is_file():
        pytest.skip("no source tree")
    pytest.importorskip("setuptools")
    monkeypatch.setattr("setuptools.setup", lambda **_: None)
    targets = runpy.run_path(str(recipe))["cuda_targets"]
    monkeypatch.delenv("PCGEN_CUDA_ARCHITECTURES", raising=False)
    assert targets() == ["sm_80", "sm_90", "compute_90"]
    monkeypatch.setenv("PCGEN_CUDA_ARCHITECTURES", "100,75")
    assert targets() == ["sm_75", "sm_100", "compute_100"]
    monkeypatch.setenv("PCGEN_CUDA_ARCHITECTURES", "sm_75")
    with pytest.raises(SystemExit, match="PCGEN_CUDA_ARCHITECTURES: must be such as 75 or 80,90, got 'sm_75'"):
        targets()


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


def test_instruction_set_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = _library.instruction_set()
    try:
        monkeypatch.setenv("PCGEN_INSTRUCTION_SET", "portable")
        _library.load.__wrapped__()
        assert build_info()["instruction_set"] == "portable"
        monkeypatch.setenv("PCGEN_INSTRUCTION_SET", "avx")
        with pytest.raises(ValueError, match="instruction set: must be one of portable, avx2, avx512; got 'avx'"):
            _library.load.__wrapped__()
    finally:
        _library.set_instruction_set(chosen)


def test_folder_from_the_environment(tmp_path: Path) -> None:
    environment = {**os.environ, "PCGEN_LIBRARY_FOLDER": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", "import pcgen.ops"], env=environment, capture_output=True, text=True)
    assert f"not built: no file {tmp_path}/libpcgen_cpu.so" in ran.stderr


def undefined(library: Path) -> list[str]:
    """The symbols that a library wants of others, C++'s in readable form."""
    if shutil.which("nm") is None:
        pytest.skip("nm is absent (apt-get install binutils)")
    command = ["nm", "--dynamic", "--undefined-only", "--demangle", library]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split(maxsplit=1)[1].partition("@")[0] for line in text.splitlines()]


def unstable(symbols: list[str]) -> list[str]:
    """Those that bind a library to one Python or to one version of torch: all but the C functions of torch 2.10."""
    shim = (Path(__file__).parent / "torch_2_10_shim.txt").read_text().splitlines()
    bound = re.compile(r"\b(at|c10|caffe2|pybind11|torch)::|^_?Py|^(aoti_)?torch_")
    return [symbol for symbol in symbols if bound.search(symbol) and symbol not in shim]


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_one_build_serves_every_python_and_every_torch_from_2_10(name: str) -> None:
    library = _library.FOLDER / f"libpcgen_{name}.so"
    if not library.is_file():
        pytest.skip(f"{library.name} is not built here")
    symbols = undefined(library)
    assert {"torch_library_impl", "torch_call_dispatcher", "aoti_torch_get_size"} <= set(symbols)
    assert unstable(symbols) == []


def test_symbols_that_bind_are_found() -> None:
    """The test above can fail: torch's own bindings want all that is forbidden."""
    found = unstable(undefined(Path(torch.__file__).parent / "lib" / "libtorch_python.so"))
    for binding in ("PyObject_Str", "at::", "c10::"):
        assert any(symbol.startswith(binding) for symbol in found), binding
    assert unstable(["torch_from_blob", "torch_parallel_for"]) == ["torch_from_blob"]  # of torch 2.11, and of 2.10
