"""The gradient step, for one process and for several, and the Muon optimizer for matrices."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from pcgen import ranks
from pcgen.errors import fraction, positive

__all__ = ["Muon", "descend", "hidden_layers", "orthogonal"]

_QUINTIC = (3.4445, -4.7750, 2.0315)  # of Jordan et al.: 5 steps map singular values above .003 to about 1
_STEPS = 5
_NARROW, _LARGE = 32, 2**18  # matrices with a side below 32 have too few directions; larger ones take too long


def orthogonal(matrix: Tensor) -> Tensor:
    """Approximation of the orthogonal matrix nearest to a matrix (A, B): U S V^T becomes U S' V^T, S' from .7 to 1.2.

    Five Newton-Schulz steps X <- a X + (b X X^T + c (X X^T)^2) X, which need only matrix products. Singular values
    below .003 of the matrix's Euclidean norm remain smaller than .7.

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
    """The matrices for `Muon`: weights of hidden linear layers, with no side below 32 and at most 2^18 numbers.

    All linear layers but the last, which makes the output, count as hidden. For larger ones a step of Muon would cost
    more than the layer itself.
    """
    weights = [part.weight for part in model.modules() if isinstance(part, torch.nn.Linear)]
    return [weight for weight in weights[:-1] if min(weight.shape) >= _NARROW and weight.numel() <= _LARGE]


class Muon(torch.optim.Optimizer):
    """Gradient descent on matrices, with orthogonalised steps.

        M <- m M + (1 - m) G,  W <- W - lr sqrt(max(1, A / B)) orthogonal(m M + (1 - m) G)

    A weight (A, B) moves equally far in all directions, while a gradient, or a step of Adam, is large in few of them.
    Muon is for the hidden layers of a network; use Adam for first and last layers, biases and norms. A step costs up
    to 15 products of the matrix with a square matrix of its smaller side. So Adam is better for large layers, too.

    `torch.optim.Muon` computes in bfloat16, which most CPUs only emulate, at a tenth of the speed.

    Args:
        matrices: the weights, of two dimensions each.
        lr: length of a step: its largest singular value.
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
        """Update the weights that have a gradient."""
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
    """Take one step of each optimizer, by the gradient of the scalar `loss`.

    Gradients are averaged over ranks; one that only some ranks have counts as zero on the others. If a parameter group
    has an entry `clip`, the total Euclidean norm of its gradients is clipped to that value. Autocast is for the loss:
    the step is computed in the weights' own type, and forward passes after it see the new weights.

    Raises:
        FloatingPointError: the loss or a gradient is not finite; no weight has changed.
    """
    with torch.autocast(loss.device.type, enabled=False):
        _descend(loss, optimizers)
    torch.clear_autocast_cache()  # It has the weights as they were, in bfloat16.


def _descend(loss: Tensor, optimizers: tuple[torch.optim.Optimizer, ...]) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    if ranks.count() > 1:
        weights = [weight for group in groups for weight in group["params"]]
        for weight, learns in zip(weights, ranks.agree([w.grad is not None for w in weights]), strict=True):
            if learns and weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        ranks.reduce_mean([weight.grad for weight in weights if weight.grad is not None])
    norms = [torch.nn.utils.get_total_norm([p.grad for p in g["params"] if p.grad is not None]) for g in groups]
    if not torch.isfinite(sum(norms, start=loss.detach())):  # One check for all: on a device it waits.
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        told = ", ".join(f"{norm.item():g}" for norm in norms)
        raise FloatingPointError(f"loss {loss.item():g} with gradient norm {told}")
    for group, norm in zip(groups, norms, strict=True):
        if group.get("clip"):
            torch.nn.utils.clip_grads_with_norm_(group["params"], group["clip"], norm)
    for optimizer in optimizers:
        optimizer.step()
