"""The states of a run's samples, step by step."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.models import MODELS
from pcgen.models.abilities import can
from pcgen.models.base import check_finite
from pcgen.models.catalogue import read_class
from pcgen.models.states import State
from pcgen.nets.modes import evaluating
from pcgen.seeds import isolated
from pcgen.training.labels import spread_labels

if TYPE_CHECKING:
    from pcgen.training.run import Run

__all__ = ["evenly", "states_of"]


def states_of(
    run: "Run",
    count: int = 4,
    frames: int = 8,
    seed: int = 0,
    labels: str | Sequence[str] | None = None,
    *,
    checkpoint: str | None = None,
    device: str | torch.device = "cpu",
    **options: Any,
) -> tuple[Tensor, list[str]]:
    """The states of new clouds while they are sampled: of a Markov chain, or from noise to data.

    For a head, the states are codes, which are decoded, with points that stay the same from state to state if the
    decoder allows it. The last state is the sample of `sample` with this seed, for a head with `even=True`.

    Args:
        run: a trained model that samples clouds step by step.
        count: number of clouds.
        frames: number of states, evenly spread from the first to the last; fewer if the model has fewer.
        seed: of the samples; torch's generator is not advanced.
        labels: one class, or several with equally many clouds each; None is labels as frequent as in training.
        checkpoint, device: as in `Run.model`.
        **options: of the model's sampling.

    Returns:
        The states, (frames, count, points, 3), in the data's units on the CPU; the step or time of each, in words.

    Raises:
        ValueError: the model does not generate clouds, or samples in one step; an argument is out of range.
        FloatingPointError: a state is not finite: the chain has diverged.
    """
    at_least(1, count=count)
    at_least(2, frames=frames)
    model: Any = run.generator(checkpoint, device)
    described = run.config["model"]
    name = described.get("head", described).get("name")
    if len(model.shape) != 2 or model.shape[1] != 3:
        raise ValueError(f"{run.path}: a run of {name} on vectors, which are not clouds; train it with --codes")
    if not can(model, "states"):
        there = [other for other, place in MODELS.places.items() if "states" in read_class(place).methods]
        raise ValueError(
            f"{run.path}: a run of {name}, which draws in one step and has no states to watch; models that have some: "
            f"{', '.join(there)}"
        )
    chosen = None
    if labels is not None:
        chosen = spread_labels(model.classes, [labels] if isinstance(labels, str) else labels, count)
    with isolated(seed, model.device), evaluating(model), torch.no_grad():
        chosen = model.draw_labels(count) if chosen is None else chosen.to(model.device)
        own = {} if chosen is None else {"labels": chosen}
        kept = evenly(model.states(count, **own, **options), frames)
    for state in kept:
        check_finite(state.x, f"{run.path}: the state at {state.at}")
    return torch.stack([run.normalization.undo(state.x.cpu()) for state in kept]), [state.at for state in kept]


def evenly(states: Iterable[State], frames: int) -> list[State]:
    """Some of the states, evenly spread from the first to the last; at most four times as many are held at once."""
    kept: list[State] = []
    latest: State | None = None
    stride, place = 1, 0
    for place, state in enumerate(states):
        if place % stride == 0:
            kept.append(state)
        if len(kept) > 4 * frames:
            kept, stride = kept[::2], 2 * stride
        latest = state
    if latest is not None and place % stride:
        kept.append(latest)
    if len(kept) <= frames:
        return kept
    return [kept[round(k * (len(kept) - 1) / (frames - 1))] for k in range(frames)]
