"""Mixtures of Gaussians against torch's own."""

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from pcgen.models.autoregressive.conditionals import MixtureHead


@pytest.mark.parametrize("size", [1, 3])
def test_density_and_draws_are_those_of_the_mixture(size: int) -> None:
    head = MixtureHead(4, size).double()
    told = torch.randn(2, 5, head.outputs, dtype=torch.float64)
    mixtures = head(told)
    peer = MixtureSameFamily(
        Categorical(logits=mixtures.log_weight), Independent(Normal(mixtures.mean, mixtures.log_scale.exp()), 1)
    )
    x = torch.randn(2, 5, size, dtype=torch.float64)
    torch.testing.assert_close(mixtures.log_prob(x), peer.log_prob(x))
    drawn = torch.stack([mixtures.draw() for _ in range(4000)])
    error = 5 * drawn.std(0) / 4000**0.5
    assert ((drawn.mean(0) - peer.mean).abs() < error).all()
    torch.testing.assert_close(drawn.var(0), peer.variance, rtol=0.25, atol=0)


def test_numbers_that_do_not_count_are_left_out() -> None:
    head = MixtureHead(4, 3)
    mixtures, x = head(torch.randn(6, head.outputs)), torch.randn(6, 3)
    peer = MixtureSameFamily(
        Categorical(logits=mixtures.log_weight),
        Independent(Normal(mixtures.mean[..., :2], mixtures.log_scale[..., :2].exp()), 1),
    )
    found = mixtures.log_prob(x, torch.tensor([1.0, 1.0, 0.0]))
    torch.testing.assert_close(found, peer.log_prob(x[:, :2]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("parts", "size"), [(1, 1), (1, 3), (6, 1), (8, 3)])
def test_of_zeros_it_has_the_mean_and_variance_of_a_standard_normal(parts: int, size: int) -> None:
    head = MixtureHead(parts, size)
    mixture = head(torch.zeros(head.outputs))
    mean, second = mixture.mean.mean(0), mixture.mean.square().mean(0) + (2 * mixture.log_scale).exp().mean(0)
    torch.testing.assert_close(mean, torch.zeros(size), atol=1e-6, rtol=0)
    torch.testing.assert_close(second, torch.ones(size))
    assert len(mixture.mean.unique(dim=0)) == parts


def test_a_head_without_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="parts: must be at least 1, got 0"):
        MixtureHead(0, 1)
