"""The hidden blocks of a denoiser, with three kinds of interaction between the members of a set."""

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, fraction
from pcgen.nets.attention import AttentionBlock

__all__ = ["MemberAttention", "Residual", "TokenAttention"]


class Residual(nn.Module):
    """Residual gated perceptrons of vectors, (B, width), or of sets, (B, N, width), given a condition, (B, width).

    All members of a set go through the same blocks, and each block also sees the maximum over the members. The
    condition is added to the vectors or members before the first block.

    Args:
        width: of vectors, members and the condition.
        blocks: number of blocks.
        pooled: whether the rows are sets.
        dropout: of the hidden units of a block.

    References:
        Shazeer (2020). GLU Variants Improve Transformer.
    """

    def __init__(self, width: int, blocks: int, pooled: bool, dropout: float = 0.0) -> None:
        super().__init__()
        fraction(dropout=dropout)
        self.blocks = nn.ModuleList(_Block(width, pooled, dropout) for _ in range(blocks))

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        h = h + (condition if h.ndim == 2 else condition[:, None])
        for block in self.blocks:
            h = block(h)
        return h


class MemberAttention(nn.Module):
    """Self-attention of the members of a set, (B, N, width), given a condition, (B, width).

    The condition is also added to the members, since blocks that start as the identity use it only late in training.
    Time grows as N^2, so it is for sets of up to about a hundred members.

    Args:
        width: of members and the condition.
        blocks: number of blocks.
        heads: of the attention, a divisor of the width.
        dropout: of every block.
    """

    def __init__(self, width: int, blocks: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            AttentionBlock(width, heads, condition=width, dropout=dropout) for _ in range(blocks)
        )

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        h = h + condition[:, None]
        for block in self.blocks:
            h = block(h, condition=condition)
        return h


class TokenAttention(nn.Module):
    """Attention of the members of a set, (B, N, width), through learned tokens, given a condition, (B, width).

    In every block the tokens attend to the members, then to each other, and the members attend to the tokens. With L
    tokens, time and memory grow as N L + L^2. The condition is also added to the members.

    Args:
        width: of members, tokens and the condition.
        blocks: number of blocks.
        heads: of the attention, a divisor of the width.
        tokens: number of tokens, L.
        dropout: of every block.

    References:
        Lee et al. (2019). Set Transformer: A Framework for Attention-based Permutation-Invariant Neural Networks.
        Jaegle et al. (2021). Perceiver: General Perception with Iterative Attention.
    """

    def __init__(self, width: int, blocks: int, heads: int, tokens: int, dropout: float = 0.0) -> None:
        super().__init__()
        at_least(1, tokens=tokens)
        self.tokens = nn.Parameter(torch.randn(tokens, width))
        self.blocks = nn.ModuleList(_Meeting(width, heads, dropout) for _ in range(blocks))

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        h, tokens = h + condition[:, None], self.tokens.expand(len(h), -1, -1)  # (B, N, width), (B, L, width)
        for block in self.blocks:
            h, tokens = block(h, tokens, condition)
        return h


class _Meeting(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.read = AttentionBlock(width, heads, width, width, dropout)
        self.think = AttentionBlock(width, heads, None, width, dropout)
        self.write = AttentionBlock(width, heads, width, width, dropout)

    def forward(self, h: Tensor, tokens: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.think(self.read(tokens, h, condition), condition=condition)
        return self.write(h, tokens, condition), tokens


class _Block(nn.Module):
    """h + outer(silu(gate) * inner), where gate and inner are linear in the normalised h and its maximum."""

    def __init__(self, width: int, pooled: bool, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, 2 * width)
        self.pool = nn.Linear(width, 2 * width) if pooled else None
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        inner = self.inner(self.norm(h))  # (B, [N,] 2 width)
        if self.pool is not None:
            inner = inner + self.pool(h.amax(dim=1))[:, None]
        gate, value = inner.chunk(2, dim=-1)
        added: Tensor = self.outer(self.dropout(nn.functional.silu(gate) * value))
        return h + added
