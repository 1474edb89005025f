"""Check every op of pcgen on a device against the CPU, time it, and write what came out into docs/gpu.md.

    python scripts/check_gpu.py [--device cuda] [--quick] [--out docs/gpu.md]

An op that has no kernel for the device is reported as missing. With --device cpu the same program compares the CPU with
itself. Ends with 1 where a check failed. scripts/check_gpu.sh builds pcgen first, and runs the tests that need a GPU.
"""

import platform
import shutil
import statistics
import subprocess
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import torch
import typer
from gpu_checks import checks, missing
from gpu_problems import clouds, with_gradient
from torch import Tensor

from pcgen import ops

START, END = "<!-- figures -->", "<!-- /figures -->"
Table = list[list[str]]


@dataclass(frozen=True)
class Bench:
    """An op to be timed on pairs of clouds; `items` is what one call computes, `peer` the same by torch.cdist."""

    name: str
    needs: tuple[str, ...]
    clouds: int
    items: int
    run: Callable[[Tensor, Tensor], object]
    peer: Callable[[Tensor, Tensor], object] | None = None


def cdist_chamfer(x: Tensor, y: Tensor) -> Tensor:
    squares = torch.cdist(x, y).square()
    return squares.amin(2).mean(1) + squares.amin(1).mean(1)


def cdist_knn(x: Tensor, y: Tensor) -> object:
    return torch.cdist(x, y).topk(16, largest=False)


def benches(quick: bool) -> tuple[int, list[Bench]]:
    """How many points a cloud has, and what is timed."""
    points, batch, side = (128, 2, 2) if quick else (2048, 32, 20)
    sample = points // 4
    return points, [
        Bench("chamfer", ("chamfer",), batch, batch, ops.chamfer, cdist_chamfer),
        Bench(
            "chamfer and its gradient",
            ("chamfer",),
            batch,
            batch,
            lambda x, y: with_gradient(ops.chamfer, x, y),
            lambda x, y: with_gradient(cdist_chamfer, x, y),
        ),
        Bench("chamfer_matrix", ("chamfer_matrix",), 3 * side, 9 * side**2, ops.chamfer_matrix),
        Bench("emd, exact", ("emd",), batch, batch, ops.emd),
        Bench("emd, certified gap 1%", ("emd",), batch, batch, lambda x, y: ops.emd(x, y, gap=0.01)),
        Bench("emd and its gradient", ("emd",), batch, batch, lambda x, y: with_gradient(ops.emd, x, y)),
        Bench("emd_matrix", ("emd_matrix",), side, side**2, ops.emd_matrix),
        Bench("knn, 16", ("neighbours",), batch, batch, lambda x, y: ops.knn(x, y, 16), cdist_knn),
        Bench("ball_query, 0.1, 32", ("neighbours",), batch, batch, lambda x, y: ops.ball_query(x, y, 0.1, 32)),
        Bench(f"farthest_points, {sample}", ("neighbours",), batch, batch, lambda x, y: ops.farthest_points(x, sample)),
        Bench("approxmatch", ("approxmatch",), batch, batch, ops.approxmatch),
    ]


