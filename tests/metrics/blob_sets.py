"""Sets of clouds that evaluations are tried on, and all that the definitions say of two sets."""

import dataclasses

import numpy as np
import slow_metrics
import torch
from torch import Tensor

from pcgen.metrics import PROTOCOLS, Protocol
from pcgen.seeds import stream


def blobs(count: int, points: int, seed: int, spread: float = 0.16) -> Tensor:
    """Clouds of as many shapes, mostly inside the ball of radius 1/2; the same numbers on every machine."""
    random = np.random.RandomState(seed)
    sides = random.uniform(0.3, 1.5, (count, 1, 3))
    return torch.from_numpy((random.standard_normal((count, points, 3)) * sides * spread).astype(np.float32))


SAMPLES, REFERENCE = blobs(5, 30, 1, 0.18), blobs(8, 30, 2)
AT_15 = dataclasses.replace(PROTOCOLS["exact"], name="exact at 15", points=15)


def drawn(count: int, fewer: int, role: str) -> list[int]:
    """The clouds of the larger set that a 1-NNA is of."""
    return sorted(torch.randperm(count, generator=stream(0, f"1-NNA {role}"))[:fewer].tolist())


def slow(samples: Tensor, reference: Tensor, preset: str | Protocol) -> dict[str, float]:
    """All from the definitions: MMD and COV of the whole sets, 1-NNA of equal ones, or means over batches of both."""
    x, y = samples.double().numpy(), reference.double().numpy()
    protocol = PROTOCOLS[preset] if isinstance(preset, str) else preset
    if protocol.normalization == "bbox":
        x, y = slow_metrics.boxed(x), slow_metrics.boxed(y)
    in_ball = protocol.grid == "reference"
    into_grid = [slow_metrics.into_ball(each, y) if in_ball else each for each in (x, y)]
    fewer = min(len(x), len(y))
    starts = [0] if protocol.batch is None else range(0, fewer, protocol.batch)
    found = []
    for start in starts:
        part = slice(None) if protocol.batch is None else slice(start, min(start + protocol.batch, fewer))
        values = {"jsd": slow_metrics.jsd(into_grid[0][part], into_grid[1][part])}
        for column, distance in (("cd", "chamfer"), ("emd", protocol.emd)):
            if distance is not None:
                whole = slow_metrics.pair_metrics(x[part], y[part], column, distance)
                a, b = x[part], y[part]
                equal = slow_metrics.pair_metrics(
                    a[drawn(len(a), min(len(a), len(b)), "samples")],
                    b[drawn(len(b), min(len(a), len(b)), "reference")],
                    column,
                    distance,
                )
                values |= whole | {name: value for name, value in equal.items() if "one_nna" in name}
        found.append(values)
    return {name: float(np.mean([values[name] for values in found])) for name in found[0]}
