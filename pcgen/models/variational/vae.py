"""Variational autoencoder of vectors and of clouds."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import choose
from pcgen.models.base import Batch, GenerativeModel, GradientLearner, Recipe, check_finite
from pcgen.models.shape import vector_or_cloud
from pcgen.nets import MLP
from pcgen.nets.parts import DECODERS, ENCODERS, RECONSTRUCTIONS, Part, build_part

__all__ = ["VAE"]


class VAE(GradientLearner, GenerativeModel):
    """A decoder of Gaussian noise, trained with an encoder by a lower bound on the log-likelihood.

        log p(x) >= E[log p(x | z)] - KL(q(z | x) | N(0, I)),  q(z | x) = N(m(x), diag v(x))

    Vectors: p(x | z) = N(decode(z), scale^2 I), so the loss is minus the bound, in nats. Clouds: points have no order,
    so minus log p(x | z) is replaced by d(x, decode(z)) / (2 scale^2), d being the squared reconstruction error, and
    the loss bounds nothing.

    Args:
        shape: (dim,) or (points, 3).
        code: dimensions of z, D.
        widths: hidden widths of the encoder, and reversed of the decoder, of vectors, both a linear map plus a
            perceptron that starts at zero; () is linear.
        encoder: of clouds, a part by name and arguments, or a module (B, N, 3) -> (B, code).
        decoder: of clouds, likewise, (B, code) -> (B, points, 3).
        reconstruction: of clouds, "chamfer" (mean squared), or "emd" (exact; a mean distance, which is squared here).
        scale: deviation of the decoder, in the units of x. None is 0.6 for vectors, taken to be standardised, and 0.01
            for clouds. A smaller one reconstructs better, but on few rows the codes then leave holes in N(0, I).
        learn_scale: whether the scale of a model of vectors is learned too, which makes the bound highest.
        beta: weight of the KL in the loss; 1 is the bound.
        lr: Adam's learning rate.

    Raises:
        ValueError: a shape that is neither, or an argument out of range.

    References:
        Kingma, Welling (2014). Auto-Encoding Variational Bayes.
        Rezende, Mohamed, Wierstra (2014). Stochastic Backpropagation and Approximate Inference in Deep
        Generative Models.
    """

    recipe: ClassVar[Recipe] = Recipe(steps=4000, batch_size=64)

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
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        self.shape = vector_or_cloud(shape, "vae")
        for name, value in (("code", code), ("lr", lr), ("scale", 1 if scale is None else scale)):
            if not value > 0:
                raise ValueError(f"{name}: must be positive, got {value}")
        if min(widths, default=1) < 1:
            raise ValueError(f"widths: must be widths of at least 1, got {list(widths)}")
        if not beta >= 0:
            raise ValueError(f"beta: must be 0 or more, got {beta}")
        self.code, self.beta = code, beta
        if learn_scale and not self.vectors:
            raise ValueError(
                "learn_scale: must be False for clouds, whose error is no log-likelihood; give scale a number"
            )
        self.reconstruction = choose(reconstruction, RECONSTRUCTIONS, "reconstruction")
        if self.vectors:
            self.encoder: nn.Module = _Corrected((*self.shape, *widths, 2 * code))
            self.decoder: nn.Module = _Corrected((code, *reversed(widths), *self.shape))
        else:
            features = build_part(encoder, ENCODERS, "encoder", code=2 * code)
            # PointNet's features are not negative, the posterior's mean and log-variance are.
            self.encoder = nn.Sequential(features, nn.Linear(2 * code, 2 * code))
            self.decoder = build_part(decoder, DECODERS, "decoder", code=code, points=self.shape[0])
        start = (0.6 if self.vectors else 0.01) if scale is None else scale
        self.log_scale = nn.Parameter(torch.tensor(math.log(start)), requires_grad=learn_scale)
        self.optimizer = torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr, fused=True)

    @property
    def vectors(self) -> bool:
        """Whether the model is one of vectors, and not of clouds."""
        return len(self.shape) == 1

    @torch.no_grad()
    def setup(self, data: Tensor) -> None:
        """Start a model of vectors from probabilistic PCA, the best linear one: its factors and its exact posterior.

        References:
            Tipping, Bishop (1999). Probabilistic Principal Component Analysis.
        """
        if not isinstance(self.encoder, _Corrected) or not isinstance(self.decoder, _Corrected):
            return
        values, vectors = torch.linalg.eigh(torch.cov(data.T.double(), correction=0).reshape(2 * self.shape))
        kept = min(self.code, self.shape[0] - 1)
        values, vectors = values.flip(0), vectors.flip(1)[:, :kept]  # falling; (dim,), (dim, kept)
        if self.log_scale.requires_grad:
            self.log_scale.copy_(values[kept:].mean().clamp_min(1e-6).log() / 2)
        noise = (2 * self.log_scale).exp().double()
        factors = vectors.new_zeros(self.shape[0], self.code)  # codes without a factor keep the prior
        factors[:, :kept] = vectors * (values[:kept] - noise).clamp_min(0).sqrt()
        # Orthogonal factors: the posterior's covariance, noise (factors^T factors + noise I)^-1, is diagonal.
        variance = noise / (factors.square().sum(dim=0) + noise)  # (code,)
        mean = data.double().mean(0)
        projection = (variance / noise)[:, None] * factors.T  # (code, dim)
        self.decoder.linear.weight.copy_(factors)
        self.decoder.linear.bias.copy_(mean)
        self.encoder.linear.weight.copy_(torch.cat([projection, torch.zeros_like(projection)]))
        self.encoder.linear.bias.copy_(torch.cat([-projection @ mean, variance.log()]))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        reconstruction, divergence = self._terms(batch.x)
        return {"reconstruction": reconstruction.mean(), "kl": self.beta * divergence.mean()}

    def log_prob_bound(self, x: Tensor) -> Tensor:
        """An unbiased estimate, by one draw of z, of the lower bound on log p(x), in nats, (B, dim) -> (B,).

        Raises:
            ValueError: the model is one of clouds, whose reconstruction error is no log-likelihood.
        """
        if not self.vectors:
            raise ValueError(
                f"log_prob_bound: must be asked of a model of vectors, this one has shape {self.shape}; an error "
                "between clouds is no log-likelihood: train a vae on the codes of an autoencoder"
            )
        reconstruction, divergence = self._terms(x)
        return -(reconstruction + divergence)

    def encode(self, x: Tensor) -> Tensor:
        """Means of the posterior, (B, *shape) -> (B, code)."""
        return self._posterior(x)[0]

    def decode(self, z: Tensor) -> Tensor:
        """Means of p(x | z), (B, code) -> (B, *shape)."""
        x: Tensor = self.decoder(z)
        return x

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """Draw n new vectors from p(x | z), or the decoder's clouds, (n, *shape), with z ~ N(0, I)."""
        x = self.decode(torch.randn(n, self.code, device=self.device))
        return x + self.log_scale.exp() * torch.randn_like(x) if self.vectors else x

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(x).chunk(2, dim=1)  # (B, code) each
        return mean, log_variance

    def _terms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Minus log p(x | z) at one draw of z, or what stands for it, and KL(q(z | x) | N(0, I)), (B,) each."""
        mean, log_variance = self._posterior(x)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
        decoded, precision = self.decode(z), (-2 * self.log_scale).exp()
        if self.vectors:
            constant = self.shape[0] * (self.log_scale + 0.5 * math.log(2 * math.pi))
            return 0.5 * precision * (x - decoded).square().sum(dim=1) + constant, divergence
        check_finite(decoded, "a decoded cloud")
        error = RECONSTRUCTIONS[self.reconstruction](decoded, x)  # (B,)
        return 0.5 * precision * (error.square() if self.reconstruction == "emd" else error), divergence


class _Corrected(nn.Module):
    """A linear map, corrected by a perceptron that starts at zero if there are hidden layers."""

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.linear = nn.Linear(dims[0], dims[-1])
        self.correction: MLP | None = None
        if len(dims) > 2:
            self.correction = MLP(dims, activation="silu")
            for parameter in self.correction[-1].parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        linear: Tensor = self.linear(x)
        return linear if self.correction is None else linear + self.correction(x)
