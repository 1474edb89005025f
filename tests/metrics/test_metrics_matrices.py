"""MMD, coverage, 1-NNA and novelty against loops written from the definitions, on sets of different sizes."""

import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from pcgen.metrics import coverage, mmd, novelty, one_nna

SIZES = [(3, 7), (9, 4), (1, 5), (6, 1), (12, 12)]


def vectors(s: int, r: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    x, y = torch.randn(s, 2, dtype=torch.float64), torch.randn(r, 2, dtype=torch.float64) * 1.5 + 0.3
    return torch.cdist(x, y), torch.cdist(x, x), torch.cdist(y, y), x, y


@pytest.mark.parametrize(("s", "r"), SIZES)
def test_mmd(s: int, r: int) -> None:
    x_y, _, _, x, y = vectors(s, r)
    want = sum(min(math.dist(a, b) for a in x.tolist()) for b in y.tolist()) / r
    assert mmd(x_y) == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize(("s", "r"), SIZES)
def test_coverage(s: int, r: int) -> None:
    x_y, _, _, x, y = vectors(s, r)
    nearest = {min(range(r), key=lambda j: math.dist(a, y[j].tolist())) for a in x.tolist()}
    assert coverage(x_y) == pytest.approx(len(nearest) / r, rel=1e-12)


def test_orientation_of_mmd_and_coverage() -> None:
    # Two samples, both nearest to the first of three reference clouds: one third is covered; swapped, all would be.
    distances = torch.tensor([[0.0, 5.0, 9.0], [1.0, 6.0, 8.0]])
    assert coverage(distances) == pytest.approx(1 / 3)
    assert coverage(distances.T) == 1.0
    assert mmd(distances) == pytest.approx((0 + 5 + 8) / 3)
    assert mmd(distances.T) == 0.5


@pytest.mark.parametrize(("s", "r"), [size for size in SIZES if min(size) > 1])
def test_one_nna_equals_leave_one_out_of_scikit_learn(s: int, r: int) -> None:
    x_y, x_x, y_y, x, y = vectors(s, r)
    data, labels = torch.cat((x, y)).numpy(), np.array([1] * s + [0] * r)
    right = []
    for left_out in range(s + r):
        rest = np.arange(s + r) != left_out
        classifier = KNeighborsClassifier(1).fit(data[rest], labels[rest])
        right.append(classifier.predict(data[left_out : left_out + 1])[0] == labels[left_out])
    result = one_nna(x_y, x_x, y_y)
    assert result.accuracy == pytest.approx(np.mean(right), abs=1e-12)
    assert result.samples == pytest.approx(np.mean(right[:s]), abs=1e-12)
    assert result.reference == pytest.approx(np.mean(right[s:]), abs=1e-12)


def test_one_nna_of_known_sets() -> None:
    x = torch.randn(6, 2, dtype=torch.float64)
    far = x + 100
    assert one_nna(torch.cdist(x, far), torch.cdist(x, x), torch.cdist(far, far)).accuracy == 1.0
    near = x[:4] + 1e-9  # copies: each one's nearest is of the other class, but for the two that were not copied
    copied = one_nna(torch.cdist(near, x), torch.cdist(near, near), torch.cdist(x, x))
    assert copied.samples == 0.0
    assert copied.reference <= 2 / 6
    assert copied.accuracy < 0.5


def test_one_nna_ties_go_to_the_lower_index_samples_first() -> None:
    # Every distance is 1: each sample's first other cloud is a sample, each reference cloud's first is a sample too.
    ones = torch.ones(5, 5)
    result = one_nna(ones[:3], ones[:3, :3], ones)
    assert (result.samples, result.reference, result.accuracy) == (1.0, 0.0, 3 / 8)


def test_one_nna_leaves_each_cloud_out_whatever_its_diagonal() -> None:
    x_y, x_x, y_y, _, _ = vectors(5, 8)
    want = one_nna(x_y, x_x, y_y)
    assert one_nna(x_y, x_x.fill_diagonal_(7.0), y_y.fill_diagonal_(-1.0)) == want


def test_novelty_against_loops() -> None:
    distances = torch.rand(6, 9, dtype=torch.float64) + 0.5
    floor = torch.rand(9, 3, dtype=torch.float64) * 0.1 + 0.7
    d, f = distances.tolist(), floor.tolist()
    ratios = [min(d[s][t] / np.mean(f[t]) for t in range(9)) for s in range(6)]
    scatter = [f[t][k] / np.mean(f[t][:k] + f[t][k + 1 :]) for t in range(9) for k in range(3)]
    result = novelty(distances, floor, quantile=0.8)
    assert result.ratio == pytest.approx(np.median(ratios))
    assert result.threshold == pytest.approx(np.quantile(scatter, 0.8))
    assert result.copies == pytest.approx(np.mean([ratio <= np.quantile(scatter, 0.8) for ratio in ratios]))
    assert result.rows.tolist() == [int(np.argmin([d[s][t] / np.mean(f[t]) for t in range(9)])) for s in range(6)]


def test_novelty_tells_copies_by_each_shapes_own_floor() -> None:
    # The first training cloud is rough, the second smooth: the same distance is a copy of one, not of the other.
    floor = torch.tensor([[1.0, 1.1, 0.9], [0.1, 0.11, 0.09]])
    inf = torch.inf
    result = novelty(torch.tensor([[0.99, inf], [inf, 0.99], [5.0, 0.1]]), floor)
    assert result.rows.tolist() == [0, 1, 1]
    assert result.copies == pytest.approx(2 / 3)
    assert novelty(torch.tensor([[0.0, 1.0]]), floor * 0).copies == 1.0  # clouds that are one place each


def test_bad_matrices_are_named() -> None:
    good = torch.ones(3, 4)
    with pytest.raises(ValueError, match=r"sample_reference: must be a matrix .*got shape \(3,\)"):
        mmd(torch.ones(3))
    with pytest.raises(ValueError, match=r"sample_reference: must be a matrix .*got shape \(0, 4\)"):
        coverage(torch.ones(0, 4))
    with pytest.raises(ValueError, match=r"sample_reference: must be finite, got 12 entries"):
        mmd(good * torch.nan)
    with pytest.raises(ValueError, match=r"sample_sample: must have 3 rows .*got shape \(4, 4\)"):
        one_nna(good, torch.ones(4, 4), torch.ones(3, 3))  # the two symmetric matrices swapped
    with pytest.raises(ValueError, match=r"reference_reference: must have 4 columns .*got shape \(4, 3\)"):
        one_nna(good, torch.ones(3, 3), torch.ones(4, 3))
    with pytest.raises(ValueError, match=r"quantile: must be in \(0, 1\], got 0"):
        novelty(good, torch.ones(4, 2), quantile=0)
    with pytest.raises(ValueError, match=r"floor: must have 4 rows .*got shape \(3, 2\)"):
        novelty(good, torch.ones(3, 2))
    with pytest.raises(ValueError, match=r"floor: must have two samplings or more"):
        novelty(good, torch.ones(4, 1))


def test_distances_that_do_not_matter_may_be_infinite() -> None:
    x_y, x_x, y_y, _, _ = vectors(6, 9)
    want = mmd(x_y), coverage(x_y), one_nna(x_y, x_x, y_y)

    def least(matrix: Tensor) -> Tensor:
        """The matrix with the least entry of every row and column alone."""
        kept = (matrix == matrix.amin(1, keepdim=True)) | (matrix == matrix.amin(0))
        return torch.where(kept, matrix, torch.inf)

    among = [matrix.fill_diagonal_(torch.inf) for matrix in (x_x, y_y)]
    few = least(x_y)
    assert few.isinf().sum() > 30
    assert (mmd(few), coverage(few), one_nna(few, least(among[0]), least(among[1]))) == want
    few[:, 3] = torch.inf
    with pytest.raises(ValueError, match="sample_reference: must have a finite distance in every column, 1 have none"):
        mmd(few)
    with pytest.raises(ValueError, match="sample_reference: must have a finite distance in every row, 2 have none"):
        coverage(torch.tensor([[1.0, torch.inf], [torch.inf, torch.inf], [torch.inf, torch.inf]]))
    with pytest.raises(ValueError, match="sample_reference: must be finite, got 1 entries"):
        mmd(torch.tensor([[1.0, -torch.inf]]))
