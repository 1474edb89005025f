"""The base of autoencoders with a prior: networks from rows to Gaussians of codes and back."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least
from pcgen.errors import widths as check_widths
from pcgen.models import name_of
from pcgen.models.base import Batch
from pcgen.models.conditional import Conditional, Labels
from pcgen.models.factors import principal_factors
from pcgen.models.priors import Normal, Prior
from pcgen.models.shape import accepted
from pcgen.models.variational.likelihoods import CloudError, VectorGaussian
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.nets.corrected import CorrectedLinear
from pcgen.nets.parts import DECODERS, ENCODERS, Part, build_part

__all__ = ["Coding"]


class Coding(Conditional):
    """An encoder of rows into diagonal Gaussians of codes, a decoder, and a standard normal prior.

        q(z | x) = N(m(x), diag v(x)),  p(x | z) = N(decode(z), noise),  p(z) = N(0, I)

    A subclass defines the loss. Args are those of the subclasses. If codes are not such Gaussians, a subclass sets
    `statistics`, the number of outputs of the encoder for each row, and overrides `posterior` and `prior`.

    Raises:
        ValueError: a shape that the model does not accept, or an argument out of range.
    """

    accepts: ClassVar[tuple[str, ...]] = ("vector", "cloud")

    vector_scale: ClassVar[float] = 0.6
    """The scale of a model of vectors unless another is given; for standardised vectors."""

    def __init__(
        self,
        shape: Sequence[int],
        *,
        code: int,
        widths: Sequence[int],
        encoder: Part | nn.Module = "pointnet",
        decoder: Part | nn.Module = "fully_connected",
        reconstruction: str = "chamfer",
        scale: float | None = None,
        learn_scale: bool = False,
        classes: Sequence[str] = (),
        statistics: int | None = None,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, name_of(type(self)))
        at_least(1, code=code)
        check_widths(least=0, widths=widths)
        given = 2 * code if statistics is None else statistics
        self.code_shape = (code,)
        self.prior: Prior = Normal(code)
        self.labels = Labels(classes)
        known = code + len(self.labels)  # what the decoder sees
        if len(self.shape) == 1:
            own = self.vector_scale if scale is None else scale
            self.likelihood: VectorGaussian | CloudError = self.vector_likelihood(self.shape[0], own, learn_scale)
            self.features: nn.Module = nn.Identity()
            self.encoder = CorrectedLinear((self.shape[0] + len(self.labels), *widths, given))
            self.decoder: nn.Module = CorrectedLinear((known, *reversed(widths), *self.shape))
        else:
            if learn_scale:
                raise ValueError(
                    "learn_scale: must be False for clouds, whose error is not a log-likelihood; give scale a number"
                )
            self.likelihood = CloudError(reconstruction, 0.01 if scale is None else scale)
            self.features = build_part(encoder, ENCODERS, "encoder", code=2 * code)
            # PointNet's features are not negative; the posterior's mean and log-variance are any number.
            self.encoder = CorrectedLinear((2 * code + len(self.labels), given))
            self.decoder = build_part(decoder, DECODERS, "decoder", code=known, points=self.shape[0])

    @staticmethod
    def vector_likelihood(dim: int, scale: float, learned: bool) -> VectorGaussian:
        """p(x | z) of vectors."""
        del dim  # noise that is alike in all directions
        return VectorGaussian(scale, learned)

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        """Count the labels; start a model of vectors from probabilistic PCA, the best linear one."""
        self.labels.fit(data, name_of(type(self)))
        self.start_linear(data)

    @torch.no_grad()
    def start_linear(self, data: Batch) -> None:
        """Set decoder and encoder of vectors to probabilistic PCA, with classes of rows minus their class's mean.

        If an encoder has more outputs than means and log-variances, the others are not changed.
        """
        if not isinstance(self.likelihood, VectorGaussian) or not isinstance(self.decoder, CorrectedLinear):
            return
        labels = data.labels if self.classes else None
        x, y = data.x.double(), self.labels.vectors(labels, data.x).double()  # (S, dim), (S, K)
        mean = x.mean(0)
        offsets = (y.T @ (x - mean)) / y.sum(0).clamp_min(1)[:, None]  # (K, dim), of each class's mean
        rest = x - mean - y @ offsets
        covariance = rest.T @ rest / len(x)
        code, log_scale = self.code_shape[0], self.likelihood.log_scale
        found = principal_factors(covariance, code, None if log_scale.requires_grad else (2 * log_scale).exp())
        self.likelihood.fit(covariance, covariance - found.loadings @ found.loadings.T)
        if log_scale.requires_grad:
            log_scale.copy_(found.noise.log() / 2)
        self.decoder.linear.weight.copy_(torch.cat([found.loadings, offsets.T], dim=1))
        self.decoder.linear.bias.copy_(mean)
        towards = torch.cat([found.projection, -found.projection @ offsets.T], dim=1)  # (code, dim + K)
        self.encoder.linear.weight[: 2 * code] = torch.cat([towards, torch.zeros_like(towards)]).float()
        self.encoder.linear.bias[: 2 * code] = torch.cat(
            [-found.projection @ mean, found.posterior_variance.log()]
        ).float()

    def encode(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Means of the posterior, (B, *shape) -> (B, code)."""
        return self.posterior(x, self.labels.vectors(labels, x)).mean

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Means of p(x | z), (B, code) -> (B, *shape)."""
        return self.decoded(z, self.labels.vectors(labels, z))

    @torch.no_grad()
    def draw(self, n: int, labels: Tensor | None = None, truncation: float | None = None) -> Tensor:
        """Draw n new vectors from p(x | z), or the decoder's clouds, (n, *shape), with z from the prior.

        Args:
            n: number of samples.
            labels: (n,) int64, of a model with classes.
            truncation: of z, in standard deviations: smaller is more typical and less diverse.
        """
        return self.likelihood.draw(self.decode(self.prior.draw(n, truncation), labels))

    def posterior(self, x: Tensor, y: Tensor) -> DiagonalGaussian:
        """q(z | x) of rows (B, *shape) with labels as vectors (B, K)."""
        mean, log_variance = self.encoded(x, y).chunk(2, dim=1)  # (B, code) each
        return DiagonalGaussian(mean, log_variance)

    def encoded(self, x: Tensor, y: Tensor) -> Tensor:
        """The encoder's outputs for rows (B, *shape) with labels as vectors (B, K): (B, statistics).

        Raises:
            ValueError: an encoder of clouds that was given as a module does not make 2 code features of each.
        """
        features, wanted = self.features(x), 2 * self.code_shape[0]
        if len(self.shape) == 2 and features.shape != (len(x), wanted):
            raise ValueError(
                f"encoder: must make {wanted} features of each cloud, ({len(x)}, {wanted}), got "
                f"{tuple(features.shape)}; end it in a layer of that width"
            )
        given: Tensor = self.encoder(torch.cat([features, y], dim=1))
        return given

    def decoded(self, z: Tensor, y: Tensor) -> Tensor:
        """The mean of p(x | z), (B, *shape), of codes (B, code) with labels as vectors (B, K)."""
        x: Tensor = self.decoder(torch.cat([z, y], dim=1))
        return x
