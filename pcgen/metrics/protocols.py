"""Protocols: everything that a metric depends on, by name."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from pcgen.data import NORMALIZATIONS, SPLITS
from pcgen.errors import at_least, choose

__all__ = ["PROTOCOLS", "Protocol", "protocol"]

EMD = Literal["exact", "approxmatch", "approxmatch_pointflow", "approxmatch_squared"]
Subset = Literal["first", "random"]
GridPlace = Literal["absolute", "reference"]

_NAMES = {
    "normalization": NORMALIZATIONS,
    "subset": get_args(Subset),
    "emd": get_args(EMD),
    "grid": get_args(GridPlace),
    "split": SPLITS,
}
_OPTIONAL = ("points", "emd", "batch", "split")  # None is allowed


@dataclass(frozen=True)
class Protocol:
    """The conventions of the metrics, pcgen's own or those of published numbers.

    Attributes:
        name: its name in tables.
        about: one line about the origin of the convention.
        normalization: how each whole cloud of all sets is normalised first: a name of `pcgen.data.Normalization`, such
            as "none" (the data's own units) or "bbox".
        points: number of points of each cloud that are used; None for all of them.
        subset: which points are used if a cloud has more: the "first", or a "random" choice by seed.
        emd: which of the computations called EMD; None if the convention has none.
        grid: the position of the JSD's occupancy grid: "absolute" is the ball of radius 1/2 at the origin,
            "reference" the ball that holds 99.9% of the reference's points.
        batch: number of clouds of both sets that are compared with each other; each metric is the mean over such
            batches, in the order of the sets, the last one possibly smaller. None compares the whole sets.
        samples_per_reference: advised |S| / |R|.
        seeds: advised number of sample sets to average over.
        split: the split of the data that publications use as the reference; None if any is allowed.

    Raises:
        ValueError: a name is unknown, or a count below 1.
    """

    name: str
    about: str
    normalization: str = "none"
    points: int | None = 2048
    subset: Subset = "first"
    emd: EMD | None = "exact"
    grid: GridPlace = "absolute"
    batch: int | None = None
    samples_per_reference: int = 1
    seeds: int = 1
    split: str | None = None

    def __post_init__(self) -> None:
        for argument, names in _NAMES.items():
            value = getattr(self, argument)
            if value is not None or argument not in _OPTIONAL:
                choose(value, names, argument)
        for argument in ("points", "batch", "samples_per_reference", "seeds"):
            value = getattr(self, argument)
            if value is not None or argument not in _OPTIONAL:
                at_least(1, **{argument: value})

    def departures(self) -> list[str]:
        """Differences from the preset of this name, a line each; empty if there is no such preset.

        If the preset has no number of points, or no split, any number or split is in agreement with it.
        """
        preset = PROTOCOLS.get(self.name)
        if preset is None:
            return []
        own, presets = dataclasses.asdict(self), dataclasses.asdict(preset)
        free = [name for name in ("points", "split") if presets[name] is None]
        differ = [name for name in own if own[name] != presets[name] and name not in free]
        return [f"{name}: {own[name]}, {self.name} has {presets[name]}" for name in differ if name != "about"]

    def stamp(self, **conditions: Any) -> dict[str, Any]:
        """The stamp of metrics: the fields, the conditions of one evaluation, and the hash over both.

        Args:
            conditions: JSON values: set sizes, seed, deviations from the protocol, ...
        """
        fields = {key: value for key, value in dataclasses.asdict(self).items() if key != "about"}
        stamp = {**fields, **conditions}
        text = json.dumps(stamp, sort_keys=True, separators=(",", ":"))
        return {"name": self.name, "hash": hashlib.sha256(text.encode()).hexdigest()[:12], **stamp}


PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        p.name: p
        for p in (
            Protocol(
                name="exact",
                about="pcgen's own: the data's units, all points, exact EMD, a JSD grid around the reference",
                points=None,
                subset="random",
                grid="reference",
            ),
            Protocol(
                name="latent_3d_points",
                about="Achlioptas et al. 2018: clouds in the unit cube, soft matching as EMD, |S| = 3 |R|",
                emd="approxmatch",
                samples_per_reference=3,
                seeds=3,
                split="test",
            ),
            Protocol(
                name="pointflow",
                about="Yang et al. 2019: raw units, soft matching without its last level as EMD",
                emd="approxmatch_pointflow",
                split="val",
            ),
            Protocol(
                name="lion",
                about="Zeng et al. 2022, as PVD: PointFlow's with squared cost under the soft matching",
                emd="approxmatch_squared",
                split="val",
            ),
            Protocol(
                name="dit3d",
                about="Mo et al. 2023, their public evaluator: lion's, in batches of 64 clouds, then averaged",
                emd="approxmatch_squared",
                batch=64,
                split="val",
            ),
            Protocol(
                name="topodit",
                about="Guan et al. 2025, their public evaluator: dit3d's, in batches of 8",
                emd="approxmatch_squared",
                batch=8,
                split="val",
            ),
            Protocol(
                name="dpm",
                about="Luo and Hu 2021: every cloud's bounding box to [-1, 1], beyond the JSD's ball; no EMD",
                normalization="bbox",
                emd=None,
                split="test",
            ),
        )
    }
)


def protocol(name: str | Protocol) -> Protocol:
    """The preset of that name; a `Protocol` is returned unchanged.

    Raises:
        ValueError: no preset has that name.
    """
    return name if isinstance(name, Protocol) else PROTOCOLS[choose(name, PROTOCOLS, "protocol")]
