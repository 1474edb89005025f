import pytest
import torch
from torch_geometric.data import Data

from pcgen.data import from_pyg, load, to_pyg


def test_clouds_go_to_pyg_and_come_back() -> None:
    clouds = load("shapes:mug=3,lamp=2", surface_points=16)
    items = to_pyg(clouds)
    assert items[4].pos.shape == (16, 3) and items[4].y.tolist() == [1] and items[4].name == "lamp/1"
    again = from_pyg(items, classes=clouds.classes)
    assert torch.equal(again.points, clouds.points) and again.names == clouds.names and again.classes == clouds.classes
    assert again.normals is not None and clouds.normals is not None and torch.equal(again.normals, clouds.normals)
    assert again.labels is not None and clouds.labels is not None and torch.equal(again.labels, clouds.labels)


def test_meshes_of_pyg_are_sampled() -> None:
    mesh = Data(pos=torch.eye(3), face=torch.tensor([[0], [1], [2]]), y=torch.tensor([7]))
    clouds = from_pyg([mesh, mesh], surface_points=50)
    assert clouds.points.shape == (2, 50, 3) and clouds.classes == ("7",)
    assert torch.allclose(clouds.points.sum(-1), torch.ones(2, 50)) and (clouds.points >= 0).all()
    assert not torch.equal(clouds.points[0], clouds.points[1])


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(ValueError, match=r"item 1 has no pos \(N, 3\), it has x"):
        from_pyg([Data(pos=torch.zeros(3, 3)), Data(x=torch.zeros(3, 3))])
    with pytest.raises(ValueError, match="classes: must name numbers 2 to 2, got 1 names"):
        from_pyg([Data(pos=torch.zeros(3, 3), y=torch.tensor([2]))], classes=["only"])
    flat = Data(pos=torch.zeros(3, 3), face=torch.tensor([[0], [1], [2]]))
    with pytest.raises(ValueError, match="list: 0: has no area"):
        from_pyg([flat])
    with pytest.raises(ValueError, match=r"from 3 \(0\) to 5 \(1\) points"):
        from_pyg([Data(pos=torch.zeros(3, 3)), Data(pos=torch.zeros(5, 3))])


def test_per_point_labels_are_no_classes() -> None:
    clouds = from_pyg([Data(pos=torch.zeros(3, 3), y=torch.tensor([0, 1, 1]))])
    assert clouds.labels is None
