"""The suite: every generative family behind one interface. `MODELS[name]` is a class, imported when asked for."""

import importlib
import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pcgen.errors import choose

if TYPE_CHECKING:
    from pcgen.models.base import Batch, Facts, GenerativeModel, GradientLearner, Learner, Recipe

__all__ = [
    "CLASSIFIERS",
    "MODELS",
    "Batch",
    "Facts",
    "GenerativeModel",
    "GradientLearner",
    "Learner",
    "Recipe",
    "build",
    "describe",
    "make",
    "model_class",
    "name_of",
]

_INTERFACE = ("Batch", "Facts", "GenerativeModel", "GradientLearner", "Learner", "Recipe")


def __getattr__(name: str) -> Any:
    # The interface needs torch, whose import takes a second; the names of the models do not.
    if name in _INTERFACE:
        return getattr(importlib.import_module("pcgen.models.base"), name)
    raise AttributeError(f"module 'pcgen.models' has no attribute {name!r}")


class _Models(Mapping[str, type["Learner"]]):
    """A read-only mapping from names to classes that imports a class when it is asked for."""

    def __init__(self, places: dict[str, str]) -> None:
        self.places = places

    def __getitem__(self, name: str) -> type["Learner"]:
        return _import(self.places[choose(name, self.places, "model")])

    def __contains__(self, name: object) -> bool:
        return name in self.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def family(self, name: str) -> str:
        """The family of a model: the package of `pcgen.models` that it is in."""
        return self.places[choose(name, self.places, "model")].split(".")[2]


MODELS = _Models(
    {
        "autoencoder": "pcgen.models.clouds.autoencoder:Autoencoder",
        "set_autoencoder": "pcgen.models.clouds.set_autoencoder:SetAutoencoder",
        "stacked_autoencoder": "pcgen.models.clouds.stacked_autoencoder:StackedAutoencoder",
        "jigsaw": "pcgen.models.clouds.jigsaw:Jigsaw",
        "gan": "pcgen.models.adversarial.gan:GAN",
        "wgan_gp": "pcgen.models.adversarial.wgan_gp:WGANGP",
        "f_gan": "pcgen.models.adversarial.f_gan:FGAN",
        "infogan": "pcgen.models.adversarial.infogan:InfoGAN",
        "stacked_gan": "pcgen.models.adversarial.stacked_gan:StackedGAN",
        "dan": "pcgen.models.adversarial.dan:DAN",
        "aae": "pcgen.models.adversarial.aae:AAE",
        "vae": "pcgen.models.variational.vae:VAE",
        "iwae": "pcgen.models.variational.iwae:IWAE",
        "info_vae": "pcgen.models.variational.info_vae:InfoVAE",
        "gm_vae": "pcgen.models.variational.gm_vae:GMVAE",
        "vade": "pcgen.models.variational.vade:VaDE",
        "ncrp_vae": "pcgen.models.variational.ncrp_vae:NCRPVAE",
        "sb_vae": "pcgen.models.variational.sb_vae:SBVAE",
        "dlgmm": "pcgen.models.variational.dlgmm:DLGMM",
        "vae_dgp": "pcgen.models.variational.vae_dgp:VAEDGP",
        "vlae": "pcgen.models.variational.vlae:VLAE",
        "discrete_vae": "pcgen.models.variational.discrete_vae:DiscreteVAE",
        "air": "pcgen.models.scenes.air:AIR",
        "dair": "pcgen.models.scenes.dair:DAIR",
        "draw": "pcgen.models.scenes.draw:DRAW",
        "gmmn": "pcgen.models.implicit.gmmn:GMMN",
        "deep_implicit": "pcgen.models.implicit.deep_implicit:DeepImplicit",
        "glo": "pcgen.models.implicit.glo:GLO",
        "helmholtz": "pcgen.models.chains.helmholtz:Helmholtz",
        "dae": "pcgen.models.chains.dae:DAE",
        "gsn": "pcgen.models.chains.gsn:GSN",
        "infusion": "pcgen.models.chains.infusion:Infusion",
        "walkback": "pcgen.models.chains.walkback:Walkback",
        "boltzmann": "pcgen.models.energy.boltzmann:Boltzmann",
        "rbm": "pcgen.models.energy.rbm:RBM",
        "gaussian_rbm": "pcgen.models.energy.gaussian_rbm:GaussianRBM",
        "dbn": "pcgen.models.energy.dbn:DBN",
        "dbm": "pcgen.models.energy.dbm:DBM",
        "score_model": "pcgen.models.energy.score_model:ScoreModel",
        "diffusion": "pcgen.models.diffusion.diffusion:Diffusion",
        "flow_matching": "pcgen.models.flows.flow_matching:FlowMatching",
        "realnvp": "pcgen.models.flows.realnvp:RealNVP",
        "point_flow": "pcgen.models.flows.point_flow:PointFlow",
        "made": "pcgen.models.autoregressive.made:MADE",
        "autoregressive": "pcgen.models.autoregressive.autoregressive:Autoregressive",
        "gmm": "pcgen.models.mixtures.gmm:GMM",
        "gaussian": "pcgen.models.mixtures.gaussian:Gaussian",
        "dp_gmm": "pcgen.models.mixtures.dp_gmm:DPGMM",
        "parzen": "pcgen.models.mixtures.parzen:Parzen",
        "ppca": "pcgen.models.mixtures.ppca:PPCA",
        "nmf": "pcgen.models.mixtures.nmf:NMF",
        "som": "pcgen.models.mixtures.som:SOM",
    }
)

