"""Z_U, C_T, authenticity and Vendi against scipy, loops and closed forms; and what they say of models that copy."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from pcgen import ops
from pcgen.metrics import authenticity, c_t, evaluate, medoids, vendi, z_u
from pcgen.metrics.blocks import Block
from pcgen.metrics.c_t import LEAST, InCells
from pcgen.metrics.copies import CopySearch, Near, find_copies
from pcgen.metrics.copying import Copying
from pcgen.metrics.intervals import mmd_interval
from pcgen.metrics.pairs import pair_matrices
from pcgen.metrics.preparation import prepare
from pcgen.metrics.protocols import protocol
from pcgen.metrics.sets import SECOND, TRAINING, measured_set
from pcgen.metrics.store import TileStore
from pcgen.metrics.verdict import verdict

DISTANCES = ("cd", "emd")


@pytest.mark.parametrize("decimals", [8, 1, 0])  # ever more ties
def test_z_u_is_scipys_mann_whitney(decimals: int) -> None:
    a, b = torch.rand(30, dtype=torch.float64).round(decimals=decimals), torch.rand(45, dtype=torch.float64) * 1.2
    b = b.round(decimals=decimals)
    p = scipy.stats.mannwhitneyu(a, b, alternative="less", use_continuity=False, method="asymptotic").pvalue
    assert z_u(a, b) == pytest.approx(scipy.stats.norm.ppf(p), abs=1e-9)
    assert z_u(b, a) == pytest.approx(-z_u(a, b))


def test_z_u_is_normal_for_one_law_and_negative_for_nearer_samples() -> None:
    scores = np.array([z_u(torch.rand(40), torch.rand(50)) for _ in range(400)])
    assert abs(scores.mean()) < 0.2 and scores.std() == pytest.approx(1, abs=0.12)
    every = z_u(torch.zeros(40), torch.ones(50))  # U = 0, and two groups of ties
    assert every == pytest.approx(-1000 / math.sqrt(2000 / 12 * (91 - (40**3 - 40 + 50**3 - 50) / (90 * 89))))
    assert z_u(torch.ones(3), torch.ones(4)) == 0.0


def test_c_t_weighs_cells_by_held_out_clouds_and_leaves_small_ones_out() -> None:
    own, other = torch.rand(60), torch.rand(50)
    of_own, of_other = torch.arange(60) // 20, torch.cat((torch.zeros(10), torch.ones(25), torch.full((15,), 2)))
    of_own[-5:] = 7  # the third cell has 15 samples left, another one no held-out cloud
    a, b = (z_u(own[of_own == cell], other[of_other == cell]) for cell in (0, 1))
    assert in_cells(own, other, of_own, of_other).c_t == pytest.approx((10 * a + 25 * b) / 35)
    third = z_u(own[of_own == 2], other[of_other == 2])
    found = in_cells(own, other, of_own, of_other, least=15)
    assert found.c_t == pytest.approx((10 * a + 25 * b + 15 * third) / 50)
    assert found.least == min(a, b, third) and found.cells == 3
    assert c_t(own, other, of_own, of_other, least=21) is None
    assert in_cells(own, other, of_own * 0, of_other * 0) == InCells(z_u(own, other), z_u(own, other), 1)


def test_misses_hide_copies_from_z_u_and_c_t_but_not_from_the_least_of_the_cells() -> None:
    held_out, cells = torch.rand(80) + 1, torch.arange(80) % 2
    samples = torch.where(cells == 0, held_out * 0.1, held_out * 10)  # half of them copies, half far off
    found = in_cells(samples, held_out, cells, cells)
    assert abs(z_u(samples, held_out)) < 1e-9 and abs(found.c_t) < 1e-9
    assert found.least < -7 and found.cells == 2


def test_c_t_sees_copies_better_where_all_clouds_are_far_from_each_other() -> None:
    held_out, cells = torch.linspace(1, 2, 160), torch.arange(160) % 2
    samples = held_out * torch.where(cells == 0, 1, 10)  # copies, though farther than all clouds of the other cell
    held_out = held_out * torch.where(cells == 0, 1, 100)
    found = in_cells(samples, held_out, cells, cells)
    assert found.c_t < 1.3 * z_u(samples, held_out) < 0 and found.least == pytest.approx(2 * found.c_t)


def test_the_least_of_the_cells_for_samples_of_the_datas_own_distribution() -> None:
    cells = torch.arange(200) % 5
    least = [in_cells(torch.rand(200), torch.rand(200), cells, cells).least for _ in range(300)]
    assert np.mean(np.array(least) < scipy.stats.norm.ppf(1 - 0.975**0.2)) == pytest.approx(0.025, abs=0.025)


def in_cells(*given: Tensor, least: int = LEAST) -> InCells:
    found = c_t(*given, least=least)
    assert found is not None
    return found


def test_authenticity_against_loops() -> None:
    samples, train = torch.randn(25, 3, dtype=torch.float64), torch.randn(12, 3, dtype=torch.float64)
    s, t = samples.tolist(), train.tolist()
    authentic = []
    for x in s:
        nearest = min(range(12), key=lambda i: math.dist(x, t[i]))
        others = min(math.dist(t[nearest], t[i]) for i in range(12) if i != nearest)
        authentic.append(math.dist(x, t[nearest]) > others)
    to_train, of_train = torch.cdist(samples, train), torch.cdist(train, train).fill_diagonal_(torch.inf)
    found = authenticity(to_train.amin(1), of_train.amin(1)[to_train.argmin(1)])
    assert found == pytest.approx(sum(authentic) / 25) and 0 < found < 1
    assert authenticity(torch.zeros(3), torch.zeros(3)) == 0.0  # no farther than the others is: a copy


@pytest.mark.parametrize(("dim", "outside"), [(1, 1 / 2), (2, 1 / 3 + math.sqrt(3) / (2 * math.pi))])
def test_new_points_are_authentic_by_how_much_two_balls_overlap(dim: int, outside: float) -> None:
    train, new = torch.rand(2000, dim, dtype=torch.float64), torch.rand(4000, dim, dtype=torch.float64)
    to_train, of_train = torch.cdist(new, train), torch.cdist(train, train).fill_diagonal_(torch.inf)
    found = authenticity(to_train.amin(1), of_train.amin(1)[to_train.argmin(1)])
    assert found == pytest.approx(outside / (1 + outside), abs=0.04)  # 1/3 on a line, and not one half


def test_vendi_counts_what_is_different() -> None:
    groups = torch.arange(12) % 3  # three groups of the same four: what is as far as can be is another
    apart = torch.where(groups[:, None] == groups, 0.0, 1e6)
    assert vendi(apart, scale=1.0).score == pytest.approx(3)
    assert vendi(torch.zeros(7, 7), scale=1.0).score == pytest.approx(1)
    assert vendi(torch.full((7, 7), 1e6), scale=1.0).score == pytest.approx(7)
    # All at distance d: eigenvalues (1 + (n - 1) q) / n once and (1 - q) / n else, with q = exp(-d / scale).
    n, q = 6, math.exp(-0.5)
    values = [(1 + (n - 1) * q) / n, *[(1 - q) / n] * (n - 1)]
    assert vendi(torch.full((n, n), 1.0), scale=2.0).score == pytest.approx(
        math.exp(-sum(v * math.log(v) for v in values))
    )


def test_vendi_takes_the_median_and_clips_what_is_no_kernel() -> None:
    x = torch.randn(9, 2, dtype=torch.float64)
    distances = torch.cdist(x, x)
    distances = (distances + distances.T) / 2
    found = vendi(distances)
    assert found.scale == pytest.approx(np.median([math.dist(a, b) for a, b in itertools.combinations(x.tolist(), 2)]))
    assert found.clipped < 1e-12  # exp(-|x - y|) is a kernel
    assert vendi(distances, found.scale).score == pytest.approx(found.score)
    # a and b the same, c near a and far from b: K = [[1, 1, 1], [1, 1, 0], [1, 0, 1]], eigenvalues 1, 1 +- sqrt(2).
    broken = vendi(torch.tensor([[0.0, 0, 0], [0, 0, 1e6], [0, 1e6, 0]]), scale=1.0)
    assert broken.clipped == pytest.approx((math.sqrt(2) - 1) / 3)
    kept = np.array([1, 1 + math.sqrt(2)]) / (2 + math.sqrt(2))
    assert broken.score == pytest.approx(math.exp(-(kept * np.log(kept)).sum()))


def test_medoids_of_groups_are_their_middles() -> None:
    groups = torch.arange(15) % 3
    middles = torch.tensor([[0.0, 0], [10, 0], [0, 10]])
    x = middles[groups] + torch.randn(15, 2) * 0.5
    distances = torch.cdist(x, x)
    best = min(itertools.combinations(range(15), 3), key=lambda rows: float(distances[:, list(rows)].amin(1).sum()))
    assert medoids(distances, 3).tolist() == list(best)
    assert medoids(distances, 15).tolist() == list(range(15))
    assert len(set(medoids(torch.zeros(5, 5), 3).tolist())) == 3  # all the same


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: z_u(torch.ones(2, 2), torch.ones(2)),
            r"samples: must be a number for each cloud, .*got shape \(2, 2\)",
        ),
        (lambda: z_u(torch.ones(2), torch.ones(0)), "held_out: must be a number for each cloud"),
        (lambda: z_u(torch.tensor([torch.nan]), torch.ones(2)), "samples: must be finite, got 1 entries"),
        (
            lambda: c_t(torch.ones(2), torch.ones(2), torch.ones(3), torch.ones(2)),
            "sample_cells: .* of 2 clouds, got 3",
        ),
        (lambda: c_t(*[torch.ones(2)] * 4, least=0), "least: must be 1 sample per cell or more, got 0"),
        (lambda: authenticity(torch.ones(2), torch.ones(3)), "train_distances: must be a number for each of 2 clouds"),
        (
            lambda: vendi(torch.zeros(4, 4)),
            "scale: must be a distance above 0, got 0.0; are half of the clouds equal",
        ),
        (lambda: vendi(torch.rand(4, 4)), "distances: must be symmetric, nonnegative, and between two"),
        (lambda: vendi(torch.rand(4, 3)), "distances: must have 4 columns"),
        (lambda: medoids(torch.rand(4, 4), 5), "k: must be at most the 4 members, got 5"),
        (lambda: find_copies(torch.rand(2, 1, 3), torch.rand(2, 9, 3)), "must have two points or more, got 1"),
    ],
)
def test_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def ellipsoids(sides: Tensor, seed: int, points: int = 256) -> Tensor:
    """A sampling of ellipsoids with these half axes, (S, 3)."""
    places = torch.randn(len(sides), points, 3, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(places, dim=2) * sides[:, None]


def sides(count: int, seed: int) -> Tensor:
    return 0.2 + torch.rand(count, 3, generator=torch.Generator().manual_seed(seed))


def told(*columns: str, **given: Tensor) -> tuple[dict[str, dict[str, float]], list[str]]:
    """What copying says of the sets, by row, and its notes."""
    roles = {"train": TRAINING, "second": SECOND}
    sets = prepare(protocol("exact"), {roles.get(name, name): clouds for name, clouds in given.items()})
    assert sets.train is not None
    copying = Copying(sets.train, dict.fromkeys(columns, sets), 0)
    return copying.finish(pair_matrices(copying.blocks()), None)


def test_copying_is_told_from_new_shapes_under_both_distances() -> None:
    known = sides(30, 1)
    train, reference, second = (ellipsoids(*of) for of in ((known, 2), (sides(80, 3), 4), (sides(80, 3), 5)))
    repeated = known[torch.arange(80) % 30]
    nudged = repeated + 0.05 * torch.randn(80, 3, generator=torch.Generator().manual_seed(6))
    found, notes = told(
        *DISTANCES,
        samples=ellipsoids(sides(80, 8), 7),
        reference=reference,
        train=train,
        second=second,
        nudged=ellipsoids(nudged, 7),
        memoriser=ellipsoids(repeated, 9),
    )
    assert set(found) == {"samples", "second sample", "nudged", "memoriser"}  # the training set's row is its own copy
    new, near, same = found["samples"], found["nudged"], found["memoriser"]
    for distance in DISTANCES:
        z, c, worst, authentic = (f"{metric}_{distance}" for metric in ("z_u", "c_t", "c_t_least", "authenticity"))
        assert same[z] < -3.5 and same[z] < near[z] < new[z] - 2 and abs(new[z]) < 2
        assert same[c] < -3.5 and same[c] < near[c] < new[c] - 2 and abs(new[c]) < 2
        assert same[worst] <= same[c] and same[worst] < near[worst] < new[worst] and new[worst] > -2.5
        assert same[authentic] < 0.3 and same[authentic] < near[authentic] < new[authentic]
        assert abs(found["second sample"][z]) < 2
    assert new["copies"] < near["copies"] < same["copies"] and same["copies"] > 0.8
    held_out = new["copies_reference"]  # they are new shapes too, as are those of the second sample
    assert held_out == same["copies_reference"] == pytest.approx(found["second sample"]["copies"], abs=0.1)
    assert near["novelty"] < new["novelty"] and same["novelty"] == pytest.approx(1, abs=0.1)
    assert any(note.startswith("Z_U, authenticity under CD and EMD: nearest of 30") for note in notes)


@pytest.mark.filterwarnings("ignore:(sets|scale|1-NNA). :UserWarning")
def test_new_shapes_that_are_all_alike_are_no_copies_beside_the_reference() -> None:
    sets = [ellipsoids(0.5 + 0.02 * sides(40, seed), seed + 3, 64) for seed in (1, 2, 3)]
    alike = evaluate(*sets, distances=("cd",))
    assert min(alike.values["copies"], alike.values["copies_reference"]) > 0.5
    assert not any(sentence.startswith("Copies") for sentence in verdict(alike))
    apart = [ellipsoids(sides(40, seed), seed + 3) for seed in (2, 3)]
    copied = evaluate(ellipsoids(sides(40, 3), 7), *apart, distances=("cd",))
    assert verdict(copied)[0].startswith("Copies: ") and copied.values["copies_reference"] < 0.5


def test_samples_and_held_out_clouds_of_one_law_are_measured_alike() -> None:
    """Over ten draws: a search that favoured one side would move the mean of z, whose deviation is 1."""
    scores = []
    for seed in range(0, 80, 8):
        samples, reference, train = (ellipsoids(sides(40, seed + each), seed + each + 3, 64) for each in range(3))
        scores.append(told("cd", samples=samples, reference=reference, train=train)[0]["samples"]["z_u_cd"])
    assert abs(np.mean(scores)) < 1 and np.std(scores) < 2


@pytest.mark.filterwarnings("ignore:(sets|scale|1-NNA). :UserWarning")
def test_vendi_and_copying_stand_in_the_report() -> None:
    sets = [ellipsoids(sides(12, seed), seed, 32) for seed in (1, 2, 3)]
    report = evaluate(*sets, second=ellipsoids(sides(12, 2), 9, 32), distances=("cd",))
    rows = {row.name: row.values for row in report.rows}
    second = rows["second sample"]
    assert second["vendi_cd"] == pytest.approx(second["vendi_reference_cd"], rel=0.2)
    assert second["vendi_scale_cd"] == rows["samples"]["vendi_scale_cd"] > 0
    assert {"z_u_cd", "authenticity_cd", "copies", "novelty"} <= rows["samples"].keys() & second.keys()
    assert not {"z_u_cd", "copies"} & rows["training set"].keys()
    assert "c_t_cd" not in rows["samples"] and any("too few reference clouds for the cells" in n for n in report.notes)
    assert any(note.startswith("Vendi under CD: at the reference's median distance") for note in report.notes)


@pytest.mark.filterwarnings("ignore:(sets|scale|1-NNA). :UserWarning")
def test_a_second_sample_is_drawn_with_its_twins_in_the_reference() -> None:
    reference, second = (ellipsoids(sides(30, 3), seed, 1024) for seed in (4, 5))
    row = evaluate(ellipsoids(sides(30, 8), 7, 1024), reference, second=second, distances=("cd",)).rows[1]
    low, high = row.intervals["mmd_cd"]
    independent = mmd_interval(ops.chamfer_matrix(second, reference), seed=0)
    assert 0 < low < row.values["mmd_cd"] < high and high - low < 0.7 * (independent[1] - independent[0])


def test_the_search_on_few_points_finds_what_all_distances_find() -> None:
    train, samples = ellipsoids(sides(40, 1), 2, 600), ellipsoids(sides(10, 3), 4, 600)
    search = CopySearch.of(measured_set(train, "training set"), 600, 0)
    clouds = search.sampled(measured_set(samples, "samples"))
    assert clouds.shape == (10, 300, 3) and search.train.shape == (40, 300, 3)
    block = search.block("samples", clouds)
    near = search.nearest(clouds, block.measure(block.a, block.b))
    whole = ops.chamfer_matrix(clouds, search.train).double()
    assert torch.equal(near.row, whole.argmin(1))
    assert torch.allclose(near.distance, whole.amin(1), rtol=1e-5)
    under_emd = search.nearest_emd(clouds, near, None)
    assert torch.allclose(under_emd.distance, ops.emd(clouds, search.train[under_emd.row]).double(), rtol=1e-6)
    exact = ops.emd_matrix(clouds, search.train).double().amin(1)
    assert (under_emd.distance <= exact * 1.02).all()


def test_find_copies_names_the_training_cloud() -> None:
    known = sides(30, 1)
    order = torch.randperm(30)[:10]
    found = find_copies(ellipsoids(known[order], 5, 300), ellipsoids(known, 2, 200))  # of other sizes
    assert (found.rows == order).double().mean() > 0.6  # of ellipsoids some are alike
    assert found.ratios.median() == pytest.approx(1, abs=0.15) and found.copies > 0.7
    assert find_copies(ellipsoids(sides(10, 9), 5, 300), ellipsoids(known, 2, 200)).ratio > found.ratio


def test_matchings_of_the_search_on_a_device_are_kept_for_that_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last bits of devices differ."""
    names: list[str] = []

    class Store(TileStore):
        def get(self, distance: str, clouds: object) -> dict[str, torch.Tensor]:
            names.append(distance)
            return {"values": torch.zeros(6, dtype=torch.float64)}

    search = CopySearch.of(measured_set(torch.rand(6, 16, 3), TRAINING), 16, 0)
    near = Near(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3))
    search.nearest_emd(torch.rand(2, 8, 3), near, Store("."))
    monkeypatch.setattr(Block, "device", torch.device("cuda"))
    search.nearest_emd(torch.rand(2, 8, 3), near, Store("."))
    assert names == ["pairs exact", "pairs exact on cuda"]


@pytest.mark.filterwarnings("ignore:(sets|scale|1-NNA). :UserWarning")
def test_matchings_of_the_search_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = [ellipsoids(sides(12, seed), seed, 32) for seed in (1, 2, 3)]
    before = evaluate(*sets, tiles=tmp_path).to_json()
    monkeypatch.setattr(ops, "emd", None)
    assert evaluate(*sets, tiles=tmp_path).to_json() == before
