"""A head on the codes of a trained autoencoder: what there is to train, made from its run folder."""

import hashlib
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pcgen.data.thinning import thin
from pcgen.data.training_set import TrainingSet, training_set
from pcgen.files import read_tensors, write_tensors
from pcgen.models import Facts, GenerativeModel, make, model_class
from pcgen.models.abilities import can
from pcgen.models.clouds.deformed import DeformedCloudModel
from pcgen.models.clouds.deforming import Exemplars
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.domains import make_domain
from pcgen.models.inference import encode_all
from pcgen.models.mixtures.windows import Windows
from pcgen.training.folder import CODES
from pcgen.training.identity import data_identity
from pcgen.training.run import Run

__all__ = ["Codes", "data_again", "head_on_codes", "learned_clouds", "read_codes"]

_SAMPLINGS, _CODES = 8, 8192  # of a cloud, and of all clouds, at most


@dataclass(frozen=True)
class Codes:
    """An autoencoder and the codes of the clouds that it was trained on."""

    autoencoder: Any  # a learner with `encode`, `decode` and `code_shape`
    samplings: Tensor  # (K, S, *code): of K draws of every training cloud's points
    held_out: Tensor  # (V, *code)
    points: int  # that each code is made of
    source: TrainingSet
    mirror: float = 0.0  # share of the clouds that were mirrored in the autoencoder's training

    @property
    def train(self) -> Tensor:
        """One code of each training cloud, (S, *code)."""
        return self.samplings[0]

    @property
    def rows(self) -> Tensor:
        """The training data of a head, (K S, *code): the codes of every sampling, one sampling after another."""
        return self.samplings.flatten(0, 1)

    @property
    def labels(self) -> Tensor | None:
        """Of `rows`, (K S,) int64, where the clouds have labels."""
        labels = self.source.labels
        return None if labels is None else labels.repeat(len(self.samplings))

    @property
    def facts(self) -> Facts:
        """What a head's shapes may depend on, the shape being that of the codes."""
        return Facts(tuple(self.train.shape[1:]), len(self.rows), self.source.classes, len(self.samplings))