CLASSIFIERS = _Models(
    {
        "pointnet_classifier": "pcgen.models.classifiers.pointnet:PointNetClassifier",
        "pointnet2_classifier": "pcgen.models.classifiers.pointnet2:PointNet2Classifier",
    }
)
"""Supervised references: learners that a run can hold, but not models of the suite, since they do not generate."""

_COMPOSITES = _Models(
    {
        "latent_cloud_model": "pcgen.models.clouds.latent:LatentCloudModel",
        "deformed_cloud_model": "pcgen.models.clouds.deformed:DeformedCloudModel",
    }
)
_GROUPS = (MODELS, CLASSIFIERS, _COMPOSITES)


def _import(place: str) -> type["Learner"]:
    module, _, name = place.partition(":")
    found: type[Learner] = getattr(importlib.import_module(module), name)
    return found


def model_class(name: str) -> type["Learner"]:
    """The class of a model of the suite or of a classifier, or your own class, named `module:Class`.

    Raises:
        ValueError: there is none of that name (the nearest is named), or the class is not a model.
    """
    for group in _GROUPS:
        if name in group:
            return group[name]
    if ":" not in name:
        choose(name, [*MODELS, *CLASSIFIERS], "model")
    from pcgen.models.base import Learner

    try:
        found = _import(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"model: {name} must be module:Class that Python can import here ({error})") from error
    if not (inspect.isclass(found) and issubclass(found, Learner)):
        raise ValueError(f"model: {name} must be a subclass of pcgen.models.Learner, got {found!r}")
    return found


def make(name: str, facts: "Facts", **config: Any) -> "Learner":
    """Make a new model for data with the given facts; `config` are arguments of its constructor.

    Raises:
        ValueError: the name is not a model's, or an argument is not one that the model takes.
    """
    return build({"name": name, **model_class(name).arguments(facts), **config})


def build(description: Mapping[str, Any]) -> "Learner":
    """Make the model that `{"name": ..., **configuration}` describes, the inverse of `describe`.

    Raises:
        ValueError: the name is not a model's, or the configuration has an argument that the model does not take.
    """
    arguments = dict(description)
    name = str(arguments.pop("name", None))
    cls = model_class(name)
    for argument in arguments:
        choose(argument, inspect.signature(cls).parameters, f"{name}: argument")
    return cls(**arguments)


def name_of(cls: type["Learner"]) -> str:
    """The name of a class in the suite, or `module:Class`."""
    place = f"{cls.__module__}:{cls.__qualname__}"
    return next((name for group in _GROUPS for name, at in group.places.items() if at == place), place)


def describe(model: "Learner") -> dict[str, Any]:
    """The name and configuration of a model as plain JSON values; a model inside another is described in place.

    A class that is not of the suite has the name `module:Class`.

    Raises:
        ValueError: the class cannot be imported by its name, or an argument was given as a module, which JSON cannot
            hold.
    """
    cls, name = type(model), name_of(type(model))
    if ":" in name and (cls.__module__ == "__main__" or "." in cls.__qualname__):
        raise ValueError(
            f"model: {cls.__qualname__} of {cls.__module__} cannot be imported by name, so a run cannot be opened "
            "without it; put the class into a module of its own"
        )
    return {"name": name, **{argument: _plain(value, f"{name}.{argument}") for argument, value in model.config.items()}}


def _plain(value: Any, where: str) -> Any:
    from pcgen.models.base import Learner

    if isinstance(value, Learner):
        return describe(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(
        f"{where}: must be a number, text, list or mapping to be saved, got {type(value).__name__}; "
        'give the part by name and arguments, {"name": ..., ...}'
    )
