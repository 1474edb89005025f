"""Draws that vary as much as data does."""

from collections.abc import Callable, Hashable

import torch
from torch import Tensor

from pcgen.models.base import GenerativeModel
from pcgen.nets.gaussian import GaussianPart
from pcgen.nets.weights import fingerprint

__all__ = ["Matching"]

_ROWS, _SEED = 4096, 0  # of the draws by which the stretch is found


class Matching(GenerativeModel):
    """A model of vectors whose draws are stretched along the data's principal axes until they vary as data does.

    A network that predicts data from noise is smoother than the best predictor is, and where data is in separate places
    it also predicts what lies between them. What is drawn by it varies less than data, by a tenth along the lesser axes
    after minutes of training, and so lies nearer to the training rows than new data does. The stretch is found by draws
    of its own, once for the weights as they are; they leave torch's generator as it was.
    """

    gaussian: GaussianPart
    _found: tuple[Hashable, Tensor] | None = None

    def stretch(self, of: Hashable, carry: Callable[[Tensor], Tensor]) -> Tensor:
        """By how much each principal axis is stretched, (dim,).

        Args:
            of: what, besides the weights, `carry` depends on.
            carry: from noise, (n, dim), to rows as they are without it.
        """
        key = (of, *fingerprint((*self.parameters(), *self.gaussian.buffers())))
        if self._found is None or self._found[0] != key:
            devices = [] if self.device.type == "cpu" else [self.device]
            with torch.no_grad(), torch.random.fork_rng(devices, device_type=self.device.type):
                torch.manual_seed(_SEED)
                self._found = key, self.gaussian.stretch(carry(self._noise()))
        return self._found[1]

    def _noise(self) -> Tensor:
        """Normal noise of mean 0 and covariance I exactly, so that of a Gaussian the stretch is exactly 1."""
        dim = self.shape[0]
        noise = torch.randn(max(_ROWS, 2 * dim), dim, dtype=torch.float64, device=self.device)
        noise = noise - noise.mean(0)
        factor = torch.linalg.cholesky(noise.T @ noise / len(noise))
        white: Tensor = torch.linalg.solve_triangular(factor, noise.T, upper=False).T
        return white.to(self.gaussian.mean)
