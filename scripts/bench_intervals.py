"""The 95% intervals of the metrics: how often they contain the mean over other sets of clouds, and how wide they are.

python scripts/bench_intervals.py --repeats 300
"""

from collections.abc import Callable, Sequence
from typing import Annotated

import figures
import torch
import typer
from torch import Tensor

from pcgen.metrics import coverage, mmd
from pcgen.metrics.comparison import ALIKE
from pcgen.metrics.intervals import coverage_interval, jsd_interval, mmd_interval, share_interval
from pcgen.metrics.jsd import jsd_of_counts
from pcgen.metrics.one_nna import one_nna_correct

Found = tuple[float, float, float]  # a value and the ends of its interval
Draw = Callable[[int], Tensor]

_CELLS = 20  # of each of two axes
_POINTS = 64  # of each cloud whose points are counted


def main(
    repeats: Annotated[int, typer.Option(help="Pairs of sets, each.")] = 300,
    most: Annotated[int, typer.Option(help="Leave out cases with more clouds per set.")] = 400,
) -> None:
    """Draw samples and references many times, of equal and of different distributions."""
    rows: list[dict[str, object]] = []
    for name, draws, sizes, measure in _cases():
        for samples, reference in sizes:
            if max(samples, reference) > most:
                continue
            torch.manual_seed(0)
            found = [measure(*draws, samples, reference, seed) for seed in range(repeats)]
            row: dict[str, object] = {"data": name, "samples": samples, "reference": reference, "repeats": repeats}
            for metric in ("mmd", "cov", "one_nna", "one_nna_difference", "jsd"):
                told = told_mean([each[metric] for each in found]) if metric in found[0] else ("", "")
                row |= {f"{metric}_held": told[0], f"{metric}_width": told[1]}
            rows.append(row)
            print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
            figures.write("intervals", rows)


def told_mean(found: Sequence[Found]) -> tuple[float, float]:
    """The share of intervals with the mean of all values in them, and their mean width, of that of a normal one."""
    values, low, high = torch.tensor(found, dtype=torch.float64).T
    held = ((low <= values.mean()) & (values.mean() <= high)).double().mean()
    right = 2 * 1.96 * values.std()
    return round(float(held), 3), round(float((high - low).mean() / right), 2)


def _cases() -> list[tuple[str, tuple[Draw, Draw], list[tuple[int, int]], Callable[..., dict[str, Found]]]]:
    """The name of each kind of data, its samples and its reference, the numbers of them, and what is measured."""
    equal = [(30, 30), (100, 100)]
    made = [
        ("uniform, 1 dimension", (_uniform(1), _uniform(1)), [*equal, (20, 400)]),
        ("uniform, 2 dimensions", (_uniform(2), _uniform(2)), [*equal, (400, 400), (20, 400), (300, 60)]),
        ("normal, 8 dimensions", (_normal(8), _normal(8)), [*equal, (100, 300)]),
        ("normal, 50 dimensions", (_normal(50), _normal(50)), [(60, 60)]),
        ("normal, 2 dimensions, moved by 1", (_normal(2, move=1.0), _normal(2)), equal),
        ("normal, 8 dimensions, moved by 1.5", (_normal(8, move=1.5), _normal(8)), equal),
        ("normal, 2 dimensions, half as wide", (_normal(2, scale=0.5), _normal(2)), equal),
        ("normal, 2 dimensions, twice as wide", (_normal(2, scale=2.0), _normal(2)), equal),
        ("one of two groups", (_groups(1.0), _groups(0.5)), equal),
        ("9 in 10 of one of two groups", (_groups(0.9), _groups(0.5)), [(100, 100), (300, 100)]),
        ("normal, 2 dimensions, moved by 6", (_normal(2, move=6.0), _normal(2)), [(100, 100)]),
    ]
    cases = [(*each, _of_points) for each in made]
    for move, sizes in ((0.0, [*equal, (400, 400)]), (0.5, equal), (1.0, equal), (3.0, equal), (9.0, equal)):
        name = f"counts in cells, moved by {move:g}" if move else "counts in cells"
        cases.append((name, (_counts(move), _counts(0.0)), sizes, _of_counts))
    return cases  # type: ignore[return-value]


def _uniform(dim: int) -> Draw:
    return lambda n: torch.rand(n, dim, dtype=torch.float64)


def _normal(dim: int, scale: float = 1.0, move: float = 0.0) -> Draw:
    to = torch.eye(dim, dtype=torch.float64)[0] * move
    return lambda n: scale * torch.randn(n, dim, dtype=torch.float64) + to


def _groups(share: float) -> Draw:
    """Normal points of two dimensions in two groups that are far from each other; `share` of them are in the first."""
    return lambda n: torch.randn(n, 2, dtype=torch.float64) + 30 * (torch.rand(n, 1) >= share)


def _counts(move: float) -> Draw:
    """Points of each cloud in each cell: every cloud is a normal blob of another place and size, (n, cells)."""

    def draw(n: int) -> Tensor:
        place = _CELLS / 2 + 3 * torch.randn(n, 1, 2) + torch.tensor([move, 0.0])
        points = place + 1.5 * (0.4 * torch.randn(n, 1, 1)).exp() * torch.randn(n, _POINTS, 2)
        x, y = points.floor().long().clamp(0, _CELLS - 1).unbind(2)
        return torch.zeros(n, _CELLS**2).scatter_add_(1, _CELLS * x + y, torch.ones(n, _POINTS))

    return draw


def _of_points(first: Draw, second: Draw, samples: int, reference: int, seed: int) -> dict[str, Found]:
    """MMD, COV, and of equally many also 1-NNA and its difference from that of new data; a cloud is a point."""
    x, y = first(samples), second(reference)
    between = torch.cdist(x, y)
    found = {
        "mmd": (mmd(between), *mmd_interval(between, seed=seed)),
        "cov": (coverage(between), *coverage_interval(between, seed=seed)),
    }
    if samples == reference:
        own, other = (_one_nna(each, y, seed) for each in (x, second(samples)))
        difference = own[0] - other[0]
        low = difference - ((own[0] - own[1]) ** 2 + (other[2] - other[0]) ** 2) ** 0.5
        high = difference + ((own[2] - own[0]) ** 2 + (other[0] - other[1]) ** 2) ** 0.5
        found |= {"one_nna": own, "one_nna_difference": (difference, low, high)}
    return found


def _one_nna(x: Tensor, y: Tensor, seed: int) -> Found:
    right = one_nna_correct(torch.cdist(x, y), torch.cdist(x, x), torch.cdist(y, y))
    return float(torch.cat(right).double().mean()), *share_interval(*right, alike=ALIKE, seed=seed)


def _of_counts(first: Draw, second: Draw, samples: int, reference: int, seed: int) -> dict[str, Found]:
    p, q = first(samples), second(reference)
    return {"jsd": (float(jsd_of_counts(p.sum(0), q.sum(0))), *jsd_interval(p, q))}


if __name__ == "__main__":
    typer.run(main)
