"""The networks of generative adversarial networks: generators and critics of vectors or sets."""

from collections.abc import Sequence

from torch import Tensor, nn

from pcgen.errors import choose
from pcgen.nets import MLP

__all__ = ["SetCritic", "critic", "generator"]

OUTPUTS = {"linear": nn.Identity, "relu": nn.ReLU}


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


def critic(shape: tuple[int, ...], widths: Sequence[int] | None, outputs: int = 1) -> nn.Module:
    """A network from vectors, (B, dim), or sets, (B, N, C), to a few numbers each, (B, outputs).

    Widths None are those of Achlioptas et al. (2018): 256-512 for vectors; for sets 64-128-256-256-512 on every
    member. No batch norm: the penalty of WGAN-GP is a property of each row alone.
    """
    if len(shape) == 1:
        return MLP((shape[0], *((256, 512) if widths is None else widths), outputs), activation="leaky_relu")
    return SetCritic(shape[1], (64, 128, 256, 256, 512) if widths is None else widths, outputs)


class SetCritic(nn.Module):
    """A perceptron on every member, the maximum over members, a perceptron 128-64: (B, N, C) -> (B, outputs)."""

    def __init__(self, channels: int, widths: Sequence[int], outputs: int = 1) -> None:
        super().__init__()
        self.members = MLP((channels, *widths), activation="leaky_relu")
        self.head = MLP((widths[-1], 128, 64, outputs), activation="leaky_relu")

    def forward(self, x: Tensor) -> Tensor:
        score: Tensor = self.head(self.members(x).amax(dim=1))  # (B, N, C) -> (B, W) -> (B, outputs)
        return score
