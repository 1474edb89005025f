"""Variational autoencoder with binary codes."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Bernoulli

from pcgen.errors import at_least, choose, positive
from pcgen.errors import widths as check_widths
from pcgen.estimators.bits import bits_entropy
from pcgen.estimators.scores import Function
from pcgen.models.base import Batch, GradientLearner, Recipe
from pcgen.models.conditional import Conditional, Labels
from pcgen.models.shape import accepted
from pcgen.models.variational.bit_gradients import BIT_GRADIENTS
from pcgen.models.variational.bits import BIT_PRIORS
from pcgen.models.variational.likelihoods import VectorGaussian
from pcgen.nets.corrected import CorrectedLinear

__all__ = ["DiscreteVAE"]


class DiscreteVAE(Conditional, GradientLearner):
    """A variational autoencoder of vectors with binary codes, whose encoder is trained by a gradient estimator.

        log p(x) >= E[log p(x | b) + log p(b)] + H(q(b | x)),  q(b | x) = Bernoulli(sigmoid(encoder(x)))

    with p(x | b) = N(decode(b), scale^2 I). A sample of bits has no derivative, so the encoder's gradient of the
    expectation is estimated (`pcgen.estimators`). Decoder and prior have the gradient at the sample, and the entropy is
    exact. With classes, encoder, decoder and prior also see the label; a tenth of the labels is hidden in training.

    The papers' data is binary, and they use log q(b | x) at the sample; ours is the exact entropy, which has the same
    mean and less variance. "concrete" follows Jang et al.: the energy and log p(b) of relaxed bits, with the entropy of
    the bits themselves. Its loss is not a bound; `log_prob_bound` and validation use real bits.

    Args:
        shape: (dim,).
        estimator: of the encoder's gradient. Unbiased are "score_function", "control_variate" (with its running mean
            subtracted), "nvil" (with a baseline from a perceptron of x), "muprop", "rebar" (with learned temperature
            and factor), "local_expectation" (one evaluation of the decoder for each bit) and, for the bound of five
            samples, "vimco". Biased are "concrete", and "straight_through", which decodes bits and uses the relaxed
            gradient.
        prior: of bits, learned: "factorised", or "autoregressive", where each bit depends on those before it. Bits of
            codes are far from independent, so samples of a factorised prior are much worse.
        code: bits, K.
        widths: hidden widths of the encoder, and in reverse of the decoder; both are a linear map plus a perceptron
            that starts at zero; () is linear.
        scale: standard deviation of the decoder's noise, in the units of x.
        learn_scale: whether the scale is also learned, which gives the highest bound.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        bound: minus the bound in nats, mean over rows; for "concrete", its relaxed loss.
        baseline: for "nvil", the squared error of its baseline.
        spread: for "rebar", the squared gradient of the log-odds, which its temperature and factor minimise.

    Raises:
        ValueError: a shape that is not (dim,), a name that does not exist, or an argument out of range.

    References:
        Mnih, Gregor (2014). Neural Variational Inference and Learning in Belief Networks.
        Gu, Levine, Sutskever, Mnih (2016). MuProp: Unbiased Backpropagation for Stochastic Neural Networks.
        Mnih, Rezende (2016). Variational Inference for Monte Carlo Objectives.
        Jang, Gu, Poole (2017). Categorical Reparameterization with Gumbel-Softmax.
        Tucker, Mnih, Maddison, Lawson, Sohl-Dickstein (2017). REBAR: Low-variance, unbiased gradient estimates for
        discrete latent variable models.
    """

    objective: ClassVar[str] = "a lower bound on the log-likelihood (ELBO)"
    learning: ClassVar[str] = "gradient descent, estimated through bits"
    sampling: ClassVar[str] = "a decoded sample of the prior"
    accepts: ClassVar[tuple[str, ...]] = ("vector",)

    def __init__(
        self,
        shape: Sequence[int],
        estimator: str = "straight_through",
        prior: str = "autoregressive",
        code: int = 128,
        widths: Sequence[int] = (256, 256),
        scale: float = 0.4,
        learn_scale: bool = False,
        classes: Sequence[str] = (),
        lr: float = 2e-3,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "discrete_vae")
        at_least(1, code=code)
        check_widths(least=0, widths=widths)
        positive(lr=lr)
        self.code_shape = (code,)
        self.labels = Labels(classes)
        dim, known = self.shape[0], len(self.labels)
        self.likelihood = VectorGaussian(scale, learn_scale)
        self.encoder = CorrectedLinear((dim + known, *widths, code))
        self.decoder = CorrectedLinear((code + known, *reversed(widths), dim))
        self.prior = BIT_PRIORS[choose(prior, BIT_PRIORS, "prior")](code, known)
        own = [p for p in self.parameters() if p.requires_grad]
        self.gradient = BIT_GRADIENTS[choose(estimator, BIT_GRADIENTS, "estimator")](dim)
        # What the estimator learns beside the model is clipped apart: its slopes are of another size.
        beside = list(self.gradient.parameters())
        self.optimizer = torch.optim.Adam([{"params": each} for each in (own, beside) if each], lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=4000, batch_size=64)

    def setup(self, data: Batch) -> None:
        self.labels.fit(data, "discrete_vae")

    def encode(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Probabilities of the bits, q(b_k = 1 | x), (B, dim) -> (B, K)."""
        return self.logits(x, self.labels.vectors(labels, x)).sigmoid()

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Means of p(x | b), (B, K) -> (B, dim), of bits, or of probabilities as if they were bits."""
        return self.decoded(z, self.labels.vectors(labels, z))

    @torch.no_grad()
    def draw(self, n: int, labels: Tensor | None = None) -> Tensor:
        """Draw n new vectors from p(x | b), (n, dim), with b from the prior; labels, (n,), of a model with classes."""
        y = self.labels.vectors(labels, self.likelihood.log_scale.expand(n, 1))
        return self.likelihood.draw(self.decoded(self.prior.draw(y), y))

    def logits(self, x: Tensor, y: Tensor) -> Tensor:
        """Log-odds of the bits, (B, K), of rows (B, dim) with labels as vectors (B, classes)."""
        found: Tensor = self.encoder(torch.cat([x, y], dim=1))
        return found

    def decoded(self, b: Tensor, y: Tensor) -> Tensor:
        """The mean of p(x | b), (B, dim), of bits (B, K) with labels as vectors (B, classes)."""
        x: Tensor = self.decoder(torch.cat([b, y], dim=1))
        return x

    def energy(self, x: Tensor, y: Tensor) -> Function:
        """-log p(x, b) in nats as a function of bits, (B, K) -> (B,); it is smooth between 0 and 1."""
        return lambda b: self.likelihood.nll(x, self.decoded(b, y)) - self.prior.log_prob(b, y)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        y = self.labels.hidden(batch.labels, batch.x)
        return self.gradient.terms(self.energy(batch.x, y), self.logits(batch.x, y), batch.x)

    def log_prob_bound(self, x: Tensor, labels: Tensor | None = None, draws: int = 1) -> Tensor:
        """An unbiased estimate of a lower bound on log p(x), in nats, (B, dim) -> (B,); see `Variational`.

        Raises:
            ValueError: draws is below 1.
        """
        at_least(1, draws=draws)
        y = self.labels.vectors(labels, x)
        logits = self.logits(x, y)
        q, energy = Bernoulli(logits=logits), self.energy(x, y)
        if draws == 1:
            return bits_entropy(logits) - energy(q.sample())
        drawn = [q.sample() for _ in range(draws)]
        weights = torch.stack([-energy(b) - q.log_prob(b).sum(1) for b in drawn])  # (draws, B)
        return weights.logsumexp(0) - math.log(draws)

    @torch.no_grad()
    def validate(self, data: Batch) -> Tensor:
        """Minus the mean bound of held-out rows; the loss of some estimators is not the bound."""
        return -self.log_prob_bound(data.x, data.labels if self.classes else None).mean()
