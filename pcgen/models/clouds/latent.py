"""An autoencoder and a model of vectors make a model of clouds."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from pcgen.models import build
from pcgen.models.base import Batch, GenerativeModel, Latent, Learner, Recipe
from pcgen.models.inference import in_batches

__all__ = ["LatentCloudModel", "encode_all"]

# Codes that vary less than this share of the most varying one are constant in practice: dividing by their own
# deviation would blow rounding errors up to the size of the signal.
_NEGLIGIBLE = 1e-6


class LatentCloudModel(GenerativeModel):
    """Generates clouds by drawing a code from a head and decoding it.

    It learns from codes: `codes(clouds)` encodes the training clouds once, `setup` takes their mean and deviation, and
    the head sees (code - mean) / deviation. The autoencoder stays as it is.

    Args:
        autoencoder: a learner with `encode` and `decode`, or its description for `pcgen.models.build`.
        head: a generative model of vectors of the code's width, or its description.
        standardize: if False the head sees the codes as they are (the l-GAN of the paper, with its final ReLU).

    References:
        Achlioptas, Diamanti, Mitliagkas, Guibas (2018). Learning Representations and Generative Models for 3D Point
        Clouds.
    """

    recipe: ClassVar[Recipe] = Recipe(steps=2000, batch_size=64)

    def __init__(
        self,
        autoencoder: Learner | Mapping[str, Any],
        head: GenerativeModel | Mapping[str, Any],
        standardize: bool = True,
    ) -> None:
        super().__init__()
        self.autoencoder: Any = autoencoder if isinstance(autoencoder, Learner) else build(autoencoder)
        made = head if isinstance(head, Learner) else build(head)
        if not isinstance(self.autoencoder, Latent):
            raise ValueError(
                f"autoencoder: must encode and decode, {type(self.autoencoder).__name__} does not; give an autoencoder"
            )
        if not isinstance(made, GenerativeModel) or len(made.shape) != 1:
            raise ValueError(f"head: must be a generative model of vectors, got {type(made).__name__}; see MODELS")
        width = getattr(self.autoencoder, "code", made.shape[0])
        if width != made.shape[0]:
            raise ValueError(
                f"head: learns vectors of width {made.shape[0]}, but the autoencoder's codes have width {width}; "
                f"give it shape=({width},)"
            )
        self.head = made
        # Only the head learns, at its own pace.
        self.recipe = made.recipe  # type: ignore[misc]
        self.shape = self.autoencoder.shape  # type: ignore[assignment]
        self.standardize = standardize
        self.autoencoder.requires_grad_(False)
        self.register_buffer("mean", torch.zeros(made.shape))
        self.register_buffer("deviation", torch.ones(made.shape))
        self.mean: Tensor
        self.deviation: Tensor

    def train(self, mode: bool = True) -> "LatentCloudModel":
        """Set the head's mode; the autoencoder is always in evaluation mode."""
        super().train(mode)
        self.autoencoder.eval()
        return self

    def codes(self, clouds: Tensor) -> Tensor:
        """Codes (S, D), not standardised, of clouds (S, N, 3): the data that this model learns from."""
        return encode_all(self.autoencoder, clouds)

    def setup(self, data: Tensor) -> None:
        """Take the mean and deviation of the training codes (S, D), and set up the head with the standardised ones."""
        if self.standardize:
            self.mean.copy_(data.mean(dim=0))
            deviation = data.std(dim=0, correction=0)
            constant = deviation <= _NEGLIGIBLE * deviation.max()
            self.deviation.copy_(torch.where(constant, torch.ones_like(deviation), deviation))
        self.head.setup(self._to_head(data))

    def update(self, batch: Batch) -> dict[str, Tensor]:
        return self.head.update(Batch(self._to_head(batch.x), batch.rows, batch.labels))

    @torch.no_grad()
    def validate(self, data: Tensor) -> Tensor:
        """The head's own measure on held-out codes, (V, D), standardised."""
        return self.head.validate(self._to_head(data))

    @torch.no_grad()
    def sample(self, n: int, batch_size: int = 256, **options: Any) -> Tensor:
        """Draw n clouds, (n, points, 3); `options` go to the head's `sample`."""
        codes = self.head.sample(n, **options) * self.deviation + self.mean  # (n, D)
        self.autoencoder.eval()
        return torch.cat([self.autoencoder.decode(part) for part in codes.split(batch_size)])

    def _to_head(self, codes: Tensor) -> Tensor:
        return (codes - self.mean) / self.deviation


def encode_all(autoencoder: Learner, clouds: Tensor, batch_size: int = 64) -> Tensor:
    """Codes (S, D) of clouds (S, N, 3), a batch at a time in evaluation mode, without a graph."""
    if not isinstance(autoencoder, Latent):
        raise ValueError(f"autoencoder: must encode, {type(autoencoder).__name__} does not; give an autoencoder")
    return in_batches(autoencoder, autoencoder.encode, clouds, batch_size)
