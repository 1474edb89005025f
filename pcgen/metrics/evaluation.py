"""The evaluation of samples against a reference, under a protocol, together with the oracles."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from pcgen import ranks
from pcgen.data import Clouds
from pcgen.errors import at_least, choose
from pcgen.metrics.clock import Progress
from pcgen.metrics.features import FeatureSpace
from pcgen.metrics.measurement import Measurement
from pcgen.metrics.preparation import prepare
from pcgen.metrics.protocols import Protocol
from pcgen.metrics.protocols import protocol as named
from pcgen.metrics.report import Report
from pcgen.metrics.sets import REFERENCE, SAMPLES, SECOND, TRAINING
from pcgen.metrics.store import TileStore

__all__ = ["evaluate"]

# Clouds of a set and points of a cloud for which pcgen's exact EMD needs about a minute on two cores. A published
# protocol has no limits: on fewer points its soft matchings have other values and other neighbours.
_EXACT_LIMITS = (100, 2048)


def evaluate(
    samples: Tensor | Clouds,
    reference: Tensor | Clouds,
    train: Tensor | Clouds | None = None,
    protocol: str | Protocol = "exact",
    *,
    second: Tensor | Clouds | None = None,
    oracles: Mapping[str, Tensor | Clouds] | None = None,
    distances: str | Collection[str] = ("cd", "emd"),
    clouds: int | None = None,
    emd_clouds: int | Literal["auto"] | None = "auto",
    emd_points: int | Literal["auto"] | None = "auto",
    full: bool = False,
    features: Sequence[FeatureSpace] = (),
    drop_bad: bool = False,
    device: str | torch.device | None = None,
    seed: int = 0,
    tiles: Path | str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Measure samples against a reference: JSD, and MMD, COV and 1-NNA under CD and EMD, for samples and oracles.

    The report also has 95% intervals, precision, recall, density and coverage, and with `train` the metrics of copying.
    On a CPU, only those exact EMDs are computed on which a nearest neighbour may depend; the metrics are the same bit
    for bit. Precision, recall, density and coverage need all distances. 1-NNA uses equally many clouds of both sets,
    and is reported with its chance, the score of equal distributions.
    Warnings come before anything is computed, and are noted in the report: about anything that looks like a mistake
    (ranges, axes, set sizes, a cloud in two sets), and about limits under EMD.

    Args:
        samples: generated clouds, (S, N, 3) or `Clouds`, in the units of the reference.
        reference: clouds they are compared with, (R, N, 3) or `Clouds`; unseen in training.
        train: the training set. Its row, |S| of its clouds chosen by `seed`, is the score of memorisation.
        protocol: a preset's name, or a `Protocol`.
        second: another sampling of the reference's shapes. Its row is the score of perfect samples of the same shapes.
            If the reference has twice the points that are used, its unused points are the second sampling.
        oracles: other sets by the names of their rows, each measured like the training set; for example "training set
            decoded", which no model of an autoencoder's codes should be expected to beat.
        distances: which columns to compute: "cd", "emd", both in a list, or an empty list for none.
        clouds: at most this many clouds of the samples and of the reference, chosen by `seed`; None is all.
        emd_clouds: at most this many clouds of each set under EMD, chosen by `seed`; None is all; "auto" is 100 under
            pcgen's own protocol, and all under published ones.
        emd_points: at most this many points of each cloud under EMD; None is all; "auto" is 2048, and all.
        full: compute every EMD, for precision, recall, density and coverage under EMD.
        features: trained models; the sets are also compared by their features or codes.
        drop_bad: leave out clouds with NaN or infinity, and count and name them; otherwise they are an error.
        device: of the distances, "cpu" or "cuda"; by default that of the reference.
        seed: of all random choices; torch's global generator is not used.
        tiles: a folder for finished parts of the distance matrices: an evaluation that was killed continues from there.
        progress: called with the pairs done and the seconds left, first with an estimate.

    With torch.distributed, the ranks share the distances, and all return the same report as a single process.

    Raises:
        ValueError: a set is empty, not (S, N, 3), not finite, or of another number of points; or the protocol, a
            distance or the device is unknown; or an oracle has the name of another row.
    """
    protocol = named(protocol)
    columns = _columns(protocol, distances)
    given = _named({SAMPLES: samples, REFERENCE: reference, TRAINING: train, SECOND: second}, oracles or {})
    at_least(1, clouds=1 if clouds is None else clouds)
    place = None if device is None else ranks.device(device)
    sets = prepare(protocol, given, clouds=clouds, drop_bad=drop_bad, device=place, seed=seed)
    usual_clouds, usual_points = _EXACT_LIMITS if protocol.emd == "exact" else (None, None)
    limits = (_limit("emd_clouds", emd_clouds, usual_clouds), _limit("emd_points", emd_points, usual_points))
    measured = {column: sets.thinned(protocol, *limits, seed) if column == "emd" else sets for column in columns}
    measurement = Measurement(protocol, sets, measured, columns, full, features, seed)
    for warning in measurement.warnings:
        warnings.warn(warning, stacklevel=2)
    return measurement.run(TileStore(tiles) if tiles is not None else None, progress)


def _named(
    sets: Mapping[str, Tensor | Clouds | None], oracles: Mapping[str, Tensor | Clouds]
) -> dict[str, Tensor | Clouds]:
    """The given sets, by role."""
    for name in oracles:
        if name in sets:
            raise ValueError(f"oracles: must not have the name of another row, got {name!r}; rename it")
    return {role: each for role, each in {**sets, **oracles}.items() if each is not None}


def _limit(name: str, limit: int | Literal["auto"] | None, usual: int | None) -> int | None:
    if limit == "auto":
        return usual
    if limit is not None and limit < 1:
        raise ValueError(f'{name}: must be at least 1, None for all, or "auto", got {limit}')
    return limit


def _columns(protocol: Protocol, distances: str | Collection[str]) -> dict[str, str]:
    """The distance of each column, in order."""
    names = [distances] if isinstance(distances, str) else distances
    asked = [choose(name, ("cd", "emd"), "distances") for name in names]
    pairs = (("cd", "chamfer"), ("emd", protocol.emd))
    return {column: distance for column, distance in pairs if column in asked and distance}
