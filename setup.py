"""Compile the native library: plain shared libraries against LibTorch's stable ABI, one build for every Python.

    csrc/*.cpp, csrc/cpu/*.cpp   -> pcgen/lib/libpcgen_cpu.so    always, by g++ or clang++ (or $CXX)
    csrc/cuda/*.cu               -> pcgen/lib/libpcgen_cuda.so   wherever nvcc is found, with or without a GPU, unless
                                                                 PCGEN_CUDA=0 is in the environment; for the cards of
                                                                 PCGEN_CUDA_ARCHITECTURES (80,90) and newer ones

A unit called `*_avx2.cpp` or `*_avx512.cpp` is compiled for that instruction set on x86-64 and left out elsewhere; the
library chooses among them when it is loaded. Objects are kept in build/native: a second build compiles what changed.
"""

import hashlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
OBJECTS = ROOT / "build" / "native"
CUDA = "pcgen.lib.pcgen_cuda"
WITHOUT_CUDA = "set CUDA_HOME=/path/to/cuda to choose another nvcc, or PCGEN_CUDA=0 to build for the CPU alone"
MAC = sys.platform == "darwin"
X86 = platform.machine().lower() in ("x86_64", "amd64")

COMMON = ["-std=c++20", "-O3", "-DTORCH_TARGET_VERSION=0x020a000000000000", f"-I{ROOT / 'csrc'}"]
# Without contraction a distance has the same rounding wherever it is written, which the pruning of neighbours needs.
HOST = ["-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-Wall", "-Wextra"]
INSTRUCTION_SETS = {
    "_avx2": ["-mavx2", "-mfma"],
    # GCC's own AVX-512 header sets off the warnings that are turned off.
    "_avx512": [
        *("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"),
        *("-Wno-unknown-warning-option", "-Wno-uninitialized", "-Wno-maybe-uninitialized"),
    ],
}


def torch_folder() -> Path:
    """The installed torch: beside this build's Python, or, in an isolated build, in the environment it builds for."""
    spec = importlib.util.find_spec("torch")
    folders = [] if spec is None or spec.origin is None else [Path(spec.origin).parent]
    for prefix in filter(None, (sys.prefix, os.environ.get("VIRTUAL_ENV"), os.environ.get("CONDA_PREFIX"))):
        variables = {"base": prefix, "platbase": prefix}
        folders += [Path(sysconfig.get_path(name, vars=variables)) / "torch" for name in ("platlib", "purelib")]
    for folder in folders:
        if (folder / "include/torch/csrc/stable/library.h").is_file():
            return folder
    raise SystemExit(
        "pcgen: compiling it needs torch >= 2.10 in the environment it is installed into, and none is there: "
        "run `pip install torch` first, then install pcgen again (with --no-build-isolation if that fails)"
    )


def compiler() -> list[str]:
    """The C++ compiler as a command."""
    if "CXX" in os.environ:
        return shlex.split(os.environ["CXX"])
    found = next(filter(None, map(shutil.which, ("g++", "clang++", "c++"))), None)
    if found is None:
        raise SystemExit(
            "pcgen: no C++ compiler: install g++ 11 or newer (Debian: apt-get install g++) or name one in CXX"
        )
    return [found]


def cuda_compiler() -> str | None:
    """Path of nvcc, that of CUDA_HOME first, or None; None too where PCGEN_CUDA=0 asks for the CPU library alone."""
    if os.environ.get("PCGEN_CUDA") == "0":
        return None
    named = [home] if (home := os.environ.get("CUDA_HOME")) else []
    folders = [*(os.path.join(home, "bin") for home in named), None, "/usr/local/cuda/bin"]  # None: those of the PATH
    return next(filter(None, (shutil.which("nvcc", path=folder) for folder in folders)), None)


