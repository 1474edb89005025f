"""The leaderboard: every model of the suite on the codes of one autoencoder, sampled, measured, in one table."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch

from pcgen import data, metrics, training
from pcgen.data.training_set import thin
from pcgen.errors import choose
from pcgen.metrics.report import HEADLINE, Report
from pcgen.models import MODELS, GenerativeModel, Learner
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.training.files import write_whole

__all__ = ["REFERENCE", "Entry", "Settings", "heads", "kept", "run", "table", "write"]


REFERENCE = "reference.npz"


@dataclass(frozen=True)
class Settings:
    """How the models of a leaderboard are trained and measured.

    Attributes:
        reference: SOURCE[:CLASS][@SPLIT] of the clouds to hold samples against; @test unless it names a split.
        models: names of heads.
        config: arguments of models by name, {"gan": {"lr": 1e-4}}.
        effort: multiplies every model's default number of steps.
        seeds: sets of samples of each model; more than one gives means and deviations.
        clouds: clouds in each set of samples; None is as many as the reference has.
        protocol: a preset's name.
        distances: "cd", "emd" or both.
        emd_clouds, emd_points: limits under EMD; None is all.
        device: where to train and sample.
        seed: of all that is random; sets of samples take the seeds from it on.
    """

    reference: str
    models: Sequence[str]
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    effort: float = 1.0
    seeds: int = 1
    clouds: int | None = None
    protocol: str = "exact"
    distances: Sequence[str] = ("cd", "emd")
    emd_clouds: int | None = 64
    emd_points: int | None = 512
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.effort < math.inf:
            raise ValueError(f"effort: must be a factor above 0, got {self.effort}")
        metrics.protocol(self.protocol)
        for distance in self.distances:
            choose(distance, ["cd", "emd"], "distances")


@dataclass(frozen=True)
class Entry:
    """One model of the leaderboard: its reports, one for each seed, or why it failed."""

    name: str
    reports: tuple[Report, ...] = ()
    samples: Path | None = None
    seconds: float = 0.0  # of training
    failure: str = ""

    def mean(self, metric: str) -> float | None:
        """Mean of a metric over the seeds."""
        values = self._values(metric)
        return fmean(values) if values else None

    def deviation(self, metric: str) -> float | None:
        """Standard deviation of a metric over the seeds, with more than one."""
        values = self._values(metric)
        return stdev(values) if len(values) > 1 else None

    def _values(self, metric: str) -> list[float]:
        return [report.values[metric] for report in self.reports if metric in report.values]


def heads() -> list[str]:
    """The models of the suite that can be a head on codes."""
    return [name for name in MODELS if issubclass(MODELS[name], GenerativeModel) and _learns_vectors(name)]


def run(
    autoencoder: str | Path,
    out: str | Path,
    settings: Settings,
    say: Callable[..., None] = print,
    progress: Callable[[metrics.Progress], None] | None = None,
) -> Iterator[Entry]:
    """Train, sample and measure one model after another, and yield each; a model that fails is an entry that says why.

    Everything is kept in `out`, a folder per model, and what is there already is not done again: a leaderboard that was
    stopped goes on.

    Args:
        autoencoder: the run folder of a trained autoencoder.
        out: the folder of the leaderboard.
        settings: how models are trained and measured.
        say: told what is being done.
        progress: as in `pcgen.metrics.evaluate`.

    Raises:
        ValueError: the settings do not fit each other, the data or the autoencoder; nothing has been trained.
    """
    out = Path(out)
    codes = training.read_codes(autoencoder, device=settings.device)
    points = int(codes.autoencoder.shape[0])
    reference, train = _sets(codes, settings, points, say)
    built = {}
    for name in settings.models:
        torch.manual_seed(settings.seed)  # a model's first weights do not depend on which others are trained
        built[name] = training.head_on_codes(codes, name, **settings.config.get(name, {}))
    count = settings.clouds or len(reference)
    out.mkdir(parents=True, exist_ok=True)
    data.save(
        out / REFERENCE,
        dataclasses.replace(reference, points=reference.points[:, :points], normals=None),
        overwrite=True,
    )
    for name, model in built.items():
        folder = out / name
        say(f"{name}: {len(codes.train)} codes of width {codes.train.shape[1]}")
        try:
            seconds = _train(model, codes, folder, settings)
            trained = training.load(folder, device=settings.device)
            reports = tuple(
                _measure(trained, codes, folder, seed, count, reference, train, settings, out / "tiles", progress)
                for seed in range(settings.seed, settings.seed + settings.seeds)
            )
            yield Entry(name, reports, folder / f"samples-{settings.seed}.npz", seconds)
        except Exception as error:  # whatever a model does, the others are to be trained
            say(f"{name}: failed: {error}")
            yield Entry(name, failure=" ".join(f"{type(error).__name__}: {error}".split()))


def kept(out: str | Path, about: Mapping[str, Any], models: Sequence[str]) -> list[Entry]:
    """The entries of a leaderboard that is in `out` already, but for `models`, which are to be trained again or on.

    Raises:
        ValueError: what is there was made otherwise: the message names both sides.
        FileExistsError: the folder has something else in it than a leaderboard and its autoencoder.
    """
    out = Path(out)
    path = out / "leaderboard.json"
    if not path.is_file():
        others = [each.name for each in out.iterdir() if each.name != "autoencoder"] if out.is_dir() else []
        if others:
            raise FileExistsError(f"{out}: has {others[0]} in it and is no leaderboard; choose another --out")
        return []
    board = json.loads(path.read_text(encoding="utf-8"))
    for name, value in about.items():
        if board.get(name) != value:
            raise ValueError(f"{out}: its {name} is {board.get(name)}, asked for is {value}; choose another --out")
    entries = []
    for row in board["rows"]:
        folder = out / row["model"]
        reports = sorted(folder.glob("report-*.json"))
        if row["model"] not in models and reports:
            read = tuple(Report.from_json(report.read_text(encoding="utf-8")) for report in reports)
            samples = folder / reports[0].name.replace("report", "samples").replace(".json", ".npz")
            entries.append(Entry(row["model"], read, samples, row["training_seconds"]))
    return entries


def write(entries: Sequence[Entry], out: str | Path, about: Mapping[str, Any]) -> Path:
    """Write leaderboard.json and leaderboard.md into `out`; returns the second."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "model": entry.name,
            "failure": entry.failure or None,
            "training_seconds": round(entry.seconds, 1),
            "seeds": len(entry.reports),
            "mean": {metric: entry.mean(metric) for metric in HEADLINE},
            "deviation": {metric: entry.deviation(metric) for metric in HEADLINE},
        }
        for entry in entries
    ]
    done = [entry for entry in entries if entry.reports]
    first = done[0].reports[0] if done else None
    oracles = [{"row": row.name, "values": dict(row.values)} for row in first.rows[1:]] if first else []
    protocol = dict(first.protocol) if first else None
    text = json.dumps({**about, "stamp": protocol, "rows": rows, "oracles": oracles}, indent=2)
    write_whole(out / "leaderboard.json", (text + "\n").encode())
    path = out / "leaderboard.md"
    write_whole(path, (table(entries) + "\n").encode())
    return path


