"""Generative latent optimization: a generator and a code for every training row, learned together."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, choose, positive
from pcgen.errors import widths as check_widths
from pcgen.models.base import Batch, Facts, GenerativeModel, GradientLearner, Recipe
from pcgen.models.batch import check_rows
from pcgen.models.clouds.reconstruction import Reconstruction
from pcgen.models.factors import principal_factors
from pcgen.models.priors import Normal
from pcgen.models.shape import accepted
from pcgen.nets.corrected import CorrectedLinear
from pcgen.nets.parts import DECODERS, Part, build_part
from pcgen.ops import chamfer_matrix

__all__ = ["GLO"]

LOSSES = ("squared", "l1")


class GLO(GenerativeModel, GradientLearner):
    """A generator without an encoder or a critic: the code of every training row is a learned parameter.

        minimise over G and z_1 ... z_S in the unit ball  mean over i of l(G(z_i), x_i)

    New codes are sampled from the Gaussian with the mean and covariance of the learned codes, and projected into the
    ball. A new row is encoded by gradient descent that starts at the code of the nearest of up to 256 decoded training
    rows. With few rows, similar rows need not have similar codes: as in the paper, samples are worse than
    reconstructions.

    Args:
        shape: (dim,) or (points, 3).
        rows: S, the number of training rows.
        code: dimensions of z.
        widths: hidden widths of the generator of vectors: a linear map plus a perceptron that starts at zero; () is
            linear.
        decoder: for clouds, a part by name and arguments, or a module (B, code) -> (B, points, 3).
        loss: for vectors, "squared" or "l1"; for clouds it is the reconstruction. (The paper's is a Laplacian pyramid
            of images.)
        reconstruction: for clouds, "emd" (not squared) or "chamfer" (squared).
        lr: Adam's learning rate of the generator.
        code_lr: learning rate of the codes, ten times that of the weights as in the paper, which takes plain gradient
            steps.

    Logged:
        reconstruction: the loss of training rows decoded from their codes, mean over rows.

    Raises:
        ValueError: a shape that is neither, or an argument out of range; in training, data of another number of rows.

    References:
        Bojanowski, Joulin, Lopez-Paz, Szlam (2018). Optimizing the Latent Space of Generative Networks.
    """

    objective: ClassVar[str] = "reconstruction of the training rows by codes of their own"
    sampling: ClassVar[str] = "a decoded sample of a Gaussian of codes"
    accepts: ClassVar[tuple[str, ...]] = ("vector", "cloud")

    def __init__(
        self,
        shape: Sequence[int],
        rows: int,
        code: int = 32,
        widths: Sequence[int] = (256, 256),
        decoder: Part | nn.Module = "fully_connected",
        loss: str = "squared",
        reconstruction: str = "emd",
        lr: float = 1e-3,
        code_lr: float = 1e-2,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "glo")
        at_least(1, rows=rows, code=code)
        positive(lr=lr, code_lr=code_lr)
        check_widths(least=0, widths=widths)
        self.code_shape = (code,)
        self.measure = choose(loss, LOSSES, "loss")
        self.prior = Normal(code)  # of codes, before they are given mean and covariance of the learned ones
        self.codes = nn.Parameter(into_ball(torch.randn(rows, code)))
        if len(self.shape) == 1:
            self.decoder: nn.Module = CorrectedLinear((code, *widths, *self.shape))
        else:
            self.decoder = build_part(decoder, DECODERS, "decoder", code=code, points=self.shape[0])
            self.distance = Reconstruction(reconstruction, 0.02)
        groups: list[dict[str, Any]] = [
            {"params": list(self.decoder.parameters())},
            {"params": [self.codes], "lr": code_lr},
        ]
        self.optimizer = torch.optim.Adam(groups, lr, fused=True)

    @classmethod
    def arguments(cls, facts: Facts) -> dict[str, Any]:
        return {"shape": facts.shape, "rows": facts.rows}

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=2000, batch_size=64)

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        """Start from principal components, for vectors: codes are scores, in the ball, and the decoder is linear."""
        check_rows(data, len(self.codes))
        if not isinstance(self.decoder, CorrectedLinear):
            return
        mean = data.x.double().mean(0)
        x = data.x.double() - mean
        found = principal_factors(x.T @ x / len(x), self.code_shape[0], 0.0)
        scores = (x @ found.loadings) / found.loadings.square().sum(0).clamp_min(1e-12)  # of variance 1 each
        size = scores.norm(dim=1).quantile(_INSIDE).clamp_min(1e-12)  # 0 where all rows are equal
        self.codes.copy_(into_ball((scores / size).float()))
        self.decoder.linear.weight.copy_(size * found.loadings)
        self.decoder.linear.bias.copy_(mean)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        error = self._error(self.decode(self.codes[batch.rows]), batch.x)
        return {"reconstruction": error.mean()}

    def update(self, batch: Batch) -> dict[str, Tensor]:
        terms = super().update(batch)
        with torch.no_grad():  # of all rows: Adam moves on those that the batch has not
            self.codes.copy_(into_ball(self.codes))
        return terms

    def decode(self, z: Tensor) -> Tensor:
        """The generator's output for codes, (B, code) -> (B, *shape)."""
        x: Tensor = self.decoder(z)
        return x

    def encode(self, x: Tensor, steps: int = 100) -> Tensor:
        """Codes (B, code) of rows (B, *shape), by gradient descent from the best of up to 256 training codes."""
        with torch.no_grad():
            tried = self.codes[:: -(-len(self.codes) // _TRIED)]
            made = self.decode(tried)
            apart = torch.cdist(x, made) if x.ndim == 2 else chamfer_matrix(x, made)  # (B, tried)
            z = tried[apart.argmin(1)].clone()
        with torch.enable_grad():
            z.requires_grad_()
            optimizer = torch.optim.Adam([z], _ENCODING_RATE)
            for _ in range(steps):
                (z.grad,) = torch.autograd.grad(self._error(self.decode(z), x).sum(), z)
                optimizer.step()
                with torch.no_grad():
                    z.copy_(into_ball(z))
        return z.detach()

    @torch.no_grad()
    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        """Draw n new objects, (n, *shape); codes can be truncated, in standard deviations along each axis."""
        codes = self.codes.double()
        mean = codes.mean(0)
        covariance = (codes - mean).T @ (codes - mean) / len(codes)
        values, vectors = torch.linalg.eigh(covariance)
        z = mean + self.prior.draw(n, truncation).to(codes) * values.clamp_min(0).sqrt() @ vectors.T
        return self.decode(into_ball(z.to(self.codes.dtype)))

    def _error(self, made: Tensor, x: Tensor) -> Tensor:
        """The loss of each row, (B,)."""
        if x.ndim == 3:
            error: Tensor = self.distance(made, x)
            return error
        return (made - x).square().mean(1) if self.measure == "squared" else (made - x).abs().mean(1)


def into_ball(z: Tensor) -> Tensor:
    """Codes (B, code), with those outside the unit ball projected to its surface."""
    inside: Tensor = z / z.norm(dim=1, keepdim=True).clamp_min(1)
    return inside


_INSIDE = 0.95  # share of the first codes that lie in the ball without projection
_TRIED, _ENCODING_RATE = 256, 0.02
