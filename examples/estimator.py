"""Gradients through bits: estimators compared with the exact gradient: python examples/estimator.py"""

import argparse
from itertools import product

import torch
from torch import Tensor
from torch.distributions import Bernoulli

from pcgen import estimators


def cost(bits: Tensor) -> Tensor:
    """The cost whose expectation is minimised: (B, K) -> (B,). Its two values at a bit are nearly equal."""
    return (bits - 0.45).square().sum(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bits", type=int, default=4, help="2^bits states are enumerated")
    parser.add_argument("--draws", type=int, default=20_000, help="samples of each estimator")
    asked = parser.parse_args()
    torch.manual_seed(0)
    start = torch.linspace(-1, 1, asked.bits)

    logits = start.clone().requires_grad_()
    states = torch.tensor(list(product((0.0, 1.0), repeat=asked.bits)))
    chances = Bernoulli(logits=logits).log_prob(states).sum(1).exp()
    (exact,) = torch.autograd.grad((chances * cost(states)).sum(), logits)
    print(f"exact: {[round(each, 4) for each in exact.tolist()]}")

    rows = start.repeat(asked.draws, 1).requires_grad_()
    found = {
        "score_function": estimators.score_function(cost, Bernoulli(logits=rows)),
        "with a baseline": estimators.score_function(cost, Bernoulli(logits=rows), baseline=float(cost(states).mean())),
        "muprop": estimators.muprop(cost, rows),
        "concrete 0.5": estimators.concrete(cost, rows, temperature=0.5),
    }
    for name, value in found.items():
        (each,) = torch.autograd.grad(value.sum(), rows)  # (draws, K): every row is a sample of the estimator
        bias, variance = (each.mean(0) - exact).norm() / exact.norm(), each.var(0).sum()
        print(f"{name}: error of the mean {float(bias):.1%}, variance of a sample {float(variance):.4f}")


if __name__ == "__main__":
    main()
