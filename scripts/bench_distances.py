"""Time pcgen's distances beside their peers, in one process, and print the ratios.

    python scripts/bench_distances.py [--quick] [--points 2048] [--full] [--out docs/distances.md]

Each figure is the median over repeats, in milliseconds for one pair; a ratio is the peer's time over pcgen's for the
same clouds. Machines and their load vary by tens of percent: compare ratios, not milliseconds. A peer that is not
installed is left out, and the line below the table says so; geomloss and point-cloud-utils are not dependencies of
pcgen, install them beside it to see them here. With --out, a plot of time against size is drawn beside the tables.
"""

import importlib.util
import math
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from distance_page import Curves, draw, markdown
from distance_peers import CHAMFER, CHAMFER_GRADIENT, EMD, Measure, Pair, Peer, exact_chamfer, exact_emd, make_pairs
from rich.console import Console
from rich.table import Table
from tables import filled
from torch import Tensor

import pcgen
from pcgen import ops

VECTOR_LANES = {"portable": 4, "avx2": 8, "avx512": 16}
CLOCK = 3e9
MARKER = "speed"  # of the page
SHAPES = Path(__file__).resolve().parents[2] / "shared" / "data" / "ldraw_parts.npz"


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
                if turn == 0 or limit > 5:  # imports; then what ran before has the caches, and slow runs fill their own
                    run()
                start = time.perf_counter()
                run()
                taken.append(1e3 * (time.perf_counter() - start))
    return [summary(taken) for taken in times]


def installed(peers: list[Peer]) -> tuple[list[Peer], str | None]:
    """Those whose package is there, and a line on the others."""
    there = [peer for peer in peers if importlib.util.find_spec(peer.package)]
    missing = [peer.name for peer in peers if peer not in there]
    return there, f"not installed, left out: {', '.join(missing)}" if missing else None


