"""The gradient step, and sums over ranks: the only functions below training that know of several processes."""

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["descend", "reduce_mean", "reduce_sum", "share"]


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
    if _ranks() > 1:
        for parameter in (p for group in groups for p in group["params"]):
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        reduce_mean([p.grad for group in groups for p in group["params"]])
    norms = [torch.nn.utils.get_total_norm([p.grad for p in g["params"] if p.grad is not None]) for g in groups]
    if not torch.isfinite(sum(norms, start=loss.detach())):  # One look at all of them: on a device it waits.
        optimizer.zero_grad(set_to_none=True)
        told = ", ".join(f"{norm.item():g}" for norm in norms)
        raise FloatingPointError(f"loss {loss.item():g} with gradient norm {told}")
    for group, norm in zip(groups, norms, strict=True):
        if group.get("clip"):
            torch.nn.utils.clip_grads_with_norm_(group["params"], group["clip"], norm)
    optimizer.step()


def reduce_sum(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor by its sum over ranks, in place: the sufficient statistics of EM, SOM, NMF, batch norm."""
    if _ranks() > 1:
        for tensor in tensors:
            dist.all_reduce(tensor)


def reduce_mean(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor by its mean over ranks, in place."""
    tensors = list(tensors)
    reduce_sum(tensors)
    if _ranks() > 1:
        for tensor in tensors:
            tensor /= dist.get_world_size()


def share(count: int) -> range:
    """Which of `count` pieces of work this rank does: every n-th, where n, the range's step, is the number of ranks."""
    return range(dist.get_rank() if _ranks() > 1 else 0, count, _ranks())


def _ranks() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
