"""Pages of run folders, and of a leaderboard."""

import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import pcgen
from pcgen import data, metrics
from pcgen.data.spec import short
from pcgen.data.thinning import thin
from pcgen.data.training_set import TrainingSet
from pcgen.metrics.comparable import own_notes
from pcgen.metrics.report import Report
from pcgen.metrics.verdict import DECODED, verdict
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.clouds.resampling import resample
from pcgen.models.inference import in_batches
from pcgen.nets.weights import fingerprint
from pcgen.report.content import Content, Model
from pcgen.report.encoding import BYTES
from pcgen.report.measured import Beside, marks, tables
from pcgen.seeds import isolated
from pcgen.studies import leaderboard
from pcgen.studies.reference import alike, read_reference
from pcgen.training import Run, read_codes
from pcgen.training.heads import data_again, learned_clouds
from pcgen.training.listing import flat, summarise

__all__ = ["of_board", "of_runs"]

_SMALL, _MORE, _LARGE = 3_300_000, 400_000, 10_500_000  # bytes of clouds: of one model, of each more, at the most
_LEAST = 64  # points of a cloud that is shown


def of_runs(
    paths: Sequence[Path],
    clouds: int = 60,
    reference: str | None = None,
    distances: Sequence[str] = ("cd", "emd"),
    seed: int = 0,
    moved: str | None = None,
) -> Content:
    """The page of some runs: samples of each with their metrics and nearest data, and how each was trained.

    Args:
        paths: run folders of generators, trained on one set of clouds.
        clouds: number of samples of each, and of reference clouds at most, which are chosen by `seed`.
        reference: SOURCE[:CLASS][@SPLIT] that they are measured against, read with the up axis of the training data;
            None is the test split of the training data.
        distances: "cd", "emd", or both.
        seed: of all random choices.
        moved: SOURCE[:CLASS][@SPLIT] where the training clouds are now, if not where they were.

    Raises:
        FileNotFoundError: the training clouds are not there.
        ValueError: a run does not generate clouds, the runs were trained on different sets, or what is where the
            training clouds were is something else now.
    """
    runs = [Run.open(path) for path in paths]
    every = [run.config.get("data", {}).get("training_set") for run in runs]
    if None in every:
        raise ValueError(
            f"{paths[every.index(None)]}: the run does not record the clouds it was trained on, which are needed to "
            "measure it; train it with pcgen train"
        )
    clouds_of = {str(learned_clouds(run)["sha256"]) for run in runs}
    if len(clouds_of) > 1 or len({json.dumps(each) for each in every}) > 1:
        raise ValueError("runs: must be trained on one set of clouds to share one page; make a page of each")
    source = data_again(runs[0], moved)
    points = int(runs[0].generator().shape[0])
    spec, _ = data.default_split(reference or source.spec, "test")
    known = read_reference(spec, source.about["training_set"], points, most=clouds, seed=seed)
    train = source.normalization.undo(thin(source.train, points, seed))
    protocol = alike(dataclasses.replace(metrics.protocol("exact"), points=points), source.normalization)
    measured: dict[str, list[Report]] = {}
    drawn: dict[str, data.Clouds] = {}
    decoded: dict[Any, Tensor] = {}
    models = []
    for name, run in zip(_names(paths), runs, strict=True):
        torch.manual_seed(seed)
        samples = run.sample(clouds)
        oracles = _decoded(run, source, train, seed, decoded)
        report = metrics.evaluate(samples, known, train, protocol, oracles=oracles, distances=distances, seed=seed)
        measured[name], drawn[name] = [report], data.Clouds.of(samples)
        models.append(_model(name, run, _said(report, run)))
    facts = [
        ("reference", f"{len(known)} clouds of {short(spec)}"),
        ("training set", f"{len(train)} clouds of {short(source.spec)}"),
    ]
    title = f"{', '.join(measured)} on {short(source.spec)}"
    train_set = data.Clouds.of(train)
    return _content(title, facts, models, {"exact": measured}, drawn, known, train_set, clouds, seed)


def of_board(path: Path, clouds: int = 60, seed: int = 0) -> Content:
    """The page of a leaderboard, the best model first, and how each was trained; nothing is sampled or measured again.

    Args:
        path: the folder that `pcgen suite` wrote.
        clouds: number of clouds of each set that are shown, at most.
        seed: of the points that are shown.

    Raises:
        FileNotFoundError: it is not a leaderboard, or a part of it is missing.
        ValueError: it is damaged.
    """
    about, entries = leaderboard.read(path)
    entries = leaderboard.ranked(entries, about["protocols"][0])
    known = data.load(str(path / leaderboard.REFERENCE))
    notes = leaderboard.differences(entries)
    try:
        train = data.Clouds.of(leaderboard.training_clouds(read_codes(about["autoencoder"])))
    except (OSError, ValueError) as error:
        train = None
        notes.append(f"The nearest training clouds are not shown: {error}.")
    measured: dict[str, dict[str, list[Report]]] = {}
    drawn, models = {}, []
    for entry in entries:
        folder = path / entry.name
        run = Run.open(folder) if (folder / "config.json").is_file() else None
        first = next(iter(entry.reports.values()), ())
        models.append(_model(entry.name, run, _said(first[0], run) if first else (), entry.failure))
        for protocol, reports in entry.reports.items():
            measured.setdefault(protocol, {})[entry.name] = list(reports)
        if entry.samples is not None:
            drawn[entry.name] = data.load(str(entry.samples))
    facts = [
        ("reference", f"{len(known)} clouds of {short(about['data'])}"),
        ("models", f"{len(entries)}, of which {len(drawn)} were measured"),
    ]
    title = f"Generators of {short(about['data'])}"
    return _content(title, facts, models, measured, drawn, known, train, clouds, seed, notes)


