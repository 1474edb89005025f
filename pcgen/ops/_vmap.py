"""The vmap rule of ops on batches of clouds."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

__all__ = ["rule"]


def rule(op: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """The vmap rule of an op whose tensors, of which the first argument is one, have the batch in front."""

    def merged(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Any, Any]:
        fronts = [_front(value, dim, info.batch_size) for value, dim in zip(args, in_dims, strict=True)]
        out = op(*(each.flatten(0, 1).contiguous() if isinstance(each, Tensor) else each for each in fronts))
        shape = fronts[0].shape[:2]  # unflatten could not infer it of an empty batch
        if isinstance(out, Tensor):
            return out.unflatten(0, shape), 0
        return tuple(value.unflatten(0, shape) for value in out), (0,) * len(out)

    return merged


def _front(value: Any, dim: int | None, size: int) -> Any:
    """The tensor with the dimension that vmap adds in front; other arguments do not change."""
    if not isinstance(value, Tensor):
        return value
    return value.expand(size, *value.shape) if dim is None else value.movedim(dim, 0)
