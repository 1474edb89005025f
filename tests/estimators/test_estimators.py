"""Every estimator of a gradient against the exact gradient, by enumeration or in closed form, in float64."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Cauchy, Exponential, Kumaraswamy, OneHotCategorical

from pcgen import estimators

BITS, ROWS = 6, 20000
Loss = Callable[[Tensor], Tensor]


def _target(seed: int = 0, bits: int = BITS) -> Loss:
    """A function of bits that is not linear and mixes them, so that nothing is exact by luck."""
    generator = torch.Generator().manual_seed(seed)
    inner = torch.randn(bits, 5, generator=generator, dtype=torch.float64)
    outer = torch.randn(5, generator=generator, dtype=torch.float64)
    return lambda b: torch.tanh(b.to(torch.float64) @ inner - 0.3) @ outer + 2.0


def _all_bits(bits: int) -> Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=bits)), dtype=torch.float64)


def _exact(f: Loss, logits: Tensor) -> Tensor:
    """d/dlogits E f(b) by the sum over all bits, (K,)."""
    logits = logits.clone().requires_grad_()
    b = _all_bits(len(logits))
    weight = Bernoulli(logits=logits).log_prob(b).sum(1).exp()
    (slope,) = torch.autograd.grad((weight * f(b)).sum(), logits)
    return slope


def _draws(estimate: Callable[[Tensor], Tensor], logits: Tensor, rows: int = ROWS) -> Tensor:
    """One draw of the estimator a row, (rows, K)."""
    torch.manual_seed(0)
    wide = logits.expand(rows, -1).clone().requires_grad_()
    (slope,) = torch.autograd.grad(estimate(wide).sum(), wide)
    return slope


def _agrees(draws: Tensor, exact: Tensor, deviations: float = 4.5) -> None:
    error = (draws.mean(0) - exact) / (draws.std(0) / math.sqrt(len(draws))).clamp_min(1e-12)
    assert error.abs().max() < deviations, error


LOGITS = torch.tensor([-1.5, -0.5, 0.0, 0.4, 1.0, 2.0], dtype=torch.float64)

UNBIASED: dict[str, Callable[[Loss, Tensor], Tensor]] = {
    "score_function": lambda f, x: estimators.score_function(f, Bernoulli(logits=x)),
    "score_function with a baseline": lambda f, x: estimators.score_function(f, Bernoulli(logits=x), 2.0),
    "muprop": estimators.muprop,
    "local_expectation": estimators.local_expectation,
    "rebar": estimators.rebar,
    "rebar, cold, half": lambda f, x: estimators.rebar(f, x, 0.1, 0.5),
}


@pytest.mark.parametrize("name", UNBIASED)
def test_the_mean_of_an_unbiased_estimator_is_the_exact_gradient(name: str) -> None:
    f = _target()
    _agrees(_draws(lambda x: UNBIASED[name](f, x), LOGITS), _exact(f, LOGITS))


@pytest.mark.parametrize("name", UNBIASED)
def test_the_value_is_that_of_the_draw_and_other_weights_learn_from_it(name: str) -> None:
    """A weight that f is multiplied by has the gradient f(b), whatever the estimator does for the bits."""
    f, weight = _target(), torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(0)
    value = UNBIASED[name](lambda b: weight * f(b), LOGITS.expand(4000, -1).clone().requires_grad_())
    (slope,) = torch.autograd.grad(value.sum(), weight)
    value = value.detach()
    assert float(slope) == pytest.approx(float(value.sum()), rel=1e-9)
    b = _all_bits(BITS)
    mean = float((Bernoulli(logits=LOGITS).log_prob(b).sum(1).exp() * f(b)).sum())
    assert float(value.mean()) == pytest.approx(mean, abs=5 * float(value.std()) / math.sqrt(4000))


@pytest.mark.parametrize("name", UNBIASED)
def test_what_f_itself_says_of_the_parameters_counts(name: str) -> None:
    """The entropy of q: f = -log q(b) depends on the logits, and its gradient is -p (1 - p) logit."""

    def estimate(x: Tensor) -> Tensor:
        return UNBIASED[name](lambda b: -(b * x - torch.nn.functional.softplus(x)).sum(1), x)

    p = LOGITS.sigmoid()
    _agrees(_draws(estimate, LOGITS), -p * (1 - p) * LOGITS)


def test_control_variates_lower_the_variance_in_the_order_of_the_papers() -> None:
    f = _target()
    spread = {name: float(_draws(lambda x, n=name: UNBIASED[n](f, x), LOGITS).var(0).sum()) for name in UNBIASED}
    assert spread["score_function"] > spread["score_function with a baseline"] > spread["muprop"]
    assert spread["score_function with a baseline"] > spread["rebar"]
    assert min(spread, key=spread.__getitem__) == "local_expectation"


def test_muprop_and_local_expectations_are_exact_where_they_should_be() -> None:
    """f linear: MuProp's residual is zero. One bit: its local expectation is the whole expectation."""
    slope = torch.linspace(-1, 1, BITS, dtype=torch.float64)
    p = LOGITS.sigmoid()
    draws = _draws(lambda x: estimators.muprop(lambda b: b @ slope, x), LOGITS, 8)
    torch.testing.assert_close(draws, (slope * p * (1 - p)).expand(8, -1))
    f, one = _target(bits=1), LOGITS[1:2]
    draws = _draws(lambda x: estimators.local_expectation(f, x), one, 8)
    torch.testing.assert_close(draws, _exact(f, one).expand(8, -1))