def time_peers(peers: list[Peer], pair: Pair, repeats: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each peer for one pair, and the values they return."""
    values = [math.nan] * len(peers)

    def run(row: int) -> None:
        values[row] = float(torch.as_tensor(peers[row].run(*pair)))

    runs = [partial(run, row) for row in range(len(peers))]
    return measure(runs, [min(repeats, peer.repeats) for peer in peers]), values


def compare(title: str, peers: list[Peer], pairs: dict[str, Pair], repeats: int, exact: Measure | None = None) -> Table:
    """A row for each peer: milliseconds, in brackets how many times the first row's, and the error against `exact`."""
    peers, caption = installed(peers)
    table = Table("", *pairs, "median ratio", *(["error"] if exact else []), title=title, caption=caption)
    timed = [time_peers(peers, pair, repeats) for pair in pairs.values()]
    truth = [float(torch.as_tensor(exact(*pair))) for pair in pairs.values()] if exact else []
    for row, peer in enumerate(peers):
        ratios = [times[row] / times[0] for times, _ in timed]
        cells = [f"{times[row]:.3g} ({ratio:.3g}x)" for (times, _), ratio in zip(timed, ratios, strict=True)]
        errors = [values[row] / true - 1 for (_, values), true in zip(timed, truth, strict=False)]
        table.add_row(peer.name, *cells, f"{statistics.median(ratios):.3g}x", *([in_words(errors)] if errors else []))
    return table


def in_words(errors: list[float]) -> str:
    """Relative errors as a range, where they are more than the rounding of float32."""
    if max(map(abs, errors)) < 1e-5:
        return "rounding"
    return f"{100 * min(errors):+.2g}% to {100 * max(errors):+.2g}%"


def compare_sizes(peers: list[Peer], sizes: list[int], repeats: int, budget: float) -> Curves:
    """Milliseconds for two chairs as clouds grow; a peer that took more than `budget` is not asked for larger ones."""
    peers, _ = installed(peers)
    curves: Curves = {peer.name: {} for peer in peers}
    for size in sizes:
        pair = make_pairs(size)["two chairs"]
        able = [p for p in peers if size <= p.most and max(curves[p.name].values(), default=0) <= budget]
        for peer, took in zip(able, time_peers(able, pair, repeats)[0], strict=True):
            curves[peer.name][size] = took
    return curves


def tabulate(title: str, curves: Curves) -> Table:
    """Milliseconds and, in brackets, how many times the first curve's."""
    caption = "Peers are left out for sizes at which they need too much time or memory."
    table = Table("points", *curves, title=title, caption=caption)
    first = next(iter(curves.values()))
    for size in first:
        took = [curve.get(size) for curve in curves.values()]
        table.add_row(str(size), *("" if ms is None else f"{ms:.3g} ({ms / first[size]:.3g}x)" for ms in took))
    return table


def compare_search(curve: dict[int, float]) -> Table:
    """Chamfer by size beside what looking at all pairs would take, at the best rate of the sizes where that is done."""
    rate = min(ms / size**2 for size, ms in curve.items() if size <= 4096)
    table = Table("points", "pcgen", "all pairs", "faster", title="From which size Chamfer's tree is faster")
    table.caption = (
        "Up to 4096 x 4096 points, pcgen computes all pairs; beyond, it searches the leaves of a k-d tree. 'all pairs' "
        "is the time of all pairs at the best rate of the smaller sizes."
    )
    for size, ms in curve.items():
        if size < 2048:
            continue
        table.add_row(str(size), f"{ms:.3g}", f"{rate * size**2:.3g}", f"{rate * size**2 / ms:.3g}x")
    return table


def compare_threads(pair: Pair, repeats: int) -> Table:
    """One pair, and a batch, on one thread and on two.

    The fastest of the repeats: two threads wait for each other, so anything else that runs counts many times over.
    """
    table = Table("", "1 thread", "2 threads", "faster", title="Two threads, fastest of the repeats")
    x, y = pair
    distances: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"Chamfer": ops.chamfer, "exact EMD": ops.emd}
    for name, distance in distances.items():
        for count in (1, 32):
            batch = x.repeat(count, 1, 1), y.repeat(count, 1, 1)
            times = []
            for threads in (1, 2):
                torch.set_num_threads(threads)
                few = repeats if name == "Chamfer" else max(repeats // (4 + count), 2)
                times += measure([partial(distance, *batch)], [few], min)
            torch.set_num_threads(1)
            what = "one pair" if count == 1 else f"a batch of {count}"
            table.add_row(f"{name}, {what}", *(f"{ms:.3g}" for ms in times), f"{times[0] / times[1]:.3g}x")
    return table


def compare_nearest(shapes: Path, label: str, count: int, points: int, full: bool) -> Table:
    """Nearest neighbours under EMD between two sets of one class of real shapes, and within one, beside all pairs."""
    title = f"Nearest neighbours under EMD, {count} + {count} shapes {label!r} of {points} points"
    table = Table("", "solved", "share", "seconds", "all distances, seconds", "faster", title=title)
    clouds = pcgen.data.load(f"{shapes}:{label}@all", points=points).points
    clouds = clouds[torch.randperm(len(clouds), generator=torch.Generator().manual_seed(0))][: 2 * count]
    a, b = clouds[:count].contiguous(), clouds[count:].contiguous()
    within = count * (count - 1) // 2
    for name, other, pairs in (("between the sets", b, count * len(b)), ("within one set", a, within)):
        begin = time.perf_counter()
        found = ops.nearest(a, other)
        took = time.perf_counter() - begin
        begin = time.perf_counter()
        if full:
            matrix = ops.emd_matrix(a, other)
            all_pairs = time.perf_counter() - begin
            least = matrix.fill_diagonal_(torch.inf).argmin(1) if other is a else matrix.argmin(1)
            if not torch.equal(least, found.index[:, 0]):
                raise RuntimeError(f"nearest: differs from the full matrix {name}")
        else:
            some = min(count, 40)
            ops.match(a[:some], other[:some].flip(0))
            all_pairs = (time.perf_counter() - begin) / some * pairs
        share = f"{100 * found.solved / pairs:.3g}%"
        table.add_row(name, str(found.solved), share, f"{took:.3g}", f"{all_pairs:.3g}", f"{all_pairs / took:.3g}x")
    if not full:
        table.caption = "The time of all distances is estimated from a few of them; --full computes them."
    return table


def main(
    points: Annotated[int, typer.Option(help="Points in each cloud.")] = 2048,
    quick: Annotated[bool, typer.Option("--quick", help="Few repeats, small clouds, no slow peers.")] = False,
    full: Annotated[bool, typer.Option("--full", help="All distances where neighbours are sought: minutes.")] = False,
    shapes: Annotated[Path, typer.Option(help="Real shapes, .npz with labels.")] = SHAPES,
    label: Annotated[str, typer.Option(help="Their class among which neighbours are sought.")] = "Brick",
    out: Annotated[Path | None, typer.Option(help="Write the tables to this Markdown file, a plot beside it.")] = None,
) -> None:
    """Time pcgen's distances beside their peers on one core."""
    torch.set_num_threads(1)
    info = ops.build_info()
    pairs = make_pairs(points)
    repeats = 5 if quick else 41
    emd_peers = [peer for peer in EMD if not (quick and peer.repeats < repeats)]
    limit = 1e3 * points**2 * 8 / VECTOR_LANES[info["instruction_set"]] / 2 / CLOCK
    notes = (
        f"{date.today()}, {platform.processor() or platform.machine()}, {info['instruction_set']}, torch "
        f"{torch.__version__}, one thread, {points} points, milliseconds per pair (multiples of pcgen's). The limit "
        f"of Chamfer, at 8 instructions for each vector of pairs, 2 per cycle and 3 GHz, is {limit:.3g} ms."
    )
    tables = [
        compare("Chamfer", CHAMFER, pairs, repeats, exact_chamfer),
        compare("Chamfer with gradient", CHAMFER_GRADIENT, pairs, repeats, exact_chamfer),
        compare("Earth Mover's distance", emd_peers, pairs, repeats, exact_emd),
        compare_threads(pairs["cubes"], 11 if quick else 101),
    ]
    sizes = [256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]
    chamfer = compare_sizes(CHAMFER, sizes[:6] if quick else sizes, 3 if quick else 9, 2000)
    emd = compare_sizes(
        [peer for peer in emd_peers if "gradient" not in peer.name],
        sizes[:4] if quick else sizes[:7],
        2 if quick else 5,
        2000,
    )
    tables += [
        tabulate("Chamfer of two chairs, by size", chamfer),
        compare_search(chamfer["pcgen"]),
        tabulate("Earth Mover's distance of two chairs, by size", emd),
    ]
    if shapes.is_file():
        tables.append(compare_nearest(shapes, label, 20 if quick else 100, 512 if quick else points, full))
    else:
        notes += f" No neighbours among real shapes: there is no {shapes.name}, name such a file by --shapes."
    console = Console()
    console.width = max(console.width, 160)
    console.print(notes, *tables)
    if out is not None:
        draw(chamfer, emd, out.with_suffix(".png"))
        picture = f"![Milliseconds against points for pcgen and its peers]({out.stem}.png)\n"
        text = out.read_text(encoding="utf-8") if out.is_file() else f"<!-- {MARKER} -->\n<!-- /{MARKER} -->\n"
        page = "\n".join([notes + "\n", picture, *map(markdown, tables)])
        out.write_text(filled(text, MARKER, page, str(out)), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
