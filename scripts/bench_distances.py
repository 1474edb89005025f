"""Time pcgen's distances beside their peers, in one process, and print the ratios.

    python scripts/bench_distances.py [--quick] [--points 2048] [--out docs/distances.md]

Each figure is the median over repeats, in milliseconds for one pair; a ratio is the peer's time over pcgen's for the
same clouds. Machines and their load vary by tens of percent: compare ratios, not milliseconds. A peer that is not
installed is left out, and the line below the table says so.
"""

import importlib.util
import math
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor

import pcgen
from pcgen import ops

Measure = Callable[[Tensor, Tensor], object]
VECTOR_LANES = {"portable": 4, "avx2": 8, "avx512": 16}
CLOCK = 3e9


@dataclass(frozen=True)
class Peer:
    """One way to compute a distance; `package` must be installed; `slow` ones are repeated least."""

    name: str
    run: Measure
    package: str = "torch"
    slow: bool = False


def make_pairs(points: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Four kinds of pairs (1, N, 3): two unrelated cubes, a sphere and a torus, two chairs, one chair sampled twice."""
    torch.manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(points, 3), dim=1)
    angles = 2 * math.pi * torch.rand(2, points)
    ring = 0.35 + 0.15 * angles[1].cos()
    torus = torch.stack([ring * angles[0].cos(), 0.15 * angles[1].sin(), ring * angles[0].sin()], 1)
    chairs = pcgen.data.load("shapes:chair@test", points=2 * points).points[:2]
    halves = chairs[0][torch.randperm(2 * points)].view(2, points, 3)
    return {
        "cubes": (torch.rand(1, points, 3), torch.rand(1, points, 3)),
        "sphere/torus": (directions[None] / 2, torus[None]),
        "two chairs": (chairs[:1, ::2].contiguous(), chairs[1:, ::2].contiguous()),
        "one twice": (halves[:1].contiguous(), halves[1:].contiguous()),
    }


def backward(distance: Callable[[Tensor, Tensor], Tensor]) -> Measure:
    """The distance and its gradient to both clouds."""

    def run(x: Tensor, y: Tensor) -> object:
        x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
        return torch.autograd.grad(distance(x, y).sum(), (x, y))

    return run


def cdist_chamfer(x: Tensor, y: Tensor) -> Tensor:
    distances = torch.cdist(x, y).square()
    return distances.amin(2).mean(1) + distances.amin(1).mean(1)


def tree_chamfer(x: Tensor, y: Tensor) -> float:
    from scipy.spatial import cKDTree

    a, b = x[0].numpy(), y[0].numpy()
    return float((cKDTree(b).query(a)[0] ** 2).mean() + (cKDTree(a).query(b)[0] ** 2).mean())


def pcu_chamfer(x: Tensor, y: Tensor) -> object:
    import point_cloud_utils

    return point_cloud_utils.chamfer_distance(x[0].numpy(), y[0].numpy())


def pot_emd(x: Tensor, y: Tensor) -> object:
    import numpy
    import ot

    costs = torch.cdist(x[0].double(), y[0].double()).numpy()
    weights = numpy.full(len(costs), 1 / len(costs))
    return ot.emd2(weights, weights, costs, numItermax=10**8)


def scipy_emd(x: Tensor, y: Tensor) -> object:
    from scipy.optimize import linear_sum_assignment

    costs = torch.cdist(x[0].double(), y[0].double()).numpy()
    return costs[linear_sum_assignment(costs)].mean()


def geomloss_emd(x: Tensor, y: Tensor) -> object:
    from geomloss import SamplesLoss

    return SamplesLoss("sinkhorn", p=1, blur=1e-3)(x, y)


CHAMFER = [
    Peer("pcgen", ops.chamfer),
    Peer("torch.cdist", cdist_chamfer),
    Peer("scipy cKDTree, built twice", tree_chamfer, "scipy"),
    Peer("point-cloud-utils", pcu_chamfer, "point_cloud_utils"),
]
CHAMFER_GRADIENT = [
    Peer("pcgen", backward(ops.chamfer)),
    Peer("torch.cdist", backward(cdist_chamfer)),
]
EMD = [
    Peer("pcgen, exact", ops.emd),
    Peer("pcgen, certified gap 1%", lambda x, y: ops.emd(x, y, gap=0.01)),
    Peer("POT emd2 and cdist", pot_emd, "ot", slow=True),
    Peer("scipy assignment and cdist", scipy_emd, "scipy", slow=True),
    Peer("geomloss Sinkhorn, blur 0.001", geomloss_emd, "geomloss", slow=True),
]


def measure(
    runs: Iterable[Callable[[], object]],
    repeats: list[int],
    summary: Callable[[list[float]], float] = statistics.median,
) -> list[float]:
    """Milliseconds of each, the runs taking turns so that a busy moment meets all of them."""
    runs = list(runs)
    times: list[list[float]] = [[] for _ in runs]
    for turn in range(max(repeats)):
        for run, taken, limit in zip(runs, times, repeats, strict=True):
            if turn < limit:
                if turn == 0 or limit > 5:  # what ran before has the caches; a slow run fills them on its own
                    run()
                start = time.perf_counter()
                run()
                taken.append(1e3 * (time.perf_counter() - start))
    return [summary(taken) for taken in times]


def compare(title: str, peers: list[Peer], pairs: dict[str, tuple[Tensor, Tensor]], repeats: tuple[int, int]) -> Table:
    """A row for each peer: milliseconds and, in brackets, how many times pcgen's first row."""
    installed = [peer for peer in peers if importlib.util.find_spec(peer.package)]
    missing = [peer.name for peer in peers if peer not in installed]
    caption = f"not installed, left out: {', '.join(missing)}" if missing else None
    table = Table("", *pairs, "median ratio", title=title, caption=caption)
    counts = [repeats[peer.slow] for peer in installed]
    columns = [
        measure([lambda p=peer, x=x, y=y: p.run(x, y) for peer in installed], counts)  # type: ignore[misc]
        for x, y in pairs.values()
    ]
    for row, peer in enumerate(installed):
        ratios = [column[row] / column[0] for column in columns]
        cells = [f"{column[row]:.3g} ({ratio:.3g}x)" for column, ratio in zip(columns, ratios, strict=True)]
        table.add_row(peer.name, *cells, f"{statistics.median(ratios):.3g}x")
    return table


def compare_sizes(sizes: list[int], repeats: int) -> Table:
    """Chamfer of two chairs as clouds grow, against the tree's."""
    table = Table("points", "pcgen chamfer", "cKDTree", "pcgen emd", title="Two chairs, by size")
    for size in sizes:
        x, y = make_pairs(size)["two chairs"]
        runs: list[Callable[[], object]] = [lambda x=x, y=y: ops.chamfer(x, y), lambda x=x, y=y: tree_chamfer(x, y)]  # type: ignore[misc]
        ours, tree = measure(runs, [repeats, max(repeats // 4, 1)])
        emd = "not timed"
        if size <= 8192:
            emd = f"{measure([lambda x=x, y=y: ops.emd(x, y)], [max(repeats // 8, 1)])[0]:.3g}"  # type: ignore[misc]
        table.add_row(str(size), f"{ours:.3g}", f"{tree:.3g} ({tree / ours:.3g}x)", emd)
    return table


def compare_threads(pair: tuple[Tensor, Tensor], repeats: int) -> Table:
    """One Chamfer pair, and a batch of 16, on one thread and on two.

    The fastest of the repeats: two threads wait for each other, so anything else that runs counts many times over.
    """
    table = Table("", "1 thread", "2 threads", "faster", title="Chamfer on two threads, fastest of the repeats")
    x, y = pair
    for name, count in (("one pair", 1), ("a batch of 16", 16)):
        times = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            times += measure([lambda n=count: ops.chamfer(x.repeat(n, 1, 1), y.repeat(n, 1, 1))], [repeats], min)  # type: ignore[misc]
        torch.set_num_threads(1)
        table.add_row(name, f"{times[0]:.3g}", f"{times[1]:.3g}", f"{times[0] / times[1]:.3g}x")
    return table


def markdown(table: Table) -> str:
    """The table in Markdown."""
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    lines = [[str(column.header) for column in table.columns], ["---"] * len(table.columns), *rows]
    body = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
    return f"## {table.title}\n\n{body}\n" + (f"\n{table.caption}\n" if table.caption else "")


def main(
    points: Annotated[int, typer.Option(help="Points in each cloud.")] = 2048,
    quick: Annotated[bool, typer.Option("--quick", help="Few repeats, and no table of sizes.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the tables to this Markdown file.")] = None,
) -> None:
    """Time pcgen's distances beside their peers on one core."""
    torch.set_num_threads(1)
    info = ops.build_info()
    pairs = make_pairs(points)
    repeats = (7, 1) if quick else (41, 5)
    limit = 1e3 * points**2 * 8 / VECTOR_LANES[info["instruction_set"]] / 2 / CLOCK
    notes = (
        f"{date.today()}, {platform.processor() or platform.machine()}, {info['instruction_set']}, torch "
        f"{torch.__version__}, one thread, {points} points, milliseconds a pair (times pcgen's). The counted limit of "
        f"Chamfer, 8 instructions for each vector of pairs at 2 a cycle and 3 GHz, is {limit:.3g} ms."
    )
    tables = [
        compare("Chamfer", CHAMFER, pairs, repeats),
        compare("Chamfer with gradient", CHAMFER_GRADIENT, pairs, repeats),
        compare("Earth Mover's distance", EMD, pairs, repeats),
        compare_threads(pairs["cubes"], 101),
    ]
    if not quick:
        tables.append(compare_sizes([512, 2048, 8192, 32768], 16))
    console = Console()
    console.width = max(console.width, 120)
    console.print(notes, *tables)
    if out is not None:
        out.write_text("\n".join(["# Distances, timed\n", notes + "\n", *map(markdown, tables)]))


if __name__ == "__main__":
    typer.run(main)
