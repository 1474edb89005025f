"""The densities of the points of a scene: a background that every scene has, and objects in boxes."""

import math
import warnings

import torch
from torch import Tensor, nn

__all__ = ["Background", "Frame", "draw_mixture", "log_mixture", "object_density"]

_RIDGE = 1e-4  # of a component's variances in the frame: a floor has no thickness of its own
_FITTED = 20_000  # points that the background is first fitted to
_LOG_2PI = math.log(2 * math.pi)


class Frame(nn.Module):
    """The frame of models of scenes: the box of all training clouds, with its longest side from -1 to 1."""

    middle: Tensor
    unit: Tensor
    reach: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("middle", torch.zeros(3))
        self.register_buffer("unit", torch.ones(()))  # half of the longest side, in the data's units
        self.register_buffer("reach", torch.ones(3))  # of each side, in the frame: at most 1

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Take the box of clouds (S, N, 3)."""
        low, high = x.amin((0, 1)), x.amax((0, 1))
        self.middle.copy_((low + high) / 2)
        self.unit.copy_(((high - low).amax() / 2).clamp_min(1e-12))
        self.reach.copy_(((high - low) / 2 / self.unit).clamp_min(1e-3))

    def enter(self, x: Tensor) -> Tensor:
        """Points (..., 3) in the frame."""
        return (x - self.middle) / self.unit

    def leave(self, u: Tensor) -> Tensor:
        """Points (..., 3) of the frame in the data's units."""
        return u * self.unit + self.middle


class Background(nn.Module):
    """A mixture of axis-aligned Gaussians, fitted to all points at first, which then learns what no object explains.

    Args:
        components: K.
    """

    def __init__(self, components: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(torch.randn(components, 3) / 2)
        self.log_scales = nn.Parameter(torch.full((components, 3), -1.0))

    @torch.no_grad()
    def fit(self, u: Tensor) -> None:
        """Fit by expectation maximisation to points (P, 3)."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        some = u[torch.randperm(len(u), device=u.device)[:_FITTED]].double().cpu().numpy()
        count = min(len(self.logits), len(some))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a start is all that is asked for
            seed = int(torch.randint(2**31, ()))
            found = GaussianMixture(count, covariance_type="diag", reg_covar=_RIDGE, max_iter=30, random_state=seed)
            found.fit(some)
        self.logits[:count] = torch.from_numpy(found.weights_).clamp_min(1e-9).log().to(self.logits)
        self.means[:count] = torch.from_numpy(found.means_).to(self.means)
        self.log_scales[:count] = torch.from_numpy(found.covariances_).log().to(self.log_scales) / 2

    @property
    def _bounded(self) -> Tensor:
        """The logarithms of the components' deviations, (K, 3), which cannot vanish."""
        return self.log_scales.clamp_min(0.5 * math.log(_RIDGE))

    def log_prob(self, u: Tensor) -> Tensor:
        """Log-density at points (B, N, 3), (B, N)."""
        scales = self._bounded
        precision = (-2 * scales).exp()  # (K, 3)
        squares = u.square() @ precision.T - 2 * u @ (precision * self.means).T
        squares = squares + (precision * self.means.square()).sum(1)  # (B, N, K)
        constant = self.logits.log_softmax(0) - scales.sum(1) - 1.5 * _LOG_2PI
        return torch.logsumexp(constant - squares / 2, dim=2)

    def draw(self, n: int, points: int) -> Tensor:
        """Points of n scenes, (n, points, 3)."""
        k = torch.multinomial(self.logits.softmax(0), n * points, replacement=True).view(n, points)
        return self.means[k] + self._bounded[k].exp() * torch.randn(n, points, 3, device=self.means.device)


def object_density(u: Tensor, made: Tensor, log_scale: Tensor) -> Tensor:
    """Log-density at points (B, N, 3) of the mean of Gaussians about the points that a decoder made, (B, M, 3).

    Args:
        log_scale: of the Gaussians' deviation, (B, 1).

    Shapes: (B, N).
    """
    squares = u.square().sum(2, keepdim=True) + made.square().sum(2)[:, None] - 2 * u @ made.mT  # (B, N, M)
    inside = torch.logsumexp(-squares.clamp_min(0) * (0.5 * (-2 * log_scale).exp())[..., None], dim=2)
    return inside - 3 * log_scale - math.log(made.shape[1]) - 1.5 * _LOG_2PI


def log_mixture(background: Tensor, objects: Tensor, log_share: Tensor) -> Tensor:
    """Log-density of points if the first n objects exist, for every n from 0 to T.

        p_n = (1 - n w) p_background + w (p_1 + ... + p_n)

    Args:
        background: log-density of the background, (B, N).
        objects: of each object, (T, B, N).
        log_share: log w, the share of a scene's points that each object has: below 1 / T.

    Shapes: (T + 1, B, N).
    """
    counts = torch.arange(len(objects) + 1, device=objects.device)
    left = torch.log1p(-counts * log_share.exp())[:, None, None] + background
    first = torch.logcumsumexp(objects, dim=0) + log_share
    return torch.cat([left[:1], torch.logaddexp(left[1:], first)])


def draw_mixture(background: Tensor, made: Tensor, log_scale: Tensor, number: Tensor, log_share: Tensor) -> Tensor:
    """Points of scenes, sampled from the density of `log_mixture`.

    Args:
        background: a sample of the background for each point, (B, N, 3).
        made: the decoded points of each object, (B, T, M, 3).
        log_scale: of the standard deviation of the Gaussians about them, (B, T).
        number: how many of the objects exist, the first ones, (B,) int64.
        log_share: log w, as in `log_mixture`.

    Shapes: (B, N, 3).
    """
    batch, points, _ = background.shape
    # Which object each point is of: the next share of the unit interval is the next object's.
    owner = (torch.rand(batch, points, device=background.device) / log_share.exp()).long()
    there = owner < number[:, None]
    owner = torch.where(there, owner, 0)
    rows = torch.arange(batch, device=background.device)[:, None]
    which = torch.randint(made.shape[2], (batch, points), device=background.device)
    own = made[rows, owner, which] + log_scale.exp()[rows, owner, None] * torch.randn_like(background)
    return torch.where(there[..., None], own, background)
