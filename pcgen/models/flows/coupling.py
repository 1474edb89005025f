"""Couplings of noise and data by optimal transport, and the fresh noise that is mixed in."""

import torch
from torch import Tensor

from pcgen.ops import match

__all__ = ["couple_members", "couple_rows", "freshen"]


def couple_rows(noise: Tensor, x: Tensor, labels: Tensor | None = None) -> Tensor:
    """The rows of noise, (B, dim), in the order that matches them to the rows of x, (B, dim), at the least cost.

    The sum of squared distances over pairs is minimised over one-to-one pairings; with labels, (B,), over pairings
    within each label, so that the noise of every label remains N(0, I).

    Tong et al. (2024). Improving and generalizing flow-based generative models with minibatch optimal transport.
    """
    if labels is None:
        return _assigned(noise, x)
    out = torch.empty_like(noise)
    for label in labels.unique():
        own = labels == label
        out[own] = _assigned(noise[own], x[own])
    return out


def couple_members(noise: Tensor, x: Tensor, gap: float = 0.0) -> Tensor:
    """Sets of noise, (B, N, C), each in the order that matches its members to those of its set in x at least cost.

    For three channels the sum of distances is minimised, to within `gap` (`pcgen.ops.match`); for other numbers of
    channels that of squared distances, exactly, in time N^3.
    """
    if x.shape[2] != 3:
        return torch.stack([_assigned(one, other) for one, other in zip(noise, x, strict=True)])
    index = match(x.contiguous(), noise.contiguous(), gap).index  # (B, N), of noise for each point of x
    return noise.gather(1, index.long()[:, :, None].expand_as(noise))


def freshen(noise: Tensor, fresh: float) -> Tensor:
    """sqrt(1 - fresh) noise + sqrt(fresh) e with e ~ N(0, I): again N(0, I), and less dependent on the data.

    With the exact coupling, the field changes too sharply near the noise for a network.

    Hui et al. (2025). Not-So-Optimal Transport Flows for 3D Point Cloud Generation.
    """
    return (1 - fresh) ** 0.5 * noise + fresh**0.5 * torch.randn_like(noise) if fresh else noise


def _assigned(noise: Tensor, x: Tensor) -> Tensor:
    from scipy.optimize import linear_sum_assignment

    # Squared distances but for what no pairing changes, in double.
    cost = -(x.double() @ noise.double().T)
    _, index = linear_sum_assignment(cost.cpu().numpy())
    return noise[torch.from_numpy(index).to(noise.device)]
