"""Causal networks of sequences, recurrent or with attention: each step depends only on the steps up to it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import cast

from torch import Tensor, nn

from pcgen.errors import at_least, fraction
from pcgen.nets.attention import Attention

__all__ = ["CAUSAL", "Causal", "CausalTransformer", "Recurrent"]

Memory = list[Tensor]


class Causal(nn.Module, ABC):
    """A network (B, T, width) -> (B, T, width), whose t-th output depends on the first t inputs only.

    `begin` and `step` compute the same step by step, for sequences that are being generated.
    """

    @abstractmethod
    def begin(self, n: int, steps: int, like: Tensor) -> Memory:
        """The memory of n sequences of at most `steps` steps before the first, of the type and device of `like`."""

    @abstractmethod
    def step(self, u: Tensor, t: int, memory: Memory) -> Tensor:
        """The output at step t, counted from 0, of the input at that step, (n, width); updates the memory."""


class Recurrent(Causal):
    """Layers of gated recurrent units, h_t = GRU(u_t, h_(t-1)).

    Args:
        width: of u and of every state.
        layers: number of layers.
        dropout: between layers, and of the output.

    References:
        Cho et al. (2014). Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
        Translation.
    """

    def __init__(self, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        at_least(1, width=width, layers=layers)
        fraction(dropout=dropout)
        self.gru = nn.GRU(width, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.dropout = nn.Dropout(dropout)

    def forward(self, u: Tensor) -> Tensor:
        out: Tensor = self.dropout(self.gru(u)[0])
        return out

    def begin(self, n: int, steps: int, like: Tensor) -> Memory:
        return [like.new_zeros(self.gru.num_layers, n, self.gru.hidden_size)]

    def step(self, u: Tensor, t: int, memory: Memory) -> Tensor:
        out, memory[0] = self.gru(u[:, None], memory[0])
        last: Tensor = self.dropout(out[:, 0])
        return last


class CausalTransformer(Causal):
    """Blocks of causal attention, and of a perceptron on every step.

    Args:
        width: of u and of the output.
        layers: number of blocks.
        heads: of the attention, a divisor of the width.
        dropout: of the perceptrons' outputs.

    References:
        Vaswani et al. (2017). Attention Is All You Need.
    """

    def __init__(self, width: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        at_least(1, width=width, layers=layers, heads=heads)
        fraction(dropout=dropout)
        self.blocks = nn.ModuleList(_CausalBlock(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, u: Tensor) -> Tensor:
        for block in self.blocks:
            u = block(u)
        out: Tensor = self.norm(u)
        return out

    def begin(self, n: int, steps: int, like: Tensor) -> Memory:
        heads, width = cast(_CausalBlock, self.blocks[0]).heads, self.norm.normalized_shape[0]
        return [like.new_zeros(2, n, heads, steps, width // heads) for _ in self.blocks]  # keys and values

    def step(self, u: Tensor, t: int, memory: Memory) -> Tensor:
        for block, seen in zip(self.blocks, memory, strict=True):
            u = cast(_CausalBlock, block).step(u, t, seen)
        out: Tensor = self.norm(u)
        return out


class _CausalBlock(nn.Module):
    """x + causal attention(norm(x)), then x + perceptron(norm(x))."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = _CausalAttention(width, heads)
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention.over(self.norms[0](x))
        added: Tensor = self.mlp(self.norms[1](x))
        return x + added

    def step(self, x: Tensor, t: int, seen: Tensor) -> Tensor:
        """Step t, (n, width); its keys and values are written to those of all steps, (2, n, heads, steps, d)."""
        x = x + self.attention.at(self.norms[0](x), t, seen)
        added: Tensor = self.mlp(self.norms[1](x))
        return x + added


class _CausalAttention(Attention):
    """Self-attention of a sequence, of each step to the steps up to it."""

    def over(self, x: Tensor) -> Tensor:
        """All steps at once, (B, T, width)."""
        query, key, value = self._projected(x)
        seen = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        out: Tensor = self.out(seen.transpose(1, 2).flatten(2))
        return out

    def at(self, x: Tensor, t: int, seen: Tensor) -> Tensor:
        """Step t, (n, width), given keys and values, (2, n, heads, steps, d)."""
        query, seen[0][:, :, t : t + 1], seen[1][:, :, t : t + 1] = self._projected(x[:, None])
        keys, values = seen[:, :, :, : t + 1]
        out: Tensor = self.out(nn.functional.scaled_dot_product_attention(query, keys, values).flatten(1))
        return out

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, (B, heads, T, d) each."""
        key, value = self.key_value(x).chunk(2, dim=-1)
        return self._split(self.query(x)), self._split(key), self._split(value)


CAUSAL: Mapping[str, Callable[[int, int, int, float], Causal]] = {
    "recurrent": lambda width, layers, heads, dropout: Recurrent(width, layers, dropout),
    "transformer": CausalTransformer,
}
"""Networks of sequences by name, as functions of width, layers, heads (of attention) and dropout."""