def test_rebar_without_its_control_variate_is_the_score_function() -> None:
    """At factor 0 both have the same law: means and variances agree."""
    f = _target()
    plain = _draws(lambda x: estimators.rebar(f, x, 0.5, 0.0), LOGITS)
    _agrees(plain, _exact(f, LOGITS))
    score = _draws(lambda x: estimators.score_function(f, Bernoulli(logits=x)), LOGITS)
    torch.testing.assert_close(plain.var(0), score.var(0), rtol=0.1, atol=0)


def test_rebars_factor_and_temperature_are_learned_by_descending_its_own_square() -> None:
    """One bit, f = (b + .3)^2: learning takes most of the variance away, and the mean stays the exact gradient."""
    logits = torch.zeros(500, 1, dtype=torch.float64, requires_grad=True)
    factor = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    log_temperature = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([factor, log_temperature], 0.02)

    def slope(graph: bool) -> Tensor:
        value = estimators.rebar(lambda b: (b[:, 0] + 0.3).square(), logits, log_temperature.exp(), factor)
        return torch.autograd.grad(value.sum(), logits, create_graph=graph)[0]

    torch.manual_seed(0)
    before = float(torch.cat([slope(False) for _ in range(20)]).var())
    for _ in range(150):
        optimizer.zero_grad()
        slope(True).square().mean().backward()
        optimizer.step()
    draws = torch.cat([slope(False) for _ in range(20)])
    assert float(draws.var()) < 0.3 * before
    exact = 0.25 * (1.3**2 - 0.3**2)  # p (1 - p) (f(1) - f(0))
    assert float(draws.mean()) == pytest.approx(exact, abs=4.5 * float(draws.std()) / 100)


@pytest.mark.parametrize("draws", [2, 5])
def test_vimco_is_the_gradient_of_its_bound(draws: int) -> None:
    """Two bits: E log mean w over all pairs or quintuples of draws, enumerated."""
    logits, weight = LOGITS[[1, 4]], _target(3, 2)
    known = logits.clone().requires_grad_()
    b = _all_bits(2)

    def log_weight(b: Tensor, x: Tensor) -> Tensor:
        return 2 * weight(b) - (b * x - torch.nn.functional.softplus(x)).sum(-1)

    log_q = Bernoulli(logits=known).log_prob(b).sum(1)  # (4,)
    logs = log_weight(b, known)
    bound = torch.zeros((), dtype=torch.float64)
    for places in itertools.product(range(4), repeat=draws):
        at = list(places)
        bound = bound + log_q[at].sum().exp() * (logs[at].logsumexp(0) - math.log(draws))
    (exact,) = torch.autograd.grad(bound, known)
    found = _draws(lambda x: estimators.vimco(lambda b: log_weight(b, x), Bernoulli(logits=x), draws), logits, 40000)
    _agrees(found, exact)


