"""Variational autoencoder with a local autoregressive decoder, so that the code has the global information."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least, not_negative, positive
from pcgen.errors import widths as check_widths
from pcgen.models.base import Batch, Recipe
from pcgen.models.variational.autoregressive import AutoregressiveGaussian, FlowPrior
from pcgen.models.variational.bounds import Variational

__all__ = ["VLAE"]


class VLAE(Variational):
    """A variational autoencoder with an autoregressive prior, and a decoder that sees a window of coordinates.

        p(x | z) = product over i of N(x_i | m_i(z, x_(i - window) ... x_(i - 1)), scale^2),  p(z) that of a flow
        log p(x) >= E[log p(x | z) + log p(z) - log q(z | x)],  q(z | x) = N(m(x), diag v(x))

    A code costs at least the divergence of q from the true posterior, so a decoder that does not need the code ignores
    it: a decoder that sees all preceding coordinates models the data alone. A decoder that sees only a few leaves the
    rest to the code. A learned prior adapts to the codes, at no cost for the decoder.

    The paper's data are images, its window is the field of a convolution, and z enters all layers of its decoder. Here
    the decoder sees preceding coordinates of x - decode(z), so z enters by the decoder's mean. The divergence is
    estimated by a sample, since that of a flow has no closed form. With classes, encoder and decoder also see the
    label.

    Args:
        shape: (dim,).
        window: how many preceding coordinates each one depends on; 0 is none, dim - 1 all.
        flows: maps of the prior, before its mixtures.
        parts: Gaussians of each coordinate of the prior, given those before it; with 1 and no maps the prior is a
            Gaussian of the whole code, with more it can have several modes.
        free_bits: nats for each dimension of the code. The divergence of the whole code, mean over the batch, costs
            nothing below this number times the dimensions (Kingma et al. 2016, there group by group).
        code: dimensions of z.
        widths: hidden widths of the encoder, and in reverse of the decoder; both are a linear map plus a perceptron
            that starts at zero; () is linear.
        flow_widths: hidden widths of the prior's maps, and of the decoder's map of preceding coordinates.
        scale: standard deviation of the decoder's noise, in the units of x. A smaller one reconstructs better, but
            with few rows no prior can then fit the codes.
        learn_scale: whether the scale is also learned, which gives the highest bound.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        reconstruction: -log p(x | z) in nats at one sample of z, mean over rows.
        kl: log q(z | x) - log p(z) in nats at one sample of z, mean over rows, and at least the free bits.

    Raises:
        ValueError: a shape that is not (dim,), or an argument out of range.

    References:
        Chen, Kingma, Salimans, Duan, Dhariwal, Schulman, Sutskever, Abbeel (2017). Variational Lossy Autoencoder.
        Kingma, Salimans, Jozefowicz, Chen, Sutskever, Welling (2016). Improving Variational Inference with Inverse
        Autoregressive Flow.
    """

    accepts: ClassVar[tuple[str, ...]] = ("vector",)
    prior: FlowPrior

    def __init__(
        self,
        shape: Sequence[int],
        window: int = 2,
        flows: int = 0,
        parts: int = 8,
        free_bits: float = 0.0,
        code: int = 32,
        widths: Sequence[int] = (256, 256),
        flow_widths: Sequence[int] = (256, 256),
        scale: float = 0.3,
        learn_scale: bool = False,
        classes: Sequence[str] = (),
        lr: float = 1e-3,
    ) -> None:
        super().__init__(shape, code=code, widths=widths, scale=scale, learn_scale=learn_scale, classes=classes)
        at_least(0, window=window, flows=flows)
        at_least(1, parts=parts)
        positive(lr=lr)
        not_negative(free_bits=free_bits)
        check_widths(least=0, flow_widths=flow_widths)
        self.free_bits = free_bits
        self.prior = FlowPrior(code, flows, parts, flow_widths)
        self.likelihood = AutoregressiveGaussian(self.shape[0], scale, learn_scale, window, flow_widths)
        self.optimizer = torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=4000, batch_size=64)

    def terms(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Minus log p(x | z) and log q(z | x) - log p(z) at one sample of z, (B,) each."""
        posterior = self.posterior(x, y)
        z = posterior.draw()
        return self.likelihood.nll(x, self.decoded(z, y)), posterior.log_prob(z) - self.prior.log_prob(z)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        nll, divergence = self.terms(batch.x, self.labels.hidden(batch.labels, batch.x))
        free = self.free_bits * self.code_shape[0]
        return {"reconstruction": nll.mean(), "kl": divergence.mean().clamp_min(free) if free else divergence.mean()}
