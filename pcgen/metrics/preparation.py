"""Preparation of sets under a protocol, with deviations from the protocol and likely mistakes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pcgen.data import Clouds, Normalization
from pcgen.metrics.mismatches import leaks, mismatches, wrong_split
from pcgen.metrics.protocols import Protocol
from pcgen.metrics.sets import REFERENCE, SAMPLES, SECOND, TRAINING, MeasuredSet, measured_set
from pcgen.seeds import stream

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """The prepared sets of an evaluation.

    Attributes:
        rows: the samples, then the oracles, by the name of their row.
        reference: the set with which each of them is compared.
        raw: the clouds of the rows, and of the reference under its role, before the protocol's normalisation.
        train: the whole training set, if there is one.
        normalization: the normalisation of the clouds.
        deviations: differences from the protocol or its advice.
        warnings: likely mistakes, and limits on what the metrics mean.
        notes: other remarks for readers of the metrics.
    """

    rows: dict[str, MeasuredSet]
    reference: MeasuredSet
    raw: dict[str, Clouds]
    train: MeasuredSet | None
    normalization: Normalization
    deviations: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    def thinned(self, protocol: Protocol, clouds: int | None, points: int | None, seed: int) -> "Prepared":
        """At most `clouds` clouds of each set and `points` points of each cloud for EMD, by seed; None for all."""
        size = self.reference.size if points is None else min(points, self.reference.size)

        def thin(given: MeasuredSet) -> MeasuredSet:
            kept = _fewer(given, self.reference, clouds, seed, "EMD ")
            return kept.subset(size, protocol.subset, stream(seed, f"EMD points {given.role}"))

        rows, reference = {name: thin(row) for name, row in self.rows.items()}, thin(self.reference)
        used = (len(rows[SAMPLES]), len(reference), size)
        whole = (len(self.rows[SAMPLES]), len(self.reference), self.reference.size)
        said = [
            f"EMD: {used[0]} of {whole[0]} samples, {used[1]} of {whole[1]} reference clouds, "
            f"{used[2]} of {whole[2]} points"
        ]
        deviations = (*self.deviations, *said)
        if used == whole:  # an oracle that has more clouds than the samples changes none of their numbers
            deviations = self.deviations
            fewer = {name: row for name, row in rows.items() if len(row) < len(self.rows[name])}
            said = [f"EMD: {len(row)} of {len(self.rows[name])} clouds of the {name}" for name, row in fewer.items()]
        if not said:
            return self
        return replace(self, rows=rows, reference=reference, deviations=deviations, warnings=(*self.warnings, *said))


def prepare(
    protocol: Protocol,
    given: Mapping[str, Tensor | Clouds],
    *,
    clouds: int | None = None,
    drop_bad: bool = False,
    device: torch.device | None = None,
    seed: int = 0,
) -> Prepared:
    """Check the sets, limit them, normalise each whole cloud, take the protocol's points, choose the oracles.

    Args:
        protocol: the conventions.
        given: the clouds of each role: SAMPLES, REFERENCE, optionally TRAINING and SECOND, and rows of other oracles.
        clouds: at most this many of the samples and of the reference, chosen by seed; None for all.
        drop_bad: whether to drop clouds with NaN or infinity.
        device: the device of the computations; by default that of the reference.
        seed: of all random choices.

    Raises:
        ValueError: a set is empty, not (S, N, 3), not finite (unless `drop_bad`), or the clouds' numbers of points do
            not fit each other and the protocol; or the normalisation needs a training set, and there is none.
    """
    sets = {role: measured_set(each, role, drop_bad) for role, each in given.items()}
    device = device or sets[REFERENCE].points.device
    sets = {role: each.to(device) for role, each in sets.items()}
    if not Normalization(protocol.normalization).each:  # otherwise positions are not compared
        sets = {role: each.about(sets[REFERENCE].origin) for role, each in sets.items()}
    notes = _notes(given, sets)
    of_split = wrong_split(protocol, sets[REFERENCE])
    warnings = leaks(sets) + of_split
    deviations = protocol.departures() + of_split
    if clouds is not None:
        sets, said = _limited(sets, clouds, seed)
        deviations += said
        warnings += said
    points, fewer = _points(protocol, sets)
    deviations += fewer
    normalization = _fitted(protocol.normalization, sets)
    raw = _cut(sets, points, protocol, seed)
    if normalization.name != "none":
        sets = _cut({role: each.placed(normalization) for role, each in sets.items()}, points, protocol, seed)
    else:
        sets = raw
    for role in sets:
        warnings += mismatches(sets[role], sets[REFERENCE]) if role != REFERENCE else []
    size = len(sets[SAMPLES])
    advised = protocol.samples_per_reference * len(sets[REFERENCE])
    if size != advised:
        times = f"{protocol.samples_per_reference} x " if protocol.samples_per_reference > 1 else ""
        deviations.append(
            f"sets: {size} samples, the protocol advises {times}{len(sets[REFERENCE])}; COV depends on it"
        )
        warnings.append(deviations[-1])
    if protocol.seeds > 1:
        notes.append(f"seeds: {protocol.name} averages over {protocol.seeds} sample sets, this is one")
    rows, of_rows = _rows(sets, raw, seed)
    notes += _absences(rows, size, points)
    return Prepared(
        rows,
        sets[REFERENCE],
        {**of_rows, REFERENCE: raw[REFERENCE].clouds},
        sets.get(TRAINING),
        normalization,
        tuple(deviations),
        tuple(warnings),
        tuple(notes),
    )


def _notes(given: Mapping[str, Tensor | Clouds], sets: Mapping[str, MeasuredSet]) -> list[str]:
    """Notes on dropped clouds, and notes of the loaders."""
    notes = [
        f"{role}: {len(each.dropped)} clouds with NaN or infinity were dropped: {', '.join(each.dropped)}"
        for role, each in sets.items()
        if each.dropped
    ]
    for role, loaded in given.items():
        notes += [f"{role}: {note}" for note in loaded.notes] if isinstance(loaded, Clouds) else []
    return notes


def _limited(sets: Mapping[str, MeasuredSet], clouds: int, seed: int) -> tuple[dict[str, MeasuredSet], list[str]]:
    """At most `clouds` samples and reference clouds, and notes on it."""
    fewer = {
        role: each if role == TRAINING else _fewer(each, sets[REFERENCE], clouds, seed) for role, each in sets.items()
    }
    used, whole = ((len(each[SAMPLES]), len(each[REFERENCE])) for each in (fewer, sets))
    said = f"clouds: {used[0]} of {whole[0]} samples, {used[1]} of {whole[1]} reference clouds"
    return fewer, [said] if used != whole else []


def _fewer(given: MeasuredSet, reference: MeasuredSet, clouds: int | None, seed: int, purpose: str = "") -> MeasuredSet:
    """At most `clouds` clouds of a set, chosen by seed."""
    if clouds is None or clouds >= len(given):
        return given
    # A second sample has the shapes of the reference, so the same clouds must be chosen.
    twin = given.role == SECOND and given.names == reference.names
    drawn_as = reference.role if twin else given.role
    order = torch.randperm(len(given), generator=stream(seed, f"{purpose}{drawn_as}"))
    return given.select(order[:clouds])


def _points(protocol: Protocol, sets: Mapping[str, MeasuredSet]) -> tuple[int, list[str]]:
    """The number of points of each cloud that are used, and a note if it deviates from the protocol."""
    sizes = {role: clouds.size for role, clouds in sets.items()}
    least = min(sizes.values())
    if protocol.points is not None and least >= protocol.points:
        return protocol.points, []
    if len(set(sizes.values())) > 1:
        counts = ", ".join(f"{size} in the {role}" for role, size in sizes.items())
        asked = "equally many points" if protocol.points is None else f"{protocol.points} points or more"
        raise ValueError(
            f"{', '.join(sizes)}: clouds must have {asked} under the protocol {protocol.name}, got {counts}; "
            f"load all with points={least}"
        )
    return least, [] if protocol.points is None else [f"points: {least} of each cloud, not {protocol.points}"]


def _fitted(name: str, sets: Mapping[str, MeasuredSet]) -> Normalization:
    """The normalisation of that name; it may depend on the training set, but never on the samples or reference."""
    normalization = Normalization(name)
    if name != "global_std":
        return normalization
    if TRAINING not in sets:
        raise ValueError("train: must be given for the normalisation global_std, which depends on it (--train)")
    return normalization.fit(sets[TRAINING].clouds)


def _cut(sets: Mapping[str, MeasuredSet], points: int, protocol: Protocol, seed: int) -> dict[str, MeasuredSet]:
    """The protocol's points of each cloud; unused points of a reference are the second sample, if none is given."""
    cut = {role: each.subset(points, protocol.subset, stream(seed, f"points {role}")) for role, each in sets.items()}
    spare = sets[REFERENCE]
    if SECOND in sets or spare.size < 2 * points:
        return cut
    if protocol.subset == "first":
        pair = (spare.points[:, :points], spare.points[:, points : 2 * points])
    else:
        pair = spare.halves(points, stream(seed, f"points {REFERENCE}"))
    first, other = (replace(spare, points=half.contiguous()) for half in pair)
    return {**cut, REFERENCE: first, SECOND: replace(other, role=SECOND)}


