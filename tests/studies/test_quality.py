"""The quality of codes against its definition, and on distributions whose place between the baselines is known."""

import weakref

import pytest
import torch
from torch import Tensor

from pcgen.studies import quality as module
from pcgen.studies.claims.planes import apart
from pcgen.studies.quality import BASELINES, Quality, Scale, baselines, quality

MIX = torch.tensor([[1.0, 0.0, 0.0], [1.5, 0.4, 0.0], [-1.0, 0.3, 0.4], [0.5, 0.0, -0.2]])


def correlated(n: int, seed: int = 0) -> Tensor:
    """Rows of a Gaussian whose dimensions are far from independent, (n, 4), beside 5."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, generator=generator) @ MIX.T + 0.1 * torch.randn(n, 4, generator=generator) + 5


def scored(samples: list[Tensor], train: Tensor, held_out: Tensor, **options: int) -> dict[str, Quality]:
    return {each.name: each for each in quality({"model": samples}, train, held_out, **options)}


def test_the_baselines_stand_where_they_are_defined_to() -> None:
    train, held_out = correlated(2000), correlated(250, seed=1)
    found = scored([correlated(250, seed=2 + i) for i in range(4)], train, held_out)
    assert list(found) == ["model", *BASELINES]
    floor, independent, full, memoriser = (found[name] for name in BASELINES)
    assert floor.score == 0 and floor.interval == (0, 0)
    assert independent.score == 1 and independent.interval == (1, 1)
    # The data is Gaussian: the full Gaussian is as good as training codes, and so is a true sample.
    for each in (full, found["model"]):
        assert each.score == pytest.approx(0, abs=0.15) and each.interval[0] <= each.score <= each.interval[1]
    assert memoriser.score == pytest.approx(0, abs=0.15)
    assert floor.novelty == 0  # they are training codes
    for each in (full, found["model"]):
        assert each.novelty == pytest.approx(1, abs=0.1)


def test_a_memoriser_of_codes_in_many_dimensions_has_no_novelty() -> None:
    train, held_out = torch.randn(500, 20), torch.randn(100, 20)
    found = scored([train[:100], torch.randn(100, 20)], train, held_out)
    assert found["memoriser"].novelty < 0.2  # a tenth of each deviation, where neighbours are several away
    copies = scored([train[:100]], train, held_out)["model"]
    assert copies.novelty == 0
    assert scored([torch.randn(100, 20)], train, held_out)["model"].novelty == pytest.approx(1, abs=0.1)


def test_the_score_is_the_energy_distance_between_the_floor_and_the_baseline() -> None:
    train, held_out = correlated(300), correlated(60, seed=1)
    samples = [correlated(60, seed=2) * 1.3, correlated(60, seed=3) * 1.3]
    rows = {"model": samples, **baselines(train, 60, draws=2, seed=7)}
    place = (train.double().mean(0), train.double().std(0, correction=0))
    held = (held_out.double() - place[0]) / place[1]
    energies = {
        name: sum(apart((each.double() - place[0]) / place[1], held) for each in sets) / len(sets)
        for name, sets in rows.items()
    }
    found = scored(samples, train, held_out, seed=7)
    floor, baseline = energies["training codes"], energies["independent Gaussians"]
    for name, energy in energies.items():
        assert found[name].energy == pytest.approx(energy, rel=1e-4, abs=1e-6)
        assert found[name].score == pytest.approx((energy - floor) / (baseline - floor), rel=1e-3, abs=1e-4)


def test_samples_that_are_narrower_than_the_data_are_not_rewarded_where_few_codes_are_held_out() -> None:
    """Among many dimensions and few codes, counting each code with itself would weigh the spread of samples."""
    generator = torch.Generator().manual_seed(0)

    def mean_energy(scale: float) -> float:
        found = []
        for seed in range(40):
            x, held = (torch.randn(12, 20, generator=generator) for _ in range(2))
            found.append(
                scored([scale * x], torch.randn(400, 20, generator=generator), held, seed=seed)["model"].energy
            )
        return sum(found) / len(found)

    true, narrow = mean_energy(1.0), mean_energy(0.8)
    assert abs(true) < 0.05  # unbiased: true samples are at no distance
    assert narrow > true + 0.05


def test_resamplings_do_not_count_a_row_with_its_own_copies() -> None:
    """So their energies scatter about the energy, where copies at no distance would lower the mean within a set."""
    weights = module._weights(20, 2001, torch.Generator().manual_seed(0))
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    within = module._within(weights, torch.cdist(x, x))
    assert within[0] == pytest.approx(float(torch.nn.functional.pdist(x).mean()))
    assert within[1:].mean() == pytest.approx(float(within[0]), rel=0.02)
    alone = torch.tensor([[1.0, 0.0]], dtype=torch.float64)  # one of two rows, drawn twice
    assert module._within(alone, torch.cdist(x[:2], x[:2])) == 0


def test_worse_models_score_worse_and_wrong_ones_above_one() -> None:
    train, held_out = correlated(2000), correlated(250, seed=1)
    spread = train.std(0)
    shifted = [correlated(250, seed=2) + share * spread for share in (0.0, 0.2, 0.5, 1.0)]
    scores = [scored([each], train, held_out)["model"].score for each in shifted]
    assert scores == sorted(scores) and scores[-1] > 1 > scores[0]


def test_scale_and_place_of_a_dimension_make_no_difference() -> None:
    train, held_out, samples = correlated(400), correlated(80, seed=1), correlated(80, seed=2) * 1.1

    def moved(x: Tensor) -> Tensor:
        return x * torch.tensor([1e-2, 1.0, 1e2, 7.0]) - torch.tensor([0.0, 3.0, 50.0, 1.0])

    here, there = scored([samples], train, held_out), scored([moved(samples)], moved(train), moved(held_out))
    assert there["full Gaussian"].score == pytest.approx(0, abs=0.3)  # other draws: its axes are others
    for name, each in here.items():
        if name == "full Gaussian":
            continue
        other = there[name]
        assert other.score == pytest.approx(each.score, abs=1e-3) and other.energy == pytest.approx(
            each.energy, rel=1e-3
        )
        assert other.novelty == pytest.approx(each.novelty, rel=1e-3)
        assert other.interval == pytest.approx(each.interval, abs=2e-3)


def test_the_interval_covers_the_mean_of_repeated_draws() -> None:
    """A model half as wide as the data, whose score is repeated with other codes of everything; 95% of 12 is 11.4."""
    found = []
    for repetition in range(12):
        train, held_out = correlated(600, seed=100 + repetition), correlated(100, seed=200 + repetition)
        sets = [(correlated(100, seed=1000 + 10 * repetition + i) - 5) * 0.5 + 5 for i in range(2)]
        found.append(scored(sets, train, held_out, seed=repetition)["model"])
    mean = sum(each.score for each in found) / len(found)
    covering = sum(each.interval[0] <= mean <= each.interval[1] for each in found)
    assert covering >= 9
    widths = [each.interval[1] - each.interval[0] for each in found]
    spread = torch.tensor([each.score for each in found]).std().item()
    assert 2 * spread < sum(widths) / len(widths) < 10 * spread  # four deviations are 95%


def test_sets_of_tokens_are_flattened_and_a_seed_repeats_the_numbers() -> None:
    train, held_out, samples = (correlated(n, seed=n).unflatten(1, (2, 2)) for n in (200, 50, 51))
    samples = samples[:50]
    found = scored([samples], train, held_out, seed=3)
    assert found == scored([samples], train, held_out, seed=3)
    assert found != scored([samples], train, held_out, seed=4)
    assert found == scored([samples.flatten(1)], train.flatten(1), held_out.flatten(1), seed=3)
    state = torch.get_rng_state()
    scored([samples], train, held_out)
    assert torch.equal(torch.get_rng_state(), state)


def test_training_codes_are_as_many_different_ones_as_there_are() -> None:
    train = torch.arange(40.0)[:, None]
    sets = baselines(train, size=10, draws=2)
    floor, memoriser = torch.cat(sets["training codes"]), torch.cat(sets["memoriser"])
    assert floor.unique().numel() == 20
    nearest = (memoriser - train.T.double()).abs().argmin(1)  # noise of a tenth of a deviation is about one code
    assert nearest.float().sub(memoriser.flatten()).abs().max() < 1
    assert {name: [tuple(each.shape) for each in found] for name, found in sets.items()} == dict.fromkeys(
        BASELINES, [(10, 1)] * 2
    )
    few = baselines(train[:3], size=10, draws=1)
    assert few["training codes"][0].unique().numel() == 3


@pytest.mark.parametrize(
    ("samples", "train", "held_out", "told"),
    [
        ([torch.zeros(5, 3)], (9, 3), (4, 3), r"model: must be sets of shape \(4, 3\), got \(5, 3\)"),
        ([torch.zeros(4, 2)], (9, 3), (4, 3), r"model: must be sets of shape \(4, 3\), got \(4, 2\)"),
        ([torch.zeros(4, 3)], (9, 2), (4, 3), r"train: must be codes of shape \(3,\) as held_out, got \(2,\)"),
        ([torch.zeros(1, 3)], (9, 3), (1, 3), "held_out: must be at least 2, got 1"),
        ([], (9, 3), (4, 3), "model: must be one set of codes or more, got none"),
        ([torch.full((4, 3), torch.nan)], (9, 3), (4, 3), r"model: a code is not finite \(the model has diverged"),
    ],
)
def test_what_cannot_be_scored_is_named(samples: list[Tensor], train: tuple, held_out: tuple, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        quality({"model": samples}, torch.randn(train), torch.randn(held_out))


def test_a_score_that_would_be_a_ratio_of_noise_is_not_resolved() -> None:
    train, held_out = correlated(2000), correlated(250, seed=1)
    assert all(each.resolved for each in quality({}, train, held_out))
    independent = torch.randn(2000, 4, generator=torch.Generator().manual_seed(0))  # the baseline is the data itself
    assert not any(each.resolved for each in quality({}, independent[:1000], independent[1000:1100]))


def test_the_distances_of_one_set_are_in_memory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: weakref.WeakSet[Tensor] = weakref.WeakSet()
    most = 0
    measure = module._distances

    def counted(x: Tensor, y: Tensor) -> Tensor:
        nonlocal most
        found = measure(x, y)
        alive.add(found)
        most = max(most, len(alive))
        return found

    monkeypatch.setattr(module, "_distances", counted)
    scored([correlated(50, seed=2 + i) for i in range(4)], correlated(200), correlated(50, seed=1))
    assert 0 < most <= 2


def test_models_scored_on_one_scale_have_the_numbers_that_they_have_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    train, held_out = correlated(200), correlated(50, seed=1)
    samples = {name: [correlated(50, seed=seed), correlated(50, seed=seed + 1)] for name, seed in (("a", 2), ("b", 4))}
    drawn = []
    draw = baselines
    monkeypatch.setattr(module, "baselines", lambda *given: drawn.append(given) or draw(*given))
    scale = Scale(train, held_out, 2, seed=3)
    found = [scale.score({name: sets}) for name, sets in samples.items()]
    assert len(drawn) == 1
    assert found == [quality({name: sets}, train, held_out, seed=3) for name, sets in samples.items()]
