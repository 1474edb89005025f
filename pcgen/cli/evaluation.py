"""The sets that `pcgen evaluate` is given: loaded, and brought to one number of points; errors by the option's name."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pcgen.cli.common import say

if TYPE_CHECKING:
    from pcgen.data import Clouds
    from pcgen.metrics import Protocol

__all__ = ["at_points", "load_sets", "options"]


def load_sets(
    samples: Sequence[str],
    others: Mapping[str, str | None],
    points: int | None,
    up: str | None,
    samples_up: str | None,
    drop_bad: bool,
    max_bytes: int,
) -> "tuple[list[Clouds], dict[str, Clouds]]":
    """The sets of samples, and the others by name: the reference, and what oracles' rows are made of.

    Args:
        samples: what was given to be measured.
        others: the specs of "reference", "train" and "second", None where not given.
        points: how many of each cloud are asked for; None is the smallest set's.
        up: of the others, as for `data.load`, and so `drop_bad` and `max_bytes`.
        samples_up: of the samples.
    """
    from pcgen import data
    from pcgen.data.loading import list_source

    # Clouds of different sizes can be measured where a number of points is asked for that all of them have.
    read = functools.partial(data.load, at_least=points, drop_bad=drop_bad, max_bytes=max_bytes)
    with options(up="--samples-up"):
        generated = [read(spec, up=samples_up) for spec in samples]
    say(*(note for clouds in generated for note in clouds.notes))
    size = points or min(clouds.points.shape[1] for clouds in generated)
    sets = {}
    split_up = _is_split_up(others)
    for name, spec in others.items():
        if spec is None:
            continue
        parsed = data.parse(spec)
        chosen, note = data.default_split(spec, "train" if name == "train" else "test")
        if note and not split_up and name != "train" and list_source(parsed, 0, max_bytes).splits is None:
            chosen, note = data.default_split(spec, "all")
            note = f"{note}, as {parsed.source} has no splits of its own"
        # Twice the points of a surface: the second half is a second sample of the same shapes, an oracle's row.
        with options("up"):
            sets[name] = read(chosen, up=up, surface_points=(2 if name == "reference" else 1) * size)
        say(*([note] if note else []), *sets[name].notes)
    _doubt_splits(sets)
    for clouds in generated:
        _doubt(clouds, sets["reference"])
    return generated, sets


def _is_split_up(others: Mapping[str, str | None]) -> bool:
    """Whether no more than a split of the reference is meant: one is named, or the rest of it is trained on."""
    from pcgen import data

    reference, train = (data.parse(spec) if spec else None for spec in (others["reference"], others["train"]))
    if reference is None:
        return False
    named = reference.splits not in ((), ("all",))
    return named or (train is not None and Path(train.source).resolve() == Path(reference.source).resolve())


def _doubt_splits(sets: "Mapping[str, Clouds]") -> None:
    """Say so where a training set and the reference are a folder and one within it, whose random splits differ.

    The splits are by the clouds' names, and these are paths in the folder that was given.
    """
    from pcgen import data

    known = [sets[name] for name in ("train", "reference") if name in sets]
    places = [Path(data.parse(clouds.source).source).resolve() for clouds in known]
    if len(known) < 2 or not all(clouds.drawn for clouds in known) or places[0] == places[1]:
        return
    if places[0] in places[1].parents or places[1] in places[0].parents:
        say(
            f"warning: {known[0].source} and {known[1].source} are a folder and one within it: pcgen made the splits "
            "of each by itself, so the training set may hold clouds of the reference; name the same folder for both"
        )


def _doubt(samples: "Clouds", reference: "Clouds") -> None:
    """Say so where samples look like data: are they swapped with the reference?"""
    if not _is_data(samples):
        return
    also = "is too" if _is_data(reference) else "is not"
    say(
        f"warning: {samples.source}, given as samples, is data with splits, and {reference.source}, the reference, "
        f"{also}: are they swapped? Samples come first, the data after --reference; if so, MMD and COV are "
        "exchanged"
    )


def _is_data(clouds: "Clouds") -> bool:
    """Whether this is a set that one learns from, rather than what was drawn from a model."""
    return (clouds.splits is not None and not clouds.drawn) or clouds.source.startswith("shapes")


def at_points(protocol: "Protocol", sets: "Sequence[Clouds]", points: int | None) -> "Protocol":
    """The protocol with the number of points asked for; without one, the smallest set's where the sets differ.

    A preset with its own number of points keeps it, unless a set has fewer: then it is that of the smallest set, which
    the report says.
    """
    counts = [clouds.points.shape[1] for clouds in sets]
    if points is None and (len(set(counts)) == 1 if protocol.points is None else min(counts) >= protocol.points):
        return protocol
    wanted = min(counts) if points is None else points
    if points is None and protocol.points is not None:
        fewest = next(clouds.source for clouds, count in zip(sets, counts, strict=True) if count == wanted)
        say(f"{protocol.name}: {wanted} points of each cloud are used, not {protocol.points}: {fewest} has no more")
    for clouds, count in zip(sets, counts, strict=True):
        if count > wanted:
            say(f"{clouds.source}: {wanted} of the {count} points of each cloud are used ({protocol.subset})")
    return dataclasses.replace(protocol, points=wanted)


@contextmanager
def options(*arguments: str, **named: str) -> Iterator[None]:
    """Errors that begin with the name of one of these arguments of the library name the option instead.

    Args:
        arguments: those whose option has their name.
        named: the option of each other one.
    """
    try:
        yield
    except ValueError as error:
        name, colon, rest = str(error).partition(":")
        option = named.get(name, f"--{name.replace('_', '-')}" if name in arguments else None)
        if option is None:
            raise
        raise ValueError(f"{option}{colon}{rest}") from error
