"""Closed forms of independent bits, beside those of torch.distributions."""

import torch
from torch.distributions import Bernoulli

from pcgen.estimators.bits import bits_entropy, bits_log_prob

LOGITS = torch.tensor([[-30.0, -1.0, 0.0, 2.5, 40.0], [0.1, -0.2, 3.0, -700.0, 700.0]], dtype=torch.float64)


def test_the_entropy_is_that_of_the_bits() -> None:
    torch.testing.assert_close(bits_entropy(LOGITS), Bernoulli(logits=LOGITS).entropy().sum(1))


def test_the_log_probability_is_that_of_the_bits() -> None:
    b = torch.tensor([[0.0, 1.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(bits_log_prob(b, LOGITS), Bernoulli(logits=LOGITS).log_prob(b).sum(1))
