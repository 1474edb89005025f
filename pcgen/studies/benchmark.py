"""The quality benchmark: every head on the same codes, scored by `quality`, with its time and size."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.studies.heads import draw_codes, jobs, train_head
from pcgen.studies.quality import MOST, Quality, quality
from pcgen.studies.reference import chosen
from pcgen.studies.workers import side_by_side
from pcgen.training import Codes

__all__ = ["Scored", "benchmark"]

DRAWS = 4  # sets of each model


@dataclass(frozen=True)
class Scored:
    """One row of the benchmark: a model, or a baseline without training."""

    quality: Quality
    seconds: float = 0.0  # of training
    weights: int = 0  # numbers that it has learned: parameters and buffers


def benchmark(
    codes: Codes,
    held_out: Tensor,
    names: Sequence[str],
    out: str | Path,
    *,
    config: Mapping[str, Mapping[str, Any]] | None = None,
    effort: float = 1.0,
    device: str = "cpu",
    seed: int = 0,
    processes: int = 1,
) -> Iterator[Scored]:
    """Train each head on the codes, draw from it and score it; the baselines come first.

    Every model has a run folder in `out`; what is trained there already is not trained again.

    Args:
        codes: of an autoencoder's training clouds.
        held_out: codes of clouds that neither the autoencoder nor a head has seen, (R, *code); at most 1000 are
            used, chosen by `seed`.
        names: of heads.
        out: the folder of the runs.
        config: arguments of models by name.
        effort: multiplies every model's default number of steps.
        device: where to train and draw.
        seed: of all that is random.
        processes: that train heads side by side, with this process's number of threads each (see
            `pcgen.studies.workers`).

    Raises:
        ValueError: a name is not a head's, there are fewer than 2 held-out codes, or no process.
        ChildProcessError: a process was killed.
    """
    at_least(1, processes=processes)
    held_out = held_out[chosen(len(held_out), MOST, seed)]
    jobs(codes, names, config or {}, seed)  # names and arguments are checked before the first is trained
    yield from (Scored(each) for each in quality({}, codes.train, held_out, draws=DRAWS, seed=seed))
    score = partial(
        _score, codes, held_out, Path(out), config or {}, {"effort": effort, "device": device, "seed": seed}
    )
    if processes == 1:
        yield from (score(name, progress=True) for name in names)
        return
    yield from side_by_side(score, names, processes, torch.get_num_threads())


def _score(
    codes: Codes,
    held_out: Tensor,
    out: Path,
    config: Mapping[str, Mapping[str, Any]],
    settings: dict[str, Any],
    name: str,
    progress: bool = False,
) -> Scored:
    seed = settings["seed"]
    job = jobs(codes, [name], config, seed)[name]  # here, since not every model can be sent to another process
    model, seconds = train_head(job, out / name, progress=progress, **settings)
    sets = [draw_codes(model, len(held_out), seed + each) for each in range(DRAWS)]
    (found, *_) = quality({name: sets}, codes.train, held_out, seed=seed)
    return Scored(found, seconds, sum(value.numel() for value in model.head.state_dict().values()))
