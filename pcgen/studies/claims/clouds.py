"""Built-in shapes, heads on the codes of autoencoders, and how well two sets of clouds can be distinguished."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from pcgen import data
from pcgen.metrics.jsd import Grid, jsd
from pcgen.metrics.one_nna import one_nna
from pcgen.models.base import Learner
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.domains import Real
from pcgen.models.inference import encode_all
from pcgen.ops import chamfer_matrix
from pcgen.studies.claims.learning import learned
from pcgen.training import fit

__all__ = ["CODE", "JSD", "ONE_NNA", "codes", "quality", "shapes", "with_head"]

CODE = 128
JSD, ONE_NNA = "JSD, bits", "1-NNA under the Chamfer distance"
_POINTS = 256


def shapes(families: Sequence[str], counts: Sequence[int], seed: int) -> list[tuple[Tensor, Tensor]]:
    """Sets of clouds of built-in shapes, (S, 256, 3), and their families, (S,); every shape is in only one set.

    Args:
        families: of which as many are in each set.
        counts: clouds of each family in each set.
        seed: of the shapes and of their points.
    """
    asked = ",".join(f"{family}={sum(counts)}" for family in families)
    loaded = data.load(f"shapes:{asked}", points=_POINTS, seed=seed)
    every = loaded.points.view(len(families), sum(counts), _POINTS, 3)  # a family after the other
    labels = [torch.arange(len(families)).repeat_interleave(count) for count in counts]
    return [(part.flatten(0, 1), own) for part, own in zip(every.split(list(counts), dim=1), labels, strict=True)]


def codes(train: int, test: int, seed: int, updates: int) -> tuple[Tensor, Tensor]:
    """Codes of so many chairs that an autoencoder learned, (train, 128), and of others, (test, 128).

    Both are standardised by the training codes, which is what heads learn.
    """
    (known, _), (held_out, _) = shapes(["chair"], [train, test], seed)
    autoencoder = learned("autoencoder", known, updates, code=CODE)
    own, others = (encode_all(autoencoder, clouds) for clouds in (known, held_out))
    place = Real(CODE)
    place.fit(own)
    return place(own), place(others)


def with_head(autoencoder: Learner, clouds: Tensor, head: Mapping[str, Any], **options: Any) -> LatentCloudModel:
    """A head, by name and arguments, trained on the codes of clouds (S, N, 3); options are the training's."""
    model = LatentCloudModel(autoencoder, {"shape": (CODE,), **head})
    return fit(model, model.encode(clouds), **options)


def quality(samples: Tensor, reference: Tensor) -> dict[str, float]:
    """How well clouds (S, N, 3) can be distinguished from others, (R, N, 3), by `JSD` and by `ONE_NNA`."""
    pairs = [(samples, reference), (samples, samples), (reference, reference)]
    return {
        JSD: jsd(samples, reference, Grid.around(reference)).value,
        ONE_NNA: one_nna(*(chamfer_matrix(x, y) for x, y in pairs)).accuracy,
    }
