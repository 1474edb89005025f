import torch

from pcgen.ops import take_points


def test_each_cloud_gives_the_points_at_its_own_places() -> None:
    clouds = torch.randn(3, 7, 2, requires_grad=True)
    places = torch.tensor([[6, 0, 0], [1, 2, 3], [5, 5, 4]], dtype=torch.int32)
    taken = take_points(clouds, places)
    assert torch.equal(taken, torch.stack([cloud[row.long()] for cloud, row in zip(clouds, places, strict=True)]))
    (slope,) = torch.autograd.grad(taken.sum(), clouds)
    assert slope[0, :, 0].tolist() == [2, 0, 0, 0, 0, 0, 1]