def table(entries: Sequence[Entry]) -> str:
    """The leaderboard in Markdown: models by |1-NNA-CD - 50%|, the oracles beneath, shares in percent."""
    done = sorted((e for e in entries if e.reports), key=lambda e: _order(e.mean("one_nna_cd")))
    if not done:
        return "\n".join(f"{entry.name}: {entry.failure}" for entry in entries)
    first = done[0].reports[0]
    shown = [metric for metric in HEADLINE if metric in first.values]
    lines = [
        f"| model | {' | '.join(_HEADINGS[metric] for metric in shown)} | training |",
        f"|---|{'---:|' * (len(shown) + 1)}",
    ]
    for entry in done:
        cells = [_cell(metric, entry.mean(metric), entry.deviation(metric)) for metric in shown]
        lines.append(f"| {entry.name} | {' | '.join(cells)} | {entry.seconds:.0f} s |")
    for row in first.rows[1:]:
        cells = [_cell(metric, row.values.get(metric), None) for metric in shown]
        lines.append(f"| *{row.name}* | {' | '.join(cells)} | |")
    lines += [
        f"| {entry.name} | failed: {entry.failure.replace('|', '/')} |" + " |" * len(shown)
        for entry in entries
        if entry.failure
    ]
    stamp = first.protocol
    sizes = f"{first.rows[0].clouds} clouds a model"
    return "\n".join([*lines, "", f"Protocol {stamp['name']} {stamp['hash']}, {sizes}; 1-NNA is ideal at 50%."])


