"""What is inferred of the objects of scenes, and what follows from it: counts, codes, boxes, energies."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from pcgen.models.scenes.densities import Frame, log_mixture

__all__ = ["Inferred"]


@dataclass(frozen=True)
class Inferred:
    """What one pass infers of the T objects of scenes."""

    log_odds: Tensor  # (T, B): of each object being there, if the one before is
    where: Tensor  # (T, B, 4), in the frame
    what: Tensor  # (T, B, code)
    divergence: Tensor  # (T, B): of where and what from their priors, in nats
    objects: Tensor  # (T, B, N): log-density of each object at the scene's points
    background: Tensor  # (B, N): log-density of the background there

    @property
    def log_count(self) -> Tensor:
        """log q(n) of counts 0 to T, (T + 1, B): an object is there only if all before it are."""
        none = torch.zeros_like(self.log_odds[:1])
        there, gone = logsigmoid(self.log_odds).cumsum(0), logsigmoid(-self.log_odds)
        return torch.cat([none, there]) + torch.cat([gone, none])

    @property
    def count(self) -> Tensor:
        """How many objects each scene most probably has, (B,), int64."""
        return self.log_count.argmax(0)

    @property
    def codes(self) -> Tensor:
        """Of each object the probability that it is there, where it is and what it is, (B, T, 5 + code).

        Those that are there are listed by their places along x: a scene is a set, whatever is found first.
        """
        there = logsigmoid(self.log_odds).cumsum(0).exp()
        absent = torch.arange(len(there), device=there.device)[:, None] >= self.count
        order = self.where[..., 0].masked_fill(absent, math.inf).argsort(dim=0, stable=True)
        where, what = (each.take_along_dim(order[..., None], 0) for each in (self.where, self.what))
        return torch.cat([there[..., None], where, what], dim=2).transpose(0, 1)

    def boxes(self, frame: Frame) -> Tensor:
        """Centre and size of the objects' boxes in the data's units, (B, T, 6); NaN for those beyond `count`."""
        where = self.where.transpose(0, 1)  # (B, T, 4)
        size = (2 * frame.unit * where[..., 3:].exp()).expand(*where.shape[:2], 3)
        boxes = torch.cat([frame.leave(where[..., :3]), size], dim=2)
        there = torch.arange(len(self.where), device=where.device) < self.count[:, None]
        return torch.where(there[..., None], boxes, math.nan)

    def energies(self, frame: Frame, log_share: Tensor) -> Tensor:
        """-log p(x | n objects), plus the divergence of these objects, in nats, for every n, (T + 1, B).

        Args:
            frame: that the scenes are in; the density is of points in the data's units.
            log_share: log w, the share of a scene's points that each object has.
        """
        density = log_mixture(self.background, self.objects, log_share).sum(2)
        nll = 3 * self.background.shape[1] * frame.unit.log() - density
        none = torch.zeros_like(self.divergence[:1])
        energies: Tensor = nll + torch.cat([none, self.divergence.cumsum(0)])
        return energies