def milliseconds(run: Callable[[], object], device: torch.device, repeats: int) -> float:
    """The median over repeats, the device's work waited for; one run before warms up."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    times = []
    for _ in range(repeats + 1):
        wait()
        start = time.perf_counter()
        run()
        wait()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[1:])


def run_checks(device: torch.device, quick: bool) -> tuple[Table, bool]:
    """Rows of a table, and whether none failed."""
    rows, good = [["check", "result", ""]], True
    for check in checks(quick):
        lacking = missing(check.needs, device)
        start = time.perf_counter()
        torch.manual_seed(0)
        try:
            said = f"no kernel for {device.type}: {', '.join(lacking)}" if lacking else check.run(device)
            result = "missing" if lacking else "ok"
        except Exception as error:  # each check is told, whatever another one met
            traceback.print_exc()
            result, said, good = "FAILED", " ".join(str(error).split())[:300] or type(error).__name__, False
        print(f"{result:8} {check.name}: {said} ({time.perf_counter() - start:.1f} s)", flush=True)
        rows.append([check.name, result, said.replace("|", "/")])
    return rows, good


def run_benches(device: torch.device, quick: bool) -> Table:
    points, timed = benches(quick)
    rows = [["op", "a call", f"{device.type}, ms a pair", "CPU, ms a pair", "ratio", "torch.cdist there, ms", "ratio"]]
    for bench in timed:
        call = f"{bench.items} pairs"
        if missing(bench.needs, device):
            rows.append([bench.name, call, "missing", *[""] * 4])
            continue
        x, y = clouds(bench.clouds, points)["cubes"]
        a, b = x.to(device), y.to(device)
        ours = milliseconds(lambda bench=bench, a=a, b=b: bench.run(a, b), device, 2 if quick else 15) / bench.items  # type: ignore[misc]
        cpu = milliseconds(lambda bench=bench, x=x, y=y: bench.run(x, y), x.device, 1) / bench.items  # type: ignore[misc]
        row = [bench.name, call, f"{ours:.3g}", f"{cpu:.3g}", f"{cpu / ours:.3g}x", "", ""]
        if (peer := bench.peer) is not None:
            theirs = milliseconds(lambda peer=peer, a=a, b=b: peer(a, b), device, 2 if quick else 15) / bench.items  # type: ignore[misc]
            row[5:] = [f"{theirs:.3g}", f"{theirs / ours:.3g}x"]
        print("timed    " + ", ".join(filter(None, row)), flush=True)
        rows.append(row)
    return rows


def machine(device: torch.device) -> str:
    """The line that says on what the figures were taken."""
    info = ops.build_info()
    parts = [str(date.today())]
    if device.type == "cuda":
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        smi = shutil.which("nvidia-smi")
        driver = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split() if smi else []
        major, minor = torch.cuda.get_device_capability(device)
        parts += [f"{torch.cuda.get_device_name(device)} (sm_{major}{minor})", f"driver {(driver or ['unknown'])[0]}"]
        parts += [f"torch {torch.__version__} for CUDA {torch.version.cuda}"]
        parts += [f"pcgen's kernels by CUDA {info['cuda_toolkit']} for {' '.join(info['cuda_targets'])}"]
    else:
        parts += [f"torch {torch.__version__}, the CPU in the GPU's place"]
    cpu = f"{platform.processor() or platform.machine()}, {info['instruction_set']}, threads: {torch.get_num_threads()}"
    return "; ".join([*parts, f"beside {cpu}"])


def markdown(rows: Table) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]])


def write(path: Path, text: str) -> None:
    """Put the text between the marks of a page."""
    page = path.read_text()
    before, mark, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise ValueError(f"{path}: must hold {START} and {END}, between which the figures go")
    path.write_text(f"{before}{START}\n{text}\n{END}{after}")


def main(
    device: Annotated[str, typer.Option(help="The device that is checked.")] = "cuda",
    quick: Annotated[bool, typer.Option("--quick", help="Small clouds, to try the program itself.")] = False,
    out: Annotated[Path | None, typer.Option(help="The page to write, docs/gpu.md.")] = None,
) -> None:
    """Check every op of pcgen on a device against the CPU, and time it."""
    where = torch.device(device)
    if where.type == "cuda" and not ops.build_info()["cuda_loaded"]:
        raise SystemExit("check_gpu: torch sees no CUDA device, or pcgen's CUDA library is not built; ask pcgen doctor")
    said = machine(where)
    print(said, flush=True)
    found, good = run_checks(where, quick)
    timed = run_benches(where, quick)
    if out is not None:
        title = f"{said}.\n\n{markdown(found)}\n\nClouds of {benches(quick)[0]} points; medians."
        write(out, f"{title}\n\n{markdown(timed)}")
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    typer.run(main)
