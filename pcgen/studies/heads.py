"""Heads on the codes of one autoencoder, each trained in a run folder of its own, once."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pcgen import training
from pcgen.data import Clouds
from pcgen.data.thinning import thin
from pcgen.models import MODELS, GenerativeModel
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.inference import encode_all
from pcgen.studies.workers import side_by_side
from pcgen.training import Codes, Job, Options

__all__ = ["draw_codes", "heads", "jobs", "train_head", "train_heads", "unseen_codes"]


def heads(kind: str = "vector") -> list[str]:
    """The models of the suite that can be a head on codes that are vectors, or sets (kind "set")."""
    return [name for name, cls in MODELS.items() if issubclass(cls, GenerativeModel) and kind in cls.accepts]


def jobs(codes: Codes, names: Sequence[str], config: Mapping[str, Mapping[str, Any]], seed: int) -> dict[str, Job]:
    """A new head of each name on the codes; a model's first weights do not depend on which others there are.

    Raises:
        ValueError: a name is not a head's, or an argument of one is out of range.
    """
    found = {}
    for name in names:
        torch.manual_seed(seed)
        found[name] = training.on_codes(name, codes, **config.get(name, {}))
    return found


def train_head(
    job: Job, folder: Path, *, effort: float, device: str, seed: int, progress: bool = True
) -> tuple[LatentCloudModel, float]:
    """Train a head for `effort` times its recipe's steps, or go on with its training.

    Returns:
        The trained model (the checkpoint that is used), and the seconds that its training took in all.
    """
    options = Options(seed=seed).scaled(job.learner.recipe, effort)
    job.fit(folder, options, device=device, resume="auto", progress=progress)
    run = training.Run.open(folder)
    model = run.model(device=device)
    if not isinstance(model, LatentCloudModel):
        raise ValueError(
            f"{folder}: a run of {run.config['model']['name']}, which is not a head on codes; choose another --out"
        )
    return model, float(run.history[-1]["seconds"])


def train_heads(
    codes: Codes,
    names: Sequence[str],
    config: Mapping[str, Mapping[str, Any]],
    out: Path,
    *,
    effort: float,
    device: str,
    seed: int,
    processes: int,
) -> Iterator[tuple[str, float | str]]:
    """Train heads side by side, each in its folder of `out`; the threads of this process are divided among them.

    Yields:
        The name of each, with the seconds of its training, or with the reason for which it failed.

    Raises:
        ChildProcessError: a process was killed.
    """
    train = partial(_trained, codes, config, out, {"effort": effort, "device": device, "seed": seed})
    threads = max(1, torch.get_num_threads() // processes)
    yield from zip(names, side_by_side(train, names, processes, threads), strict=True)


def _trained(
    codes: Codes, config: Mapping[str, Mapping[str, Any]], out: Path, settings: dict[str, Any], name: str
) -> float | str:
    try:
        job = jobs(codes, [name], config, settings["seed"])[name]  # here: not every model can be sent to a process
        return train_head(job, out / name, progress=False, **settings)[1]
    except Exception as error:  # whatever a head does, the others are to be trained
        return " ".join(f"{type(error).__name__}: {error}".split())


@torch.no_grad()
def draw_codes(model: LatentCloudModel, n: int, seed: int, **options: Any) -> Tensor:
    """n codes of a trained head, (n, *code) on the CPU, in the autoencoder's units; options are the head's `draw`'s."""
    torch.manual_seed(seed)
    return model.to_head.inverse(model.head.sample(n, **options)).cpu()


def unseen_codes(codes: Codes, clouds: Tensor | Clouds) -> Tensor:
    """Codes (R, *code) on the CPU of other clouds (R, N, 3), in the data's units.

    They are normalised as the training clouds were. Each is encoded once, by as many of its points as those were.
    """
    normalised = codes.source.normalization.apply(clouds)
    seed = int(codes.source.about["training_set"]["seed"])
    return encode_all(codes.autoencoder, thin(normalised, codes.points, seed)).cpu()
