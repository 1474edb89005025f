"""Reading of the clouds of a listing, one by one, with checks, normalisation and thinning, into one tensor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pcgen.data.axes import UP_AXES, to_y_up
from pcgen.data.boxes import move, turn
from pcgen.data.clouds import Clouds
from pcgen.data.columns import finite_points, split_columns
from pcgen.data.normalization import Normalization
from pcgen.data.origin import ZERO, Stored, Triple, bounds, stored
from pcgen.data.pile import Cloud, Pile, thinned
from pcgen.data.placement import Placement
from pcgen.data.source import GIB, Listing, Raw, told, unreadable
from pcgen.errors import choose

__all__ = ["Reading", "clean", "coarse", "gather", "true_points", "up_axis"]

_SHOWN = 3  # names in a note; the number of others is given
_DROP = "drop_bad=True, --drop-bad"

# A surface has no points of its own: so many, whatever number is read, give the position and size to normalise it by.
_PLACED_BY = 2048


@dataclass(frozen=True)
class Reading:
    """Options of reading: the arguments of `load`, and `normalize`, the name of a normalisation.

    Without `apply`, clouds stay in the source's units, and keep the position and size of the whole cloud for the
    normalisation to come (`Clouds.whole`); surfaces have at least `surface_points` points before they are thinned.

    Raises:
        ValueError: a number of points is below 1, or `points` and `at_least` are both given.
    """

    points: int | None = None
    at_least: int | None = None
    surface_points: int = 2048
    seed: int = 0
    up: str | None = None
    normalize: str = "none"  # of each whole cloud, before it is thinned
    apply: bool = True
    drop_bad: bool = False
    max_bytes: int = 4 * GIB

    def __post_init__(self) -> None:
        for argument in ("points", "at_least", "surface_points"):
            if (value := getattr(self, argument)) is not None and value < 1:
                raise ValueError(f"{argument}: must be at least 1, got {value}")
        if self.points is not None and self.at_least is not None:
            raise ValueError(f"points, at_least: give one of them, got {self.points} and {self.at_least}")

    @property
    def sampled(self) -> int:
        """Number of points that are read of each surface."""
        if self.points is None or not self.apply:
            return max(self.points or 0, self.at_least or 0, self.surface_points)
        return self.points


def gather(listing: Listing, source: str, how: Reading) -> tuple[Clouds, Placement]:
    """Read all clouds of a listing; also return their positions and sizes before normalisation.

    With `drop_bad`, points that are NaN or infinite are dropped if a cloud may have any number of points: if it is the
    only one, or a number of points is given. Otherwise a cloud with such points is dropped.

    Raises:
        PermissionError: a file cannot be read.
        ValueError: a cloud is damaged, is too small or has NaN, or the clouds have different numbers of points.
    """
    if not listing.names:
        raise ValueError(f"{source}: holds no clouds; give a source of at least one")
    up, notes = up_axis(listing, source, how.up)
    normalization = Normalization(how.normalize)
    # Clouds that are normalised each by itself here are about 0, wherever the source's points were.
    base = ZERO if normalization.each and how.apply else _turned(listing.origin, up)
    pile = Pile(len(listing.names), source, how.max_bytes, base, how.at_least, how.seed)
    places: list[Placement] = []
    boxes: list[Tensor] = []
    faults: list[str] = []
    bad: list[int] = []  # rows of bad clouds
    short: list[int] = []  # the sizes of clouds that are too small, but otherwise good
    holed = 0  # number of bad clouds that would be good without their points that are NaN
    remarks: dict[str, list[str]] = {}  # notes on parts that were dropped, with the names of the clouds
    needed = how.points or how.at_least or 1
    any_size = bool(how.points or how.at_least) or len(listing.names) == 1
    for row, name in enumerate(listing.names):
        key = listing.key(row)
        raw: Raw | None = None
        try:
            raw = split_columns(listing.read(row, how.sampled))
            if how.drop_bad and any_size:
                raw = finite_points(raw)
            cloud, place = _read(raw, listing.origin, up, normalization, how.apply)
            if len(cloud.points) < needed:
                short.append(len(cloud.points))
                raise ValueError(f"has {len(cloud.points)} points, fewer than the {needed} asked for")
        except PermissionError as error:
            raise unreadable(listing.place(row, source), error) from None
        except (ValueError, OSError) as error:
            faults.append(told(listing.place(row, source), error))
            bad.append(row)
            holed += any_size and raw is not None and _holed(raw, needed)
            continue
        for remark in raw.notes:
            remarks.setdefault(remark, []).append(name)
        places.append(place)
        boxes += [] if raw.boxes is None else [_boxes(raw.boxes, listing.origin, up, place if how.apply else _NOWHERE)]
        pile.add(row, name, key, cloud if how.points is None else thinned(cloud, how.points, key, how.seed))
    if faults and not (how.drop_bad and pile.rows):
        raise _refusal(listing, source, bad, faults[0], short, holed)
    if faults:
        notes += (f"{len(faults)} of {len(listing.names)} clouds dropped: {_some(faults, '; ')}",)
    if remarks:
        notes += (_some([f"{_some(names, ', ')}: {remark}" for remark, names in remarks.items()], "; "),)
    points, normals, origin, said = pile.stacked()
    kept = listing.narrow(pile.rows)
    order = {name: place for place, name in enumerate(kept.order)}
    offset, size = (torch.cat([getattr(place, part) for place in places]) for part in ("offset", "size"))
    placement = Placement(offset, size)
    clouds = Clouds(
        points=points,
        normals=normals,
        labels=None if kept.labels is None else torch.tensor([order[label] for label in kept.labels]),
        classes=kept.order,
        names=tuple(kept.names),
        splits=None if kept.splits is None else tuple(kept.splits),
        source=source,
        notes=(*listing.notes, *notes, *said),
        drawn=kept.drawn,
        origin=origin,
        keys=tuple(pile.keys),
        boxes=move(torch.stack(boxes), torch.tensor(origin, dtype=torch.float64), 1.0).float() if boxes else None,
        whole=(how.normalize, placement) if normalization.each and not how.apply else None,
    )
    return clouds, placement


def _read(raw: Raw, origin: Triple, up: str, normalization: Normalization, apply: bool) -> tuple[Cloud, Placement]:
    """One whole cloud, y up, and normalised if that is to be applied; and its position and size before."""
    points, normals = clean(raw)
    whole = to_y_up(torch.from_numpy(true_points(points, origin)), up)[None]
    placed, place = whole, _NOWHERE
    if normalization.each and raw.surface is not None and len(points) != _PLACED_BY:
        sample, _ = clean(Raw(raw.surface(_PLACED_BY)))
        place = normalization.place(to_y_up(torch.from_numpy(true_points(sample, origin)), up)[None])[1]
        placed = ((whole.double() - place.offset) / place.size).float()
    elif normalization.each:
        if bool((whole == whole[:, :1]).all()):
            raise ValueError(f"is one point, repeated {len(points)} times, and {normalization.name} needs a size")
        placed, place = normalization.place(whole)
    found = (placed if apply else whole)[0]
    low, high = bounds(found.numpy())
    arrows = None if normals is None else to_y_up(torch.from_numpy(normals), up)
    return Cloud(found, arrows, low, high, len(points), coarse(raw)), place


def coarse(raw: Raw) -> Stored | None:
    """What a valid cloud was stored as, if it was so far from 0 that its type lost the shape."""
    known = raw.stored if raw.stored is not None else stored(raw.points[:, :3])
    return known if known.coarse else None


def _holed(raw: Raw, needed: int) -> bool:
    """Whether a cloud has points that are NaN or infinite, and enough others."""
    good = finite_points(raw)
    return good is not raw and len(good.points) >= needed


def _boxes(boxes: NDArray[np.generic], origin: Triple, up: str, place: Placement) -> Tensor:
    """The boxes of one scene, (K, 6) float64, in true coordinates, y up, and normalised like its points."""
    true = move(torch.from_numpy(boxes.astype(np.float64)), -torch.tensor(origin, dtype=torch.float64), 1.0)
    return move(turn(true, up), place.offset[0], place.size[0])


_NOWHERE = Placement(torch.zeros(1, 1, 3, dtype=torch.float64), torch.ones(1, 1, 1, dtype=torch.float64))


def up_axis(listing: Listing, source: str, asked: str | None) -> tuple[str, tuple[str, ...]]:
    """The source's up axis: the recorded one, otherwise `asked`; and a note if the two differ."""
    if asked is not None:
        choose(asked, UP_AXES, "up")
    if listing.up is None or asked in (None, listing.up):
        return listing.up or asked or "y", ()
    return listing.up, (f"{source}: says that its up axis is {listing.up}, so up {asked} (--up {asked}) is ignored",)


