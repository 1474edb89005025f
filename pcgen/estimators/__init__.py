"""Estimators of the gradient of an expectation E[f(b)], b ~ q, with respect to the parameters of q.

Each is a pure function of f and of the parameters of q. It returns a tensor (B,):

- its value is f at a sample b, so that it can be added to a loss and logged like any other term;
- its gradient with respect to the parameters of q is one sample of the estimator; its gradient with respect to
  everything else on which f depends (the weights of a decoder) is that of f at b.

f maps samples (B, K) to one value per row, (B,). It may itself depend on the parameters of q, as log q does; that part
of the gradient is exact. All samples are from torch's global generator.

| estimator | latents | evaluations of f | unbiased |
|---|---|---:|---|
| `score_function`, with a baseline as in NVIL | any | 1 | yes |
| `muprop` | bits | 2, differentiable | yes |
| `rebar` | bits | 2, differentiable | yes |
| `local_expectation` | bits | K + 1 | yes |
| `vimco` | any; a bound by several draws | 1 per draw | yes, of that bound |
| `concrete` | bits, relaxed | 1, differentiable | no |
| `gumbel_softmax` | choices, relaxed | 1, differentiable | no |
| `generalised` | Gamma | 1, differentiable | yes |

If a sample is a differentiable function of q's parameters (`location_scale`, `polar`, `inverse_cdf`), no estimator is
needed: f of the sample has the gradient.
"""

from pcgen.estimators.continuous import generalised, inverse_cdf, location_scale, polar
from pcgen.estimators.relaxed import concrete, gumbel_softmax, rebar
from pcgen.estimators.scores import Signal, control_factor, local_expectation, muprop, score_function, vimco

__all__ = [
    "Signal",
    "concrete",
    "control_factor",
    "generalised",
    "gumbel_softmax",
    "inverse_cdf",
    "local_expectation",
    "location_scale",
    "muprop",
    "polar",
    "rebar",
    "score_function",
    "vimco",
]
