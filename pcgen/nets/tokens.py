"""Attention from clouds to sets of tokens, and back; the cloud does not depend on the order of the tokens."""

import torch
from torch import Tensor, nn

from pcgen.nets.attention import AttentionBlock
from pcgen.nets.mlp import MLP
from pcgen.nets.waves import CHANNELS_PER_COORDINATE, waves
from pcgen.ops.neighbours import farthest_points
from pcgen.ops.taking import take_points

__all__ = ["QueriedPoints", "TokenEncoder", "spread_points"]


def spread_points(x: Tensor, count: int) -> Tensor:
    """Farthest point sampling of each cloud, starting at the point farthest from the mean; the order has no effect.

    p_1 = argmax over p in x of |p - mean(x)|;  p_t = argmax over p in x of min over s < t of |p - p_s|

    Shapes: (B, N, 3) -> (B, count, 3).

    Raises:
        ValueError: a cloud has fewer points.
    """
    if count > x.shape[1]:
        raise ValueError(f"tokens: must be at most the points of a cloud, {x.shape[1]}, got {count}")
    detached = x.detach().float().contiguous()
    start = (detached - detached.mean(1, keepdim=True)).square().sum(2).argmax(1)  # (B,)
    return take_points(x, farthest_points(detached, count, start))  # (B, count, 3)


class TokenEncoder(nn.Module):
    """Tokens at points that are spread over the cloud; each token attends to all points of the cloud.

    Args:
        tokens: number of tokens, M.
        width: of the tokens.
        heads: of the attention, a divisor of the width.
        features: width of a point's features for the attention, which a perceptron computes from its `waves`.

    Shapes: (B, N, 3) -> (B, tokens, width).

    Raises:
        ValueError: a size below 1, heads that do not divide the width, or a cloud with fewer points than tokens.
    """

    def __init__(self, tokens: int, width: int, heads: int, features: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.embed = MLP((3 * CHANNELS_PER_COORDINATE, features, features))
        self.ask = nn.Linear(features, width)
        self.attend = AttentionBlock(width, heads, context=features)

    def forward(self, x: Tensor) -> Tensor:
        asking = self.ask(self.embed(waves(spread_points(x, self.tokens))))
        tokens: Tensor = self.attend(asking, self.embed(waves(x)))
        return tokens


class QueriedPoints(nn.Module):
    """Points from tokens: each point has a learned query, which attends to the tokens.

    Args:
        points: number of points.
        width: of the tokens.
        heads: of the attention, a divisor of the width.
        features: width of the queries' features.

    Shapes: (B, M, width) -> (B, points, 3).
    """

    def __init__(self, points: int, width: int, heads: int, features: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(1, points, features))
        self.attend = AttentionBlock(features, heads, context=width)
        self.out = nn.Linear(features, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        cloud: Tensor = self.out(self.attend(self.queries, tokens))
        return cloud
