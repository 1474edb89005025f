"""Training, sampling and measuring every model of a leaderboard."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pcgen import data, metrics, training
from pcgen.data.thinning import others, thin
from pcgen.files import write_whole
from pcgen.metrics.report import Report
from pcgen.metrics.verdict import DECODED
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.clouds.resampling import resample
from pcgen.models.inference import in_batches
from pcgen.seeds import isolated
from pcgen.studies.heads import draw_codes, jobs, train_head, train_heads, unseen_codes
from pcgen.studies.leaderboard.board import REFERENCE, report_file, samples_file
from pcgen.studies.leaderboard.entry import Entry
from pcgen.studies.leaderboard.settings import Settings
from pcgen.studies.quality import MOST, Quality, Scale
from pcgen.studies.reference import alike, chosen, read_reference
from pcgen.training.identity import data_identity

__all__ = ["DECODED", "MEMORISER", "run", "training_clouds"]

MEMORISER = "memoriser"
_QUALITY_DRAWS = 4
LEAST_OF_A_CLASS = 20  # clouds of the reference; fewer say little of a class


def run(
    autoencoder: str | Path,
    out: str | Path,
    settings: Settings,
    say: Callable[..., None] = print,
    progress: Callable[[metrics.Progress], None] | None = None,
    kept: Sequence[Entry] = (),
) -> Iterator[Entry]:
    """Train, sample and measure one model after another, and yield each; a model that fails is an entry that says why.

    Everything is kept in `out`, a folder per model, and what is there already is not done again: a leaderboard that was
    stopped goes on. A model that draws by class is measured class by class too, where the reference has 20 of one.

    Args:
        autoencoder: the run folder of a trained autoencoder.
        out: the folder of the leaderboard.
        settings: how models are trained and measured.
        say: called with what is being done.
        progress: as in `pcgen.metrics.evaluate`.
        kept: entries of the table that are there already.

    Raises:
        ValueError: the settings do not fit each other, the data or the autoencoder, or the entries that are there are
            of other codes or another reference; nothing has been trained.
        ChildProcessError: a process that trained heads was killed; those that were trained are kept.
    """
    out = Path(out)
    codes = training.read_codes(autoencoder, device=settings.device)
    bench = _Bench(codes, settings, out, say, progress)
    made = jobs(codes, settings.models, settings.config, settings.seed)
    if kept:
        _check_codes(kept, codes, out, autoencoder)
    bench.save_reference(keep=bool(kept))
    how: dict[str, Any] = {"effort": settings.effort, "device": settings.device, "seed": settings.seed}
    if settings.processes > 1:
        say(f"{len(made)} heads are trained, {settings.processes} side by side")
        trainings = train_heads(codes, list(made), settings.config, out, **how, processes=settings.processes)
        for number, (name, found) in enumerate(trainings, 1):
            ended = f"failed: {found}" if isinstance(found, str) else f"trained in {found:.0f} s"
            say(f"{name}: {ended} ({number} of {len(made)})")
    for name, job in made.items():
        folder = out / name
        trained: dict[str, Any] = {"effort": settings.effort, "options": dict(settings.config.get(name, {}))}
        say(f"{name}: {len(codes.train)} codes of shape {tuple(codes.train.shape[1:])}")
        try:
            model, seconds = train_head(job, folder, **how, progress=settings.processes == 1)
            reports = bench.measure(model, folder)
            classes, of_codes = bench.by_class(model, folder), bench.quality(name, model)
            samples = samples_file(folder, settings.seed)
            yield Entry(name, reports, samples, seconds, "", of_codes, classes, **trained)
        except Exception as error:  # whatever a model does, the others are to be trained
            say(f"{name}: failed: {error}")
            yield Entry(name, failure=" ".join(f"{type(error).__name__}: {error}".split()), **trained)


def _check_codes(kept: Sequence[Entry], codes: training.Codes, out: Path, autoencoder: str | Path) -> None:
    """Refuse entries of models that have learned other codes."""
    known = {data_identity(codes.rows, labels)["sha256"] for labels in (None, codes.labels)}
    for entry in kept:
        path = out / entry.name
        if not (path / "config.json").is_file():
            continue  # its run was deleted, and only its samples and reports are there
        if training.Run.open(path).config.get("data", {}).get("sha256") not in known:
            raise ValueError(
                f"{out}: its {entry.name} has learned other codes than those of {autoencoder}, which was trained "
                "again, or whose data has changed; choose another --out"
            )


def training_clouds(codes: training.Codes) -> Tensor:
    """The clouds that an autoencoder's codes are of, in the data's units, (S, points, 3)."""
    source = codes.source
    seed = int(source.about["training_set"]["seed"])
    return source.normalization.undo(thin(source.train, int(codes.autoencoder.shape[0]), seed))


@dataclass(frozen=True)
class _Sets:
    """What samples are measured against, in data units."""

    reference: data.Clouds
    train: Tensor  # (S, points, 3)
    decoded: Tensor  # (S, points, 3), what the autoencoder makes of train: the limit of heads whose codes are decoded
    memorised: Tensor | None  # (S, points, 3), other points of train's shapes, where the data has them

    def select(self, rows: Tensor, own: Tensor) -> "_Sets":
        """Some clouds of the reference, and some of the training set."""
        memorised = None if self.memorised is None else self.memorised[own]
        return _Sets(self.reference.select(rows), self.train[own], self.decoded[own], memorised)

    @property
    def oracles(self) -> dict[str, Tensor]:
        """Rows beside the samples: the best that decoded codes can be, and a model that repeats its training set."""
        found = {DECODED: self.decoded}
        return found if self.memorised is None else {**found, MEMORISER: self.memorised}


class _Bench:
    """What every model of a leaderboard is measured against, whole and class by class."""

    def __init__(
        self,
        codes: training.Codes,
        settings: Settings,
        out: Path,
        say: Callable[..., None],
        progress: Callable[[metrics.Progress], None] | None,
    ) -> None:
        self.codes, self.settings, self.out, self.progress = codes, settings, out, progress
        self.points = int(codes.autoencoder.shape[0])
        reference = _reference(codes, settings, self.points, say)
        source, seed = codes.source, int(codes.source.about["training_set"]["seed"])
        train = training_clouds(codes)
        decoded = in_batches(codes.autoencoder, codes.autoencoder.decode, codes.train).cpu()
        with isolated(seed):
            decoded = resample(decoded)  # as heads draw their clouds
        again = others(source.train, self.points, seed)
        memorised = None if again is None else source.normalization.undo(again)
        self.whole = _Sets(reference, train, source.normalization.undo(decoded), memorised)
        few = reference.select(chosen(len(reference), MOST, settings.seed))
        held_out = unseen_codes(codes, few)
        # A quality has no meaning for a reference of one cloud.
        self.scale = Scale(codes.train, held_out, _QUALITY_DRAWS, settings.seed) if len(held_out) > 1 else None

    def save_reference(self, keep: bool = False) -> None:
        """Write the reference beside the models; with `keep`, one that is there stays, and must be the same."""
        self.out.mkdir(parents=True, exist_ok=True)
        reference, path = self.whole.reference, self.out / REFERENCE
        points = thin(reference.points, self.points, self.settings.seed)  # stored points may be in an order
        clouds = dataclasses.replace(reference, points=points, normals=None)
        if keep and path.is_file():
            if not torch.equal(data.load(str(path)).coordinates, clouds.coordinates):
                raise ValueError(f"{path}: has other clouds than {self.settings.reference} now; choose another --out")
            return
        data.save(path, clouds, overwrite=True)

    def measure(self, model: LatentCloudModel, folder: Path) -> dict[str, tuple[Report, ...]]:
        """A report for each protocol and set of samples, which the folder holds too."""
        seeds = range(self.settings.seed, self.settings.seed + self.settings.seeds)
        count = len(self.whole.reference) if self.settings.clouds is None else self.settings.clouds
        samples = []
        for seed in seeds:
            torch.manual_seed(seed)
            drawn = self._draw(model, model.draw_labels(count), count)
            data.save(samples_file(folder, seed), drawn, overwrite=True)
            samples.append(drawn)
        return {
            protocol: tuple(
                self._report(clouds, self.whole, protocol, report_file(folder, protocol, seed))
                for seed, clouds in zip(seeds, samples, strict=True)
            )
            for protocol in self.settings.protocols
        }

    def by_class(self, model: LatentCloudModel, folder: Path) -> dict[str, Report]:
        """A report for each class with enough clouds, under the first protocol, of a model that draws by class."""
        protocol, seed = self.settings.protocols[0], self.settings.seed
        found = {}
        for label, name in enumerate(model.classes):
            sets = self._of_class(name)
            if sets is None:
                continue
            count = len(sets.reference)
            torch.manual_seed(seed)
            drawn = self._draw(model, torch.full((count,), label), count)
            found[name] = self._report(drawn, sets, protocol, report_file(folder, protocol, seed, name))
        return found

    def quality(self, name: str, model: LatentCloudModel) -> tuple[Quality, ...]:
        """The quality of the model's codes, then those of the baselines; none for a reference of one cloud."""
        if self.scale is None:
            return ()
        seeds = range(self.settings.seed, self.settings.seed + _QUALITY_DRAWS)
        sets = [draw_codes(model, len(self.scale.held_out), seed) for seed in seeds]
        return tuple(self.scale.score({name: sets}))

    def _of_class(self, name: str) -> _Sets | None:
        """The sets of one class; None where the reference has too few clouds of it."""
        reference, source = self.whole.reference, self.codes.source
        if reference.labels is None or source.labels is None or name not in reference.classes:
            return None
        rows = (reference.labels == reference.classes.index(name)).nonzero().flatten()
        if len(rows) < LEAST_OF_A_CLASS:
            return None
        own = source.labels == source.classes.index(name)
        return self.whole.select(rows, own)

    def _draw(self, model: LatentCloudModel, labels: Tensor | None, count: int) -> data.Clouds:
        clouds = self.codes.source.normalization.undo(model.sample(count, labels=labels).cpu())
        return data.Clouds.of(clouds, labels=None if labels is None else labels.cpu(), classes=model.classes)

    def _report(self, clouds: data.Clouds, sets: _Sets, name: str, path: Path) -> Report:
        protocol = metrics.protocol(name)
        if protocol.points is None or protocol.points > self.points:
            protocol = dataclasses.replace(protocol, points=self.points)
        protocol = alike(protocol, self.codes.source.normalization)
        report = metrics.evaluate(
            clouds,
            sets.reference,
            sets.train,
            protocol,
            oracles=sets.oracles,
            distances=self.settings.distances,
            emd_clouds=self.settings.emd_clouds,
            emd_points=self.settings.emd_points,
            device=self.settings.device,
            seed=self.settings.seed,
            tiles=self.out / "tiles",
            progress=self.progress,
        )
        write_whole(path, report.to_json().encode())
        return report


def _reference(codes: training.Codes, settings: Settings, points: int, say: Callable[..., None]) -> data.Clouds:
    """The clouds that samples are compared with."""
    spec, note = data.default_split(settings.reference, "test")
    reading, most = codes.source.about["training_set"], settings.reference_clouds
    reference = read_reference(spec, reading, points, most=most, seed=settings.seed)
    say(*([note] if note else []), f"reference: {len(reference)} clouds of {spec}")
    return reference
