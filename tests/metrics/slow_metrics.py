"""The tests' oracle: the metrics once more from their definitions, one cloud and one point at a time, in float64."""

import itertools
import math
from functools import cache

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import jensenshannon

Set = np.ndarray  # (S, N, 3) float64


@cache
def kept_centres() -> np.ndarray:
    axis = [-0.5 + i / 27 for i in range(28)]
    return np.array([c for c in itertools.product(axis, repeat=3) if math.dist(c, (0, 0, 0)) <= 0.5])


def occupancy(points: np.ndarray) -> np.ndarray:
    """Points (..., 3) per kept centre, each counted at the one nearest to it."""
    counts = np.zeros(len(kept_centres()))
    for point in points.reshape(-1, 3):
        counts[((kept_centres() - point) ** 2).sum(1).argmin()] += 1
    return counts


def jsd(samples: Set, reference: Set) -> float:
    return float(jensenshannon(occupancy(samples), occupancy(reference), base=2) ** 2)


def chamfer(x: np.ndarray, y: np.ndarray) -> float:
    forth = [min(((p - q) ** 2).sum() for q in y) for p in x]
    back = [min(((p - q) ** 2).sum() for p in x) for q in y]
    return float(np.mean(forth) + np.mean(back))


def emd(x: np.ndarray, y: np.ndarray) -> float:
    cost = np.sqrt(((x[:, None] - y[None]) ** 2).sum(-1))
    return float(cost[linear_sum_assignment(cost)].mean())


def pair_metrics(samples: Set, reference: Set, distance: str) -> dict[str, float]:
    """MMD, COV, 1-NNA and its two class accuracies under "cd" or "emd", by the names of a report's values."""
    measure = {"cd": chamfer, "emd": emd}[distance]
    everything = [*samples, *reference]
    table = [[measure(x, y) for y in everything] for x in everything]
    s, r = len(samples), len(reference)
    of_sample = range(s)
    of_reference = range(s, s + r)
    right = []
    for i in range(s + r):
        nearest = min((j for j in range(s + r) if j != i), key=lambda j, i=i: table[i][j])
        right.append((nearest < s) == (i < s))
    return {
        f"mmd_{distance}": float(np.mean([min(table[i][j] for i in of_sample) for j in of_reference])),
        f"cov_{distance}": len({min(of_reference, key=lambda j, i=i: table[i][j]) for i in of_sample}) / r,
        f"one_nna_{distance}": float(np.mean(right)),
        f"one_nna_{distance}_samples": float(np.mean(right[:s])),
        f"one_nna_{distance}_reference": float(np.mean(right[s:])),
    }


def into_ball(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Points moved and scaled as takes the reference's bounding box to the origin and its farthest point to 1/2."""
    flat = reference.reshape(-1, 3)
    centre = (flat.min(0) + flat.max(0)) / 2
    return (points - centre) / (2 * max(math.dist(p, centre) for p in flat))


def boxed(clouds: Set) -> Set:
    """Every cloud's bounding box centred, its longest side 2."""
    return np.stack([(c - (c.max(0) + c.min(0)) / 2) * 2 / max(c.max(0) - c.min(0)) for c in clouds])
