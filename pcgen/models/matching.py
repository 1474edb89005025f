"""Samples with the variance of the data."""

from collections.abc import Callable, Hashable

import torch
from torch import Tensor

from pcgen.models.base import GenerativeModel
from pcgen.nets.gaussian import GaussianPart
from pcgen.nets.weights import fingerprint
from pcgen.seeds import isolated

__all__ = ["Matching"]

_ROWS, _SEED = 4096, 0  # of the draws by which the stretch is found


class Matching(GenerativeModel):
    """A model of vectors whose samples are stretched along the data's principal axes until they have its variances.

    A network that predicts data from noise is smoother than the best predictor, and if the data is in separate
    clusters, it also predicts points between them. Its samples vary less than the data, by a tenth along minor axes
    after minutes of training, and are therefore nearer to the training rows than new data is. The stretch is estimated
    from separate samples, once for the present weights; these do not advance torch's generator.
    """

    gaussian: GaussianPart
    _found: tuple[Hashable, Tensor] | None = None

    def stretch(self, of: Hashable, carry: Callable[[Tensor], Tensor]) -> Tensor:
        """The factor by which each principal axis is stretched, (dim,).

        Args:
            of: what `carry` depends on besides the weights.
            carry: from noise, (n, dim), to rows without the stretch.
        """
        key = (of, *fingerprint((*self.parameters(), *self.gaussian.buffers())))
        if self._found is None or self._found[0] != key:
            with torch.no_grad(), isolated(_SEED, self.device):
                self._found = key, self.gaussian.stretch(carry(self._noise()))
        return self._found[1]

    def _noise(self) -> Tensor:
        """Normal noise with exactly mean 0 and covariance I, so that the stretch of a Gaussian is exactly 1."""
        dim = self.shape[0]
        noise = torch.randn(max(_ROWS, 2 * dim), dim, dtype=torch.float64, device=self.device)
        noise = noise - noise.mean(0)
        factor = torch.linalg.cholesky(noise.T @ noise / len(noise))
        white: Tensor = torch.linalg.solve_triangular(factor, noise.T, upper=False).T
        return white.to(self.gaussian.mean)