_HEADINGS = {
    "jsd": "JSD",
    "mmd_cd": "MMD-CD",
    "cov_cd": "COV-CD %",
    "one_nna_cd": "1-NNA-CD %",
    "mmd_emd": "MMD-EMD",
    "cov_emd": "COV-EMD %",
    "one_nna_emd": "1-NNA-EMD %",
}


def _cell(metric: str, value: float | None, deviation: float | None) -> str:
    if value is None:
        return "-"
    if metric.startswith(("cov", "one_nna")):
        return f"{100 * value:.1f}" + (f" ± {100 * deviation:.1f}" if deviation is not None else "")
    return f"{value:.4g}" + (f" ± {deviation:.1g}" if deviation is not None else "")


def _order(one_nna: float | None) -> float:
    return math.inf if one_nna is None else abs(one_nna - 0.5)


def _learns_vectors(name: str) -> bool:
    try:
        MODELS[name]((2,))
    except ValueError:
        return False
    return True


def _sets(
    codes: training.Codes, settings: Settings, points: int, say: Callable[..., None]
) -> tuple[data.Clouds, torch.Tensor]:
    """The reference, and the training clouds in data units, both at the autoencoder's number of points."""
    source = codes.source
    arguments = source.about["training_set"]
    spec, note = data.default_split(settings.reference, "test")
    # Twice the points of a surface, so that the second half is a second sample of the same shapes: an oracle's row.
    reference = data.load(
        spec,
        surface_points=2 * points,
        up=arguments["up"],
        drop_bad=arguments["drop_bad"],
        max_bytes=arguments["max_bytes"],
    )
    train = source.normalization.undo(thin(source.train, points, int(arguments["seed"])))
    say(*([note] if note else []), f"reference: {len(reference)} clouds of {spec}")
    return reference, train


def _train(model: LatentCloudModel, codes: training.Codes, folder: Path, settings: Settings) -> float:
    """Train a head, or go on with its training; returns the seconds that it took in all."""
    steps = max(1, round(settings.effort * model.recipe.steps))
    training.fit(
        model,
        codes.train,
        labels=codes.source.labels,
        validation=codes.held_out,
        out=folder,
        about=codes.source.about,
        steps=steps,
        device=settings.device,
        seed=settings.seed,
        resume="auto",
        progress=True,
    )
    return float(training.Run.open(folder).history[-1]["seconds"])


def _measure(
    model: Learner,
    codes: training.Codes,
    folder: Path,
    seed: int,
    count: int,
    reference: data.Clouds,
    train: torch.Tensor,
    settings: Settings,
    tiles: Path,
    progress: Callable[[metrics.Progress], None] | None,
) -> Report:
    path = folder / f"samples-{seed}.npz"
    if not isinstance(model, GenerativeModel):
        raise ValueError(f"{folder}: its model does not generate; give --out another folder")
    torch.manual_seed(seed)
    clouds = codes.source.normalization.undo(model.sample(count).cpu())
    data.save(path, clouds, overwrite=True)
    protocol = metrics.protocol(settings.protocol)
    if protocol.points is None:
        protocol = dataclasses.replace(protocol, points=clouds.shape[1])
    report = metrics.evaluate(
        clouds,
        reference,
        train,
        protocol,
        distances=settings.distances,
        emd_clouds=settings.emd_clouds,
        emd_points=settings.emd_points,
        seed=settings.seed,
        tiles=tiles,
        progress=progress,
    )
    write_whole(folder / f"report-{seed}.json", report.to_json().encode())
    return report
