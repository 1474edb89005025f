"""The suite: every generative family behind one interface. `MODELS[name]` is a class, imported when asked for."""

import importlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from pcgen.errors import choose
from pcgen.models.base import Batch, GenerativeModel, GradientLearner, Learner, Recipe

__all__ = [
    "CLASSIFIERS",
    "MODELS",
    "Batch",
    "GenerativeModel",
    "GradientLearner",
    "Learner",
    "Recipe",
    "build",
    "describe",
]


class _Models(Mapping[str, type[Learner]]):
    """A read-only mapping from names to classes that imports a class when it is asked for."""

    def __init__(self, places: dict[str, str]) -> None:
        self._places = places

    def __getitem__(self, name: str) -> type[Learner]:
        module, _, cls = self._places[choose(name, self._places, "model")].partition(":")
        found: type[Learner] = getattr(importlib.import_module(module), cls)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def name_of(self, cls: type[Learner]) -> str | None:
        """The name under which a class is listed, or None."""
        place = f"{cls.__module__}:{cls.__qualname__}"
        return next((name for name, at in self._places.items() if at == place), None)


MODELS = _Models(
    {
        "autoencoder": "pcgen.models.clouds.autoencoder:Autoencoder",
        "gan": "pcgen.models.adversarial.gan:GAN",
        "wgan_gp": "pcgen.models.adversarial.wgan_gp:WGANGP",
        "vae": "pcgen.models.variational.vae:VAE",
        "diffusion": "pcgen.models.diffusion.diffusion:Diffusion",
        "gmm": "pcgen.models.mixtures.gmm:GMM",
        "gaussian": "pcgen.models.mixtures.gaussian:Gaussian",
    }
)

CLASSIFIERS = _Models(
    {
        "pointnet_classifier": "pcgen.models.classifiers.pointnet:PointNetClassifier",
        "pointnet2_classifier": "pcgen.models.classifiers.pointnet2:PointNet2Classifier",
    }
)
"""Supervised references: learners that a run can hold, and no models of the suite, since they generate nothing."""

_COMPOSITES = _Models({"latent_cloud_model": "pcgen.models.clouds.latent:LatentCloudModel"})
_OTHERS = (CLASSIFIERS, _COMPOSITES)


def build(description: Mapping[str, Any]) -> Learner:
    """Make the model that `{"name": ..., **configuration}` describes, the inverse of `describe`.

    Raises:
        ValueError: the name is no model's, or the configuration has an argument that the model does not take.
    """
    arguments = dict(description)
    name = arguments.pop("name", None)
    cls = next((group[name] for group in _OTHERS if name in group), None) or MODELS[name]
    for argument in arguments:
        choose(argument, inspect.signature(cls).parameters, f"{name}: argument")
    return cls(**arguments)


def describe(model: Learner) -> dict[str, Any]:
    """The name and configuration of a model as plain JSON values; a model inside another is described in place.

    Raises:
        ValueError: the model is not of the suite, or an argument was given as a module, which JSON cannot hold.
    """
    name = next(filter(None, (group.name_of(type(model)) for group in (MODELS, *_OTHERS))), None)
    if name is None:
        raise ValueError(
            f"model: {type(model).__name__} is not in pcgen.models.MODELS, so its configuration has no name; "
            "add a line there"
        )
    return {"name": name, **{argument: _plain(value, f"{name}.{argument}") for argument, value in model.config.items()}}


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, Learner):
        return describe(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple, torch.Size)):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(
        f"{where}: must be a number, text, list or mapping to be saved, got {type(value).__name__}; "
        'give the part by name and arguments, {"name": ..., ...}'
    )