def check_cuda_compiler(nvcc: str) -> None:
    """Refuse an nvcc that cannot compile pcgen."""
    result = subprocess.run([nvcc, "--version"], capture_output=True, text=True)
    release = re.search(r"release (\d+)(\.\d+)?", result.stdout)
    if result.returncode != 0 or release is None:
        raise SystemExit(f"pcgen: {nvcc} --version: must print the release of CUDA, got {result.stdout[-200:]!r}")
    if int(release[1]) < 12:
        raise SystemExit(f"pcgen: {nvcc}: must be of CUDA 12 or newer, got {release[0]}")


def cuda_targets() -> list[str]:
    """Code for each architecture, and PTX for the newest, which the drivers of newer cards compile."""
    named = os.environ.get("PCGEN_CUDA_ARCHITECTURES", "80,90")
    if not re.fullmatch(r"\d+(,\d+)*", named):
        raise SystemExit(f"pcgen: PCGEN_CUDA_ARCHITECTURES: must be such as 75 or 80,90, got {named!r}")
    architectures = sorted(set(named.split(",")), key=int)
    return [f"sm_{name}" for name in architectures] + [f"compute_{architectures[-1]}"]


def host_sources() -> list[Path]:
    """What goes into the CPU library on this machine."""
    sources = sorted([*ROOT.glob("csrc/*.cpp"), *ROOT.glob("csrc/cpu/*.cpp")])
    return [s for s in sources if X86 or not s.stem.endswith(tuple(INSTRUCTION_SETS))]


def host_flags(source: Path) -> list[str]:
    """Flags of one unit, by the end of its name."""
    sets = [flags for suffix, flags in INSTRUCTION_SETS.items() if source.stem.endswith(suffix)]
    return [*COMMON, *HOST, *(sets[0] if sets else []), *shlex.split(os.environ.get("CXXFLAGS", ""))]


def run(command: list[str]) -> None:
    """Run a compiler; what it says is shown, and a failure ends the build."""
    result = subprocess.run(command, capture_output=True, text=True)
    sys.stderr.write(result.stdout + result.stderr)
    if result.returncode != 0:
        raise SystemExit(f"pcgen: this failed: {shlex.join(command)}")


def write(target: Path, command: list[str]) -> None:
    """Run a compiler whose output appears whole or not at all: builds may meet, and a process may have it loaded."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(f".{os.getpid()}.tmp")
    try:
        run([*command, "-o", str(temporary)])
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def stale(target: Path, inputs: Iterable[Path]) -> bool:
    """Whether target is missing or older than an input (or an input is gone)."""
    if not target.is_file():
        return True
    built = target.stat().st_mtime_ns
    return any(not path.is_file() or path.stat().st_mtime_ns > built for path in inputs)


def compile_object(source: Path, command: list[str]) -> Path:
    """Compile one source unless its object is newer than all it includes; its name holds the command's fingerprint."""
    fingerprint = hashlib.sha256(shlex.join([*command, str(source)]).encode()).hexdigest()[:12]
    target = OBJECTS / f"{source.stem}.{fingerprint}.o"
    dependencies = target.with_suffix(".d")
    rule = dependencies.read_text().replace("\\\n", " ") if dependencies.is_file() else ""
    included = shlex.split(rule.partition(":")[2])
    if not included or stale(target, map(Path, included)):
        sys.stdout.write(f"compiling {source.relative_to(ROOT)}\n")  # whole lines, though threads meet
        write(target, [*command, "-MD", "-MF", str(dependencies), "-c", str(source)])
    return target


def compile_objects(sources: list[Path], commands: list[list[str]]) -> list[Path]:
    """Compile on all cores; returns the objects."""
    OBJECTS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(compile_object, sources, commands))


def build_cpu(target: Path) -> None:
    """Compile and link the CPU library; a symbol that torch lacks is an error."""
    torch, cxx, sources = torch_folder(), compiler(), host_sources()
    commands = [[*cxx, *host_flags(source), "-isystem", str(torch / "include")] for source in sources]
    objects = compile_objects(sources, commands)
    strict = ["-undefined", "dynamic_lookup"] if MAC else ["-Wl,-z,defs", "-Wl,--exclude-libs,ALL"]
    libraries = [f"-L{torch / 'lib'}", "-ltorch_cpu", *shlex.split(os.environ.get("LDFLAGS", ""))]
    write(target, [*cxx, "-shared", *map(str, objects), *strict, *libraries])