def _turned(origin: Triple, up: str) -> Triple:
    x, y, z = to_y_up(torch.tensor(origin, dtype=torch.float64), up).tolist()
    return x, y, z


def clean(raw: Raw) -> tuple[NDArray[np.floating], NDArray[np.float32] | None]:
    """The points of a cloud, (N, 3), and its normals if it has them; (N, 6) may have both (`split_columns`).

    Points are float32 if it can represent all numbers of the source's type, otherwise float64.

    Raises:
        ValueError: it has another shape, no point, no real numbers, or NaN, infinity, or a number beyond float32.
    """
    raw = split_columns(raw)
    points, normals = raw.points, raw.normals
    if points.ndim != 2 or points.shape[1] not in (3, 6) or len(points) == 0:
        hint = "; transpose it" if points.ndim == 2 and points.shape[0] in (3, 6) and points.shape[1] > 6 else ""
        raise ValueError(f"must be (N, 3), or (N, 6) with normals, and N >= 1, got {tuple(points.shape)}{hint}")
    if points.dtype.kind not in "fiu":
        raise ValueError(f"must hold real numbers, got {points.dtype}")
    narrow = _finite("point", points)
    if not np.can_cast(points.dtype, np.float32):
        return np.ascontiguousarray(points, dtype=np.float64), None if normals is None else _finite("normal", normals)
    return narrow, None if normals is None else _finite("normal", normals)


