"""Operations on codes of any model that encodes and decodes: paths, shifts, neighbours, axes, maps, scores."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pcgen.errors import at_least, choose
from pcgen.models.abilities import can
from pcgen.models.base import Learner
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.inference import encode_all, in_batches
from pcgen.ops import chamfer

__all__ = [
    "PATHS",
    "Axes",
    "anomaly_score",
    "class_shift",
    "code_map",
    "interpolate",
    "nearest",
    "places_on_map",
    "principal_axes",
]

PATHS = ("linear", "spherical")
_SMALL = 1e-6  # radians: within it a great circle is a straight line


def interpolate(a: Tensor, b: Tensor, steps: int, path: str = "linear", centre: Tensor | None = None) -> Tensor:
    """Codes on a path from a to b, both ends included.

        linear:     (1 - t) a + t b
        spherical:  c + (sin((1 - t) w) u + sin(t w) v) / sin(w),  u = a - c, v = b - c, w the angle between them

    In many dimensions, samples of a Gaussian lie near a sphere about its mean. A straight line leaves the sphere; a
    great circle stays on it if u and v have equal lengths.

    Args:
        a: (B, *code).
        b: (B, *code).
        steps: codes on each path, at least 2; t goes from 0 to 1 in equal steps.
        path: "linear" or "spherical".
        centre: c, of the shape of a code or of a, for example the mean of the training codes; None is 0.

    Returns:
        (B, steps, *code).

    Raises:
        ValueError: shapes differ, fewer than two steps, or an unknown path.

    References:
        Shoemake (1985). Animating Rotation with Quaternion Curves.
        White (2016). Sampling Generative Networks.
    """
    if a.shape != b.shape or a.ndim < 2:
        raise ValueError(f"a, b: must be codes of one shape (B, *code), got {tuple(a.shape)} and {tuple(b.shape)}")
    at_least(2, steps=steps)
    choose(path, PATHS, "path")
    t = torch.linspace(0, 1, steps, dtype=a.dtype, device=a.device).view(steps, *(1 for _ in a.shape[1:]))
    if path == "linear":
        return a[:, None] + t * (b - a)[:, None]
    middle = torch.zeros_like(a) if centre is None else centre.expand_as(a)
    u, v = (a - middle).flatten(1), (b - middle).flatten(1)
    cosine = torch.nn.functional.cosine_similarity(u, v, dim=1).clamp(-1, 1)
    angle = cosine.acos().view(-1, *(1 for _ in a.shape))  # (B, 1, ..., 1)
    straight = angle.sin().abs() < _SMALL  # also where the two are opposite, and no circle is the shortest
    sine = torch.where(straight, torch.ones_like(angle), angle.sin())
    first = torch.where(straight, 1 - t, ((1 - t) * angle).sin() / sine)
    second = torch.where(straight, t.expand_as(first), (t * angle).sin() / sine)
    return middle[:, None] + first * (a - middle)[:, None] + second * (b - middle)[:, None]


def class_shift(codes: Tensor, labels: Tensor, source: int, target: int) -> Tensor:
    """The difference of the mean codes of two classes, (*code): added to codes of one, it gives codes of the other.

    Args:
        codes: (S, *code).
        labels: (S,) int64.
        source: the label to start from.
        target: the label to move to.

    Raises:
        ValueError: labels are not one per code, or a class has no code.

    References:
        Wu, Zhang, Xue, Freeman, Tenenbaum (2016). Learning a Probabilistic Latent Space of Object Shapes via 3D
        Generative-Adversarial Modeling. (Its shape arithmetic.)
    """
    if labels.shape != codes.shape[:1]:
        raise ValueError(f"labels: must be one of each of {len(codes)} codes, got shape {tuple(labels.shape)}")
    for name, label in (("source", source), ("target", target)):
        if not bool((labels == label).any()):
            raise ValueError(
                f"{name}: must be a label that a code has, got {label}; there are {labels.unique().tolist()}"
            )
    return codes[labels == target].mean(0) - codes[labels == source].mean(0)


def nearest(codes: Tensor, among: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest of other codes to each code, in Euclidean distance: distances (B, k) and indices (B, k) int64.

    Args:
        codes: (B, *code).
        among: (S, *code).
        k: from 1 to S.

    Raises:
        ValueError: codes of another shape, or a k out of range.
    """
    if codes.shape[1:] != among.shape[1:]:
        raise ValueError(f"among: must be codes of shape {tuple(codes.shape[1:])}, got {tuple(among.shape[1:])}")
    if not 1 <= k <= len(among):
        raise ValueError(f"k: must be from 1 to the {len(among)} codes there are, got {k}")
    found = torch.cdist(codes.flatten(1).double(), among.flatten(1).double()).topk(k, largest=False)
    return found.values.to(codes.dtype), found.indices


