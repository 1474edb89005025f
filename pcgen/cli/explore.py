"""`pcgen explore`: a page of what a model has learned; pictures of interpolations, shifts, nearest codes, maps."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pcgen.cli.common import check_out, say
from pcgen.cli.encode import Checkpoint, Points, RunArgument, Source, read
from pcgen.cli.options import FOUR_GIB, Device, DropBad, MaxBytes, Up
from pcgen.errors import choose

if TYPE_CHECKING:
    from torch import Tensor

    from pcgen.data import Clouds
    from pcgen.report.opened import Opened
    from pcgen.training import Run

__all__ = ["explore"]

SHOWN = ("paths", "shift", "nearest", "map")

# The options that not all of these take.
_TAKEN = {
    "from": ("shift",),
    "to": ("shift",),
    "path": ("paths",),
    "steps": ("paths", "nearest"),
    "count": ("paths", "shift", "nearest"),
    "names": ("paths", "shift", "nearest"),
}


def explore(
    run: RunArgument,
    source: Source,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The .html to write: a map of codes, interpolations, sampling step by step; it needs no network."
        ),
    ] = None,
    png: Annotated[Path | None, typer.Option(help="The picture to write instead of a page.")] = None,
    show: Annotated[
        str | None,
        typer.Option(
            help="For a picture. paths (default): interpolations between the codes of two clouds; shift: clouds of one "
            "class moved to another; nearest: clouds with those of the nearest codes; map: the clouds of a head's map "
            "(som), with the number of clouds at each position."
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(min=1, help="Rows of the picture (default: 4); a page joins every two of twice as many clouds."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=2, help="Clouds of each path, or nearest clouds of each (default: 7).")
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(help="For paths: linear (default), or spherical about the mean code; a page has both."),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option(
            help="Names of clouds, separated by commas, instead of a random choice; paths: the two ends of each row."
        ),
    ] = None,
    source_class: Annotated[
        str | None,
        typer.Option("--from", help="For shift: the class to start from (default: the first other than --to)."),
    ] = None,
    target_class: Annotated[
        str | None,
        typer.Option("--to", help="For shift: the class to move to (default: the first other than --from)."),
    ] = None,
    points: Points = None,
    checkpoint: Checkpoint = None,
    up: Up = None,
    max_bytes: MaxBytes = FOUR_GIB,
    drop_bad: DropBad = False,
    device: Device = "cpu",
    seed: Annotated[int, typer.Option(help="Seed of the random choice of clouds, and of samples.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file of --out or --png.")] = False,
) -> None:
    """Show what a model has learned: an interactive page, or a picture of related clouds."""
    from pcgen import training
    from pcgen.view import picture

    place = _place(out, png, overwrite)
    if out is not None and any(value is not None for value in (show, path, source_class, target_class)):
        raise ValueError(
            "--show, --path, --from, --to: are for a picture; leave them out, or give --png instead of --out"
        )
    show = choose("paths" if show is None else show, SHOWN, "--show")
    given = {"from": source_class, "to": target_class, "path": path, "steps": steps, "count": count, "names": names}
    for option, shows in _TAKEN.items():
        if show not in shows and given[option] is not None:
            raise ValueError(f"--{option}: is for --show {', '.join(shows)}, got --show {show}; leave it out")
    chosen = None if names is None else [name.strip() for name in names.split(",")]
    if chosen is not None and count is not None:
        raise ValueError("--count: is for a random choice of clouds, got --names too; leave one of them out")
    if chosen is not None and show == "paths" and out is None and len(chosen) % 2:
        raise ValueError(
            f"--names: must be two clouds for each row of paths, got {len(chosen)}; add one, or leave one out"
        )
    count, steps, path = count or 4, steps or 7, "linear" if path is None else path
    opened = training.Run.open(run)
    clouds = read(opened, source, points, up, max_bytes, drop_bad)
    if out is not None:
        from pcgen.report.opened import Opened

        ends = _rows(clouds, 2 * count, chosen, seed).tolist()
        _page(place, Opened(opened, checkpoint, device, seed), clouds, ends, steps, overwrite)
        return
    codes = opened.encode(clouds, checkpoint=checkpoint, device=device)
    at = _At(opened, clouds, codes, checkpoint, device)
    if show == "paths":
        rows, titles = _paths(at, _rows(clouds, 2 * count, chosen, seed), steps, path)
    elif show == "shift":
        rows, titles = _shift(at, count, chosen, seed, source_class, target_class)
    elif show == "map":
        rows, titles = _map(at)
    else:
        rows, titles = _nearest(at, _rows(clouds, count, chosen, seed), steps)
    shown = [cloud for row in rows for cloud in row]
    captions = [word for row in titles for word in row]
    say(str(picture(shown, place, captions=captions, columns=len(rows[0]), overwrite=overwrite)))


def _place(out: Path | None, png: Path | None, overwrite: bool) -> Path:
    """The one file that is to be written, checked before any work."""
    if out is not None and png is None:
        check_out(out, ".html", overwrite)
        return out
    if png is not None and out is None:
        check_out(png, ".png", overwrite, "--png")
        return png
    got = "neither" if out is None else "both"
    raise ValueError(f"--out, --png: must be one of them, got {got}; give --out page.html or --png picture.png")


def _page(place: Path, opened: "Opened", clouds: "Clouds", ends: list[int], steps: int, overwrite: bool) -> None:
    """Write the page, and say what of the clouds is not on it."""
    from pcgen.report import write_explorer
    from pcgen.report.explored import atlas_of

    atlas = atlas_of(opened, clouds, ends, steps)
    written = write_explorer(atlas, place, overwrite=overwrite)
    say(*atlas.notes, f"{written}: {written.stat().st_size / 1e6:.1f} MB; open it in a browser")


@dataclass(frozen=True)
class _At:
    """Clouds and their codes under a run."""

    run: "Run"
    clouds: "Clouds"
    codes: "Tensor"
    checkpoint: str | None
    device: str

    def decoded(self, codes: "Tensor") -> "list[Tensor]":
        """What is decoded of codes, relative to the clouds' origin: pictures are drawn from float32."""
        found = self.run.decode(codes, checkpoint=self.checkpoint, device=self.device)
        return [*(found - found.new_tensor(self.clouds.origin))]