def _rows(
    sets: Mapping[str, MeasuredSet], raw: Mapping[str, MeasuredSet], seed: int
) -> tuple[dict[str, MeasuredSet], dict[str, Clouds]]:
    """The samples and as many clouds of each oracle, chosen by seed; and their clouds before normalisation."""
    size = len(sets[SAMPLES])
    named = [role for role in sets if role not in (SAMPLES, REFERENCE, TRAINING, SECOND)]
    rows, of_rows = {}, {}
    for role in (role for role in (SAMPLES, TRAINING, *named, SECOND) if role in sets):
        if role in (SAMPLES, SECOND):
            rows[role], of_rows[role] = sets[role], raw[role].clouds
        else:
            order = torch.randperm(len(sets[role]), generator=stream(seed, role))[:size]
            rows[role], of_rows[role] = sets[role].select(order), raw[role].select(order).clouds
    return rows, of_rows


def _absences(rows: Mapping[str, MeasuredSet], size: int, points: int) -> list[str]:
    """Notes on oracles that have no row, or fewer clouds than the samples."""
    notes = [
        f"{role}: has {len(row)} clouds for {size} samples; its COV is lower for that"
        for role, row in rows.items()
        if role not in (SAMPLES, SECOND) and len(row) < size
    ]
    if TRAINING not in rows:
        notes.append(f"{TRAINING}: no row: none was given (train=, --train)")
    if SECOND not in rows:
        notes.append(
            f"{SECOND}: of the reference, no row: all {points} points of its clouds are in use (second=, --second)"
        )
    return notes
