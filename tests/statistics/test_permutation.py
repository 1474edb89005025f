"""The permutation test: its statistics against the differentiable ones, p-values against enumeration and their law."""

import itertools
import math

import pytest
import torch

from pcgen.statistics import energy_distance, kernel_mmd, permutation_test, two_sample_test


@pytest.mark.parametrize(("s", "r"), [(7, 12), (2, 5), (30, 4)])
def test_statistics_equal_the_divergences(s: int, r: int) -> None:
    x, y = torch.randn(s, 6, dtype=torch.float64), torch.randn(r, 6, dtype=torch.float64) + 0.5
    energy = two_sample_test(x, y, "energy", permutations=1)
    assert energy.value == pytest.approx(float(energy_distance(x, y)), rel=1e-8)
    widths = [0.7, 2.0]
    mmd = two_sample_test(x, y, "kernel_mmd", permutations=1, bandwidths=widths)
    assert mmd.value == pytest.approx(float(kernel_mmd(x, y, widths)), rel=1e-8)
    by_median = two_sample_test(x, y, "kernel_mmd", permutations=1)
    assert by_median.value == pytest.approx(float(kernel_mmd(x, y)), rel=1e-6)


@pytest.mark.parametrize("statistic", ["energy", "kernel_mmd"])
def test_p_value_is_the_share_of_all_relabellings(statistic: str) -> None:
    x, y = torch.randn(3, 2, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64) + 1.0
    pooled = torch.cat((x, y))
    widths = [1.0, 3.0]

    def value(rows: tuple[int, ...]) -> float:
        rest = [row for row in range(7) if row not in rows]
        parts = pooled[list(rows)], pooled[rest]
        return float(energy_distance(*parts) if statistic == "energy" else kernel_mmd(*parts, widths))

    values = [value(rows) for rows in itertools.combinations(range(7), 3)]
    want = sum(v >= value((0, 1, 2)) - 1e-12 for v in values) / len(values)
    result = two_sample_test(x, y, statistic, permutations=20_000, bandwidths=widths)
    assert result.p_value == pytest.approx(want, abs=0.012)
    assert result.chance == pytest.approx(sum(values) / len(values), abs=0.02 * max(values))


@pytest.mark.parametrize("statistic", ["energy", "kernel_mmd"])
def test_p_values_are_uniform_for_equal_distributions_and_small_for_others(statistic: str) -> None:
    p_values = torch.tensor(
        [
            two_sample_test(torch.randn(12, 3), torch.randn(17, 3), statistic, permutations=39, seed=seed).p_value
            for seed in range(200)
        ]
    )
    for level in (0.1, 0.25, 0.5, 0.75):
        assert float((p_values <= level).double().mean()) == pytest.approx(level, abs=0.1)
    assert two_sample_test(torch.randn(40, 3), torch.randn(30, 3) * 4, statistic).p_value <= 0.01
    assert two_sample_test(torch.randn(40, 3), torch.randn(30, 3) + 1, statistic).p_value == 0.001


def test_copies_of_one_sample_are_never_told_apart() -> None:
    x = torch.randn(20, 3)
    result = two_sample_test(x, x.flip(0), "energy")
    assert result.value == pytest.approx(0.0, abs=1e-12)
    assert result.p_value == 1.0


def test_seed_and_global_generator() -> None:
    x, y = torch.randn(9, 2), torch.randn(9, 2)
    state = torch.get_rng_state()
    assert two_sample_test(x, y, seed=3) == two_sample_test(x, y, seed=3)
    assert torch.equal(torch.get_rng_state(), state)


def test_any_statistic_of_a_labelling_is_tested() -> None:
    rows = torch.tensor([5.0, 6.0, 7.0, 0.0, 1.0, 2.0, 3.0], dtype=torch.float64)

    def difference(first: torch.Tensor) -> torch.Tensor:
        return torch.stack([rows[one].mean() - rows[~one].mean() for one in first])

    result = permutation_test(difference, (3, 4), 3500)
    assert result.value == 6.0 - 1.5
    assert result.p_value == pytest.approx(1 / math.comb(7, 3), abs=0.01)  # no other labelling has as much
    assert result.chance == pytest.approx(0, abs=0.15)


def test_far_from_the_origin_float32_codes_are_told_apart_as_near_it() -> None:
    x, y = torch.randn(30, 3).round(decimals=2), torch.randn(30, 3).round(decimals=2) + 1
    near, far = two_sample_test(x, y), two_sample_test(x + 16384, y + 16384)
    assert far.value == pytest.approx(near.value, rel=1e-2) and far.p_value == near.p_value == 0.001


def test_bad_input_is_named() -> None:
    x = torch.randn(5, 3)
    with pytest.raises(ValueError, match=r"x, y: must be \(S, D\) and \(R, D\), got \(5, 3\) and \(5, 2\)"):
        two_sample_test(x, torch.randn(5, 2))
    with pytest.raises(ValueError, match="x, y: must have at least 2 rows each, got 1 and 5"):
        two_sample_test(x[:1], x)
    with pytest.raises(ValueError, match="y: must be finite, got NaN or infinity in 2 rows of 5"):
        two_sample_test(x, x.where(torch.arange(5)[:, None] > 1, torch.nan))
    with pytest.raises(ValueError, match="statistic: must be one of energy, kernel_mmd; got 'mmd'"):
        two_sample_test(x, x, "mmd")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bandwidths: most rows are equal, so their median distance is 0"):
        two_sample_test(x * 0, x * 0, "kernel_mmd")
    with pytest.raises(ValueError, match="permutations: must be at least 1, got 0"):
        two_sample_test(x, x, permutations=0)
