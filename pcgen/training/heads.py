"""A head on the codes of a trained autoencoder: what there is to train, made from its run folder."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pcgen.data.prepare import Prepared, prepare
from pcgen.models import MODELS, GenerativeModel
from pcgen.models.base import Latent
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.training.run import Run

__all__ = ["Codes", "head_on_codes", "read_codes"]


@dataclass(frozen=True)
class Codes:
    """An autoencoder and the codes of the clouds that it was trained on."""

    autoencoder: Any  # a learner that satisfies `Latent`
    train: Tensor  # (S, D)
    held_out: Tensor  # (V, D)
    source: Prepared


def read_codes(run: str | Path, *, checkpoint: str | None = None, device: str = "cpu") -> Codes:
    """Load an autoencoder from its run folder, read its training data again and encode it.

    Every cloud is encoded once, by as many of its points as the autoencoder was trained on, drawn by the run's seed.

    Raises:
        ValueError: the run's model has no codes, or its data is not the data that it was trained on.
    """
    opened = Run.open(run)
    autoencoder = opened.model(checkpoint, device=device)
    if not isinstance(autoencoder, Latent) or isinstance(autoencoder, LatentCloudModel):
        name = opened.config["model"].get("name")
        raise ValueError(f"{run}: a run of {name}, which has no codes of clouds; give the run folder of an autoencoder")
    arguments = opened.config["data"].get("prepare")
    if arguments is None:
        raise ValueError(
            f"{run}: the run does not say what data it was trained on, so it cannot be read again; encode the clouds "
            "yourself with LatentCloudModel(autoencoder, head).codes(clouds)"
        )
    source = prepare(**arguments)
    generator = torch.Generator().manual_seed(int(arguments["seed"]))
    rows = torch.rand(source.train.shape[:2], generator=generator).topk(int(arguments["points"]), dim=1).indices
    clouds = source.train.gather(1, rows[..., None].expand(-1, -1, 3))
    model = LatentCloudModel(autoencoder, _any_head(autoencoder))
    about = {**source.about, "codes_of": str(run)}
    return Codes(autoencoder, model.codes(clouds), model.codes(source.held_out), replace(source, about=about))


def head_on_codes(codes: Codes, head: str, **config: Any) -> LatentCloudModel:
    """A model of clouds made of the autoencoder and a new head of that name, to be trained on `codes.train`."""
    made = MODELS[head]((codes.train.shape[1],), **config)  # type: ignore[call-arg]
    if not isinstance(made, GenerativeModel):
        raise ValueError(f"model: {head} does not generate, so it cannot be a head; train it with --data")
    return LatentCloudModel(codes.autoencoder, made)