def true_points(points: NDArray[np.floating], origin: Triple) -> NDArray[np.floating]:
    """Points (N, 3) as true coordinates: float64 if they are relative to an origin that is not 0."""
    return points if origin == ZERO else points.astype(np.float64) + np.array(origin)


def _finite(what: str, values: NDArray[np.generic]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):  # values that are not finite are reported below
        narrow = np.ascontiguousarray(values, dtype=np.float32)
        total = narrow.sum(dtype=np.float64)
    if not np.isfinite(total):
        bad = ~np.isfinite(narrow).all(1)
        first = int(bad.argmax())
        raise ValueError(
            f"{what} {first} is {narrow[first].tolist()}; {int(bad.sum())} of {len(narrow)} hold NaN, infinity, or a "
            "number beyond float32"
        )
    return narrow


def _some(texts: Sequence[str], separator: str) -> str:
    more = f"{separator}and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return separator.join(texts[:_SHOWN]) + more


def _refusal(
    listing: Listing, source: str, bad: Sequence[int], fault: str, short: Sequence[int], holed: int
) -> ValueError:
    """The error for clouds that cannot be used, in one line: their names, the first one's fault, what to do."""
    asked, small = len(listing.names), len(short) == len(bad)
    ask = f"ask for points={min(short)} (--points {min(short)})" if small else ""
    if holed == len(bad):
        ask = f"leave those points out: {_DROP}"
    if asked == 1:
        return ValueError(f"{fault}; {ask}" if ask else fault)
    names = _some([listing.names[row] for row in bad], ", ")
    reason = fault.removeprefix(f"{listing.place(bad[0], source)}: ")
    what = f"{len(bad)} of {asked} clouds are {'too small' if small else 'bad'} ({names}; the first: {reason})"
    if holed == len(bad) or (len(bad) == asked and not holed):
        return ValueError(f"{source}: {what}; {ask or 'repair the source'}")
    return ValueError(f"{source}: {what}; {ask or 'repair them'}, or leave them out: {_DROP}")
