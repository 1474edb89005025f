"""Samples beside their nearest training clouds, for the eye."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from pcgen.data import Clouds

__all__ = ["Pairs", "nearest_pairs"]


@dataclass(frozen=True)
class Pairs:
    """Each sample, then its nearest training cloud; a caption for each, in the same order."""

    clouds: list[Tensor]
    captions: list[str]


def nearest_pairs(samples: "Tensor | Clouds", train: "Tensor | Clouds", seed: int = 0) -> Pairs:
    """Each sample beside its nearest training cloud under CD, with the ratio of their distance to that of a copy.

    The caption "x 1.0" is a copy: the sample is as far from the cloud as a second sampling of it. The search is that
    of `pcgen.metrics.find_copies`.

    Args:
        samples: (S, N, 3).
        train: (T, M, 3), in the same units.
        seed: of the points for the search, and of the shown points of larger training clouds: as many as the samples
            have, so that the picture compares shapes and not densities.

    Raises:
        ValueError: as `find_copies`.
    """
    from pcgen.data.thinning import thin
    from pcgen.metrics import find_copies

    found = find_copies(samples, train, seed)
    (drawn, called), (known, names) = (_of(clouds) for clouds in (samples, train))
    beside = thin(known[found.rows.to(known.device)], min(drawn.shape[1], known.shape[1]), seed)
    clouds, captions = [], []
    for place, (row, ratio) in enumerate(zip(found.rows.tolist(), found.ratios.tolist(), strict=True)):
        clouds += [drawn[place], beside[place]]
        captions += [f"sample {called[place]}", f"x {ratio:.1f}  {names[row]}"]
    return Pairs(clouds, captions)


def _of(clouds: "Tensor | Clouds") -> "tuple[Tensor, tuple[str, ...]]":
    if isinstance(clouds, Tensor):
        return clouds, tuple(map(str, range(len(clouds))))
    return clouds.points, clouds.names
