"""The clouds that samples are compared with, read as the training clouds were."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pcgen import data
from pcgen.data.normalization import Normalization
from pcgen.metrics.protocols import Protocol

__all__ = ["alike", "chosen", "read_reference"]


def read_reference(
    spec: str, reading: Mapping[str, Any], points: int, *, most: int | None = None, seed: int = 0
) -> data.Clouds:
    """Clouds to compare samples with, with the up axis, the tolerance and the memory of the training clouds.

    They have twice the points of a surface, so that the second half is a second sample of the same shapes: an oracle's
    row.

    Args:
        spec: SOURCE[:CLASS][@SPLIT].
        reading: the arguments of `training_set` by which the training clouds were read.
        points: of each cloud, at least.
        most: at most this many clouds, chosen by `seed`; None is all.
        seed: of the choice.

    Raises:
        ValueError: as for `pcgen.data.load`.
    """
    known = data.load(
        spec,
        at_least=points,
        surface_points=2 * points,
        up=reading["up"],
        drop_bad=reading["drop_bad"],
        max_bytes=reading["max_bytes"],
    )
    return known if most is None else known.select(chosen(len(known), most, seed))


def alike(protocol: Protocol, training: Normalization) -> Protocol:
    """The protocol for samples of a model that was trained on clouds normalised so.

    If each training cloud was normalised by itself, samples have no place and size of their own, but the reference has.
    Then all sets are normalised in this way, unless the protocol normalises them already.
    """
    if training.each and protocol.normalization == "none":
        return replace(protocol, normalization=training.name)
    return protocol


def chosen(count: int, most: int, seed: int) -> Tensor:
    """At most `most` of `count` rows, by seed, in their order: a source's first rows are often of one class."""
    if count <= most:
        return torch.arange(count)
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:most].sort().values
