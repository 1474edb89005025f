import copy
import math

import pytest
import torch
from torch import Tensor

from pcgen.data import Augmentation
from pcgen.metrics.svm import linear_svm
from pcgen.models import Batch
from pcgen.models.clouds.jigsaw import Jigsaw, Puzzle, in_box, shuffled
from pcgen.models.inference import encode_all
from pcgen.studies.claims.clouds import shapes
from pcgen.training import steps

CONTRACT = {
    "jigsaw": {"code": 6, "encoder": {"name": "pointnet", "widths": [8, 8]}, "piece_widths": [8], "widths": [8]}
}

ENCODER = {"name": "pointnet", "widths": [32, 64]}


def test_the_permutation_is_one_of_cells_and_points_keep_their_place_inside():
    torch.manual_seed(0)
    x = torch.rand(50, 400, 3, dtype=torch.float64)
    puzzle = shuffled(x, 3)
    assert torch.equal(puzzle.origin.sort(1).values, torch.arange(27).expand(50, 27))
    torch.testing.assert_close(puzzle.x * 3 % 1, x * 3 % 1, atol=1e-12, rtol=0)
    torch.testing.assert_close(puzzle.inside, x * 3 % 1, atol=1e-12, rtol=0)
    for cells, points in ((puzzle.origin.gather(1, puzzle.place), x), (puzzle.place, puzzle.x)):
        corner = torch.stack((cells // 9, cells // 3 % 3, cells % 3), 2)  # numbered by x, then y, then z
        torch.testing.assert_close((points * 3).floor().long(), corner)


def test_every_cell_goes_everywhere_equally_often():
    torch.manual_seed(0)
    corners = torch.cartesian_prod(*[torch.tensor([0.25, 0.75])] * 3).expand(8000, 8, 3)  # a point in each of 2^3 cells
    first, second = (shuffled(corners, 2) for _ in range(2))
    pairs = torch.bincount((8 * torch.arange(8) + first.place).flatten(), minlength=64)
    assert (pairs - 1000).abs().max() < 5 * math.sqrt(1000)
    assert (first.place != second.place).float().mean() == pytest.approx(7 / 8, abs=0.01)


def test_a_cloud_fills_its_box_and_its_place_and_size_do_not_matter():
    x = torch.randn(5, 30, 3) * torch.tensor([1.0, 2.0, 0.5])
    inside, sides = in_box(x)
    assert inside.amin() == 0 and torch.equal(inside.amax(1), torch.ones(5, 3))
    torch.testing.assert_close(sides.amax(2), torch.ones(5, 1))
    distance = (x[:, 0] - x[:, 1]).norm(dim=1) / (x.amax(1) - x.amin(1)).amax(1)  # proportions are kept
    torch.testing.assert_close(((inside[:, 0] - inside[:, 1]) * sides[:, 0]).norm(dim=1), distance)
    flat = in_box(torch.tensor([[[2.0, 0.0, 1.0], [2.0, 4.0, 3.0]]]))
    assert flat[0].tolist() == [[[0.5, 0.0, 0.0], [0.5, 1.0, 1.0]]] and flat[1].tolist() == [[[0.0, 1.0, 0.5]]]
    model = Jigsaw((30, 3), code=8).eval()
    torch.testing.assert_close(model.encode(7 * x + 3), model.encode(x), atol=1e-4, rtol=0)


class Told(Jigsaw):
    """It is given the answer, off by some cells."""

    off = 0

    def logits(self, puzzle: Puzzle, code: Tensor) -> Tensor:
        return 1e4 * torch.nn.functional.one_hot((puzzle.origin + self.off) % 27, 27).float()


@pytest.mark.parametrize("whole", [True, False])
def test_who_is_told_the_answer_has_loss_0_and_who_is_told_another_has_not(whole):
    model, clouds = Told((40, 3), whole=whole).eval(), Batch(torch.randn(6, 40, 3))
    assert model.validate(clouds) == 0
    model.off = 1
    assert model.validate(clouds) == pytest.approx(1e4)


def test_a_piece_does_not_tell_where_it_was():
    """The same points inside another cell give the same logits: only the content of cells and the code are seen."""
    model = Jigsaw((40, 3), code=8, cells=2).eval()
    inside, code = torch.rand(1, 40, 3), torch.randn(1, 8)
    place = torch.randint(8, (1, 40))
    permutation = torch.randperm(8)
    one, other = (
        model.logits(Puzzle(inside, where, inside, torch.zeros(1, 8, dtype=torch.int64)), code)
        for where in (place, permutation[place])
    )
    torch.testing.assert_close(other[:, permutation], one)
    assert (one[0, 0] - one[0, 1]).abs().max() > 1e-4  # of other content


def test_a_batch_of_one_cloud_is_refused_where_it_is_learned():
    model = Jigsaw((40, 3), code=8).train()
    with pytest.raises(ValueError, match="batch_size: must be at least 2 for the batch norm of codes, got a batch of"):
        model.update(Batch(torch.randn(1, 40, 3)))


def test_codes_do_not_depend_on_the_order_of_points():
    model, clouds = Jigsaw((64, 3), code=16).eval(), torch.randn(4, 200, 3)  # of any size
    torch.testing.assert_close(model.encode(clouds[:, torch.randperm(200)]), model.encode(clouds), atol=1e-5, rtol=1e-5)


def accuracy(model: Jigsaw, x: Tensor) -> float:
    """The share of pieces of the clouds that are put where they were, by the codes of the whole clouds."""
    puzzle = shuffled(in_box(x)[0], model.cells)
    with torch.no_grad():
        right = model.logits(puzzle, model.encode(x)).argmax(2) == puzzle.origin
    there = torch.zeros_like(right).scatter_(1, puzzle.place, True)
    return float(right[there].double().mean())


def test_pieces_of_unseen_clouds_are_put_back_and_codes_separate_classes_better_than_untrained_ones(measured):
    """Shapes that are turned, stretched and noisy, ten of each family with a label."""
    families = ["airplane", "car", "chair", "lamp", "mug", "table"]
    changed = Augmentation(rotation=180, jitter=0.03, stretch=0.3)
    torch.manual_seed(0)
    sets = shapes(families, [60, 10, 40], seed=0)
    (known, _), (few, labels), (test, right) = ((changed(clouds), own) for clouds, own in sets)
    model = Jigsaw((256, 3), code=64, encoder=ENCODER)

    def separated(model: Jigsaw) -> float:
        return linear_svm(encode_all(model, few), labels, encode_all(model, test), right).accuracy

    untrained = copy.deepcopy(model)
    floors = [separated(untrained)]
    untrained.encoder.train()(2 * in_box(known)[0] - 1)  # with the statistics of the clouds, but no learned weights
    floors.append(separated(untrained))
    list(steps(model, known, steps=150, batch_size=16))
    found, reached = accuracy(model.eval(), test), separated(model)
    measured("share of the pieces of unseen clouds that are put back, of 27 cells", found, "above 0.037")
    gain = reached - max(floors)
    measured("rise of the accuracy of a linear SVM on its codes over untrained ones, 6 classes", gain, "above 0")
    assert found > 0.2
    assert gain > 0.03
