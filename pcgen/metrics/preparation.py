"""Sets made ready under a protocol: what is measured, what deviates from the protocol, what looks like a mistake."""

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pcgen.data import Clouds
from pcgen.metrics.protocols import Protocol
from pcgen.metrics.sets import MeasuredSet, measured_set, mismatches, same_clouds

__all__ = ["SAMPLES", "SECOND", "TRAINING", "Prepared", "generator_for", "prepare"]

SAMPLES, TRAINING, SECOND = "samples", "training set", "second sample"


@dataclass(frozen=True)
class Prepared:
    """What an evaluation measures.

    Attributes:
        rows: the samples, then the oracles, by the name of their row.
        reference: what each of them is held against.
        raw: the clouds of the rows, and of the reference under its role, before the protocol's normalisation.
        train: the whole training set, if there is one.
        deviations: where this differs from what the protocol says or advises.
        warnings: what looks like a mistake.
        notes: what a reader of the numbers should know besides.
    """

    rows: dict[str, MeasuredSet]
    reference: MeasuredSet
    raw: dict[str, Tensor]
    train: MeasuredSet | None
    deviations: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    def thinned(self, protocol: Protocol, clouds: int | None, points: int | None, seed: int) -> "Prepared":
        """At most `clouds` clouds of each set and `points` points of each cloud, drawn by seed; None is all."""
        size = self.reference.size if points is None else min(points, self.reference.size)

        def thin(given: MeasuredSet) -> MeasuredSet:
            kept = given
            if clouds is not None and clouds < len(given):
                # A second sample is one of the reference's own shapes: of those that are kept.
                twin = given.role == SECOND and given.names == self.reference.names
                drawn_as = self.reference.role if twin else given.role
                order = torch.randperm(len(given), generator=generator_for(seed, f"EMD {drawn_as}"))
                kept = given.select(order[:clouds])
            return kept.subset(size, protocol.subset, generator_for(seed, f"EMD points {given.role}"))

        rows, reference = {name: thin(row) for name, row in self.rows.items()}, thin(self.reference)
        used = (len(rows[SAMPLES]), len(reference), size)
        whole = (len(self.rows[SAMPLES]), len(self.reference), self.reference.size)
        if used == whole:
            return self
        deviation = (
            f"EMD: {used[0]} of {whole[0]} samples, {used[1]} of {whole[1]} reference clouds, "
            f"{used[2]} of {whole[2]} points"
        )
        return replace(self, rows=rows, reference=reference, deviations=(*self.deviations, deviation))


