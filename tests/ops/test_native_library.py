"""The compiled library: how it is found, chosen and linked."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

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


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What setup.py defines."""
    path = Path(__file__).resolve().parent.parent.parent / "setup.py"
    if not path.is_file():
        pytest.skip("no source tree")
    pytest.importorskip("setuptools")
    monkeypatch.setattr("setuptools.setup", lambda **_: None)
    return runpy.run_path(str(path))


def _nvcc(folder: Path, says: str, code: int = 0) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nvcc").write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    (folder / "nvcc").chmod(0o755)
    return str(folder / "nvcc")


def test_the_nvcc_of_cuda_home_comes_before_that_of_the_path(
    recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on_path, at_home = _nvcc(tmp_path / "path", "release 12.8"), _nvcc(tmp_path / "home" / "bin", "release 13.0")
    monkeypatch.setenv("PATH", str(tmp_path / "path"), prepend=os.pathsep)
    monkeypatch.delenv("PCGEN_CUDA", raising=False)
    monkeypatch.delenv("CUDA_HOME", raising=False)
    assert recipe["cuda_compiler"]() == on_path
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "home"))
    assert recipe["cuda_compiler"]() == at_home
    monkeypatch.setenv("PCGEN_CUDA", "0")
    assert recipe["cuda_compiler"]() is None


@pytest.mark.parametrize(
    ("says", "code", "message"),
    [
        ("Cuda compilation tools, release 11.8, V11.8.89", 0, "nvcc: must be of CUDA 12 or newer, got release 11.8"),
        ("no licence", 0, "nvcc --version: must print the release of CUDA, got 'no licence"),
        ("release 13.0", 1, "nvcc --version: must print the release of CUDA"),
        ("release 12.0", 0, "this failed: "),  # it makes no object
    ],
)
def test_an_nvcc_that_cannot_compile_says_how_to_go_on(
    says: str,
    code: int,
    message: str,
    recipe: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    nvcc = _nvcc(tmp_path, says, code)
    if message.startswith("this"):
        (tmp_path / "nvcc").write_text(f"#!/bin/sh\n[ $1 = --version ] && echo '{says}'\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("PCGEN_CUDA", raising=False)
    monkeypatch.delenv("CUDA_HOME", raising=False)
    monkeypatch.setitem(recipe["compile_object"].__globals__, "OBJECTS", tmp_path / "objects")
    command = _build(recipe, tmp_path / "built")
    with pytest.raises(SystemExit) as stopped:
        command.build_extension(next(ext for ext in command.extensions if ext.name.endswith("cuda")))
    said = str(stopped.value)
    assert message in said and nvcc in said
    assert "CUDA_HOME=/path/to/cuda" in said and "PCGEN_CUDA=0" in said


def _build(recipe: dict[str, Any], folder: Path, *, inplace: bool = False) -> Any:
    """The command that builds the libraries, ready to run."""
    from setuptools import Distribution

    command = recipe["BuildNative"](Distribution({"name": "pcgen", "ext_modules": recipe["extensions"]()}))
    command.build_lib, command.build_temp, command.inplace = str(folder), str(folder / "temp"), inplace
    command.ensure_finalized()
    return command


def test_a_build_elsewhere_leaves_the_source_tree_alone(
    recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As that of scripts/sanitize.sh, without CUDA."""
    monkeypatch.setenv("PCGEN_CUDA", "0")
    functions = recipe["BuildNative"].run.__globals__
    monkeypatch.setitem(functions, "ROOT", tmp_path / "source")
    monkeypatch.setitem(functions, "build_cpu", lambda target: target.parent.mkdir(parents=True, exist_ok=True))
    libraries = [tmp_path / where / "pcgen" / "lib" / "libpcgen_cuda.so" for where in ("source", "built")]
    for inplace, left in ((False, [True, False]), (True, [False, False])):
        for library in libraries:
            library.parent.mkdir(parents=True, exist_ok=True)
            library.write_text("")
        command = _build(recipe, tmp_path / "built")
        command.inplace = inplace
        monkeypatch.setattr(command, "copy_extensions_to_source", lambda: None)
        command.run()
        assert [library.is_file() for library in libraries] == left


def test_a_library_appears_in_the_source_tree_whole_or_not_at_all(
    recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made, place = tmp_path / "made.so", tmp_path / "place.so"
    made.write_bytes(b"new")
    place.write_bytes(b"old")
    loaded = place.open("rb")
    command = _build(recipe, tmp_path / "built")
    command.copy_file(str(made), str(place))
    assert place.read_bytes() == b"new" and loaded.read() == b"old"  # another file, not the same one rewritten
    loaded.close()

    def stopped(*_: object, **__: object) -> None:
        Path(f"{place}.{os.getpid()}.tmp").write_bytes(b"n")
        raise OSError("no space left")

    monkeypatch.setattr("setuptools.command.build_ext.build_ext.copy_file", stopped)
    with pytest.raises(OSError, match="no space left"):
        command.copy_file(str(made), str(place))
    assert place.read_bytes() == b"new" and not list(tmp_path.glob("*.tmp"))


def test_cards_are_chosen_when_building(recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    targets = recipe["cuda_targets"]
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


def test_a_cuda_library_that_does_not_load_leaves_the_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "libpcgen_cuda.so"
    broken.write_bytes(b"pcgen CUDA build: 13.0 sm_90\0, and no library")
    (tmp_path / "libpcgen_cpu.so").symlink_to(_library.FOLDER / "libpcgen_cpu.so")
    monkeypatch.setattr(_library, "FOLDER", tmp_path)
    monkeypatch.setattr(_library, "DEVICES", {"cpu"})
    monkeypatch.setattr(_library, "FAILURES", [])
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with pytest.warns(
        UserWarning, match=r"pcgen works on the CPU alone: its CUDA library .* does not load: .*cuda\.so"
    ):
        _library.load.__wrapped__()
    assert {"cpu"} == _library.DEVICES
    info = build_info()
    assert "libpcgen_cuda.so" in info["cuda_failure"] and not info["cuda_loaded"]


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
