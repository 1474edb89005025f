"""Ways of deforming training clouds, compared without held-out ones: samples of two thirds beside the last third.

python scripts/bench_thirds.py --runs runs/generation
"""

import math
import statistics
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import figures
import torch
import typer
from draws import Judge, Set, sets
from torch import Tensor

from pcgen import training
from pcgen.data.thinning import thin
from pcgen.metrics import find_copies
from pcgen.models.base import Batch
from pcgen.models.clouds.deformed import DeformedCloudModel
from pcgen.models.clouds.deforming import Exemplars
from pcgen.models.mixtures.parzen import Parzen

_PARTS = 3
VARIANTS: dict[str, tuple[bool, dict[str, Any]]] = {  # whether clouds are mirrored as by default, and options of draw
    "decoded": (True, {"deform": False}),
    "deformed": (True, {}),
    "deformed, not mirrored": (False, {}),
    "deformed, as far as drawn": (True, {"farther": 1.0}),
}


def main(
    runs: Annotated[Path, typer.Option(help="The folder of bench_generation.py.")] = Path("runs/generation"),
    points: Annotated[int, typer.Option(help="Points of each cloud.")] = 1024,
) -> None:
    """For each set, leave out every third of its training clouds in turn, and sample windows about the others."""
    rows: list[dict[str, object]] = []
    for each in sets(runs, points):
        codes = training.read_codes(each.folder / "autoencoder")
        found = [_left_out(each, codes, points, rest, third) for rest, third in _thirds(len(each.train))]
        for name in found[0]:
            parts = [part[name] for part in found]
            row: dict[str, object] = {"data": each.name, "learned": len(each.train), "variant": name}
            row |= {"draws": sum(part["draws"] for part in parts)}
            row |= {key: _mean(parts, key) for key in ("farther", "z_u_cd_mean", "copies", "one_nna_cd_mean")}
            row["one_nna_cd_error"] = round(math.hypot(*(part["one_nna_cd_error"] for part in parts)) / _PARTS, 5)
            rows.append(row)
            print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
        figures.write("thirds", rows)


def _thirds(count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Indices of the clouds that are kept and of those that are left out, for each third."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    for part in range(_PARTS):
        yield torch.cat([order[each::_PARTS] for each in range(_PARTS) if each != part]), order[part::_PARTS]


def _left_out(each: Set, codes: training.Codes, points: int, rest: Tensor, third: Tensor) -> dict[str, dict[str, Any]]:
    """What clouds of the third are beside the rest, and what samples of windows about the rest are beside the third."""
    rows = codes.rows.unflatten(0, (-1, len(codes.train)))[:, rest]  # (samplings, rest, code)
    judge = Judge(thin(each.train[third], points, 1), thin(each.train[rest], points, 0), 1 / _PARTS)
    found: dict[str, dict[str, Any]] = {"training clouds": judge(judge.some(judge.train), learned=False)}
    found["training clouds"] |= {"farther": "", "copies": find_copies(judge.test, each.train[rest]).copies}
    for name, (mirrored, options) in VARIANTS.items():
        head = Parzen(tuple(rows.shape[2:]), rows=rows[..., 0].numel(), repeats=len(rows))
        exemplars = Exemplars.of(codes.source.train[rest], codes.mirror if mirrored else 0.0)
        model = DeformedCloudModel(codes.autoencoder, head, exemplars)
        model.setup(Batch(rows.flatten(0, 1)))
        draw = partial(_drawn, model, codes.source.normalization.undo, len(third), options)
        torch.manual_seed(0)
        factor = options.get("farther", float(exemplars.farther)) if options.get("deform", True) else ""
        found[name] = {**judge(draw), "farther": factor}
        torch.manual_seed(0)
        found[name]["copies"] = judge.copies(draw, each.train[rest])
    return found


def _drawn(model: DeformedCloudModel, undo: Any, count: int, options: dict[str, Any]) -> Tensor:
    clouds: Tensor = undo(model.sample(count, **options))
    return clouds


def _mean(parts: list[dict[str, Any]], key: str) -> float | str:
    """The mean of a value over the thirds; nothing where there is none."""
    values = [part[key] for part in parts]
    return "" if "" in values else round(statistics.mean(values), 5)


if __name__ == "__main__":
    typer.run(main)
