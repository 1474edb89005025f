"""The suite: every generative family behind one interface. `MODELS[name]` is a class, imported when asked for."""

import importlib
from collections.abc import Iterator, Mapping

from pcgen.errors import choose
from pcgen.models.base import Batch, GenerativeModel, GradientLearner, Learner, Recipe

__all__ = ["MODELS", "Batch", "GenerativeModel", "GradientLearner", "Learner", "Recipe"]


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
