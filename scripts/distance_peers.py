"""Other ways to compute the distances that pcgen.ops computes, and pairs of clouds to compare them on."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import pcgen
from pcgen import ops

Pair = tuple[Tensor, Tensor]
Measure = Callable[[Tensor, Tensor], object]


@dataclass(frozen=True)
class Peer:
    """One way to compute a distance, if `package` is installed.

    It is timed `repeats` times at most, and for clouds of at most `most` points: beyond, its time or memory grows too
    fast.
    """

    name: str
    run: Measure
    package: str = "torch"
    repeats: int = 41
    most: int = 1 << 20


def make_pairs(points: int) -> dict[str, Pair]:
    """Four kinds of pairs (1, N, 3): two unrelated cubes, a sphere and a torus, two chairs, one chair sampled twice."""
    torch.manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(points, 3), dim=1)
    angles = 2 * math.pi * torch.rand(2, points)
    ring = 0.35 + 0.15 * angles[1].cos()
    torus = torch.stack([ring * angles[0].cos(), 0.15 * angles[1].sin(), ring * angles[0].sin()], 1)
    chairs = pcgen.data.load("shapes:chair@test", points=2 * points).points[:2]
    halves = chairs[0][torch.randperm(2 * points)].view(2, points, 3)
    return {
        "cubes": (torch.rand(1, points, 3), torch.rand(1, points, 3)),
        "sphere/torus": (directions[None] / 2, torus[None]),
        "two chairs": (chairs[:1, ::2].contiguous(), chairs[1:, ::2].contiguous()),
        "one twice": (halves[:1].contiguous(), halves[1:].contiguous()),
    }


def backward(distance: Callable[[Tensor, Tensor], Tensor]) -> Measure:
    """The distance and its gradient to both clouds."""

    def run(x: Tensor, y: Tensor) -> object:
        x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
        value = distance(x, y)
        torch.autograd.grad(value.sum(), (x, y))
        return value.detach()

    return run


def cdist_chamfer(x: Tensor, y: Tensor) -> Tensor:
    distances = torch.cdist(x, y).square()
    return distances.amin(2).mean(1) + distances.amin(1).mean(1)


def exact_chamfer(x: Tensor, y: Tensor) -> float:
    """All differences in float64."""
    distances = torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist").square()
    return float(distances.amin(2).mean() + distances.amin(1).mean())


def tree_chamfer(x: Tensor, y: Tensor) -> float:
    from scipy.spatial import cKDTree

    a, b = x[0].numpy(), y[0].numpy()
    return float((cKDTree(b).query(a)[0] ** 2).mean() + (cKDTree(a).query(b)[0] ** 2).mean())


def pcu_chamfer(x: Tensor, y: Tensor) -> float:
    """By its nearest neighbours: its own Chamfer distance does not square them."""
    from point_cloud_utils import k_nearest_neighbors

    a, b = x[0].numpy(), y[0].numpy()
    return float((k_nearest_neighbors(a, b, 1)[0] ** 2).mean() + (k_nearest_neighbors(b, a, 1)[0] ** 2).mean())


def exact_emd(x: Tensor, y: Tensor) -> float:
    """pcgen's certified optimum in float64; its tests hold it against scipy's."""
    return float(ops.match(x.double(), y.double()).cost)


def pot_emd(x: Tensor, y: Tensor) -> object:
    import numpy
    import ot

    costs = torch.cdist(x[0].double(), y[0].double()).numpy()
    weights = numpy.full(len(costs), 1 / len(costs))
    return ot.emd2(weights, weights, costs, numItermax=10**8)


def scipy_emd(x: Tensor, y: Tensor) -> object:
    from scipy.optimize import linear_sum_assignment

    costs = torch.cdist(x[0].double(), y[0].double()).numpy()
    return costs[linear_sum_assignment(costs)].mean()


def geomloss_emd(x: Tensor, y: Tensor) -> object:
    from geomloss import SamplesLoss

    return SamplesLoss("sinkhorn", p=1, blur=1e-3)(x, y)


def pcu_emd(x: Tensor, y: Tensor) -> object:
    import point_cloud_utils

    return point_cloud_utils.earth_movers_distance(x[0].double().numpy(), y[0].double().numpy(), eps=1e-3)[0]


CHAMFER = [
    Peer("pcgen", ops.chamfer),
    Peer("torch.cdist", cdist_chamfer, most=8192),
    Peer("scipy cKDTree, built twice", tree_chamfer, "scipy"),
    Peer("point-cloud-utils", pcu_chamfer, "point_cloud_utils"),
]
CHAMFER_GRADIENT = [
    Peer("pcgen", backward(ops.chamfer)),
    Peer("torch.cdist", backward(cdist_chamfer)),
]
EMD = [
    Peer("pcgen, exact", ops.emd),
    Peer("pcgen, certified gap 1%", lambda x, y: ops.emd(x, y, gap=0.01)),
    Peer("pcgen, exact, with gradient", backward(ops.emd)),
    Peer("approxmatch, the field's EMD", ops.approxmatch, most=4096),
    Peer("POT emd2 and cdist", pot_emd, "ot", repeats=3, most=4096),
    Peer("scipy assignment and cdist", scipy_emd, "scipy", repeats=3, most=4096),
    Peer("geomloss Sinkhorn, blur 0.001", geomloss_emd, "geomloss", repeats=1, most=4096),
    Peer("point-cloud-utils Sinkhorn, eps 0.001", pcu_emd, "point_cloud_utils", repeats=1, most=1024),
]
