"""The program that checks a GPU, tried on the CPU in its place."""

import importlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from pcgen import ops

REPOSITORY = Path(__file__).resolve().parent.parent.parent


pytestmark = pytest.mark.skipif(not (REPOSITORY / "docs").is_dir(), reason="no source tree with its pages")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(REPOSITORY / "scripts")
    return importlib.import_module("check_gpu")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return Path(shutil.copy(REPOSITORY / "docs" / "gpu.md", tmp_path))


def _run(program: Any, page: Path) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stopped:
        program.main(device="cpu", quick=True, out=page)
    return int(stopped.value.code or 0), page.read_text()


def test_every_op_equals_itself(program: Any, page: Path) -> None:
    before = page.read_text().partition(program.START)[0]
    code, text = _run(program, page)
    assert code == 0 and text.startswith(before) and text.rstrip().endswith(program.END)
    results = {row.split(" | ")[0][2:]: row.split(" | ")[1] for row in text.splitlines() if " | ok | " in row}
    assert {"chamfer", "emd", "match", "emd_matrix", "approxmatch", "training, emd"} <= results.keys()
    assert "| FAILED |" not in text and "| missing |" not in text
    assert f"torch {torch.__version__}, the CPU in the GPU's place" in text
    assert "| farthest_points, 32 | 2 pairs |" in text
    assert _run(program, page)[1].count("| check |") == 1  # the section is replaced


def test_a_wrong_op_and_a_missing_one_are_told(
    program: Any, page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    knn, calls = ops.knn, []

    def wrong(x: torch.Tensor, y: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        squares, indices = knn(x, y, k)
        calls.append(k)
        return squares + len(calls), indices

    import gpu_checks

    there = gpu_checks.kernel_is_there
    monkeypatch.setattr(ops, "knn", wrong)
    monkeypatch.setattr(gpu_checks, "kernel_is_there", lambda op, device: op != "emd" and there(op, device))
    monkeypatch.setattr(program, "run_benches", lambda device, quick: [["op"]])
    code, text = _run(program, page)
    assert code == 1
    assert "| knn, ball_query, farthest_points | FAILED | Tensor-likes are not " in text
    assert "| emd | missing | no kernel for cpu: emd |" in text and "| match | ok |" in text
    assert "Traceback" in capsys.readouterr().err


def test_a_page_without_its_marks_is_left_alone(program: Any, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("no marks")
    with pytest.raises(ValueError, match=r"page.md: must hold <!-- figures --> and <!-- /figures -->"):
        program.write(tmp_path / "page.md", "figures")
    assert (tmp_path / "page.md").read_text() == "no marks"


@pytest.mark.skipif(ops.build_info()["cuda_loaded"], reason="this machine has a GPU")
def test_without_a_gpu_it_says_so(program: Any) -> None:
    with pytest.raises(SystemExit, match="torch sees no CUDA device, or pcgen's CUDA library is not built"):
        program.main(device="cuda")


def test_the_page_tells_of_the_program() -> None:
    text = (REPOSITORY / "docs" / "gpu.md").read_text()
    assert "bash scripts/check_gpu.sh" in text and (REPOSITORY / "scripts" / "check_gpu.sh").is_file()
