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

__all__ = ["Jigsaw", "Puzzle", "in_box", "shuffled"]


@dataclass(frozen=True)
class Puzzle:
    """Clouds in pieces: the points of each cell of the bounding box, in another cell."""

    x: Tensor  # (B, N, 3), the points where they are now
    place: Tensor  # (B, N) int64, the cell that each point is in now
    inside: Tensor  # (B, N, 3), its position inside the cell, from 0 to 1
    origin: Tensor  # (B, cells^3) int64, for each cell, where what is in it comes from


class Jigsaw(GradientLearner):
    """Learns codes of clouds by a puzzle: a cloud is cut into pieces, and each piece is put back where it was.

        loss = mean over pieces of -log softmax(g(max over points p of the piece of h(p), code))[cell of the piece]

    The bounding box of each cloud is cut into cells^3 equal cells, and the points in a cell are a piece. h sees the
    positions of points inside their cell alone, so that a piece does not tell where it was; only the code can tell
    what kind of cloud it is a piece of. The code is by default that of other points of the whole cloud, like the
    picture on the box of a puzzle: so the encoder learns from clouds as it encodes them later. In both papers there is
    no such picture (`whole` false): the cells are permuted at random, with points that keep their position inside
    their cell, and the code is that of the shuffled cloud. Noroozi and Favaro also encode each piece by itself; Sauder
    and Sievers classify each point by its own features.

    The model has codes, but it neither decodes nor generates: the linear classifier of `pcgen classify` tests them.

    Args:
        shape: (points, 3) of the clouds in training; `encode` takes clouds of any number of points.
        code: width of the code, D.
        cells: of the bounding box along each axis; the puzzle has cells^3 pieces at most.
        whole: whether the code in training is that of the whole cloud, or of the shuffled one.
        encoder: a part by name and arguments, or a module (B, N, 3) -> (B, code).
        piece_widths: of h, the perceptron on one point of a piece.
        widths: of the hidden layers of g.
        seen: points of each cloud for the code, and as many others for the pieces, drawn anew each time; half of the
            points at most. None is half.
        lr: Adam's learning rate.

    Logged:
        cross_entropy: of the pieces' predicted cells, in nats; log(cells^3) without learning.

    Raises:
        ValueError: a shape that is not that of clouds, or an argument out of range; in training, a batch of one cloud.

    References:
        Sauder, Sievers (2019). Self-Supervised Deep Learning on Point Clouds by Reconstructing Space.
        Noroozi, Favaro (2016). Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles.
    """

    objective: ClassVar[str] = "cross-entropy of the cells that pieces of clouds come from"
    accepts: ClassVar[tuple[str, ...]] = ("cloud",)

    def __init__(
        self,
        shape: Sequence[int],
        code: int = 256,
        cells: int = 3,
        whole: bool = True,
        encoder: Part | nn.Module = "pointnet",
        piece_widths: Sequence[int] = (64, 128),
        widths: Sequence[int] = (256, 128),
        seen: int | None = 256,
        lr: float = 2e-3,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "jigsaw")
        at_least(1, code=code, cells=cells)
        if seen is not None:
            at_least(1, seen=seen)
        check_widths(piece_widths=piece_widths, widths=widths)
        positive(lr=lr)
        self.code_shape = (code,)
        self.cells = cells
        self.whole = whole
        self.seen = seen
        self.encoder = build_part(encoder, ENCODERS, "encoder", code=code)
        self.norm = nn.BatchNorm1d(code)  # codes of all clouds have much in common, which would hide what differs
        self.points = PointwiseMLP((3, *piece_widths))
        self.solver = nn.Sequential(PointwiseMLP((piece_widths[-1] + code, *widths)), nn.Linear(widths[-1], cells**3))
        self.optimizer = torch.optim.Adam(self.parameters(), lr, (0.9, 0.99), fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=4000, batch_size=32, bf16=True)

    def encode(self, x: Tensor) -> Tensor:
        """Codes (B, code) of clouds (B, N, 3); their position and size do not matter."""
        inside, sides = in_box(x)
        return self._code(inside, sides)

    def logits(self, puzzle: Puzzle, code: Tensor) -> Tensor:
        """Unnormalised log-probabilities of where the piece in each cell comes from, (B, cells^3, cells^3)."""
        own = self.points(2 * puzzle.inside.flatten(0, 1) - 1).unflatten(0, puzzle.place.shape)  # (B, N, width)
        index = puzzle.place[:, :, None].expand_as(own)
        # 0 in an empty cell; the points' features are at least 0.
        pieces = own.new_zeros(len(own), self.cells**3, own.shape[2]).scatter_reduce(1, index, own, "amax")
        known = self.norm(code)[:, None].expand(-1, self.cells**3, -1)
        joined = torch.cat((pieces, known), 2)  # (B, cells^3, width + code)
        found: Tensor = self.solver(joined.flatten(0, 1)).unflatten(0, joined.shape[:2])
        return found

    def update(self, batch: Batch) -> dict[str, Tensor]:
        if len(batch) < 2:
            raise ValueError("batch_size: must be at least 2 for the batch norm of codes, got a batch of one cloud")
        return super().update(batch)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        inside, sides = in_box(batch.x)
        order, half = torch.randperm(inside.shape[1], device=inside.device), max(1, inside.shape[1] // 2)
        count = half if self.seen is None else min(self.seen, half)
        puzzle = shuffled(inside[:, order[:count]], self.cells)
        code = self._code(inside[:, order[-count:]] if self.whole else puzzle.x, sides)
        pieces = torch.zeros_like(puzzle.origin, dtype=torch.float32).scatter_(1, puzzle.place, 1.0)  # 0 in empty cells
        logits = self.logits(puzzle, code).float().flatten(0, 1)
        each = nn.functional.cross_entropy(logits, puzzle.origin.flatten(), reduction="none")
        return {"cross_entropy": (each * pieces.flatten()).sum() / pieces.sum()}

    def _code(self, inside: Tensor, sides: Tensor) -> Tensor:
        code: Tensor = self.encoder((2 * inside - 1) * sides)
        return code


def in_box(x: Tensor) -> tuple[Tensor, Tensor]:
    """Clouds (B, N, 3) with their bounding boxes as [0, 1]^3, and the sides of these, (B, 1, 3), the longest as 1.

    The clouds are at .5 along an axis in which they have no width.
    """
    low, high = x.amin(1, keepdim=True), x.amax(1, keepdim=True)
    wide = high > low
    inside = (x - low) / torch.where(wide, high - low, 1)
    longest = (high - low).amax(2, keepdim=True)
    return torch.where(wide, inside, 0.5), (high - low) / torch.where(longest > 0, longest, 1)


def shuffled(x: Tensor, cells: int) -> Puzzle:
    """Clouds (B, N, 3) in [0, 1]^3 with the cells of each permuted at random, by torch's global generator."""
    cell = (x * cells).long().clamp(0, cells - 1)  # (B, N, 3); a coordinate of 1 is in the last cell
    powers = torch.tensor([cells**2, cells, 1], device=x.device)
    permutation = torch.rand(len(x), cells**3, device=x.device).argsort(1)
    place = permutation.gather(1, (cell * powers).sum(2))  # (B, N)
    moved = place[:, :, None] // powers % cells  # (B, N, 3)
    there = x + (moved - cell).to(x.dtype) / cells
    return Puzzle(there, place, x * cells - cell, permutation.argsort(1))
