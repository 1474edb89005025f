"""A run as an explorer page uses it: which of its checkpoints, on what device, by what seed."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pcgen.data import Clouds
from pcgen.latents import code_map
from pcgen.models.base import GenerativeModel
from pcgen.models.clouds.deformed import DeformedCloudModel
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.training import Run

__all__ = ["Opened"]


@dataclass(frozen=True)
class Opened:
    """A run that encodes and decodes clouds.

    Args:
        run: of an autoencoder, or of a generator with codes.
        checkpoint: "best" or "last"; None is the best where there is one.
        device: where the model runs.
        seed: of the samples.

    Raises:
        ValueError: the run's model does not learn clouds.
    """

    run: Run
    checkpoint: str | None = None
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        shape = tuple(self.model.shape)
        if len(shape) != 2 or shape[1] != 3:
            raise ValueError(
                f"{self.run.path}: a run of {self.run.config['model'].get('name')}, which learns rows of shape "
                f"{shape}, not clouds; give the run folder of an autoencoder, or of a head on its codes"
            )

    @property
    def model(self) -> Any:
        """The trained model."""
        return self.run.trained(self.checkpoint, self.device)

    def encode(self, clouds: Clouds | Tensor) -> Tensor:
        """Codes (S, *code) of clouds in the data's units."""
        return self.run.encode(clouds, checkpoint=self.checkpoint, device=self.device)

    def decode(self, codes: Tensor) -> Tensor:
        """Clouds (S, N, 3) of codes, in the data's units."""
        return self.run.decode(codes, checkpoint=self.checkpoint, device=self.device)

    @torch.no_grad()
    def drawn(self, count: int) -> tuple[Tensor, Tensor] | None:
        """Clouds (count, N, 3) that the model samples, and their codes; None for a model that does not generate.

        Codes of a head are those that its samples are decoded from. Clouds that are not decoded are encoded.

        Raises:
            ValueError: a sample or a code is not finite.
        """
        model = self.model
        if not isinstance(model, GenerativeModel):
            return None
        torch.manual_seed(self.seed)
        if isinstance(model, LatentCloudModel) and not isinstance(model, DeformedCloudModel):
            codes = model.codes_of(model.head.sample(count)).cpu()
            clouds = None
        else:
            clouds = self.run.sample(count, checkpoint=self.checkpoint, device=self.device)
            self._check_finite(clouds, "samples")
            codes = self.encode(clouds)
        self._check_finite(codes, "sampled codes")
        return self.decode(codes) if clouds is None else clouds, codes

    def _check_finite(self, found: Tensor, what: str) -> None:
        bad = int((~found.flatten(1).isfinite()).any(1).sum())
        if bad:
            raise ValueError(
                f"{self.run.path}: {bad} of {len(found)} {what} are not finite; train it again with a smaller lr"
            )

    @torch.no_grad()
    def units(self) -> tuple[Tensor, Tensor]:
        """What a head's map holds at its places, one row of it after the other: clouds (U, N, 3) and codes (U, *code).

        Raises:
            ValueError: the model is not a head with a map.
        """
        codes = code_map(self.model).flatten(0, 1).cpu()
        return self.decode(codes), codes
