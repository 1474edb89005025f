"""The gradient step, the same on one process and on several."""

import torch
from torch import Tensor

from pcgen import ranks

__all__ = ["descend"]


def descend(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Take one gradient step of `optimizer` on the scalar `loss`.

    Gradients are averaged over ranks, parameters without one counting as zero. A parameter group with an entry `clip`
    has its parameters' total Euclidean norm clipped to it.

    Raises:
        FloatingPointError: the loss or a gradient is not finite; no weight has been changed.
    """
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    groups = optimizer.param_groups
    if ranks.count() > 1:
        for parameter in (p for group in groups for p in group["params"]):
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        ranks.reduce_mean([p.grad for group in groups for p in group["params"]])
    norms = [torch.nn.utils.get_total_norm([p.grad for p in g["params"] if p.grad is not None]) for g in groups]
    if not torch.isfinite(sum(norms, start=loss.detach())):  # One look at all of them: on a device it waits.
        optimizer.zero_grad(set_to_none=True)
        told = ", ".join(f"{norm.item():g}" for norm in norms)
        raise FloatingPointError(f"loss {loss.item():g} with gradient norm {told}")
    for group, norm in zip(groups, norms, strict=True):
        if group.get("clip"):
            torch.nn.utils.clip_grads_with_norm_(group["params"], group["clip"], norm)
    optimizer.step()
