"""Manifold Parzen windows: a Gaussian about every training row, shaped by its neighbours."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least, positive
from pcgen.models.base import Batch, Facts, Recipe
from pcgen.models.batch import check_rows
from pcgen.models.mixtures.windows import Windows
from pcgen.models.shape import accepted

__all__ = ["Parzen"]

_NEIGHBOURS = 8
_LEFT_OUT = 256  # centres, at most, whose leave-one-out density is logged
_NUMBERS = 2**25  # of float64 at once: 256 MB


class Parzen(Windows):
    """A density about every training row, shaped by its neighbours: manifold Parzen windows.

        p(x) = mean over i of N(x; c_i, C_i),  C_i = scale^2 / k sum over the k nearest c_j of (c_j - c_i)(c_j - c_i)^T
                                                     + noise^2 I

    Data varies around a row in the directions of its neighbours, and hardly in others: a sample differs from a training
    row as this row differs from similar ones. The rows are the model, so a training takes no time, and a few hundred
    rows are enough. Networks are smoother than such a density, which costs most where rows are few and different. Where
    there are thousands, they find what the rows have in common, and windows do not.

    A small scale repeats the training rows, a large one mixes what does not belong together: `Z_U` and 1-NNA of
    `pcgen evaluate` show the two.

    On codes of clouds, a sample is the training cloud of its centre, deformed as the decoder deforms its own clouds
    from the centre to the sample (`DeformedCloudModel`).

    A draw goes through the centres in random order and takes each again only after all others. So its samples represent
    the data more evenly than independent ones do; each single sample has the density p.

    Args:
        shape: (dim,).
        rows: S, the number of training rows.
        repeats: rows of each thing; row i is of thing i mod (rows / repeats), as codes of several samplings of the same
            clouds are. The centres c_i are their means.
        neighbours: k; no more are used than there are.
        scale: of the windows; at 1, the part of a sample's difference from its centre that is not noise is as large as
            those of the neighbours, in root mean square.
        noise: standard deviation in every direction. The default is for standardised vectors.

    Logged:
        nll: minus the leave-one-out log-likelihood in nats: that of the centres under a model of all others, mean over
            up to 256 of them. Near copies in the data lower it.

    Raises:
        ValueError: a shape that is not (dim,), or an argument out of range; in training, data with another number of
            rows.

    References:
        Parzen (1962). On Estimation of a Probability Density Function and Mode.
        Vincent, Bengio (2002). Manifold Parzen Windows. (The paper keeps leading eigenvectors of C_i only.)
    """

    objective: ClassVar[str] = "none: the training rows are the model"
    learning: ClassVar[str] = "closed form"
    sampling: ClassVar[str] = "a training row, then a Gaussian"
    varies: ClassVar[bool] = True

    def __init__(
        self,
        shape: Sequence[int],
        rows: int,
        repeats: int = 1,
        neighbours: int = _NEIGHBOURS,
        scale: float = 1.0,
        noise: float = 0.1,
    ) -> None:
        super().__init__()
        at_least(1, rows=rows, repeats=repeats, neighbours=neighbours)
        positive(scale=scale, noise=noise)
        if rows % repeats:
            raise ValueError(f"repeats: must divide the {rows} rows, got {repeats}; leave it at 1 if they are no codes")
        if rows == repeats:
            raise ValueError(
                f"rows: must be of at least two things, got {rows} of one; a window has the shape of others"
            )
        self.shape = accepted(self.accepts, shape, "parzen")
        self.repeats, self.neighbours = repeats, neighbours
        self.scale, self.noise = scale, noise
        self.register_buffer("centres", torch.zeros(rows // repeats, *self.shape))

    @classmethod
    def arguments(cls, facts: Facts) -> dict[str, Any]:
        return {"shape": facts.shape, "rows": facts.rows, "repeats": facts.repeats}

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=1, batch_size=None)

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        check_rows(data, len(self.centres) * self.repeats)
        self.centres.copy_(data.x.unflatten(0, (self.repeats, -1)).mean(0))

    @torch.no_grad()
    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Log the leave-one-out density; there is nothing to learn."""
        some = torch.arange(0, len(self.centres), -(-len(self.centres) // _LEFT_OUT), device=self.device)
        return {"nll": -self._log_prob(self.centres[some], some).mean()}

    def log_prob(self, x: Tensor) -> Tensor:
        """Natural logarithm of the density at each row of x, (B, D) -> (B,)."""
        return self._log_prob(x, None)

    def draw(self, n: int) -> Tensor:
        return self.draw_about(n)[0]

    @torch.no_grad()
    def draw_about(self, n: int) -> tuple[Tensor, Tensor]:
        count = len(self.centres)
        chosen = torch.cat([torch.randperm(count, device=self.device) for _ in range(-(-n // count))])[:n]
        spread = self._spread(chosen)  # (n, k, D)
        weights = torch.randn(n, 1, spread.shape[1], device=self.device)
        noise = self.noise * torch.randn(n, *self.shape, device=self.device)
        return self.centres[chosen] + (weights @ spread)[:, 0] + noise, chosen

    def _spread(self, chosen: Tensor, without: Tensor | None = None) -> Tensor:
        """Rows A_i (k, D) of the windows of these centres (c,), C_i = A_i^T A_i + noise^2 I: (c, k, D)."""
        others, own = self._others(chosen, without), self.centres[chosen]
        return (self.centres[others] - own[:, None]) * (self.scale / math.sqrt(max(1, others.shape[1])))

    def _others(self, chosen: Tensor, without: Tensor | None = None) -> Tensor:
        """The centres nearest to each of these (c,), each without itself and one of `without` (c,): (c, k)."""
        apart = torch.cdist(self.centres[chosen], self.centres).scatter(1, chosen[:, None], torch.inf)
        if without is not None:
            apart = apart.scatter(1, without[:, None], torch.inf)
        count = min(self.neighbours, len(self.centres) - 1 - (without is not None))
        return apart.topk(count, largest=False).indices

    def _log_prob(self, x: Tensor, left_out: Tensor | None) -> Tensor:
        """The log-density of rows (B, D), each as if there were no centre of `left_out` (B,), if that is given."""
        at_once = max(1, _NUMBERS // (x.shape[1] * max(x.shape)))
        windows = torch.arange(len(self.centres), device=self.device)
        logs = torch.cat([self._of_windows(x, self._spread(some), some) for some in windows.split(at_once)])  # (S, B)
        if left_out is not None:
            # A window that a left-out row has shaped is that of its other neighbours.
            shaped = torch.cat(
                [(self._others(some)[:, :, None] == left_out).any(1) for some in windows.split(at_once)]
            ).nonzero()
            for some, row in (pairs.T for pairs in shaped.split(at_once)):
                spread = self._spread(some, left_out[row])
                logs[some, row] = self._of_windows(x[row][:, None], spread, some)[:, 0]
            logs[left_out, torch.arange(len(x), device=self.device)] = -torch.inf
        return (logs.logsumexp(0) - math.log(len(windows) - (left_out is not None))).to(x.dtype)

    def _of_windows(self, x: Tensor, spread: Tensor, windows: Tensor) -> Tensor:
        """The log-density of windows (c,) with rows A_i (c, k, D) at x, (B, D) or (c, B, D): (c, B)."""
        (dim,) = self.shape
        spread, eye = spread.double(), torch.eye(dim, dtype=torch.float64, device=self.device)
        factors = torch.linalg.cholesky(spread.mT @ spread + self.noise**2 * eye)  # (c, D, D)
        away = (x.double() - self.centres[windows].double()[:, None]).mT  # (c, D, B)
        squared = torch.linalg.solve_triangular(factors, away, upper=False).square().sum(1)  # (c, B)
        half_log_det = factors.diagonal(dim1=1, dim2=2).log().sum(1)
        log: Tensor = -0.5 * squared - half_log_det[:, None] - 0.5 * dim * math.log(2 * math.pi)
        return log
