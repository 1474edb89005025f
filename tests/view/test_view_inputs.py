"""What can be drawn, and how what cannot is refused."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pcgen.view.inputs import drawables


@dataclass(frozen=True)
class Set:
    points: Tensor
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def test_tensors_arrays_and_lists() -> None:
    points = torch.randn(3, 10, 3)
    for given in (points, points.numpy(), list(points), points.double().requires_grad_()):
        found = drawables(given)
        assert len(found) == 3
        np.testing.assert_allclose(found[1].points, points[1], rtol=1e-6)
        assert found[1].name == "" and found[1].label is None
    assert len(drawables(points[0])) == 1
    far = torch.rand(1, 500, 3, dtype=torch.float64) + 5e6  # of which float32 would hold three values of x
    np.testing.assert_array_equal(drawables(far)[0].points, far[0].numpy())
    assert [len(cloud.points) for cloud in drawables([points[0], points[1, :4]])] == [10, 4]


def test_cloud_sets_bring_names_and_labels() -> None:
    found = drawables(Set(torch.zeros(2, 4, 3), torch.tensor([1, 0]), ("chair", "mug"), ("a", "b")))
    assert [(cloud.name, cloud.label, cloud.kind) for cloud in found] == [("a", 1, "mug"), ("b", 0, "chair")]
    assert drawables(Set(torch.zeros(1, 4, 3), names=("a",)))[0].label is None


def test_several_sets_share_the_classes_of_one_name() -> None:
    one = Set(torch.zeros(2, 4, 3), torch.tensor([0, 1]), ("chair", "mug"), ("a", "b"))
    other = Set(torch.zeros(2, 9, 3), torch.tensor([0, 1]), ("mug", "lamp"), ("c", "d"))
    found = drawables([one, other])
    assert [(cloud.name, cloud.label, len(cloud.points)) for cloud in found] == [
        ("a", 0, 4), ("b", 1, 4), ("c", 1, 9), ("d", 2, 9),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.zeros(2, 5, 2), r"each must be \(N, 3\) with N > 0, got \(5, 2\) for cloud 0"),
        (torch.zeros(5), r"each must be \(N, 3\)"),
        ([torch.zeros(4, 3), torch.zeros(0, 3)], r"got \(0, 3\) for cloud 1"),
        ([], "clouds: must be 1 to 1024 clouds, got 0"),
        (torch.zeros(1025, 1, 3), "got 1025; select some of them"),
        ("chairs.npz", "clouds: must be a tensor or an array of numbers, got str"),
        ({"points": 1}, "got dict"),
    ],
)
def test_refused(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        drawables(given)


def test_nan_is_refused_with_the_cloud_s_name() -> None:
    points = torch.zeros(2, 4, 3)
    points[1, 2:, 0] = float("nan")
    with pytest.raises(ValueError, match=r"NaN or infinity in 2 of 4 points of cloud 1 \(chair/7\)"):
        drawables(Set(points, names=("chair/6", "chair/7")))