def test_vimco_has_a_smaller_variance_than_the_score_of_the_same_bound() -> None:
    weight, draws = _target(3), 5

    def naive(x: Tensor) -> Tensor:
        q = Bernoulli(logits=x)
        b = [q.sample() for _ in range(draws)]
        logs = torch.stack([weight(each) - q.log_prob(each).sum(1) for each in b])
        bound = logs.logsumexp(0) - math.log(draws)
        score = torch.stack([q.log_prob(each).sum(1) for each in b]).sum(0)
        return bound + bound.detach() * (score - score.detach())

    def vimco(x: Tensor) -> Tensor:
        q = Bernoulli(logits=x)
        return estimators.vimco(lambda b: weight(b) - q.log_prob(b).sum(1), q, draws)

    assert _draws(vimco, LOGITS).var(0).sum() < 0.1 * _draws(naive, LOGITS).var(0).sum()


def test_vimco_needs_others() -> None:
    with pytest.raises(ValueError, match="draws: must be at least 2, got 1"):
        estimators.vimco(_target(), Bernoulli(logits=LOGITS.expand(3, -1)), 1)


def test_concrete_is_biased_less_when_colder() -> None:
    f = _target()
    exact = _exact(f, LOGITS)
    bias, spread = {}, {}
    for temperature in (0.1, 0.5, 2.0):
        draws = _draws(lambda x, t=temperature: estimators.concrete(f, x, t), LOGITS, 100000)
        bias[temperature] = float((draws.mean(0) - exact).norm())
        spread[temperature] = float(draws.var(0).sum())
    assert bias[0.1] < bias[0.5] < bias[2.0]
    assert spread[0.1] > spread[0.5] > spread[2.0]
    error = float((spread[2.0] / 100000) ** 0.5)
    assert bias[2.0] > 10 * error  # it is biased, and that is no accident of the draws


def test_concrete_bits_are_bits_straight_through() -> None:
    seen = []
    estimators.concrete(lambda b: seen.append(b) or b.sum(1), LOGITS.expand(5, -1), hard=True)
    assert set(seen[0].unique().tolist()) <= {0.0, 1.0}
    estimators.gumbel_softmax(lambda b: seen.append(b) or b.flatten(1).sum(1), torch.randn(5, 2, 3), hard=True)
    torch.testing.assert_close(seen[1].sum(-1), torch.ones(5, 2))


def test_gumbel_softmax_nears_the_exact_gradient_of_a_choice() -> None:
    logits = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)
    worth = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    p = logits.softmax(0)
    exact = p * (worth - p @ worth)
    draws = _draws(lambda x: estimators.gumbel_softmax(lambda b: b @ worth, x, 0.1), logits, 100000)
    assert (draws.mean(0) - exact).abs().max() < 0.03
    frequency = _draws(lambda x: estimators.score_function(lambda b: b @ worth, OneHotCategorical(logits=x)), logits)
    _agrees(frequency, exact)


