"""A linear map with a correction by a perceptron."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pcgen.nets.mlp import MLP

__all__ = ["CorrectedLinear"]


class CorrectedLinear(nn.Module):
    """A linear map plus, if there are hidden layers, a perceptron that starts at zero; training starts from the map.

    Args:
        dims: widths from the input to the output; (in, out) gives a linear map.
    """

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.linear = nn.Linear(dims[0], dims[-1])
        self.correction: MLP | None = None
        if len(dims) > 2:
            self.correction = MLP(dims, activation="silu")
            for parameter in self.correction[-1].parameters():
                nn.init.zeros_(parameter)

    @torch.no_grad()
    def set_constant(self, outputs: slice, values: Tensor) -> None:
        """Initialise some of the outputs to these values, for every input; training may change them."""
        last = [] if self.correction is None else [*self.correction[-1].parameters()]
        for parameter in (*self.linear.parameters(), *last):
            parameter[outputs] = 0
        self.linear.bias[outputs] = values

    def forward(self, x: Tensor) -> Tensor:
        linear: Tensor = self.linear(x)
        return linear if self.correction is None else linear + self.correction(x)