def read_codes(
    run: str | Path, *, data: str | None = None, checkpoint: str | None = None, device: str = "cpu"
) -> Codes:
    """Load an autoencoder from its run folder, read its training data again and encode it.

    Every cloud is encoded from as many of its points as the autoencoder was trained on, chosen by the run's seed. Small
    sets are encoded from several choices of points, up to 8 per cloud and 8192 codes in all, with half of the points if
    a cloud has not twice as many, but with one for each token of a code at least: a head cannot learn the variation of
    codes of one shape from one code. The codes are kept in the run, and read from there until the data or the
    checkpoint changes.

    Args:
        run: the run folder of an autoencoder.
        data: SOURCE[:CLASS][@SPLIT] where its training data is now, if it was moved; it must be the same data.
        checkpoint: "best" or "last"; None is the best if there is one.
        device: of the autoencoder.

    Raises:
        FileNotFoundError: the run, or its training data, is not there.
        ValueError: the run's model has no codes or cannot decode them, or its data is not the data that it was trained
            on.
    """
    opened = Run.open(run)
    autoencoder = opened.model(checkpoint, device=device)
    name = opened.config["model"].get("name")
    if getattr(autoencoder, "code_shape", None) is None or len(autoencoder.shape) != 2:
        raise ValueError(f"{run}: a run of {name}, which has no codes of clouds; give the run folder of an autoencoder")
    if not can(autoencoder, "decode"):
        raise ValueError(
            f"{run}: a run of {name}, which cannot decode its codes; give the run folder of an autoencoder"
        )
    source = data_again(opened, data)
    clouds = data_identity(source.train, source.labels)
    about = {**source.about, "codes_of": str(Path(run).absolute()), "clouds": clouds}
    points, seed = int(autoencoder.shape[0]), int(source.about["training_set"]["seed"])
    draws = max(1, min(_SAMPLINGS, _CODES // len(source.train)))
    if draws > 1 and source.train.shape[1] < 2 * points:
        # The encoder of a set of tokens needs a point for each of them.
        code: tuple[int, ...] = autoencoder.code_shape  # type: ignore[assignment]
        tokens = code[0] if len(code) > 1 else 1
        points = max(points // 2, min(tokens, points))
    about_codes = (data_identity(source.train), data_identity(source.held_out), points, seed, draws)
    key = hashlib.sha256(repr(about_codes).encode())
    for value in autoencoder.state_dict().values():
        key.update(value.cpu().contiguous().numpy().data)
    kept = _kept(opened.path / CODES, key.hexdigest())
    if kept is None:
        encoded = [encode_all(autoencoder, thin(source.train, points, seed + draw)).cpu() for draw in range(draws)]
        held_out = encode_all(autoencoder, thin(source.held_out, points, seed)).cpu()
        kept = {"samplings": torch.stack(encoded), "held_out": held_out}
        try:
            if os.environ.get("RANK", "0") == "0":  # the ranks of a training have not met yet
                write_tensors(opened.path / CODES, kept, {"key": key.hexdigest()})
        except OSError as error:  # The run of somebody else, say: its codes can be learned without being kept.
            warnings.warn(f"the codes are computed again each time: {error}", stacklevel=2)
    changes = opened.config.get("training", {}).get("augment")
    mirror = changes["mirror"] if isinstance(changes, dict) else 0.0
    return Codes(autoencoder, kept["samplings"], kept["held_out"], points, replace(source, about=about), mirror)


def data_again(run: Run, data: str | None = None) -> TrainingSet:
    """The clouds that a run, or the autoencoder of a head, was trained on, from where they were or are said to be now.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: the run does not say what it was trained on, or what is there is not that.
    """
    arguments = run.config["data"].get("training_set")
    if arguments is None:
        raise ValueError(
            f"{run.path}: the run does not say what data it was trained on, so it cannot be read again; encode the "
            "clouds yourself with LatentCloudModel(autoencoder, head).encode(clouds)"
        )
    try:
        source = training_set(**{**arguments, **({} if data is None else {"spec": data})})
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error}; it is the training data of {run.path}: where it has been moved, say so with --data SPEC (data=)"
        ) from error
    now, then = data_identity(source.train, source.labels), learned_clouds(run)
    if any(then[key] != value for key, value in now.items()):
        was, found = (f"{tuple(each['shape'])} {each['sha256'][:12]}" for each in (then, now))
        raise ValueError(
            f"{source.spec}: is not the data that {run.path} was trained on ({was}; now {found}): "
            "bring it back, name the place it was moved to (--data SPEC), or train again"
        )
    return source


def learned_clouds(run: Run) -> Mapping[str, Any]:
    """Shape and SHA-256 of the clouds that a run, or the autoencoder of a head, was trained on.

    Raises:
        FileNotFoundError: the head does not say it, and its autoencoder's run is not where it was.
    """
    about: Mapping[str, Any] = run.config["data"]
    if "codes_of" not in about:
        return about
    # What a head has itself is of its codes; older heads have nothing else.
    return about.get("clouds") or learned_clouds(Run.open(about["codes_of"]))


def _kept(path: Path, key: str) -> dict[str, Tensor] | None:
    """The codes in a cache, if it is whole and of that key."""
    try:
        tensors, about = read_tensors(path)
    except (FileNotFoundError, ValueError):  # made anew
        return None
    return tensors if about.get("key") == key else None


def head_on_codes(codes: Codes, head: str, domain: str | None = None, **config: Any) -> LatentCloudModel:
    """A model of clouds made of the autoencoder and a new head of that name, to be trained on `codes.rows`.

    A head whose samples are each near a training code (parzen) deforms the training clouds. They are mirrored as often
    as in the autoencoder's training.

    Args:
        codes: what it is to learn.
        head: a model of the suite, or `module:Class`.
        domain: what the head sees of the codes; None is its own domain, "raw" the codes as they are.
        **config: arguments of the head.

    Raises:
        ValueError: the model does not generate, or does not learn what the codes are.
    """
    cls = model_class(head)
    if not issubclass(cls, GenerativeModel):
        raise ValueError(f"model: {head} does not generate, so it cannot be a head; train it with --data")
    shape = make_domain(domain or cls.domain, codes.train.shape[-1]).shape(codes.train.shape[1:])
    made = make(head, replace(codes.facts, shape=shape), **config)
    if isinstance(made, Windows):
        return DeformedCloudModel(codes.autoencoder, made, Exemplars.of(codes.source.train, codes.mirror), domain)
    return LatentCloudModel(codes.autoencoder, made, domain)  # type: ignore[arg-type]
