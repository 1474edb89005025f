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
    """Decode the linear and the spherical way between every two of some clouds.

    Args:
        opened: the run that decodes.
        clouds: all of the source.
        codes: theirs, (S, *code); spherical ways go about their mean.
        axes: of the page's first map.
        ends: rows of the clouds to go between.
        where: of each of these, its set on the page and its place in that.
        steps: clouds of each way, both ends among them, at least 2.

    Raises:
        ValueError: fewer than two ends, or more ways than fit on a page.
    """
    at_least(2, steps=steps)
    pairs = torch.tensor(list(combinations(range(len(ends)), 2)), dtype=torch.int64).view(-1, 2)
    if not len(pairs):
        raise ValueError(f"{clouds.source}: must have two clouds or more to go between, got {len(ends)}")
    inner, many = steps - 2, len(pairs)
    frames = len(ends) + len(PATHS) * many * inner
    room, stored = _BYTES // (BYTES * frames), int(opened.model.shape[0])
    if room < min(_LEAST, stored):
        raise ValueError(
            f"ends: {many} ways of {steps} clouds, between {len(ends)} clouds, are too many for one page; take fewer "
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
        f"Ways were decoded when this page was made, between {len(ends)} clouds, which have a thick edge on the map: "
        "there are no others on it. Linear ways are straight; spherical ones keep to a circle about the mean code."
    ]
    if len(kept) < decoded.shape[1]:
        about.append(f"Shown are {len(kept)} of the {decoded.shape[1]} points of what was decoded.")
    return Ways([where[row] for row in ends], decoded[:, kept].double().numpy(), ways, about)
