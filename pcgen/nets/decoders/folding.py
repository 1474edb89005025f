"""Folding: a decoder that deforms a template of points into a cloud."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, choose
from pcgen.nets.coded_perceptron import CodedPerceptron
from pcgen.nets.waves import CHANNELS_PER_COORDINATE, waves

__all__ = ["TEMPLATES", "Folding", "fibonacci_sphere", "fibonacci_square"]

_GOLDEN = (1 + math.sqrt(5)) / 2


def fibonacci_sphere(points: int) -> Tensor:
    """Points spread evenly over the unit sphere, (points, 3), at equal steps in height and at the golden angle.

        z_i = 1 - (2 i + 1) / N,  angle_i = 2 pi i / golden

    References:
        Gonzalez (2010). Measurement of Areas on a Sphere Using Fibonacci and Latitude-Longitude Lattices.
    """
    i = torch.arange(points, dtype=torch.float64)
    height, angle = 1 - (2 * i + 1) / points, 2 * math.pi * (i / _GOLDEN).frac()
    radius = (1 - height.square()).sqrt()
    return torch.stack([radius * angle.cos(), radius * angle.sin(), height], dim=1).float()


def fibonacci_square(points: int) -> Tensor:
    """Points spread evenly over the square [-1, 1]^2, (points, 2), for any number of points.

    x_i = 2 (i + 1/2) / N - 1,  y_i = 2 frac((i + 1/2) / golden) - 1
    """
    i = torch.arange(points, dtype=torch.float64)
    return (2 * torch.stack([(i + 0.5) / points, ((i + 0.5) / _GOLDEN).frac()], dim=1) - 1).float()


def _ball(points: int) -> Tensor:
    """Uniform random points in the unit ball, from torch's global generator, (points, 3)."""
    directions = nn.functional.normalize(torch.randn(points, 3), dim=1)
    return directions * torch.rand(points, 1) ** (1 / 3)


TEMPLATES: dict[str, tuple[Callable[[int], Tensor], int]] = {
    "sphere": (fibonacci_sphere, 3),
    "square": (fibonacci_square, 2),
    "ball": (_ball, 3),
}
"""Functions that make templates, points -> (points, channels), and their channels; "ball" is random at each call."""


class Folding(nn.Module):
    """A template of points u_i, the same for all clouds, that two perceptrons deform, given the code.

        y_i = f_1(waves(u_i), code),  x_i = y_i + f_2(y_i, code)

    The waves (see `pcgen.nets.waves`) are computed once for all clouds. A template may have any number of points, so a
    code can be decoded to a cloud of any resolution.

    Args:
        code: width of the code, D.
        points: points per cloud, N, if a call does not give another number.
        template: "sphere" or "square", on which points are spread evenly; or "ball", uniform random points in the unit
            ball, new at each call, from torch's global generator.
        widths: hidden widths of each of the two perceptrons.

    Shapes: (B, code) -> (B, points, 3).

    Raises:
        ValueError: an unknown template, or a width below 1.

    References:
        Yang, Feng, Shen, Tian (2018). FoldingNet: Point Cloud Auto-encoder via Deep Grid Deformation.
    """

    def __init__(self, code: int, points: int, *, template: str = "sphere", widths: Sequence[int] = (64, 64)) -> None:
        super().__init__()
        at_least(1, points=points)
        self.points = points
        self.template, channels = TEMPLATES[choose(template, TEMPLATES, "template")]
        self.first = CodedPerceptron(channels * CHANNELS_PER_COORDINATE, code, widths, 3)
        self.second = CodedPerceptron(3, code, widths, 3)

    def forward(self, z: Tensor, points: int | None = None) -> Tensor:
        template = self.template(points or self.points).to(z)  # (N, channels)
        folded: Tensor = self.first(waves(template), z)  # (B, N, 3)
        cloud: Tensor = folded + self.second(folded, z)
        return cloud
