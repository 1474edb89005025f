import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pcgen.models.base import Batch
from pcgen.models.variational.autoregressive import AutoregressiveGaussian, FlowPrior
from pcgen.models.variational.vlae import VLAE

CONTRACT = {"vlae": {"code": 3, "widths": [16], "flow_widths": [12], "window": 2}}


def untied(module: torch.nn.Module, std: float = 0.4) -> None:
    """Random weights in the place of those that start at 0."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim:
                parameter.normal_(0, std)


def grid(reach: float, count: int) -> tuple[Tensor, float]:
    """Points of a square, (count^2, 2), and the area of each."""
    line = torch.linspace(-reach, reach, count, dtype=torch.float64)
    return torch.cartesian_prod(line, line), float(line[1] - line[0]) ** 2


def test_the_priors_density_integrates_to_1_and_is_that_of_its_draws() -> None:
    prior = FlowPrior(2, steps=2, parts=3, widths=(8,)).double()
    untied(prior, 0.2)
    with torch.no_grad():
        z, area = grid(30, 1200)
        density = prior.log_prob(z).exp()
        assert float(density.sum() * area) == pytest.approx(1, abs=2e-3)
        drawn = prior.float().draw(20000)
        for moment in (lambda z: z[:, 0], lambda z: z[:, 1], lambda z: (z[:, 0] * z[:, 1]).tanh()):
            values = moment(drawn)
            exact = float((density * moment(z)).sum() * area)
            assert float(values.mean()) == pytest.approx(exact, abs=4.5 * float(values.std()) / math.sqrt(20000) + 2e-3)


def test_a_prior_of_one_part_is_the_change_of_variables_by_autograd() -> None:
    prior = FlowPrior(4, steps=2, parts=1, widths=(10,)).double()
    untied(prior)
    noise = torch.randn(4, dtype=torch.float64)

    def to_latent(noise: Tensor) -> Tensor:
        """What `draw` makes of noise; its last map, of the mixture of one part, written out."""
        z = noise.new_zeros(1, 4)
        for i in range(4):
            parts = prior.base.head(prior.base.network(z)[:, i])
            z = torch.cat([z[:, :i], parts.mean[..., 0] + parts.log_scale[..., 0].exp() * noise[i], z[:, i + 1 :]], 1)
        for step in reversed(prior.maps):
            z = step.inverse(z.flip(1))
        return z[0]

    jacobian = torch.autograd.functional.jacobian(to_latent, noise)
    log_noise = -0.5 * (noise.square() + math.log(2 * math.pi)).sum()
    expected = log_noise - torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(prior.log_prob(to_latent(noise)[None])[0], expected)


@pytest.mark.parametrize("window", [0, 1, 3])
def test_the_decoders_noise_is_drawn_as_its_density_says(window: int) -> None:
    """Rows as a function of their noise: triangular, and the density is its change of variables."""
    likelihood = AutoregressiveGaussian(4, scale=0.3, learned=False, window=window, widths=(9,)).double()
    untied(likelihood)
    decoded = torch.randn(1, 4, dtype=torch.float64)
    torch.manual_seed(2)
    noise = torch.randn(1, 4, dtype=torch.float64)
    torch.manual_seed(2)
    x = likelihood.draw(decoded).detach()

    def to_noise(x: Tensor) -> Tensor:
        e = x - decoded[0]
        return torch.stack([(e - likelihood.network(e[None])[0, :, 0])[i] / 0.3 for i in range(4)])

    torch.testing.assert_close(to_noise(x[0]), noise[0])
    jacobian = torch.autograd.functional.jacobian(to_noise, x[0])
    assert bool((jacobian.abs() > 1e-12).tril(-1).any()) == (window > 0)
    log_noise = -0.5 * (noise.square() + math.log(2 * math.pi)).sum()
    expected = log_noise + torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(-likelihood.nll(x, decoded)[0], expected)


def test_the_bound_is_below_the_exact_value_and_rises_to_it_with_the_draws(measured: Callable[..., None]) -> None:
    """A code of two numbers: log p(x) by a sum over a fine grid."""
    torch.manual_seed(4)
    model = VLAE((3,), window=1, flows=2, code=2, widths=(6,), flow_widths=(6,)).double()
    untied(model)
    x = torch.randn(2, 3, dtype=torch.float64)
    with torch.no_grad():
        z, area = grid(16, 600)
        y = z.new_zeros(len(z), 0)
        decoded, log_prior = model.decoded(z, y), model.prior.log_prob(z)
        exact = torch.stack(
            [
                (log_prior - model.likelihood.nll(row.expand(len(z), -1), decoded)).logsumexp(0) + math.log(area)
                for row in x
            ]
        )
        rows = x.repeat(1000, 1)
        drawn = {k: model.log_prob_bound(rows, draws=k).view(1000, 2) for k in (1, 5, 200)}
    for k, found in drawn.items():
        measured(f"bound of {k} draws, nats", float(found.mean()), f"rising to {float(exact.mean()):.4f}")
    means = {k: found.mean(0) for k, found in drawn.items()}
    assert (means[1] < means[5]).all() and (means[5] < means[200]).all()
    error = drawn[200].std(0) / math.sqrt(1000)
    assert (means[200] < exact + 4.5 * error).all() and (exact - means[200] < 0.3 * (exact - means[1])).all()


def doubled(n: int) -> Tensor:
    """Two numbers of noise, then two that are twice those and noise: a decoder that sees all needs no code."""
    x = 0.5 * torch.randn(n, 2)
    return torch.cat([x, 2 * x + 0.5 * torch.randn(n, 2)], dim=1)


def kept(**options: object) -> float:
    """The information that is left after a start from PCA, where the code says most of the row."""
    x = doubled(2000)
    torch.manual_seed(0)
    model = VLAE((4,), flows=0, parts=1, code=2, widths=(16,), flow_widths=(32,), scale=0.5, lr=5e-3, **options)
    model.setup(Batch(x))
    assert float(model.information(x[:1000])) > 1
    for _ in range(500):
        model.update(Batch(doubled(128)))
    return float(model.eval().information(doubled(1000)))


def test_a_narrow_window_keeps_information_in_the_code_where_a_decoder_that_sees_all_drops_it(
    measured: Callable[..., None],
) -> None:
    narrow, whole = kept(window=1), kept(window=3)
    measured("information in the code with a window of 1 of 3 coordinates, nats", narrow, "above 1")
    measured("information where the decoder sees all coordinates, nats", whole, "near 0")
    assert narrow > 1 and whole < 0.25


def test_free_bits_keep_information_where_the_decoder_sees_all() -> None:
    assert kept(window=3, free_bits=0.5) > 0.4


def test_free_bits_cost_nothing_and_what_is_above_them_all() -> None:
    x = torch.randn(64, 5)
    for free, paid in ((0.0, False), (0.1, False), (100.0, True)):
        model = VLAE((5,), free_bits=free, code=2, widths=(8,))
        torch.nn.init.normal_(model.encoder.linear.weight)
        torch.manual_seed(0)
        kl = model.loss(Batch(x))["kl"]
        torch.manual_seed(0)
        exact = model.terms(x, x.new_zeros(64, 0))[1].mean()
        torch.testing.assert_close(kl, torch.tensor(200.0) if paid else exact)
        assert (torch.autograd.grad(kl, model.encoder.linear.weight)[0].abs().sum() > 0) != paid
