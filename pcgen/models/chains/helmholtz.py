"""Helmholtz machine: layers of bits, learned by wake-sleep."""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import positive
from pcgen.errors import widths as check_widths
from pcgen.estimators.bits import bits_log_prob
from pcgen.models.base import Batch, GenerativeModel, Recipe
from pcgen.models.shape import accepted
from pcgen.optim import descend

__all__ = ["Helmholtz", "SigmoidLayer"]

_SMALL = 0.1  # deviation of the first weights, so that units of a layer are not alike


class SigmoidLayer(nn.Module):
    """Bits b_k ~ Bernoulli(sigmoid(a_k + W_k u + V_k b)) given the bits u of another layer, and the bits before them.

    Args:
        units: K.
        given: number of bits u; 0 for the top layer.
        lateral: whether there is a V, strictly lower triangular, so that bits are sampled one after another.
    """

    def __init__(self, units: int, given: int, lateral: bool) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(units))
        self.weight = nn.Parameter(_SMALL * torch.randn(units, given)) if given else None
        self.before = nn.Parameter(torch.zeros(units, units)) if lateral else None

    def log_prob(self, b: Tensor, u: Tensor) -> Tensor:
        """Log-probability of bits (B, K) given bits (B, U), in nats, (B,).

        Its gradients are the delta rule: (b_k - p_k) u_j for a weight, the bit minus its probability.
        """
        logits = self._from(u)
        if self.before is not None:
            logits = logits + b @ self.before.tril(-1).T
        return bits_log_prob(b, logits)

    @torch.no_grad()
    def draw(self, u: Tensor) -> Tensor:
        """Bits (B, K) given bits (B, U)."""
        logits = self._from(u)
        if self.before is None:
            return logits.sigmoid().bernoulli()
        b, logits = torch.zeros_like(logits.T), logits.T.contiguous()  # (K, B) each: what is read stands side by side
        for k, own in enumerate(self.before.tril(-1)):
            b[k] = (logits[k] + own[:k] @ b[:k]).sigmoid().bernoulli()
        return b.T.contiguous()

    def _from(self, u: Tensor) -> Tensor:
        """Log-odds without the lateral weights, (B, K)."""
        return self.bias.expand(len(u), -1) if self.weight is None else self.bias + u @ self.weight.T


class Helmholtz(GenerativeModel):
    """A Helmholtz machine: a generative and a recognition model of layers of bits, which train each other.

        p(x, h) = p(h_L) p(h_(L-1) | h_L) ... p(x | h_1),  q(h | x) = q(h_1 | x) q(h_2 | h_1) ... q(h_L | h_(L-1))
        wake:   x from the data, h ~ q(h | x),  p maximises log p(x, h)
        sleep:  x, h ~ p(x, h),                 q maximises log q(h | x)

    All units are sigmoids of weighted sums, so the gradient of both is the local delta rule; steps are Adam's. The wake
    phase maximises the bound E log p(x, h) - log q(h | x) on log p(x). The sleep phase does not: it minimises KL(p | q)
    of h on samples of the model ("dreams") instead of KL(q | p) on data. If the samples are like data, the two have
    nearly the same optimum.

    With `lateral`, a unit of p also sees the units before it in its layer. Units of a layer are then not independent
    given the layer above, and samples resemble data long before the upper layers have learned much.

    Args:
        shape: (dim,), of bits.
        widths: of h_1 ... h_L.
        lateral: whether units of p see those before them in their layer.
        lr: Adam's learning rate, of both.

    Logged:
        wake: -log p(x, h) in nats, mean over rows.
        sleep: -log q(h | x) in nats, mean over samples of the model.

    Raises:
        ValueError: a shape that is not (dim,), no widths or one below 1, or a rate that is not positive.

    References:
        Hinton, Dayan, Frey, Neal (1995). The wake-sleep algorithm for unsupervised neural networks.
        Dayan, Hinton, Neal, Zemel (1995). The Helmholtz Machine.
        Frey, Hinton, Dayan (1996). Does the wake-sleep algorithm produce good density estimators? (Lateral weights.)
    """

    objective: ClassVar[str] = "wake: a lower bound on the log-likelihood; sleep: inference of the model's own samples"
    learning: ClassVar[str] = "wake-sleep"
    sampling: ClassVar[str] = "one pass down from the top layer"
    domain: ClassVar[str] = "binary"

    def __init__(
        self, shape: Sequence[int], widths: Sequence[int] = (128, 32), lateral: bool = True, lr: float = 5e-3
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "helmholtz")
        check_widths(widths=widths)
        positive(lr=lr)
        sizes = (*self.shape, *widths)
        # From the data up: the k-th layer of p is of what the k-th of q is given.
        generation = nn.ModuleList(SigmoidLayer(low, high, lateral) for low, high in pairwise((*sizes, 0)))
        recognition = nn.ModuleList(SigmoidLayer(high, low, False) for low, high in pairwise(sizes))
        self.wake_optimizer = torch.optim.Adam(generation.parameters(), lr, fused=True)
        self.sleep_optimizer = torch.optim.Adam(recognition.parameters(), lr, fused=True)
        self.generation: Sequence[SigmoidLayer] = generation  # type: ignore[assignment]
        self.recognition: Sequence[SigmoidLayer] = recognition  # type: ignore[assignment]

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=1000, batch_size=64, average=0.9999, schedule="cosine", warmup=50)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        wake = -self.log_joint(self.recognised(batch.x)).mean()
        descend(wake, self.wake_optimizer)
        sleep = -self.log_recognition(self.dreamed(len(batch))).mean()
        descend(sleep, self.sleep_optimizer)
        return {"wake": wake.detach(), "sleep": sleep.detach()}

    def recognised(self, x: Tensor) -> list[Tensor]:
        """x, (B, dim), and h_1 ... h_L of it, drawn from q(h | x)."""
        units = [x]
        for layer in self.recognition:
            units.append(layer.draw(units[-1]))
        return units

    def dreamed(self, n: int) -> list[Tensor]:
        """n draws of x and h_1 ... h_L from p(x, h)."""
        units = [torch.zeros(n, 0, device=self.device)]
        for layer in reversed(self.generation):
            units.append(layer.draw(units[-1]))
        return units[:0:-1]

    def log_joint(self, units: Sequence[Tensor]) -> Tensor:
        """log p(x, h) in nats, (B,), of x and h_1 ... h_L."""
        above = [*units[1:], units[0][:, :0]]
        return torch.stack(
            [layer.log_prob(b, u) for layer, b, u in zip(self.generation, units, above, strict=True)]
        ).sum(0)

    def log_recognition(self, units: Sequence[Tensor]) -> Tensor:
        """log q(h | x) in nats, (B,), of x and h_1 ... h_L."""
        return torch.stack(
            [layer.log_prob(b, u) for layer, b, u in zip(self.recognition, units[1:], units[:-1], strict=True)]
        ).sum(0)

    def log_prob_bound(self, x: Tensor) -> Tensor:
        """An unbiased estimate, by one h ~ q(h | x), of a lower bound on log p(x), in nats, (B, dim) -> (B,).

        E log p(x, h) - log q(h | x)
        """
        units = self.recognised(x)
        return self.log_joint(units) - self.log_recognition(units)

    @torch.no_grad()
    def draw(self, n: int) -> Tensor:
        return self.dreamed(n)[0]

    @torch.no_grad()
    def validate(self, data: Batch) -> Tensor:
        """Minus the mean bound of held-out rows, in nats."""
        return -self.log_prob_bound(data.x).mean()
