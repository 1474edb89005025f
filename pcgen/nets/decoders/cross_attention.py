"""Learned points that attend to tokens of the code."""

import torch
from torch import Tensor, nn

from pcgen.errors import at_least
from pcgen.nets.attention import AttentionBlock

__all__ = ["CrossAttention"]


class CrossAttention(nn.Module):
    """Each point has a learned query, which attends to tokens that a linear map makes of the code.

    Time and memory are linear in the number of points.

    Args:
        code: width of the code, D.
        points: points per cloud, N.
        tokens: number of tokens.
        width: of queries and tokens.
        heads: of the attention, a divisor of the width.
        blocks: number of attention blocks.

    Shapes: (B, code) -> (B, points, 3).

    Raises:
        ValueError: a size below 1, or heads that do not divide the width.

    References:
        Jaegle et al. (2022). Perceiver IO: A General Architecture for Structured Inputs & Outputs.
    """

    def __init__(
        self, code: int, points: int, *, tokens: int = 16, width: int = 64, heads: int = 4, blocks: int = 1
    ) -> None:
        super().__init__()
        at_least(1, code=code, points=points, tokens=tokens, blocks=blocks)
        self.tokens = tokens
        self.read = nn.Linear(code, tokens * width)
        self.queries = nn.Parameter(torch.randn(points, width))
        self.blocks = nn.ModuleList(AttentionBlock(width, heads, context=width) for _ in range(blocks))
        self.out = nn.Linear(width, 3)

    def forward(self, z: Tensor) -> Tensor:
        tokens = self.read(z).unflatten(1, (self.tokens, -1))  # (B, K, width)
        x = self.queries.expand(len(z), -1, -1)  # (B, N, width)
        for block in self.blocks:
            x = block(x, tokens)
        cloud: Tensor = self.out(x)
        return cloud
