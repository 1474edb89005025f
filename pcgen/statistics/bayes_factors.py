"""Bayes factors: the evidence of data for one model against another."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["EVIDENCE", "BayesFactor", "bayes_factor"]

EVIDENCE = (
    (2.0, "not worth more than a bare mention"),
    (6.0, "positive"),
    (10.0, "strong"),
    (math.inf, "very strong"),
)
"""Upper limits of twice the logarithm of a Bayes factor, with the strength of such evidence (Kass, Raftery, 1995)."""


@dataclass(frozen=True)
class BayesFactor:
    """p(data | first) / p(data | second).

    Attributes:
        log: its natural logarithm; above 0 it is evidence for the first model.
    """

    log: float

    @property
    def twice_log(self) -> float:
        """2 log B, on the scale of a likelihood ratio statistic; `words` depends on its size."""
        return 2 * self.log

    @property
    def words(self) -> str:
        """The strength of the evidence for the model that the data supports."""
        return next(words for most, words in EVIDENCE if abs(self.twice_log) <= most)

    @property
    def probability(self) -> float:
        """Posterior probability of the first model, B / (1 + B), if both models have the same prior probability."""
        return float(torch.sigmoid(torch.tensor(self.log, dtype=torch.float64)))

    def __str__(self) -> str:
        side = "first" if self.log >= 0 else "second"
        return f"2 log B = {self.twice_log:.1f}: {self.words}, for the {side}"


def bayes_factor(first: Tensor | float, second: Tensor | float) -> BayesFactor:
    """Compare two models by their log-evidence of the same data.

        log B = log p(data | first) - log p(data | second)

    The evidence is the probability of the data with the parameters integrated out. If the parameters were fitted to
    other data, use the log-probability of held-out rows: it is the evidence given that data. For a model that has only
    a bound, a lower bound may replace the log-evidence. A difference of two bounds is not a bound: its error is the
    difference of their gaps. So prefer bounds of many draws, which are tighter (`log_prob_bound(x, draws=k)`).

    Args:
        first: log p(data | first) in nats: a number, or one number for each row, (S,), which are summed.
        second: the same for the other model, on the same rows.

    Raises:
        ValueError: shapes that differ, or are neither () nor (S,); or evidence that is NaN or infinite.

    References:
        Kass, Raftery (1995). Bayes Factors.
    """
    each = [torch.as_tensor(value, dtype=torch.float64).detach() for value in (first, second)]
    if each[0].shape != each[1].shape or each[0].dim() > 1:
        raise ValueError(
            "first, second: must both be a number, or (S,) of the same rows, got shapes "
            f"{tuple(each[0].shape)} and {tuple(each[1].shape)}"
        )
    for name, value in zip(("first", "second"), each, strict=True):
        if not bool(value.isfinite().all()):
            raise ValueError(f"{name}: must be finite, got NaN or infinity; check the rows that have them")
    return BayesFactor(float((each[0] - each[1]).sum()))
