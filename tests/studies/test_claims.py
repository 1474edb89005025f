"""Every claim runs and gives a verdict, and what stands in its experiment is measured rightly."""

import math
import statistics
from functools import partial
from types import ModuleType, SimpleNamespace

import pytest
import torch

from pcgen.studies.claims import CLAIMS, Claim, Difference, denoising_chains, exact_inverse
from pcgen.studies.claims.claim import scaled
from pcgen.studies.claims.clouds import JSD, ONE_NNA, quality, shapes
from pcgen.studies.claims.judging import FAILS, HOLDS, UNDECIDED
from pcgen.studies.claims.mixing import _correlation
from pcgen.studies.claims.parts import _occupancy, _sparseness, _spread
from pcgen.studies.claims.planes import MODES, centres, kept, ring


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_gives_a_verdict_with_finite_numbers_and_intervals(name: str) -> None:
    claim = CLAIMS[name]
    told: list[tuple[int, int]] = []
    verdict = claim.examine(seeds=3, effort=0.003, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert verdict.outcome in (HOLDS, FAILS, UNDECIDED)
    assert [each.comparison for each in verdict.found] == list(claim.comparisons)
    for row in verdict.rows():
        numbers = [float(row[column]) for column in ("larger_mean", "smaller_mean", "effect", "low", "high")]
        assert all(map(math.isfinite, numbers))
        assert numbers[3] <= numbers[2] <= numbers[4]
    assert str(verdict).startswith(f"{name}: {verdict.outcome}. {claim.says}")


def test_a_seed_gives_the_same_numbers_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, second = (CLAIMS["control_variates"].examine(seeds=3, effort=0.01) for _ in range(2))
    assert first.found == second.found
    assert torch.equal(torch.get_rng_state(), state)


def test_the_trial_is_run_with_the_seeds_and_each_number_is_that_of_its_name() -> None:
    asked: list[tuple[int, float]] = []

    def trial(seed: int, effort: float) -> dict[str, dict[str, float]]:
        asked.append((seed, effort))
        return {"modes": {"a": seed, "b": seed + 2.0, "beside": 9.0}}

    claim = Claim("one", "B keeps more.", "A (2000).", "By counting.", (Difference("modes", "b", "a"),), trial, seeds=4)
    verdict = claim.examine(effort=0.5)
    assert asked == [(0, 0.5), (1, 0.5), (2, 0.5), (3, 0.5)]
    (found,) = verdict.found
    assert (found.larger, found.smaller, found.effect, verdict.outcome) == (3.5, 1.5, 2.0, HOLDS)
    (row,) = verdict.rows()
    assert row["claim"] == "one" and row["seeds"] == 4 and row["effort"] == 0.5 and row["larger"] == "b"


def test_bad_effort_and_too_few_seeds_are_named_before_anything_is_trained() -> None:
    with pytest.raises(ValueError, match="effort: must be a positive number, got 0"):
        CLAIMS["latent_gans"].examine(effort=0)
    with pytest.raises(ValueError, match="seeds: must be at least 3, got 1"):
        CLAIMS["latent_gans"].examine(seeds=1)


def test_each_claim_says_where_it_is_from_and_has_names_of_its_own() -> None:
    for name, claim in CLAIMS.items():
        assert claim.name == name and claim.seeds >= 3 and "(" in claim.source
        assert claim.says.endswith(".") and claim.test.endswith(".")
        assert all(each.larger != each.smaller for each in claim.comparisons)


def test_sizes_follow_the_effort_down_to_a_least() -> None:
    assert (scaled(200, 1.0), scaled(200, 0.25), scaled(200, 1e-6), scaled(200, 1e-6, 8)) == (200, 50, 1, 8)


def test_kept_modes_are_counted() -> None:
    assert kept(ring(4000, 0.02), 0.02) == MODES
    five = ring(4000, 0.02)
    five = five[torch.cdist(five, centres()).argmin(1) < 5]
    assert kept(five, 0.02) == 5
    assert kept(torch.zeros(100, 2), 0.02) == 0  # all between the modes
    thin = torch.cat([centres()[:7].repeat(100, 1), centres()[7:].repeat(10, 1)])  # a tenth of a share
    assert kept(thin, 0.02) == 7


@pytest.mark.parametrize(("claim", "whole"), [(exact_inverse, 4000), (denoising_chains, 2000)])
@pytest.mark.parametrize(("size", "seeds"), [(500, 40), (4000, 2)])
def test_samplers_are_as_far_from_the_data_by_few_samples_as_by_many(
    claim: ModuleType, whole: int, size: int, seeds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data N(0, I) in the plane, of which one sampler has the deviation 1.2 and the others 1."""
    wide = {"10 steps", "plain denoising (dae)"}

    def sample(n: int, steps: int = 0, deviation: float = 1.0, **options: object) -> torch.Tensor:
        return (1.2 if steps == 10 else deviation) * torch.randn(n, 2)

    def learned(name: str, *training: object, **config: object) -> SimpleNamespace:
        return SimpleNamespace(sample=partial(sample, deviation=1.2 if name == "dae" else 1.0))

    monkeypatch.setattr(claim, "ring", lambda n, deviation: torch.randn(n, 2))
    monkeypatch.setattr(claim, "learned", learned)
    found = [next(iter(claim._trial(seed, size / whole).values())) for seed in range(seeds)]
    # |x - y| of N(0, a^2 I) and N(0, b^2 I) has the Rayleigh mean sqrt(pi / 2 (a^2 + b^2)).
    excess = math.sqrt(math.pi / 2) * (2 * math.sqrt(1 + 1.2**2) - math.sqrt(2) * (1 + 1.2))
    for name in found[0]:
        mean = statistics.mean(numbers[name] for numbers in found)
        assert mean == pytest.approx(excess if name in wide else 0, abs=0.0025), name


def test_shapes_of_one_set_stand_in_no_other_and_follow_the_seed() -> None:
    (train, labels), (test, right) = shapes(["mug", "chair"], [5, 3], seed=0)
    assert train.shape == (10, 256, 3) and test.shape == (6, 256, 3)
    assert labels.tolist() == [0] * 5 + [1] * 5 and right.tolist() == [0] * 3 + [1] * 3
    assert not any(torch.equal(x, y) for x in train for y in test)
    again, other = shapes(["mug", "chair"], [5, 3], seed=0), shapes(["mug", "chair"], [5, 3], seed=1)
    assert torch.equal(again[1][0], test) and not torch.equal(other[1][0], test)


def test_quality_is_best_for_the_reference_of_another_draw_and_worst_for_noise() -> None:
    (one, _), (other, _) = shapes(["chair"], [40, 40], seed=0)
    near, far = quality(one, other), quality(torch.rand_like(one) - 0.5, other)
    assert near[JSD] < 0.2 < 0.5 < far[JSD]
    assert near[ONE_NNA] == pytest.approx(0.5, abs=0.15) and far[ONE_NNA] == 1


def test_parts_are_measured() -> None:
    cells = 8**3
    single, even = torch.zeros(1, cells), torch.full((1, cells), 0.1)
    single[0, 77] = 3.0
    assert float(_sparseness(single)) == pytest.approx(1) and float(_sparseness(even)) == pytest.approx(0, abs=1e-5)
    # Of a uniform cube of 8 cells a side: variance (1 - 1 / 64) / 12 along each axis.
    assert float(_spread(single)) == pytest.approx(0, abs=1e-3)
    assert float(_spread(even)) == pytest.approx(math.sqrt(3 * (1 - 1 / 64) / 12), rel=1e-4)
    counts = _occupancy(
        torch.tensor([[[-0.49, -0.49, -0.49], [0.49, 0.49, 0.49], [0.49, 0.49, 0.45], [0.6, 0.5, 0.7]]])
    )
    assert counts[0, 0] == 0.25 and counts[0, -1] == 0.75 and counts.sum() == 1


def test_the_correlation_of_bits_is_that_of_pearson() -> None:
    x = torch.randint(2, (2, 500)).double()
    assert _correlation(x) == pytest.approx(float(torch.corrcoef(x)[0, 1]))
    assert _correlation(torch.stack([x[0], x[0]])) == pytest.approx(1)
    assert _correlation(torch.stack([x[0], torch.zeros(500).double()])) == 0
