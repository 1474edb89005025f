"""Neighbours as edges of graphs, for batches of clouds of different sizes as in torch-geometric.

A batch of clouds is one tensor of all points (N, D), and a vector (N,) with the index of each point's cloud, in
nondecreasing order; without it, all points are one cloud. Indices refer to the whole tensor. `serve_torch_geometric`
makes torch-geometric use these functions in place of pyg-lib's.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from pcgen.ops._all_pairs import in_open_balls, nearest_of_features
from pcgen.ops._ragged import edges, pair, pointers, points, same_size
from pcgen.ops.neighbours import ball_query, farthest_points
from pcgen.ops.neighbours import knn as knn_of_clouds

__all__ = ["fps", "knn", "radius", "serve_torch_geometric"]


def knn(x: Tensor, y: Tensor, k: int, batch_x: Tensor | None = None, batch_y: Tensor | None = None) -> Tensor:
    """Edges from each point of y to its k nearest points of x in the same cloud.

    Points of up to three dimensions are searched by `pcgen.ops.knn`. Points of more dimensions, such as features, are
    searched by `torch.cdist`, without its expansion of the squares, which would not be exact. Half precision is
    converted to float32.

    Args:
        x: (N, D), float32 or float64: the points that are searched.
        y: (M, D), of the same type and device: the queries.
        k: at least 1; a cloud with fewer points gives all of them.
        batch_x, batch_y: (N,) and (M,) int64, the cloud of each point.

    Returns:
        (2, E) int64: row 0 indexes y, row 1 indexes x, as in torch-cluster and pyg-lib. Edges are ordered by query,
        then by distance, then by index.

    Raises:
        ValueError: wrong shape, type or device, x and y of different dimensions, a coordinate that is not finite, k
            below 1, a batch in descending order.
    """
    return _knn(x, y, pointers(x, batch_x, "batch_x"), pointers(y, batch_y, "batch_y"), k)


def radius(
    x: Tensor,
    y: Tensor,
    r: float,
    batch_x: Tensor | None = None,
    batch_y: Tensor | None = None,
    max_num_neighbors: int = 32,
) -> Tensor:
    """Edges from each point of y to the points of x in the same cloud with |x_j - y_i| < r.

    The comparison is |x_j - y_i|^2 < r * r, both sides rounded to the clouds' type, as in torch-cluster and pyg-lib.
    So the ball is open; that of `pcgen.ops.ball_query` is closed. If a ball has more than max_num_neighbors points, the
    first by index are returned, as in pyg-lib on GPUs.

    Args:
        x: (N, D), float32 or float64, D at most 3: the points that are searched.
        y: (M, D), of the same type and device: the queries.
        r: above 0, in the clouds' unit.
        batch_x, batch_y: (N,) and (M,) int64, the cloud of each point.
        max_num_neighbors: at least 1.

    Returns:
        (2, E) int64: row 0 indexes y, row 1 indexes x. Edges are ordered by query, then by index.

    Raises:
        ValueError: as `knn`; more than three dimensions, r not above 0.
    """
    ends = pointers(x, batch_x, "batch_x"), pointers(y, batch_y, "batch_y")
    return _radius(x, y, *ends, r, max_num_neighbors)


def fps(x: Tensor, batch: Tensor | None = None, ratio: float = 0.5, random_start: bool = True) -> Tensor:
    """Farthest point sampling: ceil(ratio * size) points of each cloud, each the farthest from those chosen before it.

    Args:
        x: (N, D), float32 or float64, D at most 3.
        batch: (N,) int64, the cloud of each point.
        ratio: in (0, 1].
        random_start: whether the first point is sampled with torch's global generator; otherwise it is that of index 0.

    Returns:
        (K,) int64, ordered by cloud, then by the order of choice.

    Raises:
        ValueError: as `knn`; more than three dimensions, a ratio outside (0, 1].

    Qi, Yi, Su and Guibas, 2017, PointNet++: Deep Hierarchical Feature Learning on Point Sets in a Metric Space.
    """
    return _fps(x, pointers(x, batch, "batch"), ratio, random_start)


def serve_torch_geometric() -> tuple[str, ...]:
    """Make torch-geometric's layers and pooling use the functions above, in this process, if pyg-lib is absent.

    torch-geometric calls `torch.ops.pyg.knn`, `radius` and `fps`, which pyg-lib defines, if flags in
    `torch_geometric.typing` say that they exist. This function defines those that do not exist, and sets their flags;
    it does not replace those of pyg-lib. Then `torch_geometric.nn.fps`, `radius`, `knn`, `knn_graph`,
    `knn_interpolate`, `DynamicEdgeConv`, `XConv` and similar layers work as with pyg-lib. Call it before such layers
    are constructed; a second call does nothing.

    Returns:
        The names that this call defined.

    Raises:
        RuntimeError: torch-geometric is older than 2.8 and does not call these operators.
    """
    import torch_geometric
    import torch_geometric.typing as flags

    wanted = {name: f"WITH_{name.upper()}" for name in _SERVED}
    if lacking := [flag for flag in wanted.values() if not hasattr(flags, flag)]:
        raise RuntimeError(
            f"torch-geometric {torch_geometric.__version__} does not call pyg-lib's neighbour search (it has no "
            f"torch_geometric.typing.{lacking[0]}): install torch-geometric 2.8 or newer, or call pcgen.ops.graph.knn, "
            "radius and fps yourself"
        )
    served = tuple(name for name, flag in wanted.items() if not getattr(flags, flag))
    for name in served:
        schema, function, fake = _SERVED[name]
        _fragment().define(f"{name}{schema}", tags=torch.Tag.dynamic_output_shape)
        for key in ("CPU", "CUDA"):
            _fragment().impl(name, function, key)
        torch.library.register_fake(f"pyg::{name}", fake, lib=_fragment())
        setattr(flags, wanted[name], True)
    return served


@torch.no_grad()
def _knn(
    x: Tensor,
    y: Tensor,
    ptr_x: Tensor | None = None,
    ptr_y: Tensor | None = None,
    k: int = 1,
    cosine: bool = False,
    num_workers: int = 1,
) -> Tensor:
    if cosine:
        raise ValueError("cosine: must be False: distances are Euclidean; normalise x and y for the order by cosine")
    if k < 1:
        raise ValueError(f"k: must be at least 1, got {k}")
    x, y = pair(x, y)
    search = _nearest if x.shape[1] == 3 else nearest_of_features
    groups = same_size(x, y, ptr_x, ptr_y)
    return edges([(search(a, b, min(k, a.shape[1])), u, v) for a, b, u, v in groups], x.device)


@torch.no_grad()
def _radius(
    x: Tensor,
    y: Tensor,
    ptr_x: Tensor | None = None,
    ptr_y: Tensor | None = None,
    r: float = 1.0,
    max_num_neighbors: int = 32,
    num_workers: int = 1,
    ignore_same_index: bool = False,
) -> Tensor:
    if not 0 < r < math.inf:
        raise ValueError(f"r: must be finite and above 0, got {r}")
    if max_num_neighbors < 1:
        raise ValueError(f"max_num_neighbors: must be at least 1, got {max_num_neighbors}")
    x, y = pair(x, y, 3)
    search = in_open_balls if x.dtype == torch.float64 else _in_float32_balls
    found = []
    for a, b, first_x, first_y in same_size(x, y, ptr_x, ptr_y):
        index = search(a, b, r, min(max_num_neighbors + ignore_same_index, a.shape[1]))
        if ignore_same_index:
            index = _without_itself(index, first_x, first_y)[:, :, :max_num_neighbors]
        found.append((index, first_x, first_y))
    return edges(found, x.device)


@torch.no_grad()
def _fps(x: Tensor, ptr: Tensor | None, ratio: float = 0.5, random_start: bool = True) -> Tensor:
    if not 0 < ratio <= 1:
        raise ValueError(f"ratio: must be in (0, 1], got {ratio}")
    x = points(x, "x", 3)
    chosen: dict[int, Tensor] = {}
    for clouds, _, first, _ in same_size(x, x, ptr, ptr):
        count = int((torch.tensor(float(clouds.shape[1])) * ratio).ceil())  # in float32, as torch-cluster counts
        start = None if random_start else first.new_zeros(len(first))
        index = farthest_points(clouds, count, start) + first[:, None]
        chosen.update(zip(first.tolist(), index, strict=True))
    none = torch.empty(0, dtype=torch.int64, device=x.device)
    return torch.cat([none, *(chosen[first] for first in sorted(chosen))])


def _nearest(x: Tensor, y: Tensor, k: int) -> Tensor:
    return knn_of_clouds(y, x, k)[1]


def _in_float32_balls(x: Tensor, y: Tensor, r: float, k: int) -> Tensor:
    """`in_open_balls` for float32: closed balls of `ball_query`, with the largest squared radius below r^2."""
    square = torch.tensor(r * r, dtype=torch.float32)
    # Every float32 is the rounded square of some float64, so `ball_query` can compare with exactly this number.
    return ball_query(y, x, math.sqrt(torch.nextafter(square, torch.zeros_like(square))), k)


def _without_itself(index: Tensor, first_x: Tensor, first_y: Tensor) -> Tensor:
    """The neighbours (B, m, k) without the query itself; later ones move forward, and -1 fills the end."""
    queries = first_y[:, None, None] + torch.arange(index.shape[1], device=index.device)[:, None]
    itself = (index >= 0) & (index + first_x[:, None, None] == queries)
    kept = index.masked_fill(itself, -1)
    return kept.gather(2, (kept < 0).int().argsort(dim=2, stable=True))


# Shapes of the results, for torch.compile: the number of edges or points depends on the coordinates.
def _edges_shape(x: Tensor, *_: Any, **__: Any) -> Tensor:
    return x.new_empty((2, torch.library.get_ctx().new_dynamic_size()), dtype=torch.int64)


def _points_shape(x: Tensor, *_: Any, **__: Any) -> Tensor:
    return x.new_empty(torch.library.get_ctx().new_dynamic_size(), dtype=torch.int64)


# The schemas are pyg-lib's. torch does not pass arguments that equal the schema's default, so the functions above
# must have the same defaults.
_SERVED: dict[str, tuple[str, Callable[..., Tensor], Callable[..., Tensor]]] = {
    "knn": (
        "(Tensor x, Tensor y, Tensor? ptr_x=None, Tensor? ptr_y=None, int k=1, bool cosine=False, int num_workers=1)"
        " -> Tensor",
        _knn,
        _edges_shape,
    ),
    "radius": (
        "(Tensor x, Tensor y, Tensor? ptr_x=None, Tensor? ptr_y=None, float r=1.0, int max_num_neighbors=32, "
        "int num_workers=1, bool ignore_same_index=False) -> Tensor",
        _radius,
        _edges_shape,
    ),
    "fps": ("(Tensor src, Tensor ptr, float ratio=0.5, bool random_start=True) -> Tensor", _fps, _points_shape),
}


@cache
def _fragment() -> torch.library.Library:
    """The library in which the ops are defined; they exist as long as it does."""
    return torch.library.Library("pyg", "FRAGMENT")
