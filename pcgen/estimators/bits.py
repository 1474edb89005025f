"""Log-probability and entropy of independent bits, from their log-odds."""

from torch import Tensor
from torch.nn.functional import softplus

__all__ = ["bits_entropy", "bits_log_prob"]


def bits_log_prob(b: Tensor, logits: Tensor) -> Tensor:
    """log q(b) of bits (B, K) in nats, (B,); linear in b, so that relaxed bits between 0 and 1 are allowed too."""
    return (b * logits - softplus(logits)).sum(1)


def bits_entropy(logits: Tensor) -> Tensor:
    """Entropy of independent bits in nats, from their log-odds, (B, K) -> (B,)."""
    return (softplus(logits) - logits * logits.sigmoid()).sum(1)
