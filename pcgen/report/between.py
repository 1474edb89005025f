"""What is decoded between clouds for an explorer page."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor

from pcgen.data import Clouds
from pcgen.data.thinning import thinned_rows
from pcgen.errors import at_least
from pcgen.latents import PATHS, Axes, interpolate
from pcgen.report.atlas import Way, Ways
from pcgen.report.encoding import BYTES
from pcgen.report.maps import flat_places
from pcgen.report.opened import Opened

__all__ = ["ways_between"]

_BYTES = 1_200_000  # of the clouds of all ways
_LEAST = 64  # points of a cloud that is shown


def ways_between(
    opened: Opened,
    clouds: Clouds,
    codes: Tensor,
    axes: Axes,
    ends: Sequence[int],
    where: Mapping[int, tuple[int, int]],
    steps: int,
) -> Ways:
    """Decode the linear and the spherical path between every two of some clouds.

    Args:
        opened: the run that decodes.
        clouds: all of the source.
        codes: their codes, (S, *code); spherical paths go about their mean.
        axes: of the page's first map.
        ends: rows of the clouds that the paths join.
        where: for each of these, its set on the page and its index in that set.
        steps: clouds on each path, both ends included, at least 2.

    Raises:
        ValueError: fewer than two ends, or more paths than fit on a page.
    """
    at_least(2, steps=steps)
    pairs = torch.tensor(list(combinations(range(len(ends)), 2)), dtype=torch.int64).view(-1, 2)
    if not len(pairs):
        raise ValueError(f"{clouds.source}: must have two clouds or more to interpolate, got {len(ends)}")
    inner, many = steps - 2, len(pairs)
    frames = len(ends) + len(PATHS) * many * inner
    room, stored = _BYTES // (BYTES * frames), int(opened.model.shape[0])
    if room < min(_LEAST, stored):
        raise ValueError(
            f"ends: {many} paths of {steps} clouds, between {len(ends)} clouds, are too many for one page; take fewer "
            "of either (--count, --steps)"
        )
    own = codes[list(ends)]
    first, last = own[pairs[:, 0]], own[pairs[:, 1]]
    inside = [interpolate(first, last, steps, path, codes.mean(0))[:, 1:-1].flatten(0, 1) for path in PATHS]
    along = torch.cat([own, *inside])
    places, decoded = flat_places(axes, along), opened.decode(along)
    # The same points of all of them: so each can be followed with the eye.
    kept = thinned_rows(decoded.shape[1], min(room, stored), "ways", opened.seed).sort().values
    ways = []
    for number, path in enumerate(PATHS):
        for pair, (start, end) in enumerate(pairs.tolist()):
            begin = len(ends) + (number * many + pair) * inner
            rows = [start, *range(begin, begin + inner), end]
            ways.append(Way(start, end, path, rows, places[rows]))
    about = [
        f"The paths were decoded when this page was made. They join {len(ends)} clouds, which have a thick border on "
        "the map. Linear paths are straight; spherical paths follow a circle about the mean code."
    ]
    if len(kept) < decoded.shape[1]:
        about.append(f"Shown: {len(kept)} of the {decoded.shape[1]} points of each decoded cloud.")
    return Ways([where[row] for row in ends], decoded[:, kept].double().numpy(), ways, about)
