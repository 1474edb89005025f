"""Parts of models by name and arguments: encoders, decoders, reconstruction errors."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from pcgen import ops
from pcgen.errors import choose
from pcgen.nets.decoders import CrossAttention, Folding, FullyConnected, Patches, Residual
from pcgen.nets.pointnet import PointNet

__all__ = ["DECODERS", "ENCODERS", "RECONSTRUCTIONS", "Part", "build_part"]

Part = str | Mapping[str, Any]
"""A part as an argument: its name, or {"name": ..., argument: value, ...}."""

ENCODERS: dict[str, Callable[..., nn.Module]] = {"pointnet": PointNet}
DECODERS: dict[str, Callable[..., nn.Module]] = {
    "fully_connected": FullyConnected,
    "folding": Folding,
    "residual": Residual,
    "attention": CrossAttention,
    "patches": Patches,
}
RECONSTRUCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"chamfer": ops.chamfer, "emd": ops.emd}
"""Distances between clouds, (B, N, 3) x (B, N, 3) -> (B,), differentiable in both."""


def build_part(
    part: Part | nn.Module, registry: Mapping[str, Callable[..., nn.Module]], argument: str, **fixed: Any
) -> nn.Module:
    """Construct a part from its name and arguments; arguments that the model sets itself (`fixed`) cannot be given.

    A module is returned unchanged.

    Raises:
        ValueError: an unknown name or argument; the message gives the most similar one.
    """
    if isinstance(part, nn.Module):
        return part
    given = {"name": part} if isinstance(part, str) else dict(part)
    name = choose(str(given.pop("name", None)), registry, argument)
    free = [p for p in inspect.signature(registry[name]).parameters if p not in fixed]
    for key in given:
        choose(key, free, f"{argument} {name}: argument")
    return registry[name](**fixed, **given)
