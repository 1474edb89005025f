"""The search for copies: each sample's nearest training cloud, found on few points and measured on many."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.metrics.blocks import Block
from pcgen.metrics.novelty import Novelty, novelty
from pcgen.metrics.sets import MeasuredSet
from pcgen.seeds import stream

__all__ = ["CopySearch"]

_COARSE = 256  # points that candidates are found on: all samples against all training clouds
_CANDIDATES = 8  # training clouds of each sample that are measured on all points
_SAMPLINGS = 4  # times that a training cloud is split into two samplings


@dataclass(frozen=True)
class CopySearch:
    """Chamfer distances of samples to training clouds, beside those of two samplings of one training cloud.

    Half the points of a training cloud make its first sampling, the other half its second; samples are measured with
    as many. `block` is to be computed, then `finish` takes its matrix.
    """

    block: Block  # (S, T) on few points
    samples: Tensor  # (S, N/2, 3)
    train: Tensor  # (T, N/2, 3)
    floor: Tensor  # (T, K)

    @classmethod
    def of(cls, samples: MeasuredSet, train: MeasuredSet, seed: int) -> "CopySearch":
        """Draw the points, from generators of their own; clouds must have two points or more."""
        from pcgen.ops import chamfer

        half = train.size // 2
        generator = stream(seed, "copies train")
        floor = torch.stack([chamfer(*train.halves(half, generator)).cpu() for _ in range(_SAMPLINGS)], 1)
        known, _ = train.halves(half, generator)
        same = samples.subset(half, "random", stream(seed, "copies samples")).points
        few = min(_COARSE, half)
        block = Block("samples x training set", "chamfer", same[:, :few].contiguous(), known[:, :few].contiguous())
        return cls(block, same, known, floor)

    def finish(self, coarse: Tensor) -> Novelty:
        """Measure each sample's candidates on all points, from the distances of `block`, (S, T)."""
        from pcgen.ops import chamfer

        near = coarse.topk(min(_CANDIDATES, coarse.shape[1]), largest=False).indices  # (S, candidates)
        distances = torch.full_like(coarse, torch.inf)  # (S, T)
        for column in near.T:
            known = self.train[column.to(self.train.device)]
            distances[torch.arange(len(near)), column] = chamfer(self.samples, known).double().cpu()
        return novelty(distances, self.floor)

    def describe(self, found: Novelty) -> str:
        """What the share of copies means."""
        return (
            f"copies: {100 * found.copies:.3g}% of samples are as near to a training cloud as it sampled again is; the "
            f"median is {found.ratio:.3g} times as far (CD on {self.train.shape[1]} points)"
        )
