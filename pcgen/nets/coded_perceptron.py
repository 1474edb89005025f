"""A perceptron on every point of a cloud, conditioned on the code of the cloud."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from pcgen.errors import at_least
from pcgen.errors import widths as check_widths

__all__ = ["CodedPerceptron"]


class CodedPerceptron(nn.Module):
    """One perceptron on every point; its hidden layers see the code of the point's cloud.

        h_1 = relu(U_1 p + V_1 c + b_1),  h_l = relu(U_l h_{l-1} + V_l c + b_l),  f(p, c) = W h_L + a

    It is like a perceptron on the concatenation of point and code, but V c is computed once per cloud, not per point.
    For points that all clouds share, U_1 p is computed once per batch.

    Args:
        inputs: channels per point, C.
        code: width of the code, D.
        widths: of the hidden layers, at least one.
        outputs: channels of the output.

    Shapes: points (B, N, C), or shared points (N, C), and codes (B, D) -> (B, N, outputs).

    Raises:
        ValueError: a width below 1, or no hidden layer.
    """

    def __init__(self, inputs: int, code: int, widths: Sequence[int], outputs: int) -> None:
        super().__init__()
        at_least(1, inputs=inputs, code=code, outputs=outputs)
        check_widths(widths=widths)
        self.points = nn.ModuleList(
            nn.Linear(before, after, bias=False) for before, after in pairwise((inputs, *widths))
        )
        self.codes = nn.ModuleList(nn.Linear(code, after) for after in widths)
        self.out = nn.Linear(widths[-1], outputs)

    def forward(self, points: Tensor, code: Tensor) -> Tensor:
        h = points
        for point, known in zip(self.points, self.codes, strict=True):
            h = (point(h) + known(code)[:, None]).relu_()  # (B, N, width)
        out: Tensor = self.out(h)
        return out
