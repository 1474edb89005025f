"""The network of diffusion and its relatives: residual blocks that know the time, a label, a code."""

import torch
from torch import Tensor, nn

from pcgen.errors import at_least

__all__ = ["Denoiser"]


class Denoiser(nn.Module):
    """Residual perceptron of noisy vectors, (B, dim), or sets, (B, N, C), at times (B,) in [0, 1]; of the same shape.

    Each member of a set goes through the same blocks, and each block adds the maximum over members of what it has so
    far, so that permuting the members permutes the output. The output starts at zero.

    Args:
        shape: (dim,) or (members, channels).
        width: of the hidden layers.
        blocks: number of residual blocks.
        context: numbers that are known of each row besides the time, (B, context): a label or a code, say.

    Raises:
        ValueError: a width or a number of blocks below 1.
    """

    def __init__(self, shape: tuple[int, ...], width: int, blocks: int, context: int = 0) -> None:
        super().__init__()
        at_least(1, width=width, blocks=blocks)
        self.enter = nn.Linear(shape[-1], width)
        self.time = nn.Sequential(nn.Linear(2 * _FREQUENCIES + context, width), nn.SiLU())
        self.blocks = nn.ModuleList(_Block(width, pooled=len(shape) == 2) for _ in range(blocks))
        self.leave = nn.Linear(width, shape[-1])
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        angles = time[:, None] * torch.logspace(0, 3, _FREQUENCIES, device=x.device, dtype=x.dtype)  # (B, F)
        known = self.time(torch.cat([angles.sin(), angles.cos(), context], dim=1))  # (B, width)
        h = self.enter(x)  # (B, [N,] width)
        for block in self.blocks:
            h = block(h, known)
        out: Tensor = self.leave(h)
        return out


_FREQUENCIES = 32  # from 1 to 1000 radians over the whole of time


class _Block(nn.Module):
    def __init__(self, width: int, pooled: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, width)
        self.context = nn.Linear(width, width)
        self.pool = nn.Linear(width, width) if pooled else None
        self.outer = nn.Linear(width, width)

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        inner, shift = self.inner(self.norm(h)), self.context(context)  # (B, [N,] width), (B, width)
        if self.pool is not None:
            shift = (shift + self.pool(h.amax(dim=1)))[:, None]  # (B, 1, width)
        added: Tensor = self.outer(nn.functional.silu(inner + shift))
        return h + added
