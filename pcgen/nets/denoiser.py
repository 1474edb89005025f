"""The network of diffusion, of flow matching and of chains, which knows the time, a label, a code."""

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, choose
from pcgen.nets.trunks import MemberAttention, Residual, TokenAttention

__all__ = ["NETWORKS", "Denoiser", "batch_of", "spread_times"]

NETWORKS = ("pooled", "attention", "tokens")
"""How the members of a set meet: by their maximum, each with each, or at learned tokens."""


class Denoiser(nn.Module):
    """Network of noisy vectors, (B, dim), or sets, (B, N, C), at times (B,) in [0, 1]; of the same shape unless told.

    Permuting the members of a set permutes the output. The output starts at zero.

    Args:
        shape: (dim,) or (members, channels).
        width: of the hidden layers.
        blocks: number of blocks, of two layers each for vectors.
        context: numbers that are known of each row besides the time, (B, context): a label or a code, say.
        network: of sets, a name in `NETWORKS`. "pooled": perceptrons that see the maximum over members, the quickest;
            "attention": members attend to each other, for up to about a hundred of them; "tokens": members attend to
            learned tokens and tokens to members, in time linear in the members. None is "attention" for at most 64
            members and "pooled" for more, the better ones after 25 seconds of training on a CPU; on a GPU, clouds of
            2048 points are for tokens=64, width=256, blocks=6. Vectors have perceptrons, whatever it is.
        heads: of the attention, a divisor of the width.
        tokens: number of learned tokens.
        dropout: probability that a number inside a block is zeroed.
        outputs: numbers that it gives of each vector or member; None is as many as it takes.

    Raises:
        ValueError: an argument out of range, heads that do not divide the width, or an unknown network.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        width: int,
        blocks: int,
        context: int = 0,
        network: str | None = None,
        heads: int = 4,
        tokens: int = 32,
        dropout: float = 0.0,
        outputs: int | None = None,
    ) -> None:
        super().__init__()
        at_least(1, width=width, blocks=blocks, heads=heads, tokens=tokens)
        if network is None:
            network = "attention" if len(shape) == 2 and shape[0] <= _FEW else "pooled"
        choose(network, NETWORKS, "network")
        self.enter = nn.Linear(shape[-1], width)
        self.time = nn.Sequential(nn.Linear(2 * _FREQUENCIES + context, width), nn.SiLU())
        if len(shape) == 1 or network == "pooled":
            self.trunk: nn.Module = Residual(width, blocks, len(shape) == 2, dropout)
        elif network == "attention":
            self.trunk = MemberAttention(width, blocks, heads, dropout)
        else:
            self.trunk = TokenAttention(width, blocks, heads, tokens, dropout)
        self.leave = nn.Linear(width, shape[-1] if outputs is None else outputs)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        angles = time[:, None] * torch.logspace(0, 3, _FREQUENCIES, device=x.device, dtype=x.dtype)  # (B, F)
        condition = self.time(torch.cat([angles.sin(), angles.cos(), context], dim=1))  # (B, width)
        out: Tensor = self.leave(self.trunk(self.enter(x), condition))
        return out


def spread_times(count: int, device: torch.device) -> Tensor:
    """Times for the rows of a batch, (count,), in [0, 1): one uniform draw, spread evenly over the batch.

    Every row's time is uniform, and the batch covers all times.
    """
    return (torch.rand((), device=device) + torch.arange(count, device=device) / count) % 1


def batch_of(shape: tuple[int, ...]) -> int:
    """How many rows of (dim,) or (members, channels) a batch has unless told otherwise.

    Each member of a set is an example too, and costs as much as a vector does: batches of 16 clouds of 256 points
    leave a quarter less error than batches of 128 do after two minutes of training on a CPU.
    """
    return 128 if len(shape) == 1 else min(max(_MEMBERS // shape[0], 16), 128)


_FREQUENCIES = 32  # from 1 to 1000 radians over the whole of time
_FEW = 64  # members that look at each other unless told otherwise
_MEMBERS = 4096  # of a batch of sets
