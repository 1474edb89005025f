"""A head on the codes of a trained autoencoder: what there is to train, made from its run folder."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from pcgen.data.thinning import thin
from pcgen.data.training_set import TrainingSet, training_set
from pcgen.models import MODELS, GenerativeModel
from pcgen.models.base import Latent
from pcgen.models.clouds.latent import LatentCloudModel, encode_all
from pcgen.training.run import Run, data_identity

__all__ = ["Codes", "head_on_codes", "read_codes"]


@dataclass(frozen=True)
class Codes:
    """An autoencoder and the codes of the clouds that it was trained on."""

    autoencoder: Any  # a learner that satisfies `Latent`
    train: Tensor  # (S, D)
    held_out: Tensor  # (V, D)
    source: TrainingSet


def read_codes(run: str | Path, *, checkpoint: str | None = None, device: str = "cpu") -> Codes:
    """Load an autoencoder from its run folder, read its training data again and encode it.

    Every cloud is encoded once, by as many of its points as the autoencoder was trained on, drawn by the run's seed.

    Raises:
        ValueError: the run's model has no codes, or its data is not the data that it was trained on.
    """
    opened = Run.open(run)
    autoencoder = opened.model(checkpoint, device=device)
    if not isinstance(autoencoder, Latent):
        name = opened.config["model"].get("name")
        raise ValueError(f"{run}: a run of {name}, which has no codes of clouds; give the run folder of an autoencoder")
    arguments = opened.config["data"].get("training_set")
    if arguments is None:
        raise ValueError(
            f"{run}: the run does not say what data it was trained on, so it cannot be read again; encode the clouds "
            "yourself with LatentCloudModel(autoencoder, head).codes(clouds)"
        )
    source = training_set(**arguments)
    now, then = data_identity(source.train, source.labels), opened.config["data"]
    if any(then[key] != value for key, value in now.items()):
        was, found = (f"{tuple(each['shape'])} {each['sha256'][:12]}" for each in (then, now))
        raise ValueError(
            f"{source.spec}: is not the data that {run} was trained on ({was}; now {found}): "
            "bring it back, or train the autoencoder again"
        )
    clouds = thin(source.train, int(arguments["points"]), int(arguments["seed"]))
    about = {**source.about, "codes_of": str(Path(run).absolute())}
    return Codes(
        autoencoder,
        encode_all(autoencoder, clouds),
        encode_all(autoencoder, source.held_out),
        replace(source, about=about),
    )


def head_on_codes(codes: Codes, head: str, **config: Any) -> LatentCloudModel:
    """A model of clouds made of the autoencoder and a new head of that name, to be trained on `codes.train`."""
    made = MODELS[head]((codes.train.shape[1],), **config)
    if not isinstance(made, GenerativeModel):
        raise ValueError(f"model: {head} does not generate, so it cannot be a head; train it with --data")
    return LatentCloudModel(codes.autoencoder, made)