def _content(
    title: str,
    facts: Sequence[tuple[str, str]],
    models: Sequence[Model],
    measured: Mapping[str, Mapping[str, Sequence[Report]]],
    drawn: Mapping[str, data.Clouds],
    known: data.Clouds,
    train_set: data.Clouds | None,
    clouds: int,
    seed: int,
    notes: Sequence[str] = (),
) -> Content:
    """The page: tables of every protocol, and as many points of each cloud as its size allows."""
    origin = (known if train_set is None else train_set).origin  # distances are between clouds relative to one
    sets = {name: each.at(origin).points for name, each in drawn.items()}
    reference, train = known.at(origin).points, None if train_set is None else train_set.points
    budget = min(_LARGE, _SMALL + _MORE * (len(sets) - 1))
    shown = sum(min(clouds, len(each)) for each in sets.values())
    every = shown * (2 if train is not None else 1) + min(clouds, len(reference))
    stored = min([reference.shape[1], *(each.shape[1] for each in sets.values())])
    points = max(_LEAST, min(stored, budget // (BYTES * max(every, 1))))
    notes = [*notes, *_limits(sets, clouds, stored, points)]
    beside = Beside(train, reference, points, seed)
    galleries, found = [], []
    for name, each in sets.items():
        some = each[:clouds]
        gallery, ratios = beside.gallery(name, some, [f"sample {place}" for place in range(len(some))])
        galleries.append(gallery)
        found.append((name, [] if ratios is None else ratios.tolist()))
    alone = Beside(None, None, points, seed)
    some = reference[:clouds]
    galleries.append(alone.gallery("reference", some, [f"held-out {place}" for place in range(len(some))])[0])
    ratios_of = dict(found)
    noted: dict[str, list[str]] = {}
    for protocol, reports in measured.items():
        for name, notes_of in own_notes(reports).items():
            noted.setdefault(name, []).extend(f"{protocol}: {note}" for note in notes_of)
    first = next(iter(measured.values()), {})
    return Content(
        title=title,
        facts=[("pcgen", pcgen.__version__), ("made", str(date.today())), *facts],
        models=[
            dataclasses.replace(model, novelty=ratios_of.get(model.name, ()), notes=noted.get(model.name, ()))
            for model in models
        ],
        tables=[table for protocol, reports in measured.items() for table in tables(reports, protocol)],
        galleries=galleries,
        train=beside.shown(),
        marks=marks(first) if first else (),
        notes=notes,
    )


def _limits(drawn: Mapping[str, Tensor], clouds: int, stored: int, points: int) -> list[str]:
    """What of the sets is not on the page."""
    most = max(map(len, drawn.values()), default=0)
    parts = [f"the first {clouds} of {most} clouds of a set"] if most > clouds else []
    parts += [f"{points} of the {stored} points of a cloud"] if points < stored else []
    return [f"Shown: {' and '.join(parts)}; all of them are measured."] if parts else []


def _said(report: Report, run: Run | None) -> list[str]:
    """What limits a run's samples; where they are deformed training clouds, the decoder does not."""
    deformed = run is not None and run.config["model"]["name"] == "deformed_cloud_model"
    return verdict(report, decoded=not deformed)


def _model(name: str, run: Run | None, sentences: Sequence[str], failure: str = "") -> Model:
    """How a run was trained; its name and verdict alone, where there is no run."""
    if run is None:
        return Model(name, sentences, failure=failure)
    about, known = run.config, summarise(run.path)
    facts = [("numbers stored", f"{run.size():,}")]
    if known.steps:
        facts.append(("trained", f"{known.steps:,} steps in {known.seconds:.0f} s"))
    settings = {**flat(about["model"]), **flat(about.get("training", {}), "training.")}
    place = shlex.quote(str(run.path))
    commands = [f"pcgen train --again {place} --out NEW_RUN", f"pcgen sample {place} -n 100 --out samples.npz"]
    facts += [(package, str(version)) for package, version in about.get("versions", {}).items()]
    return Model(name, sentences, facts, run.history, known.best, (), settings, commands, failure)


def _decoded(run: Run, source: TrainingSet, train: Tensor, seed: int, known: dict[Any, Tensor]) -> dict[str, Tensor]:
    """The training clouds as the run's autoencoder decodes them, drawn as its samples are; none for other models.

    `known` takes those of each autoencoder, which several runs may share.
    """
    model = run.generator()
    if not isinstance(model, LatentCloudModel):
        return {}
    autoencoder = model.autoencoder
    state = autoencoder.state_dict()
    key = (*state, *fingerprint(state.values()))
    if key not in known:
        again = in_batches(
            autoencoder, lambda x: autoencoder.decode(autoencoder.encode(x)), source.normalization.apply(train)
        )
        with isolated(seed):
            again = resample(again)
        known[key] = source.normalization.undo(again.cpu())
    return {DECODED: known[key]}


def _names(paths: Sequence[Path]) -> list[str]:
    """The folders' names, or where two are alike their whole paths."""
    names = [path.resolve().name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]