def test_the_textbook_control_variates() -> None:
    """The integral of 1 / (1 + x) on [0, 1], with 1 + x and log(1 + x) as control variates: their exact factors."""
    x = torch.rand(200000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    f = 1 / (1 + x)
    log2 = math.log(2)
    exact = {
        "1 + x": (1 + x, 1.5, 12 * (1 - 1.5 * log2)),
        "log(1 + x)": (
            torch.log1p(x),
            2 * log2 - 1,
            (log2**2 / 2 - log2 * (2 * log2 - 1)) / (2 * log2**2 - 4 * log2 + 2 - (2 * log2 - 1) ** 2),
        ),
    }
    for name, (g, mean, factor) in exact.items():
        found = float(estimators.control_factor(f, g))
        assert found == pytest.approx(factor, abs=0.002), name
        better = f - found * (g - mean)
        assert float(better.mean()) == pytest.approx(log2, abs=1e-4)
        assert float(better.var()) < 0.05 * float(f.var())
    assert exact["1 + x"][2] == pytest.approx(-0.4773, abs=0.001)


def test_signal_follows_what_it_is_shown() -> None:
    signal = estimators.Signal()
    for _ in range(50):
        signal.learn(torch.tensor([1.0, 5.0]))
    assert float(signal.mean) == pytest.approx(3, abs=1e-3)
    assert float(signal.scale) == pytest.approx(2, abs=1e-3)
    signal.learn(torch.tensor([3.0, 3.0]))
    for _ in range(50):
        signal.learn(torch.tensor([3.0, 3.0]))
    assert float(signal.scale) == 1.0


@pytest.mark.parametrize("draw", [estimators.location_scale, estimators.polar])
def test_gaussian_draws_have_their_moments_and_exact_gradients(draw: Callable[[Tensor, Tensor], Tensor]) -> None:
    """E z^2 = m^2 + s^2 has the gradient (2 m, 2 s); the fourth moment about the mean is 3 s^4."""
    torch.manual_seed(0)
    location = torch.full((100000,), 0.7, dtype=torch.float64, requires_grad=True)
    scale = torch.full((100000,), 1.3, dtype=torch.float64, requires_grad=True)
    z = draw(location, scale)
    assert float(((z - 0.7) ** 4).mean().detach()) == pytest.approx(3 * 1.3**4, rel=0.05)
    slopes = torch.autograd.grad(z.square().sum(), (location, scale))
    for slope, exact in zip(slopes, (1.4, 2.6), strict=True):
        assert float(slope.mean()) == pytest.approx(exact, abs=4.5 * float(slope.std()) / 100000**0.5)


def test_inverse_distribution_functions_give_exact_gradients() -> None:
    torch.manual_seed(0)
    rate = torch.full((100000,), 2.0, dtype=torch.float64, requires_grad=True)
    z = estimators.inverse_cdf(Exponential(rate))
    (slope,) = torch.autograd.grad(z.sum(), rate)
    assert float(slope.mean()) == pytest.approx(-1 / 4, abs=0.005)  # E z = 1 / rate
    a = torch.full((100000,), 2.0, dtype=torch.float64, requires_grad=True)
    z = estimators.inverse_cdf(Kumaraswamy(a, torch.full_like(a, 3.0)))
    (slope,) = torch.autograd.grad(z.square().sum(), a)
    step = 1e-5
    powers = [2 / (2 + each) for each in (step, -step)]
    moment = [3 * math.exp(math.lgamma(1 + power) + math.lgamma(3) - math.lgamma(4 + power)) for power in powers]
    assert float(slope.mean()) == pytest.approx((moment[0] - moment[1]) / (2 * step), abs=0.005)
    location = torch.zeros(100001, dtype=torch.float64)
    assert float(estimators.inverse_cdf(Cauchy(location, location + 1)).median()) == pytest.approx(0, abs=0.02)


def test_the_generalised_reparameterisation_of_a_gamma_is_exact_and_quieter_than_the_score() -> None:
    """E z = a / b, E log z = digamma(a) - log b: their gradients in both parameters."""
    a0, b0, rows = 1.7, 2.5, 100000
    a = torch.full((rows, 1), a0, dtype=torch.float64, requires_grad=True)
    b = torch.full((rows, 1), b0, dtype=torch.float64, requires_grad=True)
    trigamma = float(torch.polygamma(1, torch.tensor(a0, dtype=torch.float64)))
    known: list[tuple[Loss, tuple[float, float]]] = [
        (lambda z: z.sum(1), (1 / b0, -a0 / b0**2)),
        (lambda z: z.log().sum(1), (trigamma, -1 / b0)),
    ]
    for f, exact in known:
        torch.manual_seed(0)
        draws = torch.autograd.grad(estimators.generalised(f, a, b).sum(), (a, b))
        score = torch.autograd.grad(estimators.score_function(f, torch.distributions.Gamma(a, b)).sum(), (a, b))
        for found, by_score, value in zip(draws, score, exact, strict=True):
            _agrees(found, torch.tensor([value], dtype=torch.float64))
            assert float(found.var()) < float(by_score.var())
