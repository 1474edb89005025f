"""What independent bits say of themselves in closed form, given their log-odds."""

from torch import Tensor
from torch.nn.functional import softplus

__all__ = ["bits_entropy", "bits_log_prob"]


def bits_log_prob(b: Tensor, logits: Tensor) -> Tensor:
    """log q(b) of bits (B, K) in nats, (B,); between 0 and 1 it goes on smoothly, as the relaxations need."""
    return (b * logits - softplus(logits)).sum(1)


def bits_entropy(logits: Tensor) -> Tensor:
    """Of bits with those log-odds, in nats, (B, K) -> (B,)."""
    return (softplus(logits) - logits * logits.sigmoid()).sum(1)
