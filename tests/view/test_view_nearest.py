"""Samples beside their nearest training clouds."""

import torch

from pcgen.data.thinning import thin
from pcgen.view import nearest_pairs


def test_each_sample_stands_beside_the_cloud_that_it_is_of_with_as_many_points() -> None:
    sides = torch.tensor([[1.0, 1, 1], [3, 1, 1], [1, 1, 4]])[:, None]
    train = torch.rand(3, 512, 3, generator=torch.Generator().manual_seed(0)) * sides
    samples = torch.rand(2, 256, 3, generator=torch.Generator().manual_seed(1)) * sides[[2, 0]]
    pairs = nearest_pairs(samples, train)
    assert [tuple(cloud.shape) for cloud in pairs.clouds] == [(256, 3)] * 4
    assert torch.equal(pairs.clouds[0], samples[0]) and torch.equal(pairs.clouds[2], samples[1])
    for shown, cloud in ((pairs.clouds[1], train[2]), (pairs.clouds[3], train[0])):
        assert (shown[:, None] == cloud).all(dim=2).sum() == 256
    assert pairs.captions[0] == "sample 0" and pairs.captions[1].startswith("x ") and pairs.captions[1].endswith(" 2")
    same = nearest_pairs(thin(samples, 256), train[:, :256])  # no larger ones: as they are
    assert torch.equal(same.clouds[1], train[2, :256])
