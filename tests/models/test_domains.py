"""Domains: what a head sees of codes lies where it must, and comes back as the codes that it was."""

import pytest
import torch
from torch import Tensor

from pcgen.models.base import Batch, GenerativeModel
from pcgen.models.domains import DOMAINS, Binary, Domain, check_domain, make_domain
from pcgen.training import steps

CHANNELS, CONSTANT = 5, 3


def vectors(n: int = 4000) -> Tensor:
    """Skewed and correlated codes of very different sizes, of which one is constant, (n, 5)."""
    z = torch.randn(n, 2)
    x = torch.stack([z[:, 0], z[:, 0] + 0.3 * z[:, 1], z[:, 1].exp(), torch.zeros(n), (z[:, 0] * z[:, 1]).relu()], 1)
    return x * torch.tensor([1e-3, 1.0, 50.0, 1.0, 2.0]) + torch.tensor([0.0, -3.0, 7.0, 0.7, 0.0])


def sets(n: int = 800, members: int = 5) -> Tensor:
    """The same as sets of tokens, (n, 5, 5)."""
    return vectors(n * members).unflatten(0, (n, members))


def fitted(name: str, codes: Tensor) -> Domain:
    domain = make_domain(name, codes.shape[-1])
    domain.fit(codes)
    return domain


cases = pytest.mark.parametrize("codes", [vectors, sets])


@cases
@pytest.mark.parametrize("name", DOMAINS)
def test_what_the_head_sees_has_its_shape_and_lies_in_the_domain(name: str, codes) -> None:  # type: ignore[no-untyped-def]
    x = codes()
    domain = fitted(name, x)
    seen = domain(x)
    assert seen.shape == (len(x), *domain.shape(x.shape[1:])) and seen.dtype == torch.float32
    assert torch.isfinite(seen).all()
    check_domain(name, seen, "a head")
    beyond = 3 * (x - x.mean(0)) + x.mean(0)  # codes of clouds that were not learned
    check_domain(name, domain(beyond), "a head")


@cases
@pytest.mark.parametrize("name", ["real", "unit", "nonnegative", "raw"])
def test_the_way_back_is_the_inverse(name: str, codes) -> None:  # type: ignore[no-untyped-def]
    x = codes()
    back = fitted(name, x)(x)
    restored = fitted(name, x).inverse(back)
    deviation = x.flatten(0, -2).std(0)
    error = (restored - x).abs() / deviation.clamp_min(1e-6)
    if name != "unit":
        assert error.max() < 1e-3
    else:  # float32 holds the upper end of the unit interval to 6e-8, the density of 4 deviations is 1e-4
        near = (x - x.flatten(0, -2).mean(0)).abs() <= 4 * deviation
        assert error[near].max() < 2e-3
        assert (error > 2e-3).float().mean() < 0.01
    if name == "raw":
        assert torch.equal(restored, x) and torch.equal(back, x)


def test_real_codes_have_mean_0_and_deviation_1_and_nonnegative_ones_begin_at_0() -> None:
    x = vectors()
    seen = fitted("real", x)(x)
    others = [channel for channel in range(CHANNELS) if channel != CONSTANT]
    torch.testing.assert_close(seen.mean(0), torch.zeros(CHANNELS), atol=1e-3, rtol=0)
    torch.testing.assert_close(seen.std(0, correction=0)[others], torch.ones(4), atol=1e-3, rtol=0)
    assert seen[:, CONSTANT].abs().max() < 1e-5
    unit = fitted("unit", x)(x)
    torch.testing.assert_close(unit, torch.special.ndtr(seen), atol=1e-6, rtol=0)
    nonnegative = fitted("nonnegative", x)(x)
    assert torch.equal(nonnegative.amin(0), torch.zeros(CHANNELS))
    torch.testing.assert_close(nonnegative.std(0, correction=0)[others], torch.ones(4), atol=1e-3, rtol=0)


def components(domain: Binary, codes: Tensor) -> Tensor:
    """Along the axes of the domain, (R, D) float64."""
    return (codes.flatten(0, -2).double() - domain.mean) @ domain.basis


@cases
def test_a_binary_code_comes_back_within_its_bins_and_a_constant_one_as_it_was(codes) -> None:  # type: ignore[no-untyped-def]
    x = codes()
    domain = fitted("binary", x)
    assert isinstance(domain, Binary)
    back, again = domain.inverse(domain(x)), domain.inverse(domain(x))
    assert (domain(back) == domain(x)).float().mean() > 0.999 and not torch.equal(back, again)
    torch.testing.assert_close(back[..., CONSTANT], x[..., CONSTANT], rtol=0, atol=1e-5)
    rows, restored = components(domain, x), components(domain, back)
    edges = domain.quantiles[:, ::16]  # of 16 bins
    for axis in range(CHANNELS - 1):
        bins = torch.searchsorted(edges[axis, 1:-1].contiguous(), rows[:, axis].contiguous())
        low, high = edges[axis, bins], edges[axis, bins + 1]
        assert (low - 1e-4 <= restored[:, axis]).all() and (restored[:, axis] <= high + 1e-4).all()


