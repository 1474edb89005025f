"""The search for copies: each sample's nearest training cloud, found on few points and measured on many."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pcgen.metrics.novelty import Novelty, novelty
from pcgen.metrics.pairs import Block
from pcgen.metrics.preparation import generator_for
from pcgen.metrics.sets import MeasuredSet

__all__ = ["CopySearch"]

_COARSE = 256  # points that candidates are found on: all samples against all training clouds
_CANDIDATES = 8  # training clouds of each sample that are measured on all points


@dataclass(frozen=True)
class CopySearch:
    """Chamfer distances of samples to training clouds, beside those of two samplings of one training cloud.

    Half the points of a training cloud make its first sampling, the other half its second; samples are measured with
    as many. `block` is to be computed, then `finish` takes its matrix.
    """

    block: Block  # (S, T) on few points
    samples: Tensor  # (S, N/2, 3)
    first: Tensor  # (T, N/2, 3)
    other: Tensor  # (T, N/2, 3)

    @classmethod
    def of(cls, samples: MeasuredSet, train: MeasuredSet, seed: int) -> "CopySearch":
        """Draw the points, from generators of their own; clouds must have two points or more."""
        half = train.size // 2
        first, other = train.halves(half, generator_for(seed, "copies train"))
        same = samples.subset(half, "random", generator_for(seed, "copies samples")).points
        few = min(_COARSE, half)
        block = Block("samples x training set", "chamfer", same[:, :few].contiguous(), first[:, :few].contiguous())
        return cls(block, same, first, other)

    def finish(self, coarse: Tensor) -> Novelty:
        """Measure each sample's candidates on all points, from the distances of `block`, (S, T)."""
        from pcgen.ops import chamfer

        near = coarse.topk(min(_CANDIDATES, coarse.shape[1]), largest=False).indices  # (S, K)
        distances = torch.stack([chamfer(self.samples, self.first[column]) for column in near.T], 1)  # (S, K)
        found = novelty(distances, chamfer(self.first, self.other))
        return replace(found, rows=near.gather(1, found.rows[:, None])[:, 0])

    def describe(self, found: Novelty) -> str:
        """What the share of copies means."""
        return (
            f"copies: {100 * found.copies:.3g}% of samples are as near to a training cloud as 95% of second samplings "
            f"of one are (CD on {self.samples.shape[1]} points)"
        )
