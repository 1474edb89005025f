"""A generated Gaussian that must move to where the data is."""

import torch

from pcgen.models.base import Batch, GenerativeModel


def check_moves_to_the_data(model: GenerativeModel) -> None:
    """A hundred updates bring the mean of samples of a model of (2,) from near 0 to near that of N((2, -2), 1)."""
    mean = torch.tensor([2.0, -2.0])
    assert model.sample(1000).mean(0).norm() < 1
    for _ in range(100):
        model.update(Batch(mean + torch.randn(64, 2)))
    assert (model.sample(1000).mean(0) - mean).norm() < 0.7
