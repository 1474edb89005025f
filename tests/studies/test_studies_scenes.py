import math

import pytest
import torch

from pcgen.data import scenes, shapes
from pcgen.studies.scenes import TASKS, answer, found, read

FAMILIES = tuple(shapes.FAMILIES)


def test_answers_are_those_of_the_scenes() -> None:
    pairs = [index for index in range(60) if scenes.count(index) == 2]
    assert pairs
    for index in range(60):
        assert answer("count", index) == scenes.count(index)
        if index not in pairs:
            assert answer("sum", index) is None and answer("order", index) is None
    for index in pairs:
        first, second = sorted(scenes.scene(index), key=lambda each: each.centre[0])
        numbers = [1 + FAMILIES.index(each.family) for each in (first, second)]
        assert answer("sum", index) == sum(numbers)
        equal = numbers[0] == numbers[1]
        assert answer("order", index) == (None if equal else int(numbers[0] < numbers[1]))
    with pytest.raises(ValueError, match=r"task: must be one of count, sum, order; got 'size'"):
        answer("size", 0)
    assert set(TASKS) == {"count", "sum", "order"}


def test_a_reader_knows_what_codes_tell_and_nothing_else() -> None:
    torch.manual_seed(0)
    codes = torch.randn(600, 2, 3)
    answers = (codes[:, 0, 0] * codes[:, 1, 2] > 0).long()  # no linear reader knows it
    known = read(codes[:400], answers[:400], codes[400:], answers[400:])
    assert known.overall > 0.85
    unknown = read(torch.randn(400, 6), answers[:400], torch.randn(200, 6), answers[400:])
    assert unknown.interval[0] < 0.5 < unknown.interval[1] + 0.05


def test_boxes_and_shapes_belong_together_once_each() -> None:
    nothing = [math.nan] * 6
    right = torch.tensor([[[0.0, 0, 0, 1, 1, 1], [1, 0, 0, 1, 1, 1], nothing], [[5, 0, 0, 1, 1, 1], nothing, nothing]])
    # Two boxes at one shape count once; one that is near nothing does not; a scene may have no box.
    boxes = torch.tensor([[[0.05, 0, 0, 2, 2, 2], [-0.05, 0, 0, 2, 2, 2], [3, 0, 0, 1, 1, 1]], [nothing] * 3])
    assert found(boxes, right, reach=0.1) == (1, 3, 3)
    assert found(right, right, reach=0.1) == (3, 3, 3)
    # The nearer of both shapes is not taken from the box that has no other.
    two = torch.tensor([[[0.5, 0, 0, 1, 1, 1], [1.05, 0, 0, 1, 1, 1]]])
    assert found(two, right[:1], reach=0.6) == (2, 2, 2)
