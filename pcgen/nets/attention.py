"""Attention between sets: each member of one set attends to all members of another set, or of its own."""

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, fraction

__all__ = ["Attention", "AttentionBlock"]


class Attention(nn.Module):
    """Multi-head attention from queries to a context, equivariant to the order of queries, invariant to the context's.

        out_i = W_o concat over heads h of sum_j softmax_j(q_hi . k_hj / sqrt(d)) v_hj

    Args:
        width: of the queries and of the result.
        heads: number of heads, a divisor of the width.
        context: width of the context; by default that of the queries.

    Shapes: (B, M, width), (B, N, context) -> (B, M, width). Time grows as M N, and so does memory, unless torch has a
    fused kernel, which stores no matrix of weights.

    Raises:
        ValueError: a size below 1, or heads that do not divide the width.

    References:
        Vaswani et al. (2017). Attention Is All You Need.
    """

    def __init__(self, width: int, heads: int, context: int | None = None) -> None:
        super().__init__()
        at_least(1, width=width, heads=heads)
        if width % heads:
            raise ValueError(f"heads: must divide the width, {width}, got {heads}")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width if context is None else context, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        query = self._split(self.query(x)).expand(len(context), -1, -1, -1)  # (B, heads, M, d)
        key, value = (self._split(part) for part in self.key_value(context).chunk(2, dim=-1))  # (B, heads, N, d)
        seen = nn.functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.out(seen.transpose(1, 2).flatten(2))  # (B, M, width)
        return out

    def _split(self, x: Tensor) -> Tensor:
        parts: Tensor = x.unflatten(-1, (self.heads, -1))
        return parts.transpose(1, 2)


class AttentionBlock(nn.Module):
    """Attention, then a perceptron on each member, both residual and with a layer norm before them.

    With a condition c, the norms are scaled and shifted, and the residuals are scaled, by linear functions of c that
    are 0 at the start, so the block starts as the identity (adaLN-Zero of Peebles and Xie).

    Args:
        width: of the members.
        heads: number of heads, a divisor of the width.
        context: width of the members of the other set; None for self-attention.
        condition: width of the condition; 0 for none.
        dropout: of the perceptron's output.

    Shapes: (B, M, width), (B, N, context), (B, condition) -> (B, M, width).

    References:
        Lee et al. (2019). Set Transformer.
        Peebles, Xie (2023). Scalable Diffusion Models with Transformers.
    """

    def __init__(
        self, width: int, heads: int, context: int | None = None, condition: int = 0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        fraction(dropout=dropout)
        self.attention = Attention(width, heads, context)
        self.norms = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=not condition) for _ in range(2))
        self.context_norm = None if context is None else nn.LayerNorm(context)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width), nn.Dropout(dropout)
        )
        self.modulation = nn.Linear(condition, 6 * width) if condition else None
        if self.modulation is not None:
            nn.init.zeros_(self.modulation.weight)
            nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, context: Tensor | None = None, condition: Tensor | None = None) -> Tensor:
        if self.modulation is None or condition is None:
            seen = self.norms[0](x)
            x = x + self.attention(seen, self._context(seen, context))
            added: Tensor = self.mlp(self.norms[1](x))
            return x + added
        change = self.modulation(nn.functional.silu(condition))[:, None].chunk(6, dim=-1)  # six of (B, 1, width)
        seen = torch.addcmul(change[1], self.norms[0](x), 1 + change[0])
        x = torch.addcmul(x, change[2], self.attention(seen, self._context(seen, context)))
        seen = torch.addcmul(change[4], self.norms[1](x), 1 + change[3])
        return torch.addcmul(x, change[5], self.mlp(seen))

    def _context(self, own: Tensor, context: Tensor | None) -> Tensor:
        return own if context is None or self.context_norm is None else self.context_norm(context)
