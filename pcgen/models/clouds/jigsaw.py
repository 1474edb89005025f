"""The jigsaw puzzle of clouds, a task without labels from which codes are learned."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, positive
from pcgen.errors import widths as check_widths
from pcgen.models.base import Batch, GradientLearner, Recipe
from pcgen.models.shape import accepted
from pcgen.nets.parts import ENCODERS, Part, build_part
from pcgen.nets.pointwise import PointwiseMLP

__all__ = ["Jigsaw", "Puzzle", "in_cube", "shuffled"]


@dataclass(frozen=True)
class Puzzle:
    """Clouds whose cells are shuffled."""

    x: Tensor  # (B, N, 3), the points where they are now
    origin: Tensor  # (B, N) int64, the cell that each point comes from
    place: Tensor  # (B, N) int64, the cell that it is in now


class Jigsaw(GradientLearner):
    """Learns codes of clouds by a puzzle: the cells of a cloud are shuffled, and each point says where it was.

        y_p = x_p + (s(c_p) - c_p) / cells,   loss = mean over points p of -log softmax(g(h(y_p), encode(y)))[c_p]

    Each cloud is scaled into the cube [0, 1]^3 and cut into cells^3 equal cells; c_p is the cell of point p, and s is a
    random permutation of the cells, drawn anew each time. Points keep their position inside their cell. h is a
    perceptron on one point, and g one on its features and the code; only the code can tell g what is in the other
    cells. `encode` gives the code of a whole cloud, not shuffled. The model has codes but decodes and generates
    nothing: the linear classifier of `pcgen classify` measures the codes.

    Args:
        shape: (points, 3) of the clouds in training; `encode` takes clouds of any number of points.
        code: width of the code, D.
        cells: of the cube along each axis; the task has cells^3 classes.
        encoder: a part by name and arguments, or a module (B, N, 3) -> (B, code).
        point_widths: of h, the layers on one point.
        widths: of the hidden layers of g.
        seen: points of each cloud that are used in training, drawn anew each time; None is all.
        lr: Adam's learning rate.

    Logged:
        cross_entropy: of the points' predicted cells, in nats; without learning it is log(cells^3).

    Raises:
        ValueError: a shape that is not that of clouds, or an argument out of range.

    References:
        Sauder, Sievers (2019). Self-Supervised Deep Learning on Point Clouds by Reconstructing Space.
        Noroozi, Favaro (2016). Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles.
    """

    objective: ClassVar[str] = "cross-entropy of the cells that points of shuffled clouds come from"
    accepts: ClassVar[tuple[str, ...]] = ("cloud",)

    def __init__(
        self,
        shape: Sequence[int],
        code: int = 256,
        cells: int = 3,
        encoder: Part | nn.Module = "pointnet",
        point_widths: Sequence[int] = (64, 64),
        widths: Sequence[int] = (256, 128),
        seen: int | None = 256,
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "jigsaw")
        at_least(1, code=code, cells=cells)
        if seen is not None:
            at_least(1, seen=seen)
        check_widths(point_widths=point_widths, widths=widths)
        positive(lr=lr)
        self.code_shape = (code,)
        self.cells = cells
        self.seen = seen
        self.encoder = build_part(encoder, ENCODERS, "encoder", code=code)
        self.points = PointwiseMLP((3, *point_widths))
        self.solver = nn.Sequential(PointwiseMLP((point_widths[-1] + code, *widths)), nn.Linear(widths[-1], cells**3))
        self.optimizer = torch.optim.Adam(self.parameters(), lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=4000, batch_size=32, bf16=True)

    def encode(self, x: Tensor) -> Tensor:
        """Codes (B, code) of clouds (B, N, 3); their position and size do not matter."""
        code: Tensor = self.encoder(2 * in_cube(x) - 1)
        return code

    def logits(self, puzzle: Puzzle) -> Tensor:
        """Unnormalised log-probabilities of the cell that each point comes from, (B, N, cells^3)."""
        y = 2 * puzzle.x - 1
        batch, points, _ = y.shape
        own = self.points(y.flatten(0, 1)).unflatten(0, (batch, points))
        code = self.encoder(y)[:, None].expand(-1, points, -1)  # (B, N, code)
        found: Tensor = self.solver(torch.cat((own, code), 2).flatten(0, 1)).unflatten(0, (batch, points))
        return found

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        x = batch.x
        if self.training and self.seen is not None and self.seen < x.shape[1]:
            x = x[:, torch.randperm(x.shape[1], device=x.device)[: self.seen]]
        puzzle = shuffled(in_cube(x), self.cells)
        logits = self.logits(puzzle).float().flatten(0, 1)
        return {"cross_entropy": nn.functional.cross_entropy(logits, puzzle.origin.flatten())}


def in_cube(x: Tensor) -> Tensor:
    """Clouds (B, N, 3) with their bounding boxes centred in [0, 1]^3 and the longest side 1; a single point at .5."""
    low, high = x.amin(1, keepdim=True), x.amax(1, keepdim=True)
    side = (high - low).amax(2, keepdim=True)
    return (x - (low + high) / 2) / torch.where(side > 0, side, torch.ones_like(side)) + 0.5


def shuffled(x: Tensor, cells: int) -> Puzzle:
    """Clouds (B, N, 3) in [0, 1]^3 with the cells of each permuted at random, by torch's global generator."""
    cell = (x * cells).long().clamp(0, cells - 1)  # (B, N, 3); a coordinate of 1 is in the last cell
    powers = torch.tensor([cells**2, cells, 1], device=x.device)
    origin = (cell * powers).sum(2)
    permutations = torch.rand(len(x), cells**3, device=x.device).argsort(1)
    place = permutations.gather(1, origin)
    moved = place[:, :, None] // powers % cells  # (B, N, 3)
    return Puzzle(x + (moved - cell).to(x.dtype) / cells, origin, place)
