"""Where codes lie on the maps of an explorer page."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pcgen.latents import Axes, places_on_map
from pcgen.models.abilities import can
from pcgen.models.base import Learner
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.report.atlas import Map
from pcgen.view.inputs import Array

__all__ = ["flat_places", "has_map", "maps_of", "places_of", "side_by_side"]

_ALL = 0.999  # of the variance: nothing more need be said
_ROOM = 0.8  # of a cell of a map that its clouds take


def has_map(model: Learner) -> bool:
    """Whether a model is a head on codes that has a map of its own, as `som` has."""
    return isinstance(model, LatentCloudModel) and can(model.head, "map")


def maps_of(model: Learner, axes: Axes) -> list[Map]:
    """The principal axes of codes, and the map of a head that has one."""
    shares = axes.shares.tolist()
    shown = " and ".join(f"{100 * share:.0f}%" for share in shares)
    one = len(shares) == 1
    axes_are = "direction is the leading principal axis" if one else "directions are the leading principal axes"
    about = [f"The map's {axes_are} of the codes: {'it shows' if one else 'they show'} {shown} of the variance."]
    if sum(shares) < _ALL:
        about.append("Clouds that are close on the map may be far apart in the directions that it does not show.")
    maps = [Map("principal axes", about)]
    if has_map(model):
        text = "A cloud is drawn at the unit whose code is nearest to its own; clouds of one unit are side by side."
        maps.append(Map("the head's own", [text]))
    return maps


def places_of(model: Learner, axes: Axes, codes: Sequence[Tensor]) -> list[list[Array]]:
    """The places of several sets of codes, (S, *code) each: of every set, (S, 2) for each of the maps."""
    found = [[flat_places(axes, each)] for each in codes]
    if has_map(model):
        cells = side_by_side(places_on_map(model, torch.cat(list(codes))).cpu().numpy())
        for places, own in zip(found, np.split(cells, np.cumsum([len(each) for each in codes])[:-1]), strict=True):
            places.append(own)
    return found


def flat_places(axes: Axes, codes: Tensor) -> Array:
    """Codes (S, *code) along two axes, (S, 2); where there is one axis, all have the height 0."""
    along: Array = axes.along(codes).numpy()
    return np.pad(along, ((0, 0), (0, 2 - along.shape[1])))


def side_by_side(cells: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]") -> Array:
    """Clouds at rows and columns of a map, (S, 2), each at a place of its own within its cell: (S, 2), y up."""
    found = np.empty(cells.shape)
    for row, column in np.unique(cells, axis=0):
        own = np.flatnonzero((cells == (row, column)).all(1))
        side = math.ceil(math.sqrt(len(own)))
        down, across = np.divmod(np.arange(len(own)), side)
        within = np.stack([across + 0.5, down + 0.5], 1) / side - 0.5
        found[own] = (np.array([column, row]) + _ROOM * within) * [1, -1]
    return found