def build_cuda(target: Path, nvcc: str) -> None:
    """Compile and link the CUDA library, which needs neither a GPU nor torch with CUDA."""
    check_cuda_compiler(nvcc)
    sources, targets = sorted(ROOT.glob("csrc/cuda/*.cu")), cuda_targets()
    cards = [f"-gencode=arch={target.replace('sm', 'compute')},code={target}" for target in targets]
    flags = [
        *COMMON,
        "-DUSE_CUDA",
        *cards,
        f"-DPCGEN_CUDA_TARGETS={'-'.join(targets)}",
        f"-Xcompiler={','.join(HOST[:2])}",
    ]
    command = [nvcc, *flags, "-isystem", str(torch_folder() / "include")]
    objects = compile_objects(sources, [command] * len(sources))
    # libtorch_cuda is absent from the CPU-only torch; a stand-in of its name records that the library needs it, so that
    # the loader finds torch's symbols on a machine that has it.
    stand_in = OBJECTS / "libtorch_cuda.so"
    write(stand_in, [*compiler(), "-shared", "-Wl,-soname,libtorch_cuda.so", "-xc++", os.devnull])
    libraries = [
        f"-L{OBJECTS}",
        f"-L{torch_folder() / 'lib'}",
        "-Xlinker=--no-as-needed",
        "-ltorch_cpu",
        "-ltorch_cuda",
    ]
    write(target, [nvcc, "-shared", "-cudart=static", *cards, *map(str, objects), *libraries])


class BuildNative(build_ext):
    """Builds the two libraries where setuptools expects an extension module."""

    def run(self) -> None:
        if self.inplace:
            (ROOT / "pcgen" / "lib").mkdir(exist_ok=True)
        if all(ext.name != CUDA for ext in self.extensions):
            # That of an earlier build would be loaded beside the new CPU library, and be put into wheels. A build
            # elsewhere has no concern with the source tree's.
            for folder in (*((ROOT,) if self.inplace else ()), Path(self.build_lib)):
                (folder / self.get_ext_filename(CUDA)).unlink(missing_ok=True)
        super().run()

    def copy_file(self, infile: str, outfile: str, *args: Any, **options: Any) -> tuple[str, bool]:
        """Into the source tree: whole or not at all, since a process may load it at any time."""
        temporary = f"{outfile}.{os.getpid()}.tmp"
        try:
            super().copy_file(infile, temporary, *args, **options)
            os.replace(temporary, outfile)
        finally:
            Path(temporary).unlink(missing_ok=True)
        return outfile, True

    def get_ext_filename(self, fullname: str) -> str:
        package, _, name = fullname.rpartition(".")
        return os.path.join(*package.split("."), f"lib{name}.so")

    def build_extension(self, ext: Extension) -> None:
        target = Path(self.get_ext_fullpath(ext.name)).absolute()
        if ext.name.endswith("_cpu"):
            build_cpu(target)
        else:
            try:
                build_cuda(target, str(cuda_compiler()))
            except SystemExit as error:
                raise SystemExit(f"{error}\npcgen: {WITHOUT_CUDA}") from None


class PlatformWheel(bdist_wheel):
    """A wheel that depends on the platform and on no Python's ABI."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


def extensions() -> list[Extension]:
    """The libraries that can be built here, named as setuptools names modules."""
    names = ["pcgen.lib.pcgen_cpu"]
    if cuda_compiler() is not None and any(ROOT.glob("csrc/cuda/*.cu")):
        names.append(CUDA)
    return [Extension(name, sources=[]) for name in names]


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildNative, "bdist_wheel": PlatformWheel})