Pictured = tuple["list[list[Tensor]]", list[list[str]]]


def _rows(clouds: "Clouds", count: int, names: list[str] | None, seed: int) -> "Tensor":
    """The places of the named clouds, or of `count` drawn by seed, as many as there are."""
    import torch

    if names is not None:
        return torch.tensor([clouds.names.index(choose(name, clouds.names, "--names")) for name in names])
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(len(clouds), generator=generator)[:count]


def _paths(at: _At, rows: "Tensor", steps: int, path: str) -> Pictured:
    """Between the first and the second of the chosen clouds, the third and the fourth, ..."""
    from pcgen.latents import interpolate

    if len(rows) < 2:
        raise ValueError(f"{at.clouds.source}: must have two clouds or more to interpolate, got {len(rows)}")
    first, second = rows[: len(rows) // 2 * 2].view(-1, 2).T
    between = interpolate(at.codes[first], at.codes[second], steps, path, at.codes.mean(0))
    clouds, words = [], []
    for a, b, codes in zip(first.tolist(), second.tolist(), between, strict=True):
        clouds.append([at.clouds.points[a], *at.decoded(codes), at.clouds.points[b]])
        shares = [f"{place / (steps - 1):.2f}" for place in range(steps)]
        words.append([at.clouds.names[a], *shares, at.clouds.names[b]])
    return clouds, words


def _shift(at: _At, count: int, names: list[str] | None, seed: int, source: str | None, target: str | None) -> Pictured:
    """Clouds of a class, what is decoded of them, and of their codes moved by the difference of the classes' means."""
    import torch

    from pcgen.latents import class_shift

    if at.clouds.labels is None or len(at.clouds.classes) < 2:
        raise ValueError(f"{at.clouds.source}: must have clouds of two classes for --show shift; name both, SOURCE:A,B")
    classes = at.clouds.classes
    here, there = _two_classes(classes, source, target)
    labels = at.clouds.labels
    difference = class_shift(at.codes, labels, classes.index(here), classes.index(there))
    own = (labels == classes.index(here)).nonzero().flatten()
    rows = own[torch.randperm(len(own), generator=torch.Generator().manual_seed(seed))[:count]]
    if names is not None:
        rows = _rows(at.clouds, count, names, seed)
        for row in rows.tolist():
            if labels[row] != classes.index(here):
                raise ValueError(
                    f"--names: must be of the class {here}, which is moved, got {at.clouds.names[row]} of "
                    f"{classes[int(labels[row])]}; leave it out, or choose another --from"
                )
    shares = (0.0, 0.5, 1.0)
    clouds = [
        [at.clouds.points[row], *at.decoded(torch.stack([at.codes[row] + share * difference for share in shares]))]
        for row in rows.tolist()
    ]
    words = [[at.clouds.names[row], "decoded", "half way", f"as {there}"] for row in rows.tolist()]
    return clouds, words


def _two_classes(classes: tuple[str, ...], source: str | None, target: str | None) -> tuple[str, str]:
    """Where a shift starts and where it ends; what is not named is the first class that is not the other."""
    for option, name in (("--from", source), ("--to", target)):
        if name is not None:
            choose(name, classes, option)
    here = next(name for name in classes if name != target) if source is None else source
    there = next(name for name in classes if name != here) if target is None else target
    if here == there:
        raise ValueError(
            f"--to: must be another class than --from, got {here} for both; name two of {', '.join(classes)}"
        )
    return here, there


def _map(at: _At) -> Pictured:
    """What a head has at each place of its map, with how many of the clouds fall there, and of which class most do."""
    from pcgen.latents import code_map, places_on_map

    model = at.run.trained(at.checkpoint, at.device)
    codes, places = code_map(model), places_on_map(model, at.codes).tolist()
    labels, classes = at.clouds.labels, at.clouds.classes
    kinds = [""] * len(places) if labels is None else [f"{classes[label]} " for label in labels.tolist()]
    fallen: dict[tuple[int, int], Counter[str]] = {}
    for (down, across), kind in zip(places, kinds, strict=True):
        fallen.setdefault((down, across), Counter())[kind] += 1
    clouds, words = [], []
    for down, row in enumerate(codes):
        clouds.append(at.decoded(row))
        counts = [fallen.get((down, across), Counter()) for across in range(len(row))]
        words.append([f"{count.most_common(1)[0][0]}{count.total()}" if count else "none" for count in counts])
    return clouds, words


def _nearest(at: _At, rows: "Tensor", count: int) -> Pictured:
    """Clouds, and those whose codes are nearest to theirs."""
    from pcgen.latents import nearest

    if len(at.clouds) <= count:
        raise ValueError(f"--steps: must be less than the {len(at.clouds)} clouds of {at.clouds.source}, got {count}")
    distances, places = nearest(at.codes[rows], at.codes, count + 1)
    clouds, words = [], []
    for row, near, apart in zip(rows.tolist(), places.tolist(), distances.tolist(), strict=True):
        # It need not be the first of its own, where another has the same code.
        others = [(place, far) for place, far in zip(near, apart, strict=True) if place != row][:count]
        clouds.append([at.clouds.points[place] for place in (row, *(place for place, _ in others))])
        words.append([at.clouds.names[row], *(f"{at.clouds.names[place]} {far:.2f}" for place, far in others)])
    return clouds, words
