"""Selection of a source's clouds by the classes and splits of a spec."""

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pcgen.data.clouds import SPLITS
from pcgen.data.source import Listing, printable
from pcgen.data.spec import Spec
from pcgen.data.splits import DRAWN, counted, draw_splits
from pcgen.data.synsets import class_names

__all__ = ["select"]

_SHOWN = 8  # classes in a message; the number of all is given


def select(listing: Listing, spec: Spec) -> Listing:
    """The clouds of the spec's classes and splits; if the source has no splits, its clouds are split at random first.

    Raises:
        ValueError: a class or a split does not exist.
    """
    if listing.splits is None and len(listing.names) >= 3:
        keys = [listing.key(row) for row in range(len(listing.names))]
        listing = replace(listing, splits=draw_splits(keys, listing.labels), drawn=True)
    if spec.classes and spec.source != "shapes":  # the built-in source lists only the requested classes
        listing = _of_classes(listing, spec)
    if spec.splits and spec.splits != ("all",):
        narrowed = _of_splits(listing, spec)
        if listing.drawn:
            note = f"{spec.source} has no splits of its own: they are {DRAWN}: {counted(listing.splits or ())}"
            narrowed = replace(narrowed, notes=(*listing.notes, note))
        return narrowed
    return listing


def _of_classes(listing: Listing, spec: Spec) -> Listing:
    if listing.labels is None:
        raise ValueError(f"{spec.source}: has no classes; leave :{','.join(spec.classes)} out")
    wanted = class_names(map(printable, spec.classes))
    for name in wanted:
        _require(name, listing.labels, spec.source)
    kept = listing.narrow([row for row, label in enumerate(listing.labels) if label in wanted])
    return replace(kept, classes=tuple(name for name in listing.order if name in wanted))


def _require(wanted: str, labels: Sequence[str], source: str) -> None:
    counts = Counter(labels)
    if wanted in counts:
        return
    near = [name for name in counts if name.lower() == wanted.lower()]
    near += difflib.get_close_matches(wanted, counts, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    most = ", ".join(f"{name} ({count})" for name, count in counts.most_common(_SHOWN))
    more = f", ... {len(counts)} in all" if len(counts) > _SHOWN else ""
    raise ValueError(f"{source}: has no class {wanted!r}; {hint}It has {most}{more}")


def _of_splits(listing: Listing, spec: Spec) -> Listing:
    splits = listing.splits or []
    had = [split for split in SPLITS if split in splits]
    for split in spec.splits:
        if split not in had:
            raise ValueError(
                f"{spec}: there is no split {split!r} among its {len(listing.names)} clouds, which have "
                f"{', '.join(had) or 'none'}; name one of them, or @all"
            )
    return listing.narrow([row for row, split in enumerate(splits) if split in spec.splits])
