"""Approximations that papers report as Earth Mover's distance, by name, to compare with published numbers."""

from collections.abc import Callable

import torch
from torch import Tensor

from pcgen.errors import choose
from pcgen.ops import _library
from pcgen.ops._checks import check_finite, cloud_pairs, cloud_sets

__all__ = ["APPROXMATCH_CONVENTIONS", "approxmatch", "approxmatch_matrix"]

_library.load()
_ops = torch.ops.pcgen

# Whether the last level is 0, which spreads the remaining mass, and whether distances in the cost are squared.
APPROXMATCH_CONVENTIONS = {
    "approxmatch": (True, False),
    "approxmatch_pointflow": (False, False),
    "approxmatch_squared": (True, True),
}


@torch.no_grad()
def approxmatch(x: Tensor, y: Tensor, convention: str = "approxmatch") -> Tensor:
    """Cost of the soft greedy matching that papers report as Earth Mover's distance; `pcgen.ops.emd` is exact.

    Every point of x has mass 1, and every point of y has room for mass 1. At each level s = 4^7, 4^6, ..., 4^-1, 0, x_i
    offers its remaining mass in the shares w_ij = exp(-s |x_i - y_j|^2) * (remaining room of y_j), normalised over j.
    The offers to a point of y are scaled down if they exceed its remaining room. The cost is the sum of the moved mass
    times the distance, divided by N.

    | convention | levels | distance | where |
    |---|---|---|---|
    | approxmatch | all | Euclidean | latent_3d_points |
    | approxmatch_pointflow | without 0: some mass may not move | Euclidean | PointFlow, ShapeGF, SetVAE |
    | approxmatch_squared | all | squared | PyTorchEMD in PVD, LION, DiT-3D |

    The levels are absolute, so the error depends on the scale of the clouds. The cost is not symmetric in x and y. It
    has no gradient.

    Args:
        x: (B, N, 3), float32; float64 is rounded to float32, in which the published kernels compute.
        y: (B, N, 3), of the same type and device.
        convention: a row of the table above.

    Returns:
        (B,) float64, a mean over points, in the unit of the clouds or its square.

    Raises:
        ValueError: wrong shape, type or device, unequal sizes, a coordinate that is not finite or beyond float32, an
            unknown convention.

    Fan, Su and Guibas, 2017, A Point Set Generation Network for 3D Object Reconstruction from a Single Image.
    """
    x, y = cloud_pairs(x, y, points=True)
    result: Tensor = _ops.approxmatch(_float32(x, "x"), _float32(y, "y"), *_flags(convention))
    return result


@torch.no_grad()
def approxmatch_matrix(
    a: Tensor, b: Tensor, convention: str = "approxmatch", *, progress: Callable[[int, int], object] | None = None
) -> Tensor:
    """`approxmatch` between all clouds of two sets, on all of torch's threads: D[i, j] = approxmatch(a[i], b[j]).

    Args:
        a: (S, N, 3), float32 or float64.
        b: (R, N, 3), of the same type and device.
        convention: as `approxmatch`.
        progress: called as progress(pairs done, pairs in all) after each row.

    Returns:
        (S, R) float64; not symmetric, even if `b is a`.

    Raises:
        ValueError: as `approxmatch`.
    """
    a, b = cloud_sets(a, b, points=True)
    a, b = _float32(a, "a"), _float32(b, "b")
    flags = _flags(convention)
    out = torch.empty(len(a), len(b), dtype=torch.float64, device=a.device)
    for row, cloud in enumerate(a):
        out[row] = _ops.approxmatch_matrix(cloud[None], b, *flags)[0]
        if progress is not None:
            progress((row + 1) * len(b), out.numel())
    return out


def _float32(value: Tensor, name: str) -> Tensor:
    if value.device.type != "cpu":
        raise ValueError(f"{name}: must be on the CPU, where approxmatch is, got {value.device}; move it with .cpu()")
    check_finite(**{name: value})
    rounded = value.float()
    if value.dtype == torch.float64 and not rounded.isfinite().all():
        raise ValueError(
            f"{name}: must be within the range of float32, in which approxmatch computes, got {value.abs().max():g}; "
            "scale the clouds"
        )
    return rounded


def _flags(convention: str) -> tuple[bool, bool]:
    return APPROXMATCH_CONVENTIONS[choose(convention, APPROXMATCH_CONVENTIONS, "convention")]


def _pair_shape(x: Tensor, y: Tensor, last_level: bool, squared: bool) -> Tensor:
    return x.new_empty(x.shape[0], dtype=torch.float64)


def _matrix_shape(a: Tensor, b: Tensor, last_level: bool, squared: bool) -> Tensor:
    return a.new_empty(a.shape[0], b.shape[0], dtype=torch.float64)


torch.library.register_fake("pcgen::approxmatch", _pair_shape)
torch.library.register_fake("pcgen::approxmatch_matrix", _matrix_shape)
