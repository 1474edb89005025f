"""The gradient step, the same on one process and on several, and the optimizer of matrices."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from pcgen import ranks
from pcgen.errors import fraction, positive

__all__ = ["Muon", "descend", "hidden_layers", "orthogonal"]

_QUINTIC = (3.4445, -4.7750, 2.0315)  # of Jordan et al.: singular values from .003 on are brought to about 1 in 5 steps
_STEPS = 5
_NARROW, _LARGE = 32, 2**18  # a smaller side below it has too few directions, more weights take too long


def orthogonal(matrix: Tensor) -> Tensor:
    """The orthogonal matrix nearest to a matrix (A, B), nearly: U S V^T becomes U S' V^T with S' from .7 to 1.2.

    Five Newton-Schulz steps X <- a X + (b X X^T + c (X X^T)^2) X: matrix products alone. Singular values below .003 of
    the matrix's Euclidean norm are not brought all the way.

    References:
        Jordan et al. (2024). Muon: An optimizer for hidden layers in neural networks.
    """
    a, b, c = _QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / x.norm().clamp_min(torch.finfo(x.dtype).tiny)
    for _ in range(_STEPS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


def hidden_layers(model: torch.nn.Module) -> list[Tensor]:
    """The weights that `Muon` is for: of linear layers from 32 units to 32, whose step is cheap beside their use."""
    weights = [part.weight for part in model.modules() if isinstance(part, torch.nn.Linear)]
    return [weight for weight in weights if min(weight.shape) >= _NARROW and weight.numel() <= _LARGE]


class Muon(torch.optim.Optimizer):
    """Gradient descent on matrices whose every step is an orthogonal matrix.

        M <- m M + (1 - m) G,  W <- W - lr sqrt(max(1, A / B)) orthogonal(m M + (1 - m) G)

    All directions of a weight (A, B) then move alike, where a gradient, and Adam's step, has few large ones. For the
    hidden layers of a network; first and last layers, biases and norms are for Adam. A step of a matrix costs 30
    products of its own size with its smaller side, which is why large layers are better left to Adam too.

    `torch.optim.Muon` computes in bfloat16, which most CPUs only imitate, at a tenth of the speed.

    Args:
        matrices: the weights, of two dimensions each.
        lr: length of a step, as the largest singular value that it has.
        momentum: m.

    Raises:
        ValueError: a weight that is not a matrix, or an argument out of range.

    References:
        Jordan et al. (2024). Muon: An optimizer for hidden layers in neural networks.
    """

    def __init__(self, matrices: Iterable[Tensor], lr: float = 0.02, momentum: float = 0.95) -> None:
        positive(lr=lr)
        fraction(momentum=momentum)
        super().__init__(matrices, {"lr": lr, "momentum": momentum})
        for shape in (tuple(p.shape) for group in self.param_groups for p in group["params"] if p.ndim != 2):
            raise ValueError(f"matrices: must have two dimensions, got a weight of shape {shape}; give it to Adam")

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take a step by the gradients that the weights have; those without one stay."""
        for group in self.param_groups:
            keep = 1 - group["momentum"]
            for weight in (p for p in group["params"] if p.grad is not None):
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                mean = state["momentum"].lerp_(weight.grad, keep)
                rate = group["lr"] * math.sqrt(max(1.0, weight.shape[0] / weight.shape[1]))
                weight.sub_(rate * orthogonal(mean.lerp(weight.grad, keep)))


def descend(loss: Tensor, *optimizers: torch.optim.Optimizer) -> None:
    """Take one gradient step of the optimizers, one or several of them, on the scalar `loss`.

    Gradients are averaged over ranks, parameters without one counting as zero. A parameter group with an entry `clip`
    has its parameters' total Euclidean norm clipped to it.

    Raises:
        FloatingPointError: the loss or a gradient is not finite; no weight has been changed.
    """
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    if ranks.count() > 1:
        for parameter in (p for group in groups for p in group["params"]):
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        ranks.reduce_mean([p.grad for group in groups for p in group["params"]])
    norms = [torch.nn.utils.get_total_norm([p.grad for p in g["params"] if p.grad is not None]) for g in groups]
    if not torch.isfinite(sum(norms, start=loss.detach())):  # One look at all of them: on a device it waits.
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        told = ", ".join(f"{norm.item():g}" for norm in norms)
        raise FloatingPointError(f"loss {loss.item():g} with gradient norm {told}")
    for group, norm in zip(groups, norms, strict=True):
        if group.get("clip"):
            torch.nn.utils.clip_grads_with_norm_(group["params"], group["clip"], norm)
    for optimizer in optimizers:
        optimizer.step()
