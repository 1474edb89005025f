"""A linear map for each step of a sequence."""

import torch
from torch import Tensor, nn

from pcgen.errors import at_least

__all__ = ["StepLinear"]


class StepLinear(nn.Module):
    """y_t = W_t x_t + b_t: a map for each step of a sequence, or one map for all steps.

    Args:
        steps: number of maps, T; with 1, all steps of a sequence of any length share one map.
        inputs: channels of x_t.
        outputs: channels of y_t.

    Shapes: (B, T, inputs) -> (B, T, outputs).

    Raises:
        ValueError: an argument below 1.
    """

    def __init__(self, steps: int, inputs: int, outputs: int) -> None:
        super().__init__()
        at_least(1, steps=steps, inputs=inputs, outputs=outputs)
        self.weight = nn.Parameter(torch.empty(steps, inputs, outputs).uniform_(-(inputs**-0.5), inputs**-0.5))
        self.bias = nn.Parameter(torch.zeros(steps, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return (x.transpose(0, 1) @ self.weight + self.bias).transpose(0, 1)

    def at(self, t: int, x: Tensor) -> Tensor:
        """The map of step t, applied to x, (B, inputs) -> (B, outputs)."""
        place = t % len(self.weight)  # always 0 if there is one map for all steps
        return x @ self.weight[place] + self.bias[place]
