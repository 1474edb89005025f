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
    axis = [(2 * i - 27) / 54 for i in range(28)]  # those on both sides of 0 are equally far from it
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


def approxmatch(giver: np.ndarray, taker: np.ndarray, last_level: bool, squared: bool) -> float:
    """The soft matching: level by level, each point of one cloud offers what it has left, each of the other takes."""
    distance = np.sqrt(((giver[:, None] - taker[None]) ** 2).sum(-1))
    left, room = np.ones(len(giver)), np.ones(len(taker))
    moved = np.zeros_like(distance)
    for level in [4.0**k for k in range(7, -2, -1)] + [0.0] * last_level:
        weight = np.exp(-level * distance**2) * room
        offer = weight * (left / (weight.sum(1) + 1e-9))[:, None]
        asked = offer.sum(0)
        taken = offer * np.minimum(room / (asked + 1e-9), 1.0)
        moved += taken
        left, room = np.maximum(left - taken.sum(1), 0.0), np.maximum(room - asked, 0.0)
    return float((moved * distance ** (2 if squared else 1)).sum() / len(giver))


DISTANCES = {
    "chamfer": chamfer,
    "exact": emd,
    "approxmatch": lambda x, y: approxmatch(x, y, last_level=True, squared=False),
    "approxmatch_pointflow": lambda x, y: approxmatch(x, y, last_level=False, squared=False),
    "approxmatch_squared": lambda x, y: approxmatch(x, y, last_level=True, squared=True),
}


def pair_metrics(samples: Set, reference: Set, column: str, distance: str) -> dict[str, float]:
    """MMD, COV, 1-NNA and its two class accuracies, by the names of a report's values.

    A distance is of a giver and a taker. As in the papers' programs a reference cloud gives to a sample, and another
    cloud of the same set to the one that is classified; only the COV of Achlioptas et al. has samples give.
    """
    measure = DISTANCES[distance]
    everything = [*samples, *reference]
    s, r = len(samples), len(reference)
    between = [[measure(y, x) for y in reference] for x in samples]
    covering = [[measure(x, y) for y in reference] for x in samples] if distance == "approxmatch" else between

    def far(query: int, other: int) -> float:
        if (query < s) == (other < s):
            return measure(everything[other], everything[query])
        return between[min(query, other)][max(query, other) - s]

    right = []
    for i in range(s + r):
        nearest = min((j for j in range(s + r) if j != i), key=lambda j, i=i: far(i, j))
        right.append((nearest < s) == (i < s))
    return {
        f"mmd_{column}": float(np.mean([min(between[i][j] for i in range(s)) for j in range(r)])),
        f"cov_{column}": len({min(range(r), key=lambda j, i=i: covering[i][j]) for i in range(s)}) / r,
        f"one_nna_{column}": float(np.mean(right)),
        f"one_nna_{column}_samples": float(np.mean(right[:s])),
        f"one_nna_{column}_reference": float(np.mean(right[s:])),
    }


def into_ball(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Points moved and scaled as takes the reference's median to the origin and 99.9% of its points into radius 1/2."""
    flat = reference.reshape(-1, 3)
    centre = np.sort(flat, 0)[(len(flat) - 1) // 2]
    distances = sorted(math.dist(p, centre) for p in flat)
    return (points - centre) / (2 * distances[math.ceil(0.999 * len(flat)) - 1])


def boxed(clouds: Set) -> Set:
    """Every cloud's bounding box centred, its longest side 2."""
    return np.stack([(c - (c.max(0) + c.min(0)) / 2) * 2 / max(c.max(0) - c.min(0)) for c in clouds])
