"""Estimators of gradients: bias and variance against the exact gradient by enumeration, in float64.

python scripts/bench_estimators.py        # a minute on one thread
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import figures
import torch
import typer
from estimator_problems import Problem, belief_net, toy
from torch import Tensor
from torch.distributions import Bernoulli

from pcgen import estimators
from pcgen.estimators.scores import Function
from pcgen.models.variational.bit_gradients import BIT_GRADIENTS, BitGradient

PICTURE = figures.ROOT / "docs" / "estimators.png"
GROUPS = 20  # of draws: the spread between them gives the intervals
QUANTILE = 2.093  # of Student's t with 19 degrees of freedom, 97.5%
LEAST = 1e-9  # variance that is drawn
LEARNING = 500  # updates of what an estimator learns itself: a baseline, REBAR's temperature and factor

Estimate = Callable[[Function, Tensor, Tensor], Tensor]  # of the energy, logits (B, K) and rows (B, dim): (B,)


def stateless(estimator: Callable[[Function, Tensor], Tensor]) -> Estimate:
    return lambda energy, logits, x: estimator(energy, logits)


def learned(name: str, problem: Problem) -> Estimate:
    """An estimator as `discrete_vae` has it, after it has learned what it learns itself."""
    gradient: BitGradient = BIT_GRADIENTS[name](problem.x.shape[1]).double().train()
    own = list(gradient.parameters())
    optimizer = torch.optim.Adam(own, 0.01) if own else None
    copies = max(1, 64 // len(problem.x))
    for _ in range(LEARNING if list(gradient.state_dict()) else 0):
        x = problem.x.repeat(copies, 1)
        logits = problem.logits.repeat(copies, 1).requires_grad_()
        terms = gradient.expectation(problem.energy(x), logits, x)
        if optimizer is not None:
            optimizer.zero_grad()
            torch.stack([term.mean() for term in terms.values()]).sum().backward()
            optimizer.step()
    gradient.eval()
    return lambda energy, logits, x: gradient.expectation(energy, logits, x)["bound"]


def gumbel_softmax(energy: Function, logits: Tensor) -> Tensor:
    """Bits as choices among two."""
    return estimators.gumbel_softmax(
        lambda chosen: energy(chosen[..., 1]), torch.stack([torch.zeros_like(logits), logits], dim=2)
    )


def two_draws(energy: Function, logits: Tensor, score: bool) -> Tensor:
    """Minus the bound by two draws: by VIMCO, or by the plain score function of the same bound."""
    q = Bernoulli(logits=logits)

    def log_weight(b: Tensor) -> Tensor:
        return -energy(b) - q.log_prob(b).sum(1)

    if not score:
        return -estimators.vimco(log_weight, q, 2)
    pair = torch.distributions.Independent(Bernoulli(logits=logits.repeat(1, 2)), 1)  # both draws side by side
    bits = logits.shape[1]

    def bound(b: Tensor) -> Tensor:
        return math.log(2) - torch.logaddexp(log_weight(b[:, :bits]), log_weight(b[:, bits:]))

    return estimators.score_function(bound, pair)


def candidates(problem: Problem) -> dict[str, tuple[int, Estimate]]:
    """Evaluations of the energy and the estimator, by name."""
    bits = problem.logits.shape[1]
    evaluations = {"muprop": 2, "rebar": 2, "local_expectation": bits + 1}
    known = [name for name in BIT_GRADIENTS if name not in ("vimco", "concrete")]
    found = {name: (evaluations.get(name, 1), learned(name, problem)) for name in known}
    for temperature in (0.1, 0.5, 2.0):
        estimator = stateless(lambda f, logits, t=temperature: estimators.concrete(f, logits, t))
        found[f"concrete {temperature:g}"] = (1, estimator)
    return {**found, "gumbel_softmax 0.5": (1, stateless(gumbel_softmax))}


def measured(estimate: Estimate, problem: Problem, exact: Tensor, draws: int) -> dict[str, object]:
    """Bias and variance over all logits, with intervals of 95%, from groups of draws.

    The bias is the distance of the mean from the exact gradient as a share of the latter's length. Its square is
    estimated without bias by the products of different groups' errors, so it may be found below 0; the sign stays
    when its root is taken. An interval that reaches below 0 is what an unbiased estimator has.
    """
    copies = max(2, draws // GROUPS)
    means, variances = [], []
    for _ in range(GROUPS):
        x = problem.x.repeat(copies, 1)
        logits = problem.logits.repeat(copies, 1).requires_grad_()
        (slope,) = torch.autograd.grad(estimate(problem.energy(x), logits, x).sum(), logits)
        slope = slope.view(copies, *problem.logits.shape)
        means.append(slope.mean(0) - exact)
        variances.append(slope.var(0).sum(1).mean())
    errors = torch.stack(means).flatten(1) / exact.norm()  # (groups, R * K)
    squares = _products(errors)
    jackknife = torch.stack([_products(torch.cat([errors[:g], errors[g + 1 :]])) for g in range(GROUPS)])
    reach = QUANTILE * float(((GROUPS - 1) ** 2 / GROUPS * jackknife.var()).sqrt())
    variance = torch.stack(variances)
    width = QUANTILE * float(variance.std()) / math.sqrt(GROUPS)
    return {
        "bias": _root(float(squares)),
        "bias_low": _root(float(squares) - reach),
        "bias_high": _root(float(squares) + reach),
        "variance": float(variance.mean()),
        "variance_low": float(variance.mean()) - width,
        "variance_high": float(variance.mean()) + width,
    }


def textbook(draws: int) -> list[dict[str, object]]:
    """The integral of 1 / (1 + x) on [0, 1] by uniform draws, with two control variates and their best factors."""
    log2 = math.log(2)
    x = torch.rand(GROUPS, draws, dtype=torch.float64)
    f = 1 / (1 + x)
    controls = {"no control variate": None, "1 + x": (1 + x, 1.5), "log(1 + x)": (torch.log1p(x), 2 * log2 - 1)}
    rows: list[dict[str, object]] = []
    for name, control in controls.items():
        better, factor = f, None
        if control is not None:
            g, mean = control
            factor = float(estimators.control_factor(f.flatten(), g.flatten()))
            better = f - factor * (g - mean)
        error, variance = better.mean(1) / log2 - 1, better.var(1)
        spread, width = (QUANTILE * float(each.std()) / math.sqrt(GROUPS) for each in (error, variance))
        rows.append(
            {
                "problem": "integral",
                "estimator": name,
                "evaluations": 1,
                "bias": float(error.mean()),
                "bias_low": float(error.mean()) - spread,
                "bias_high": float(error.mean()) + spread,
                "variance": float(variance.mean()),
                "variance_low": float(variance.mean()) - width,
                "variance_high": float(variance.mean()) + width,
                "factor": "" if factor is None else f"{factor:.4f}",
            }
        )
    return rows


def draw(path: Path = PICTURE) -> None:
    """A row for each problem of bits, its estimators by variance: left the variance, right the bias, bars of 95%."""
    from matplotlib.figure import Figure

    rows = [row for row in figures.read("estimators") if row["problem"] != "integral"]
    problems = list(dict.fromkeys(row["problem"] for row in rows))
    counts = [sum(row["problem"] == problem for row in rows) for problem in problems]
    figure = Figure(figsize=(10, 0.24 * sum(counts) + 1.2), layout="constrained")
    axes = figure.subplots(len(problems), 2, sharey="row", squeeze=False, height_ratios=counts)
    for (left, right), problem in zip(axes, problems, strict=True):
        own = sorted((row for row in rows if row["problem"] == problem), key=lambda row: -float(row["variance"]))
        places = range(len(own))
        for panel, key in ((left, "variance"), (right, "bias")):
            value, low, high = ([float(row[key + end]) for row in own] for end in ("", "_low", "_high"))
            if key == "variance":  # none at all but for rounding stands at the edge
                value, low, high = ([max(each, LEAST) for each in ends] for ends in (value, low, high))
            below, above = ([abs(a - b) for a, b in zip(end, value, strict=True)] for end in (low, high))
            biased = [a > 1e-6 for a in low] if key == "bias" else [False] * len(own)
            for place in places:
                panel.errorbar(
                    value[place],
                    place,
                    xerr=[[below[place]], [above[place]]],
                    fmt="o",
                    markersize=4,
                    capsize=2,
                    linewidth=1.2,
                    color="tab:red" if biased[place] else "tab:blue",
                )
            panel.grid(axis="y", linewidth=0.3)
        left.set(title=problem, xscale="log", xlabel="variance of a draw, summed over the logits")
        left.set_yticks(places, [row["estimator"] for row in own], fontsize=8)
        right.set(title=problem, xlabel="bias, shares of the exact gradient (red: biased)")
        right.set_xscale("symlog", linthresh=0.1)
        right.axvline(0, color="grey", linewidth=0.8)
    figure.savefig(path, dpi=150)


def main(
    draws: Annotated[int, typer.Option(help="Of the gradient of each row, for each estimator.")] = 20000,
) -> None:
    """Measure every estimator against the exact gradient: results/estimators.csv, docs/estimators.png."""
    rows: list[dict[str, object]] = []
    for problem in (toy(), belief_net()):
        work = [(name, *each, problem.exact()) for name, each in candidates(problem).items()]
        if problem.name == "belief net":
            for name, score in (("vimco, 2 draws", False), ("score function of 2 draws", True)):
                estimate = stateless(lambda f, logits, score=score: two_draws(f, logits, score))
                work.append((name, 2, estimate, problem.exact_bound()))
        for name, evaluations, estimate, exact in work:
            found = measured(estimate, problem, exact, draws * problem.draws)
            rows.append({"problem": problem.name, "estimator": name, "evaluations": evaluations, **found, "factor": ""})
    rows += textbook(draws)
    for row in rows:
        for key, value in row.items():
            row[key] = float(f"{value:.4g}") if isinstance(value, float) else value
        print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    figures.write("estimators", rows)
    draw()


def _products(errors: Tensor) -> Tensor:
    """The mean product of two different groups' errors, (groups, n) -> ()."""
    groups = len(errors)
    return (errors.sum(0).square().sum() - errors.square().sum()) / (groups * (groups - 1))


def _root(square: float) -> float:
    return math.copysign(math.sqrt(abs(square)), square)


if __name__ == "__main__":
    torch.manual_seed(0)
    typer.run(main)
