"""Variational autoencoder of vectors and of clouds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, not_negative, positive
from pcgen.errors import widths as check_widths
from pcgen.models.base import Batch, GradientLearner, Recipe
from pcgen.models.conditional import Conditional, Labels
from pcgen.models.factors import principal_factors
from pcgen.models.shape import accepted
from pcgen.models.variational.likelihoods import CloudError, VectorGaussian
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.nets.corrected import CorrectedLinear
from pcgen.nets.parts import DECODERS, ENCODERS, Part, build_part

__all__ = ["VAE"]


class VAE(GradientLearner, Conditional):
    """A decoder of Gaussian noise, trained with an encoder by a lower bound on the log-likelihood.

        log p(x) >= E[log p(x | z)] - KL(q(z | x) | N(0, I)),  q(z | x) = N(m(x), diag v(x))

    Vectors: p(x | z) = N(decode(z), scale^2 I), so the loss is minus the bound, in nats. Clouds: points have no order,
    so minus log p(x | z) is replaced by d(x, decode(z)) / (2 scale^2), d being the squared reconstruction error, and
    the loss bounds nothing. With classes, encoder and decoder see the label too, and the bound is that of
    log p(x | label); a tenth of the labels is hidden in training, so that both know what to do without.

    Args:
        shape: (dim,) or (points, 3).
        code: dimensions of z, D.
        widths: hidden widths of the encoder, and reversed of the decoder, of vectors, both a linear map plus a
            perceptron that starts at zero; () is linear.
        encoder: of clouds, a part by name and arguments, or a module (B, N, 3) -> (B, features).
        decoder: of clouds, likewise, (B, code + classes) -> (B, points, 3).
        reconstruction: of clouds, "chamfer" (mean squared), or "emd" (exact; a mean distance, which is squared here).
        scale: deviation of the decoder, in the units of x. None is 0.6 for vectors, taken to be standardised, and 0.01
            for clouds. A smaller one reconstructs better, but on few rows the codes then leave holes in N(0, I).
        learn_scale: whether the scale of a model of vectors is learned too, which makes the bound highest.
        beta: weight of the KL in the loss; 1 is the bound.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Raises:
        ValueError: a shape that is neither, or an argument out of range.

    References:
        Kingma, Welling (2014). Auto-Encoding Variational Bayes.
        Rezende, Mohamed, Wierstra (2014). Stochastic Backpropagation and Approximate Inference in Deep
        Generative Models.
        Sohn, Lee, Yan (2015). Learning Structured Output Representation using Deep Conditional Generative Models.
    """

    accepts: ClassVar[tuple[str, ...]] = ("vector", "cloud")

    def __init__(
        self,
        shape: Sequence[int],
        code: int = 16,
        widths: Sequence[int] = (256, 256),
        encoder: Part | nn.Module = "pointnet",
        decoder: Part | nn.Module = "fully_connected",
        reconstruction: str = "chamfer",
        scale: float | None = None,
        learn_scale: bool = False,
        beta: float = 1.0,
        classes: Sequence[str] = (),
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "vae")
        at_least(1, code=code)
        positive(lr=lr)
        not_negative(beta=beta)
        check_widths(least=0, widths=widths)
        self.code_shape, self.beta = (code,), beta
        self.labels = Labels(classes)
        known = code + len(self.labels)  # what the decoder sees
        if len(self.shape) == 1:
            self.likelihood: VectorGaussian | CloudError = VectorGaussian(0.6 if scale is None else scale, learn_scale)
            self.features: nn.Module = nn.Identity()
            self.encoder = CorrectedLinear((self.shape[0] + len(self.labels), *widths, 2 * code))
            self.decoder: nn.Module = CorrectedLinear((known, *reversed(widths), *self.shape))
        else:
            if learn_scale:
                raise ValueError(
                    "learn_scale: must be False for clouds, whose error is no log-likelihood; give scale a number"
                )
            self.lacks = ("log_prob_bound",)
            self.likelihood = CloudError(reconstruction, 0.01 if scale is None else scale)
            self.features = build_part(encoder, ENCODERS, "encoder", code=2 * code)
            # PointNet's features are not negative; the posterior's mean and log-variance are any number.
            self.encoder = CorrectedLinear((2 * code + len(self.labels), 2 * code))
            self.decoder = build_part(decoder, DECODERS, "decoder", code=known, points=self.shape[0])
        self.optimizer = torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=4000, batch_size=64)

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        """Count the labels; start a model of vectors from probabilistic PCA, the best linear one.

        With classes it is that of the rows about their class's mean.
        """
        self.labels.fit(data, "vae")
        if not isinstance(self.likelihood, VectorGaussian) or not isinstance(self.decoder, CorrectedLinear):
            return
        x, y = data.x.double(), self.labels.vectors(data.labels, data.x).double()  # (S, dim), (S, K)
        mean = x.mean(0)
        offsets = (y.T @ (x - mean)) / y.sum(0).clamp_min(1)[:, None]  # (K, dim), of each class's mean
        rest = x - mean - y @ offsets
        code, log_scale = self.code_shape[0], self.likelihood.log_scale
        found = principal_factors(
            rest.T @ rest / len(x), code, None if log_scale.requires_grad else (2 * log_scale).exp()
        )
        if log_scale.requires_grad:
            log_scale.copy_(found.noise.log() / 2)
        self.decoder.linear.weight.copy_(torch.cat([found.loadings, offsets.T], dim=1))
        self.decoder.linear.bias.copy_(mean)
        towards = torch.cat([found.projection, -found.projection @ offsets.T], dim=1)  # (code, dim + K)
        self.encoder.linear.weight.copy_(torch.cat([towards, torch.zeros_like(towards)]))
        self.encoder.linear.bias.copy_(torch.cat([-found.projection @ mean, found.posterior_variance.log()]))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        y = self.labels.hidden(batch.labels, batch.x)
        nll, divergence = self._terms(batch.x, y)
        return {"reconstruction": nll.mean(), "kl": self.beta * divergence.mean()}

    def log_prob_bound(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """An unbiased estimate, by one draw of z, of the lower bound on log p(x), in nats, (B, dim) -> (B,).

        With labels, (B,), it is that on log p(x | label).

        Raises:
            ValueError: the model is one of clouds, whose reconstruction error is no log-likelihood.
        """
        if not isinstance(self.likelihood, VectorGaussian):
            raise ValueError(
                f"log_prob_bound: must be asked of a model of vectors, this one has shape {self.shape}; an error "
                "between clouds is no log-likelihood: train a vae on the codes of an autoencoder"
            )
        nll, divergence = self._terms(x, self.labels.vectors(labels, x))
        return -(nll + divergence)

    def encode(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Means of the posterior, (B, *shape) -> (B, code)."""
        return self._posterior(x, self.labels.vectors(labels, x)).mean

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Means of p(x | z), (B, code) -> (B, *shape)."""
        return self._decoded(z, self.labels.vectors(labels, z))

    @torch.no_grad()
    def draw(self, n: int, labels: Tensor | None = None) -> Tensor:
        """Draw n new vectors from p(x | z), or the decoder's clouds, (n, *shape), with z ~ N(0, I).

        Args:
            n: how many.
            labels: (n,) int64, of a model with classes.
        """
        return self.likelihood.draw(self.decode(torch.randn(n, *self.code_shape, device=self.device), labels))

    def _posterior(self, x: Tensor, y: Tensor) -> DiagonalGaussian:
        mean, log_variance = self.encoder(torch.cat([self.features(x), y], dim=1)).chunk(2, dim=1)  # (B, code) each
        return DiagonalGaussian(mean, log_variance)

    def _decoded(self, z: Tensor, y: Tensor) -> Tensor:
        x: Tensor = self.decoder(torch.cat([z, y], dim=1))
        return x

    def _terms(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Minus log p(x | z) at one draw of z, or what stands for it, and KL(q(z | x) | N(0, I)), (B,) each."""
        posterior = self._posterior(x, y)
        return self.likelihood.nll(x, self._decoded(posterior.draw(), y)), posterior.kl_from_standard()
