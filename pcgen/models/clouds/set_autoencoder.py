"""The autoencoder of clouds whose code is a set of tokens."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, not_negative, positive
from pcgen.models.base import Batch, GradientLearner, Recipe
from pcgen.models.clouds.reconstruction import Reconstruction
from pcgen.models.shape import accepted
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.nets.attention import AttentionBlock
from pcgen.nets.tokens import QueriedPoints, TokenEncoder

__all__ = ["SetAutoencoder"]

# Of the posterior at the start. At 0 the draws would hide the means, and it takes hundreds of steps to find them.
_LOG_VARIANCE = -4.0


class SetAutoencoder(GradientLearner):
    """Encodes a cloud into a set of tokens of few channels, and decodes the set into a cloud, both by attention.

        loss = mean over the batch of d(x, decode(z)) + kl * KL(q(z | x) | N(0, I)) / (tokens * channels),
        q(z | x) = N(m(x), diag v(x))

    Farthest points of the cloud, starting with the one farthest from the centroid, become the tokens by attending to
    all points. In decoding, learned queries attend to the tokens. So the code does not depend on the order of the
    points, and the cloud does not depend on the order of the tokens: a head may be permutation-equivariant.

    Args:
        shape: (points, 3) of the decoded clouds; the encoder takes clouds of any size with at least `tokens` points.
        tokens: number of tokens, M.
        channels: of each token, C.
        width: of the tokens inside the networks.
        features: width of the points' features inside the networks.
        heads: of every attention, a divisor of width and features.
        depth: blocks of attention of the decoder among the tokens, before they become points.
        kl: weight of the divergence, per coordinate of the code, which keeps their scale near 1 and makes codes between
            training codes decode well.
        reconstruction: the distance d: "emd" (not squared) or "chamfer" (squared).
        gap: of the EMD's matchings in training, as in `pcgen.ops.match`; validation is exact.
        lr: Adam's learning rate.

    Logged:
        emd, chamfer: the distance d of clouds from their reconstructions, mean over the batch, in the training's units.
        kl: the tokens' divergence from N(0, I), with its weight.

    Raises:
        ValueError: more tokens than points, heads that do not divide the widths, an argument out of range; in `encode`,
            a cloud of fewer points than tokens.

    References:
        Zhang, Tang, Niessner, Wonka (2023). 3DShape2VecSet: A 3D Shape Representation for Neural Fields and Generative
        Diffusion Models. (Its tokens are decoded into occupancies.)
        Jaegle et al. (2021). Perceiver: General Perception with Iterative Attention.
    """

    objective: ClassVar[str] = "distance of clouds from their reconstructions"
    accepts: ClassVar[tuple[str, ...]] = ("cloud",)

    def __init__(
        self,
        shape: Sequence[int],
        tokens: int = 32,
        channels: int = 8,
        width: int = 128,
        features: int = 64,
        heads: int = 4,
        depth: int = 2,
        kl: float = 1e-3,
        reconstruction: str = "emd",
        gap: float = 0.02,
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "set_autoencoder")
        at_least(1, tokens=tokens, channels=channels, width=width, features=features, heads=heads)
        at_least(0, depth=depth)
        not_negative(kl=kl)
        positive(lr=lr)
        if tokens > self.shape[0]:
            raise ValueError(f"tokens: must be at most the points of shape, {self.shape[0]}, got {tokens}")
        for name, size in (("width", width), ("features", features)):
            if size % heads:
                raise ValueError(f"heads: must divide {name}, {size}, got {heads}")
        self.code_shape = (tokens, channels)
        self.kl = kl
        self.encoder = TokenEncoder(tokens, width, heads, features)
        # Tokens of all clouds have much in common, which would hide what tells clouds apart: batch norm takes it out.
        self.norm = nn.BatchNorm1d(width)
        self.moments = nn.Linear(width, 2 * channels)
        with torch.no_grad():
            self.moments.bias[channels:].fill_(_LOG_VARIANCE)
        self.embed = nn.Linear(channels, width)
        self.blocks = nn.Sequential(*(AttentionBlock(width, heads) for _ in range(depth)), nn.LayerNorm(width))
        self.decoder = QueriedPoints(self.shape[0], width, heads, features)
        self.distance = Reconstruction(reconstruction, gap)
        self.optimizer = torch.optim.Adam(self.parameters(), lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=1000, batch_size=32)

    def encode(self, x: Tensor) -> Tensor:
        """Means of the posterior, (B, tokens, channels), of clouds (B, N, 3) with at least `tokens` points."""
        return self._posterior(x).mean

    def decode(self, z: Tensor) -> Tensor:
        """Clouds (B, points, 3) of codes (B, tokens, channels)."""
        cloud: Tensor = self.decoder(self.blocks(self.embed(z)))
        return cloud

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """In training z is sampled from the posterior; in evaluation it is its mean, as in `encode`."""
        posterior = self._posterior(batch.x)
        decoded = self.decode(posterior.draw() if self.training else posterior.mean)
        distance = self.distance(decoded, batch.x)
        tokens, channels = self.code_shape
        divergence = posterior.kl_from_standard().mean() / (tokens * channels)
        return {self.distance.name: distance.mean(), "kl": self.kl * divergence}

    def _posterior(self, x: Tensor) -> DiagonalGaussian:
        tokens = self.encoder(x)  # (B, M, width)
        moments = self.moments(self.norm(tokens.flatten(0, 1))).unflatten(0, tokens.shape[:2])
        return DiagonalGaussian(*moments.float().chunk(2, dim=2))  # float32 also where the networks are in bfloat16
