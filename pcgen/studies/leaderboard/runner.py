"""Training, sampling and measuring every model of a leaderboard."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from pcgen import data, metrics, training
from pcgen.data.thinning import thin
from pcgen.files import write_whole
from pcgen.metrics.report import Report
from pcgen.models import MODELS, GenerativeModel, Learner
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.studies.leaderboard.board import report_file, samples_file
from pcgen.studies.leaderboard.entry import Entry
from pcgen.studies.leaderboard.settings import Settings

__all__ = ["REFERENCE", "heads", "run"]

REFERENCE = "reference.npz"


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

    def measure(clouds: Tensor, name: str, path: Path) -> Report:
        protocol = metrics.protocol(name)
        if protocol.points is None or protocol.points > points:
            protocol = dataclasses.replace(protocol, points=points)
        report = metrics.evaluate(
            clouds,
            reference,
            train,
            protocol,
            distances=settings.distances,
            emd_clouds=settings.emd_clouds,
            emd_points=settings.emd_points,
            seed=settings.seed,
            tiles=out / "tiles",
            progress=progress,
        )
        write_whole(path, report.to_json().encode())
        return report

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
            seeds = range(settings.seed, settings.seed + settings.seeds)
            trained = training.load(folder, device=settings.device)
            samples = [_sample(trained, folder, codes, seed, count) for seed in seeds]
            reports = {
                protocol: tuple(
                    measure(clouds, protocol, report_file(folder, protocol, seed))
                    for seed, clouds in zip(seeds, samples, strict=True)
                )
                for protocol in settings.protocols
            }
            yield Entry(name, reports, samples_file(folder, settings.seed), seconds)
        except Exception as error:  # whatever a model does, the others are to be trained
            say(f"{name}: failed: {error}")
            yield Entry(name, failure=" ".join(f"{type(error).__name__}: {error}".split()))


def _learns_vectors(name: str) -> bool:
    try:
        MODELS[name]((2,))
    except ValueError:
        return False
    return True


def _sets(
    codes: training.Codes, settings: Settings, points: int, say: Callable[..., None]
) -> tuple[data.Clouds, Tensor]:
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
    if settings.reference_clouds is not None and len(reference) > settings.reference_clouds:
        order = torch.randperm(len(reference), generator=torch.Generator().manual_seed(settings.seed))
        reference = reference.select(order[: settings.reference_clouds].sort().values)
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


def _sample(model: Learner, folder: Path, codes: training.Codes, seed: int, count: int) -> Tensor:
    """Samples of a trained model in data units, (count, points, 3), which its folder holds too."""
    if not isinstance(model, GenerativeModel):
        raise ValueError(f"{folder}: its model does not generate; give --out another folder")
    torch.manual_seed(seed)
    clouds = codes.source.normalization.undo(model.sample(count).cpu())
    data.save(samples_file(folder, seed), clouds, overwrite=True)
    return clouds
