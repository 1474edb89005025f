"""Inference without amortisation: a separate posterior for each row, instead of an encoder."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, not_negative, positive
from pcgen.models.abilities import can
from pcgen.models.variational.bounds import Variational
from pcgen.nets.modes import evaluating

__all__ = ["Posteriors", "amortisation_gap", "fit_posteriors", "inferring", "monte_carlo_em"]

_RATE = 0.05  # of Adam, in the prior's deviations and in log-variances
_BETAS = (0.9, 0.95)  # a short memory: the first slopes, of a start far off, would make all later steps small


class Posteriors(nn.Module):
    """Learned posterior parameters of each row instead of an encoder's output, such as a mean and a log-variance.

    Args:
        numbers: initial parameters of each row, (B, statistics).
    """

    def __init__(self, numbers: Tensor) -> None:
        super().__init__()
        self.numbers = nn.Parameter(numbers.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """The parameters of the rows, whatever their values; also for rows repeated one whole batch after another."""
        if len(x) % len(self.numbers):
            raise ValueError(f"x: must be the {len(self.numbers)} rows that the posteriors are of, got {len(x)}")
        return self.numbers.repeat(len(x) // len(self.numbers), 1)


@contextmanager
def inferring(model: Variational, posteriors: Posteriors) -> Iterator[None]:
    """Within this context, the model uses these posteriors as its encoder, in `encode` and `log_prob_bound`."""
    own, model.encoder = model.encoder, posteriors  # type: ignore[assignment]
    try:
        yield
    finally:
        model.encoder = own


def fit_posteriors(
    model: Variational, x: Tensor, labels: Tensor | None = None, *, steps: int = 300, draws: int = 8
) -> Posteriors:
    """A posterior for each row, fitted by maximising its bound, starting at the encoder's.

        for every i  maximise over q_i  E[log p(x_i | z)] - KL(q_i(z) | p(z)),  z ~ q_i

    The decoder is fixed. The family of q is the model's: Gaussians of diagonal covariance for most. An encoder infers
    the posteriors of all rows by one function; the resulting loss of the bound is the amortisation gap. It is largest
    for held-out and unusual rows.

        own = fit_posteriors(model, x)
        with inferring(model, own):
            bound = model.log_prob_bound(x)

    Args:
        model: of vectors.
        x: rows (B, dim).
        labels: (B,) int64, of a model with classes.
        steps: of Adam, with a learning rate that falls to 0.
        draws: samples of z for each row in every step.

    Raises:
        ValueError: a model of clouds, no rows, or an argument out of range.

    References:
        Hoffman, Blei, Wang, Paisley (2013). Stochastic Variational Inference. (Its local step.)
        Cremer, Li, Duvenaud (2018). Inference Suboptimality in Variational Autoencoders.
    """
    y = _checked(model, x, labels, steps, draws)
    own = _start(model, x, y)
    with inferring(model, own):
        _ascend(model, x, y, own.parameters(), steps, draws, _RATE)
    return own


@torch.no_grad()
def amortisation_gap(
    model: Variational, posteriors: Posteriors, x: Tensor, labels: Tensor | None = None, *, draws: int = 100
) -> Tensor:
    """The bound with fitted posteriors minus the bound with the encoder, in nats, (B,).

    Both bounds are means of `draws` estimates, with the same noise.

    Raises:
        ValueError: the number of posteriors is not that of rows, a model of clouds, or draws is below 1.
    """
    y = _checked(model, x, labels, 0, draws)
    if len(posteriors.numbers) != len(x):
        raise ValueError(f"x: must be the {len(posteriors.numbers)} rows that the posteriors are of, got {len(x)}")
    with evaluating(model):
        with torch.random.fork_rng([x.device] if x.is_cuda else []):
            by_encoder = _bound(model, x, y, draws)
        with inferring(model, posteriors):
            return _bound(model, x, y, draws) - by_encoder


def monte_carlo_em(
    model: Variational,
    x: Tensor,
    labels: Tensor | None = None,
    *,
    rounds: int = 20,
    steps: int = 50,
    draws: int = 8,
    lr: float = 0.01,
) -> Iterator[Posteriors]:
    """Learn a decoder, and a learned prior, without an encoder, by maximising one bound in turn. Yields every round.

        E: posteriors of all rows by `steps` steps, from those of the round before;  M: as many steps of the decoder

    The M step ends with what has a closed form given the posteriors, such as the tree of `ncrp_vae`. Up to the noise of
    the samples, the bound never falls. With few rows, no encoder has to generalise. The model's own encoder is not
    changed and does not fit the new decoder: use `fit_posteriors` to infer.

    Args:
        model: of vectors; training starts at its present state.
        x: training rows (S, dim), all of which are used in every step.
        labels: (S,) int64, of a model with classes.
        rounds: each with an E step and an M step.
        steps: of Adam in each of them, with a learning rate that falls to 0.
        draws: samples of z for each row in every step.
        lr: learning rate of the decoder.

    Yields:
        The posteriors of the rows.

    Raises:
        ValueError: a model of clouds, no rows, or an argument out of range.

    References:
        Wei, Tanner (1990). A Monte Carlo Implementation of the EM Algorithm and the Poor Man's Data Augmentation
        Algorithms.
        Neal, Hinton (1998). A View of the EM Algorithm That Justifies Incremental, Sparse, and Other Variants.
    """
    y = _checked(model, x, labels, steps, draws)
    at_least(1, rounds=rounds)
    positive(lr=lr)
    own = _start(model, x, y)
    for _ in range(rounds):
        with inferring(model, own):
            _ascend(model, x, y, own.parameters(), steps, draws, _RATE)
            chosen = {id(parameter) for parameter in own.parameters()}
            others = [p for p in model.parameters() if p.requires_grad and id(p) not in chosen]
            _ascend(model, x, y, others, steps, draws, lr)
            with evaluating(model), torch.no_grad():
                model.refit(x, y)
        yield own


def _checked(model: Variational, x: Tensor, labels: Tensor | None, steps: int, draws: int) -> Tensor:
    """The labels as vectors, (B, K)."""
    if not isinstance(model, Variational):
        raise ValueError(f"model: must infer latents by an encoder of numbers, got {type(model).__name__}; try vae")
    if not can(model, "log_prob_bound"):
        raise ValueError(
            f"model: must be of vectors, got {type(model).__name__} of shape {model.shape}; an error between clouds "
            "makes no bound: train it on the codes of an autoencoder"
        )
    at_least(1, rows=len(x), draws=draws)
    not_negative(steps=steps)
    return model.labels.vectors(labels, x)


@torch.no_grad()
def _start(model: Variational, x: Tensor, y: Tensor) -> Posteriors:
    """The encoder's output."""
    with evaluating(model):
        return Posteriors(model.encoded(x, y))


def _bound(model: Variational, x: Tensor, y: Tensor, draws: int) -> Tensor:
    """The mean of `draws` one-sample estimates of the bound on each row, (B,)."""
    nll, divergence = model.terms(x.repeat(draws, 1), y.repeat(draws, 1))
    return -(nll + divergence).view(draws, -1).mean(0)


def _ascend(
    model: Variational, x: Tensor, y: Tensor, parameters: Iterable[Tensor], steps: int, draws: int, rate: float
) -> None:
    """Steps of Adam that maximise the sum of the rows' bounds, over some of the parameters."""
    learned = list(parameters)
    optimizer = torch.optim.Adam(learned, rate, _BETAS)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    with evaluating(model), torch.enable_grad():
        for _ in range(steps):
            loss = -_bound(model, x, y, draws).sum()
            # Of these alone: the others' gradients are not ours to fill.
            for parameter, slope in zip(
                learned, torch.autograd.grad(loss, learned, materialize_grads=True), strict=True
            ):
                parameter.grad = slope
            optimizer.step()
            schedule.step()
    for parameter in learned:
        parameter.grad = None
