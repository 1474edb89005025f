"""scripts/setup.sh: which interpreter it takes, and what makes it install again; nothing is installed here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "setup.sh"

if not SCRIPT.is_file():
    pytest.skip("no source tree with its scripts", allow_module_level=True)

# Installs nothing, and needs no libraries of the system: `pip` is written down, and the system is not Linux.
_PYTHON = f"""#!/usr/bin/env bash
case "$1 $2" in
    "-m pip") echo pip >>log; case "$*" in *view*) [ -z "${{FAIL:-}}" ] || {{ echo "$FAIL" >&2; exit 1; }} ;; esac ;;
    "-m venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    *) exec {sys.executable} "$@" ;;
esac
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree without sources, with stand-ins of the programs that setup.sh runs."""
    for name in ("scripts", "csrc", "bin"):
        (tmp_path / name).mkdir()
    for name in ("constraints.txt", "pyproject.toml", "setup.py", "csrc/a.cpp"):
        (tmp_path / name).write_text("")
    shutil.copy(SCRIPT, tmp_path / "scripts")
    program(tmp_path / "bin" / "python3", _PYTHON)
    program(tmp_path / "bin" / "uname", "#!/bin/sh\necho Darwin\n")
    return tmp_path


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def setup(tree: Path, **variables: str) -> tuple[int, str, int]:
    """The exit code of setup.sh, its messages, and how often it installed something."""
    (tree / "log").write_text("")
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "CXX", "CUDA_HOME")}
    path = f"{tree / 'bin'}:{os.environ['PATH']}"
    command = ["bash", str(tree / "scripts" / "setup.sh")]
    done = subprocess.run(command, env={**kept, "PATH": path, **variables}, capture_output=True, text=True)
    return done.returncode, done.stderr, (tree / "log").read_text().count("pip")


def test_it_installs_again_where_a_compiler_has_changed(tree: Path) -> None:
    code, said, installed = setup(tree)
    assert code == 0 and installed == 3 and said.endswith("setup: done; the command is .venv/bin/pcgen\n")
    assert setup(tree) == (0, "", 0)
    for variables in ({"CXX": "clang++"}, {"PCGEN_CUDA": "0"}, {"PCGEN_CUDA_ARCHITECTURES": "75"}):
        assert setup(tree, **variables)[::2] == (0, 3)
        assert setup(tree, **variables) == (0, "", 0)
    assert setup(tree)[2] == 3
    program(tree / "bin" / "nvcc", "#!/bin/sh\necho 'release 12.8'\n")
    assert setup(tree)[2] == 3 and setup(tree)[2] == 0
    (tree / "csrc" / "a.cpp").write_text("int a;")
    assert setup(tree)[2] == 3


def test_open3d_that_could_not_be_fetched_is_tried_again_and_one_that_does_not_exist_is_not(tree: Path) -> None:
    code, said, _ = setup(tree, FAIL="ERROR: No matching distribution found for open3d==0.19")
    assert code == 0 and "Open3D has no package for this Python; pictures come from matplotlib" in said
    assert setup(tree) == (0, "", 0)
    (tree / "csrc" / "a.cpp").write_text("int b;")
    code, said, _ = setup(tree, FAIL="ERROR: Could not connect")
    assert code == 0 and "ERROR: Could not connect" in said and "has no package" not in said
    assert "Open3D could not be installed; pictures come from matplotlib until this script is run again" in said
    assert setup(tree)[2] == 3 and setup(tree)[2] == 0


def test_the_compiler_of_cuda_home_comes_first(tree: Path) -> None:
    program(tree / "bin" / "nvcc", "#!/bin/sh\necho 'release 12.8'\n")
    (tree / "cuda" / "bin").mkdir(parents=True)
    program(tree / "cuda" / "bin" / "nvcc", "#!/bin/sh\necho 'release 13.0'\n")
    assert setup(tree, CUDA_HOME=str(tree / "cuda"))[2] == 3
    program(tree / "bin" / "nvcc", "#!/bin/sh\necho 'release 12.9'\n")
    assert setup(tree, CUDA_HOME=str(tree / "cuda"))[2] == 0
    program(tree / "cuda" / "bin" / "nvcc", "#!/bin/sh\necho 'release 13.1'\n")
    assert setup(tree, CUDA_HOME=str(tree / "cuda"))[2] == 3


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_it_installs_again_where_a_library_is_gone(tree: Path, name: str) -> None:
    folder = tree / "pcgen" / "lib"
    folder.mkdir(parents=True)
    for each in ("cpu", "cuda"):
        (folder / f"libpcgen_{each}.so").write_text("")
    assert setup(tree)[2] == 3 and setup(tree)[2] == 0
    (folder / f"libpcgen_{name}.so").unlink()
    assert setup(tree)[2] == 3


def test_another_interpreter_than_that_of_the_environment_is_refused_in_one_line(tree: Path) -> None:
    assert setup(tree)[0] == 0
    here = "Python {}.{}".format(*sys.version_info)
    assert setup(tree, PYTHON="python3") == (0, "", 0)
    program(tree / "bin" / "other", '#!/bin/sh\n[ "${2#*print}" = "$2" ] || echo Python 3.99\n')
    code, said, installed = setup(tree, PYTHON="other")
    assert code == 2 and installed == 0
    told = f"setup: PYTHON=other is Python 3.99, and .venv has {here}; delete it to change it: rm -r {tree}/.venv\n"
    assert said == told
    program(tree / ".venv" / "bin" / "python", "#!/bin/sh\nexit 1\n")
    code, said, _ = setup(tree, PYTHON="python3")
    assert code == 2 and ".venv has a Python that does not start; delete it" in said
    code, said, _ = setup(tree)
    assert code == 2 and "needs Python 3.11 to 3.13, found none; set PYTHON=/path/to/python3.12" in said
