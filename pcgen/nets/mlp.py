"""Multilayer perceptrons."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn

from pcgen.errors import choose

__all__ = ["ACTIVATIONS", "MLP", "NORMS"]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
}
NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


class MLP(nn.Sequential):
    """Linear layers; after each layer but the last an activation, and optionally a normalisation and dropout.

    Args:
        dims: widths from the input to the output, at least two: (3, 64, 10) has one hidden layer of 64 units.
        activation: one of `ACTIVATIONS`.
        norm: None, or one of `NORMS`, applied before the activation.
        dropout: probability of zeroing a hidden unit, in [0, 1).

    Raises:
        ValueError: fewer than two widths, a width below 1, or a name that does not exist.
    """

    def __init__(
        self, dims: Sequence[int], *, activation: str = "relu", norm: str | None = None, dropout: float = 0.0
    ) -> None:
        if len(dims) < 2 or min(dims) < 1:
            raise ValueError(f"dims: must be at least two widths of at least 1, got {list(dims)}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout: must be a probability in [0, 1), got {dropout}")
        choose(activation, ACTIVATIONS, "activation")
        if norm is not None:
            choose(norm, NORMS, "norm")
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(pairwise(dims)):
            layers.append(nn.Linear(before, after))
            if i < len(dims) - 2:
                if norm is not None:
                    layers.append(NORMS[norm](after))
                layers.append(ACTIVATIONS[activation]())
                if dropout > 0:
                    layers.append(nn.Dropout(dropout))
        super().__init__(*layers)
