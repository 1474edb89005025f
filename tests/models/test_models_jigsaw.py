import math

import pytest
import torch
from torch import Tensor

from pcgen.models import Batch
from pcgen.models.clouds.jigsaw import Jigsaw, Puzzle, in_cube, shuffled

CONTRACT = {
    "jigsaw": {"code": 6, "encoder": {"name": "pointnet", "widths": [8, 8]}, "point_widths": [8], "widths": [8]}
}


def test_the_permutation_is_one_of_cells_and_points_keep_their_place_inside():
    torch.manual_seed(0)
    x = torch.rand(50, 400, 3, dtype=torch.float64)
    puzzle = shuffled(x, 3)
    for origin, place in zip(puzzle.origin, puzzle.place, strict=True):
        pairs = torch.stack((origin, place), 1).unique(dim=0)
        assert len(pairs) == 27 and all(len(pairs[:, side].unique()) == 27 for side in (0, 1))
    torch.testing.assert_close(puzzle.x * 3 % 1, x * 3 % 1, atol=1e-12, rtol=0)
    for cells, points in ((puzzle.origin, x), (puzzle.place, puzzle.x)):  # numbered by x, then y, then z
        corner = torch.stack((cells // 9, cells // 3 % 3, cells % 3), 2)
        torch.testing.assert_close((points * 3).floor().long(), corner)


def test_every_cell_goes_everywhere_equally_often():
    torch.manual_seed(0)
    corners = torch.cartesian_prod(*[torch.tensor([0.25, 0.75])] * 3)  # one point in each of 2^3 cells
    puzzle = shuffled(corners.expand(8000, 8, 3), 2)
    pairs = torch.bincount((8 * puzzle.origin + puzzle.place).flatten(), minlength=64)
    assert (pairs - 1000).abs().max() < 5 * math.sqrt(1000)
    moved = shuffled(corners.expand(8000, 8, 3), 2).place != puzzle.place  # and anew each time
    assert moved.float().mean() == pytest.approx(7 / 8, abs=0.01)


def test_a_cloud_fills_the_cube_and_its_place_and_size_do_not_matter():
    x = torch.randn(5, 30, 3) * torch.tensor([1.0, 2.0, 0.5])
    inside = in_cube(x)
    sides = inside.amax(1) - inside.amin(1)
    torch.testing.assert_close(sides.amax(1), torch.ones(5))
    torch.testing.assert_close(inside.amax(1) + inside.amin(1), torch.ones(5, 3))
    torch.testing.assert_close(in_cube(7 * x + 3), inside, atol=1e-5, rtol=0)
    assert in_cube(torch.full((1, 4, 3), 2.0)).eq(0.5).all()
    model = Jigsaw((30, 3), code=8).eval()
    torch.testing.assert_close(model.encode(7 * x + 3), model.encode(x), atol=1e-4, rtol=0)


class Told(Jigsaw):
    """It is given the answer, off by some cells."""

    off = 0

    def logits(self, puzzle: Puzzle) -> Tensor:
        return 1e4 * torch.nn.functional.one_hot((puzzle.origin + self.off) % 27, 27).float()


def test_who_is_told_the_answer_has_loss_0_and_who_is_told_another_has_not():
    model, clouds = Told((40, 3)).eval(), Batch(torch.randn(6, 40, 3))
    assert model.validate(clouds) == 0
    model.off = 1
    assert model.validate(clouds) == pytest.approx(1e4)


def test_codes_do_not_depend_on_the_order_of_points():
    model, clouds = Jigsaw((64, 3), code=16).eval(), torch.randn(4, 200, 3)  # of any size
    torch.testing.assert_close(model.encode(clouds[:, torch.randperm(200)]), model.encode(clouds), atol=1e-5, rtol=1e-5)
