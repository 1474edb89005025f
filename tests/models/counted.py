"""Scenes whose counts are known, which models learn without being told."""

from functools import cache

import torch
from torch import Tensor

from pcgen import data
from pcgen.models.scenes.air import AIR
from pcgen.models.scenes.dair import DAIR
from pcgen.training import steps

POINTS = 256  # of the 512 of each scene: training takes others at each update


@cache
def scenes() -> data.Clouds:
    return data.load("shapes:scene=1200", points=512)


def with_counts(clouds: data.Clouds, counts: tuple[int, ...]) -> data.Clouds:
    """Those of the clouds that have one of these counts of shapes."""
    assert clouds.counts is not None
    return clouds.select([row for row, count in enumerate(clouds.counts.tolist()) if count in counts])


def learned(cls: type[AIR] | type[DAIR], counts: tuple[int, ...], updates: int) -> AIR | DAIR:
    """A model that has learned from train scenes of these counts."""
    torch.manual_seed(0)
    model = cls((POINTS, 3), steps=3)
    x = with_counts(scenes().split("train"), counts).points
    for _ in steps(model, x, steps=updates, batch_size=32):
        pass
    return model.eval()


def right(model: AIR | DAIR, clouds: data.Clouds) -> Tensor:
    """Which scenes' counts are inferred right, (S,) 0 or 1."""
    return (model.count(clouds.points[:, :POINTS]) == clouds.counts).float()