@cases
def test_dequantised_binary_codes_have_the_training_codes_mean_and_marginals(codes) -> None:  # type: ignore[no-untyped-def]
    """Kolmogorov and Smirnov's distance of principal components: no more than that of two samples."""
    x = codes()
    domain = fitted("binary", x)
    assert isinstance(domain, Binary)
    back = domain.inverse(domain(x))
    flat = x.flatten(0, -2)
    deviation = flat.std(0).clamp_min(1e-6)
    assert ((back.flatten(0, -2).mean(0) - flat.mean(0)) / deviation).abs().max() < 0.03
    rows, restored = (components(domain, each).sort(0).values for each in (x, back))
    for axis in range(CHANNELS - 1):
        at = torch.cat([rows[:, axis], restored[:, axis]])
        shares = [
            torch.searchsorted(each[:, axis].contiguous(), at, right=True) / len(each) for each in (rows, restored)
        ]
        assert (shares[0] - shares[1]).abs().max() < 0.02, axis


def test_independent_bits_have_the_covariance_of_the_codes() -> None:
    """What a model of bits that has learned their means alone draws: with bits of the coordinates, they would be
    uncorrelated."""
    torch.manual_seed(0)
    x = torch.randn(20_000, 3) @ torch.tensor([[3.0, 0.0, 0.0], [2.0, 1.0, 0.0], [-1.0, 0.5, 0.2]])
    domain = fitted("binary", x)
    seen = domain(x)
    drawn = domain.inverse((torch.rand(20_000, seen.shape[1]) < seen.mean(0)).float())
    torch.testing.assert_close(torch.cov(drawn.T), torch.cov(x.T), rtol=0.05, atol=0.1)


def test_gray_code_neighbours_differ_in_one_bit_and_all_levels_occur_equally_often() -> None:
    x = torch.rand(16_000, 2).square() * torch.tensor([3.0, 1.0])
    domain = fitted("binary", x)
    assert isinstance(domain, Binary)
    bits, along = domain(x).unflatten(1, (2, 4)), components(domain, x)  # (R, D, bits), (R, D)
    for axis in range(2):
        levels = (bits[:, axis] * torch.tensor([8.0, 4, 2, 1])).sum(1).long()
        counts = levels.bincount(minlength=16)
        assert len(counts) == 16 and counts.min() >= 999 and counts.max() <= 1001
        order = along[:, axis].argsort()
        changes = (bits[order[1:], axis] != bits[order[:-1], axis]).sum(1)
        assert changes.max() == 1 and changes.sum() == 15
        coarsest = bits[:, axis, 0]
        assert coarsest[along[:, axis] > along[:, axis].median()].all()
    assert along[:, 0].var() > along[:, 1].var()
    every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)  # every state of a head is some bin
    drawn = domain.inverse(torch.cat([every, every], 1))
    assert torch.equal(domain(drawn), torch.cat([every, every], 1))
    reached = components(domain, drawn)
    assert (reached >= along.amin(0) - 1e-6).all() and (reached <= along.amax(0) + 1e-6).all()


@pytest.mark.parametrize("name", DOMAINS)
def test_permuting_the_members_of_a_set_permutes_what_is_seen_of_it(name: str) -> None:
    x, order = sets(50), torch.randperm(5)
    domain = fitted(name, x)
    assert torch.equal(domain(x[:, order]), domain(x)[:, order])
    flat = fitted(name, x.flatten(0, 1))
    assert torch.equal(flat(x.flatten(0, 1)), domain(x).flatten(0, 1))  # channel by channel, alike for all members


@pytest.mark.parametrize("name", DOMAINS)
def test_a_domain_comes_back_from_its_state(name: str) -> None:
    x = vectors(200)
    domain, again = fitted(name, x), make_domain(name, CHANNELS)
    again.load_state_dict(domain.state_dict())
    assert torch.equal(again(x), domain(x))


class Taking(GenerativeModel):
    """Takes anything of its domain."""

    def __init__(self, domain: str) -> None:
        super().__init__()
        self.shape, self.domain = (2,), domain  # type: ignore[misc]

    def update(self, batch: Batch) -> dict[str, Tensor]:
        return {}

    def draw(self, n: int) -> Tensor:
        return torch.zeros(n, 2)


@pytest.mark.parametrize(
    ("domain", "bad", "told"),
    [
        ("unit", [[0.5, 1.25]], r"data: must be in \[0, 1\] for Taking, got numbers from 0.5 to 1.25"),
        ("unit", [[-0.5, 1.0]], r"data: must be in \[0, 1\] for Taking, got numbers from -0.5 to 1"),
        ("nonnegative", [[-1e-3, 9.0]], "data: must be nonnegative for Taking, got numbers from -0.001 to 9"),
        ("binary", [[0.0, 0.5]], "data: must be 0 or 1 for Taking, got numbers from 0 to 0.5"),
        ("binary", [[0.0, 2.0]], "data: must be 0 or 1 for Taking, got numbers from 0 to 2"),
    ],
)
def test_a_training_refuses_data_that_is_not_in_the_models_domain(domain: str, bad: list, told: str) -> None:
    with pytest.raises(ValueError, match=told + "; map it there first"):
        steps(Taking(domain), torch.tensor(bad))
    good = torch.tensor([[0.0, 1.0]])
    assert len(list(steps(Taking(domain), good, steps=2))) == 2
    assert len(list(steps(Taking("real"), torch.tensor(bad), steps=1))) == 1


def test_a_domain_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match=r"domain: must be one of real, unit, .*; got 'binry'; did you mean 'binary'"):
        make_domain("binry", 3)
    with pytest.raises(ValueError, match="bits: must be at least 1, got 0"):
        Binary(3, bits=0)
