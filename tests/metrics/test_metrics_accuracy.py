import pytest
import torch

from pcgen.metrics.accuracy import accuracy


def test_classes_count_alike_in_the_mean_over_classes():
    labels = torch.tensor([4, 4, 4, 4, 4, 4, 7, 7])
    predicted = torch.tensor([4, 4, 4, 4, 4, 7, 7, 9])
    found = accuracy(predicted, labels)
    assert found.overall == 6 / 8
    assert found.shares == pytest.approx({4: 5 / 6, 7: 1 / 2})
    assert found.by_class == pytest.approx((5 / 6 + 1 / 2) / 2)
    assert found.rows == 8


def test_the_interval_is_that_of_a_share():
    """Near the normal approximation for many rows; where every row is right, others of them may yet be wrong."""
    labels = torch.zeros(2000, dtype=torch.int64)
    predicted = (torch.arange(2000) % 4 == 0).long()
    low, high = accuracy(predicted, labels).interval
    deviation = (0.75 * 0.25 / 2000) ** 0.5
    assert (low, high) == pytest.approx((0.75 - 1.96 * deviation, 0.75 + 1.96 * deviation), abs=0.003)
    low, high = accuracy(labels[:20], labels[:20]).interval
    assert 0.87 < low < 0.95 and high == 1.0


def test_rows_must_fit():
    with pytest.raises(ValueError, match=r"must be one number each for every row, \(R,\), got \(3,\) and \(4,\)"):
        accuracy(torch.zeros(3), torch.zeros(4))
    with pytest.raises(ValueError, match=r"got \(0,\) and \(0,\)"):
        accuracy(torch.zeros(0), torch.zeros(0))