@dataclass(frozen=True)
class Axes:
    """Directions along which codes vary most, in decreasing order."""

    mean: Tensor  # (D,) float64, of the codes
    basis: Tensor  # (D, k) float64, unit vectors in columns, at right angles to each other
    shares: Tensor  # (k,) float64, of the codes' variance: all D together have 1, and 0 where all codes are equal

    def along(self, codes: Tensor) -> Tensor:
        """Coordinates of codes (B, *code) along the axes, (B, k) float64."""
        return (codes.flatten(1).double() - self.mean) @ self.basis


def principal_axes(codes: Tensor, count: int = 2) -> Axes:
    """The leading principal axes of codes, with their entries in one row each, and the variance that each explains.

        X - mean = U S V^T,  axes: the first columns of V,  shares: s_i^2 / sum over j of s_j^2

    The sign of an axis is such that its entry of largest size is positive.

    Args:
        codes: (S, *code).
        count: axes, from 1 to the smaller of S and the entries of a code.

    Raises:
        ValueError: a count out of range, or codes that are not finite.

    References:
        Pearson (1901). On Lines and Planes of Closest Fit to Systems of Points in Space.
    """
    rows = codes.flatten(1).double()
    if not 1 <= count <= min(rows.shape):
        raise ValueError(f"count: must be from 1 to {min(rows.shape)}, of {tuple(rows.shape)} codes, got {count}")
    bad = int((~rows.isfinite()).any(1).sum())
    if bad:
        raise ValueError(
            f"codes: must be finite, {bad} of {len(rows)} are not; train the model again with a smaller lr"
        )
    mean = rows.mean(0)
    _, sizes, found = torch.linalg.svd(rows - mean, full_matrices=False)  # (S, k), (k,), (k, D)
    basis = found[:count].T
    largest = basis.gather(0, basis.abs().argmax(0, keepdim=True))
    variance = sizes.square()
    shares = variance[:count] / variance.sum().clamp_min(torch.finfo(variance.dtype).tiny)
    return Axes(mean, basis * largest.sign(), shares)


@torch.no_grad()
def code_map(model: Learner) -> Tensor:
    """The codes at each position of a head's map, (height, width, *code), which the autoencoder decodes.

    Raises:
        ValueError: the model is not a head on codes, or its head has no map.
    """
    mapped = _with_map(model)
    units = mapped.head.map()  # (height, width, *shape)
    codes: Tensor = mapped.to_head.inverse(units.flatten(0, 1)).unflatten(0, units.shape[:2])
    return codes


@torch.no_grad()
def places_on_map(model: Learner, codes: Tensor) -> Tensor:
    """The positions of an autoencoder's codes (B, *code) on the map of its head: row and column, (B, 2) int64.

    Raises:
        ValueError: the model is not a head on codes, or its head has no map.
    """
    mapped = _with_map(model)
    places: Tensor = mapped.head.encode(mapped.to_head(codes.to(mapped.device)))
    return places.long()


def _with_map(model: Learner) -> Any:
    if not (isinstance(model, LatentCloudModel) and can(model.head, "map")):
        name = type(model.head if isinstance(model, LatentCloudModel) else model).__name__
        raise ValueError(
            f"model: must be a head with a map, on codes of an autoencoder, got {name}; train one: "
            "pcgen train som --codes RUN_OF_AUTOENCODER --out RUN"
        )
    return model


@torch.no_grad()
def anomaly_score(model: Learner, x: Tensor) -> Tensor:
    """The anomaly score of each row, (B,): high for rows unlike the training data.

    For a model with a density, or a bound on one, it is minus that, in nats; for a head on codes, that of the codes.
    For another model that encodes and decodes, it is the reconstruction error, the squared Chamfer distance of clouds
    or the mean square of vectors. Scores of different models cannot be compared.

    Args:
        model: in evaluation mode, as returned by a run.
        x: rows (B, *shape) in the units that it was trained in.

    Raises:
        ValueError: the model has neither.
    """
    inner: Any = model
    rows = x
    if isinstance(model, LatentCloudModel):
        inner, rows = model.head, model.to_head(model.encode(x))
    for density in ("log_prob", "log_prob_bound"):
        if can(inner, density):
            score: Tensor = -getattr(inner, density)(rows)
            return score
    if can(model, "encode") and can(model, "decode"):
        coding: Any = model
        again = in_batches(coding, coding.decode, encode_all(coding, x))
        return chamfer(again, x) if x.ndim == 3 else (again - x).square().flatten(1).mean(1)
    raise ValueError(
        f"model: must have a density, a bound on one, or codes that it decodes, {type(model).__name__} has none; "
        "`pcgen models` says which have"
    )