def generator_for(seed: int, purpose: str) -> torch.Generator:
    """A generator for one purpose: what is drawn for another does not move it."""
    digest = hashlib.sha256(f"{seed} {purpose}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))


def prepare(
    protocol: Protocol,
    samples: Tensor | Clouds,
    reference: Tensor | Clouds,
    train: Tensor | Clouds | None,
    second: Tensor | Clouds | None,
    drop_bad: bool,
    seed: int,
) -> Prepared:
    """Check the sets, take the protocol's points of each cloud, normalise, and choose the oracles.

    Raises:
        ValueError: a set is empty, not (S, N, 3), not finite (unless `drop_bad`), or the clouds' numbers of points do
            not fit each other and the protocol.
    """
    given = {
        role: measured_set(clouds, role, drop_bad)
        for role, clouds in ((SAMPLES, samples), ("reference", reference), (TRAINING, train), (SECOND, second))
        if clouds is not None
    }
    points, deviations = _points(protocol, given)
    deviations = [*protocol.departures(), *deviations]
    notes = [
        f"{role}: {len(clouds.dropped)} clouds with NaN or infinity were dropped: {', '.join(clouds.dropped)}"
        for role, clouds in given.items()
        if clouds.dropped
    ]
    for role, loaded in ((SAMPLES, samples), ("reference", reference), (TRAINING, train), (SECOND, second)):
        notes += [f"{role}: {note}" for note in loaded.notes] if isinstance(loaded, Clouds) else []
    warnings = _leaks(protocol, given)
    spare = given["reference"]
    sets = {role: c.subset(points, protocol.subset, generator_for(seed, f"points {role}")) for role, c in given.items()}
    if SECOND not in sets and spare.size >= 2 * points:
        sets["reference"], sets[SECOND] = _two_samplings(spare, points, protocol, seed)
    raw = {role: clouds.points for role, clouds in sets.items()}
    if protocol.normalization == "bbox":
        sets = {role: clouds.boxed() for role, clouds in sets.items()}
    for role in (SAMPLES, TRAINING, SECOND):
        if role in sets:
            warnings += mismatches(sets[role], sets["reference"])
    size = len(sets[SAMPLES])
    advised = protocol.samples_per_reference * len(sets["reference"])
    if size != advised:
        times = f"{protocol.samples_per_reference} x " if protocol.samples_per_reference > 1 else ""
        deviations.append(f"sets: {size} samples, advised are {times}{len(sets['reference'])}, on which COV depends")
        warnings.append(deviations[-1])
    if protocol.seeds > 1:
        notes.append(f"seeds: {protocol.name} averages over {protocol.seeds} sample sets, this is one")
    rows = {SAMPLES: sets[SAMPLES]}
    if TRAINING in sets:
        order = torch.randperm(len(sets[TRAINING]), generator=generator_for(seed, TRAINING))
        rows[TRAINING] = sets[TRAINING].select(order[:size])
        raw[TRAINING] = raw[TRAINING][order[:size]]
        if len(rows[TRAINING]) < size:
            notes.append(f"{TRAINING}: has {len(rows[TRAINING])} clouds for {size} samples; its COV is lower for that")
    else:
        notes.append(f"{TRAINING}: no row: none was given (train=, --train)")
    if SECOND in sets:
        rows[SECOND] = sets[SECOND]
    else:
        notes.append(
            f"{SECOND}: of the reference, no row: all {points} points of its clouds are in use (second=, --second)"
        )
    return Prepared(rows, sets["reference"], raw, sets.get(TRAINING), tuple(deviations), tuple(warnings), tuple(notes))


def _points(protocol: Protocol, sets: dict[str, MeasuredSet]) -> tuple[int, list[str]]:
    """How many points of each cloud are measured, and whether that deviates from the protocol."""
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


def _two_samplings(
    reference: MeasuredSet, points: int, protocol: Protocol, seed: int
) -> tuple[MeasuredSet, MeasuredSet]:
    """The reference's points that the protocol uses, and as many that it does not."""
    if protocol.subset == "first":
        pair = (reference.points[:, :points], reference.points[:, points : 2 * points])
    else:
        pair = reference.halves(points, generator_for(seed, "points reference"))
    first, other = (replace(reference, points=half.contiguous()) for half in pair)
    return first, replace(other, role=SECOND)


def _leaks(protocol: Protocol, sets: dict[str, MeasuredSet]) -> list[str]:
    """Clouds that are where they should not be: before points are chosen, while equal clouds are bit-equal."""
    found = []
    reference = sets["reference"]
    for role, why in ((SAMPLES, "are they samples?"), (TRAINING, "the reference must be unseen in training")):
        if role in sets and (count := same_clouds(reference, sets[role])):
            found.append(f"reference: {count} of its {len(reference)} clouds are also in the {role}; {why}")
    if TRAINING in sets and (count := same_clouds(sets[SAMPLES], sets[TRAINING])):
        found.append(f"samples: {count} of {len(sets[SAMPLES])} are clouds of the training set, bit for bit")
    splits = sorted(set(reference.splits))  # () of those that were drawn, which no number in print knows
    if "train" in splits:
        found.append("reference: holds clouds of the split train; take the split test (SPEC@test)")
    elif splits and protocol.split and splits != [protocol.split]:
        found.append(f"reference: is the split {', '.join(splits)}; numbers of {protocol.name} are of {protocol.split}")
    return found
