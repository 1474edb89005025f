"""Gradients of expectations: estimators of the gradient of E[f(b)], b ~ q, for latents that are drawn.

Each is a pure function of f and of the parameters of q, and returns a tensor (B,) that is

- in value f at the draw, so that it is added to a loss and logged like any other term;
- in gradient, with respect to the parameters of q, one draw of the estimator, and with respect to all else that f
  depends on (a decoder's weights) the gradient of f at the draw.

f takes draws (B, K) and gives one value a row, (B,). It may depend on the parameters of q itself, as log q does; that
part of the gradient is exact. All draws come from torch's global generator.

| estimator | latents | evaluations of f | unbiased |
|---|---|---:|---|
| `score_function`, with a baseline as in NVIL | any | 1 | yes |
| `muprop` | bits | 2, differentiable | yes |
| `rebar` | bits | 2, differentiable | yes |
| `local_expectation` | bits | K + 1 | yes |
| `vimco` | any; a bound by several draws | 1 a draw | yes, of that bound |
| `concrete` | bits, relaxed | 1, differentiable | no |
| `gumbel_softmax` | choices, relaxed | 1, differentiable | no |
| `generalised` | Gamma | 1, differentiable | yes |

Continuous latents whose draw is a differentiable function of q's parameters need no estimator: f of the draw has the
gradient (`location_scale`, `polar`, `inverse_cdf`).
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
