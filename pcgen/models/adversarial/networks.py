"""What generative adversarial networks are made of: generators and critics of vectors or sets, and their noise."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pcgen.errors import choose
from pcgen.nets import MLP

__all__ = ["SetCritic", "critic", "draw_noise", "generator"]

OUTPUTS = {"linear": nn.Identity, "relu": nn.ReLU}
NOISES = ("normal", "censored")


def generator(shape: tuple[int, ...], noise_dim: int, widths: Sequence[int] | None, output: str) -> nn.Module:
    """A perceptron from noise, (B, noise_dim), to vectors, (B, dim), or sets, (B, N, C).

    Widths None are 256-256 for vectors and, as in Achlioptas et al. (2018), 64-128-512-1024 for sets.

    Raises:
        ValueError: an unknown output.
    """
    choose(output, OUTPUTS, "output")
    if widths is None:
        widths = (256, 256) if len(shape) == 1 else (64, 128, 512, 1024)
    size = shape[0] if len(shape) == 1 else shape[0] * shape[1]
    return nn.Sequential(MLP((noise_dim, *widths, size)), OUTPUTS[output](), nn.Unflatten(1, shape))


def critic(shape: tuple[int, ...], widths: Sequence[int] | None) -> nn.Module:
    """A network from vectors, (B, dim), or sets, (B, N, C), to one number each, (B, 1).

    Widths None are those of Achlioptas et al. (2018): 256-512 for vectors; for sets 64-128-256-256-512 on every
    member. No batch norm: the penalty of WGAN-GP is a property of each row alone.
    """
    if len(shape) == 1:
        return MLP((shape[0], *((256, 512) if widths is None else widths), 1), activation="leaky_relu")
    return SetCritic(shape[1], (64, 128, 256, 256, 512) if widths is None else widths)


class SetCritic(nn.Module):
    """A perceptron on every member, the maximum over members, and a perceptron 128-64-1: (B, N, C) -> (B, 1)."""

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.members = MLP((channels, *widths), activation="leaky_relu")
        self.head = MLP((widths[-1], 128, 64, 1), activation="leaky_relu")

    def forward(self, x: Tensor) -> Tensor:
        score: Tensor = self.head(self.members(x).amax(dim=1))  # (B, N, C) -> (B, W) -> (B, 1)
        return score


def draw_noise(n: int, dim: int, scale: float, kind: str, truncation: float | None, device: torch.device) -> Tensor:
    """Noise of a generator, (n, dim): scale * e with e ~ N(0, 1), or max(e, 0) if `kind` is "censored".

    With a truncation t, e ~ N(0, 1) given |e| <= t.

    Raises:
        ValueError: a truncation that is not positive.
    """
    if truncation is None:
        e = torch.randn(n, dim, device=device)
    elif truncation > 0:
        e = nn.init.trunc_normal_(torch.empty(n, dim, device=device), a=-truncation, b=truncation)
    else:
        raise ValueError(f"truncation: must be a positive number of standard deviations, or None, got {truncation}")
    return scale * (e.clamp_min(0) if kind == "censored" else e)
