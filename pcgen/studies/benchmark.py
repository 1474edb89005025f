"""The quality benchmark: every head on the same codes, scored by `quality`, with its time and size."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from pcgen.studies.heads import draw_codes, jobs, train_head
from pcgen.studies.quality import Quality, quality
from pcgen.training import Codes

__all__ = ["Scored", "benchmark"]

MOST = 1000  # codes of each set
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
) -> Iterator[Scored]:
    """Train each head on the codes, draw from it and score it; the baselines come first.

    Every model has a run folder in `out`; what is trained there already is not trained again.

    Args:
        codes: of an autoencoder's training clouds.
        held_out: codes of clouds that neither the autoencoder nor a head has seen, (R, *code); at most 1000 are used.
        names: of heads.
        out: the folder of the runs.
        config: arguments of models by name.
        effort: multiplies every model's default number of steps.
        device: where to train and draw.
        seed: of all that is random.

    Raises:
        ValueError: a name is no head's, or there are fewer than 2 held-out codes.
    """
    held_out = held_out[:MOST]
    made = jobs(codes, names, config or {}, seed)
    yield from (Scored(each) for each in quality({}, codes.train, held_out, draws=DRAWS, seed=seed))
    for name, job in made.items():
        model, seconds = train_head(job, Path(out) / name, effort=effort, device=device, seed=seed)
        sets = [draw_codes(model, len(held_out), seed + each) for each in range(DRAWS)]
        (found, *_) = quality({name: sets}, codes.train, held_out, seed=seed)
        yield Scored(found, seconds, sum(value.numel() for value in model.head.state_dict().values()))
