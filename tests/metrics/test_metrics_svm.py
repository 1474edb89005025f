"""The linear SVM of codes: what it must reach, what it must not, and that the test rows choose nothing."""

import pytest
import torch
from torch import Tensor

from pcgen.metrics import linear_svm


def codes(rows: int, spread: float, seed: int) -> tuple[Tensor, Tensor]:
    """Codes of three classes whose means are 1 apart, in 8 dimensions."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % 3
    return torch.eye(8)[labels] + spread * torch.randn(rows, 8, generator=generator), labels


def test_separable_classes_are_separated_at_any_scale_and_place() -> None:
    x, y = codes(60, 0.05, 0)
    test_x, test_y = codes(30, 0.05, 1)
    for scale, shift in ((1.0, 0.0), (1e-3, 5.0), (1e3, -100.0)):
        result = linear_svm(x * scale + shift, y, test_x * scale + shift, test_y)
        assert result.accuracy == result.class_accuracy == 1.0
        assert result.validation == pytest.approx(1.0)


def test_shuffled_labels_are_not_learned() -> None:
    x, y = codes(150, 0.05, 0)
    test_x, test_y = codes(90, 0.05, 1)
    result = linear_svm(x, y[torch.randperm(150)], test_x, test_y)
    assert result.validation < 0.5


def test_overlapping_classes_reach_what_the_best_rule_reaches() -> None:
    # Equal spherical classes: the best rule takes the nearest mean.
    x, y = codes(300, 0.5, 0)
    test_x, test_y = codes(600, 0.5, 1)
    best = float((test_x[:, :3].argmax(1) == test_y).double().mean())
    result = linear_svm(x, y, test_x, test_y)
    assert result.accuracy == pytest.approx(best, abs=0.04)
    assert result.validation == pytest.approx(best, abs=0.06)


def test_classes_count_alike_in_class_accuracy() -> None:
    x, y = codes(60, 0.05, 0)
    test_x, test_y = codes(30, 0.05, 1)
    keep = (test_y > 0) | (torch.arange(30) < 3)  # one row of class 0, given a label that it has not
    test_x, test_y = test_x[keep], test_y[keep].clone()
    test_y[test_y == 0] = 7
    result = linear_svm(x, y, test_x, test_y)
    assert result.accuracy == pytest.approx(20 / 21)
    assert result.class_accuracy == pytest.approx(2 / 3)


def test_the_test_rows_choose_nothing() -> None:
    x, y = codes(90, 0.6, 0)
    test_x, test_y = codes(30, 0.6, 1)
    first, other = linear_svm(x, y, test_x, test_y), linear_svm(x, y, test_x * 3, test_y.flip(0))
    assert (first.penalty, first.loss, first.validation) == (other.penalty, other.loss, other.validation)


def test_bad_input_is_named() -> None:
    x, y = codes(12, 0.1, 0)
    with pytest.raises(ValueError, match=r"labels: must be \(12,\) whole numbers, .* got \(11,\) torch.int64"):
        linear_svm(x, y[:-1], x, y)
    with pytest.raises(ValueError, match=r"test_codes: must be codes \(rows, D\) with D = 8, got \(12, 7\)"):
        linear_svm(x, y, x[:, :7], y)
    with pytest.raises(
        ValueError, match=r"two classes or more of two rows or more each, got 4 classes, the smallest \(9\)"
    ):
        linear_svm(x, torch.cat((y[:-1], torch.tensor([9]))), x, y)
    with pytest.raises(ValueError, match="codes: must differ, got equal rows"):
        linear_svm(x * 0, y, x, y)
    with pytest.raises(ValueError, match="codes: must be finite, got NaN or infinity in 12 rows"):
        linear_svm(x / 0, y, x, y)


def test_the_losses_to_choose_from_are_the_callers() -> None:
    x, y = codes(60, 0.3, 0)
    test_x, test_y = codes(60, 0.3, 1)
    square, hinge = (linear_svm(x, y, test_x, test_y, losses=[loss]) for loss in ("squared_hinge", "hinge"))
    assert (square.loss, hinge.loss) == ("squared_hinge", "hinge")
    both = linear_svm(x, y, test_x, test_y, losses=["squared_hinge", "hinge"])
    assert both.validation == max(square.validation, hinge.validation)
    with pytest.raises(ValueError, match="losses: must be one of squared_hinge, hinge; got 'log'"):
        linear_svm(x, y, test_x, test_y, losses=["log"])
    with pytest.raises(ValueError, match="losses: must be one of squared_hinge, hinge or both, got none"):
        linear_svm(x, y, test_x, test_y, losses=[])


def test_it_classifies_as_the_minimum_of_its_objective_does() -> None:
    """The separator of the chosen penalty, found by scipy from the definition of the squared hinge."""
    import numpy as np
    from scipy.optimize import minimize

    x, y = codes(40, 0.8, 0)
    y = (y > 0).long()
    result = linear_svm(x, y, x, y)
    wide = x.double()
    z = ((wide - wide.mean(0)) / wide.std(0).square().mean().sqrt()).numpy()
    z = np.hstack([z, np.ones((40, 1))])  # the intercept is one more weight, and is penalised
    sign = np.where(y.numpy() > 0, 1.0, -1.0)
    counts = torch.bincount(y).numpy()
    weight = 40 / (2 * counts[y.numpy()])  # balanced classes

    def objective(w):
        return w @ w / 2 + result.penalty * (weight * np.maximum(0, 1 - sign * (z @ w)) ** 2).sum()

    best = minimize(objective, np.zeros(9), method="BFGS", options={"gtol": 1e-9}).x
    assert result.accuracy == pytest.approx(float(((z @ best > 0) == (sign > 0)).mean()))


def test_threads_do_not_change_the_result() -> None:
    x, y = codes(90, 0.6, 0)
    test_x, test_y = codes(60, 0.6, 1)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = linear_svm(x, y, test_x, test_y)
        torch.set_num_threads(2)
        assert linear_svm(x, y, test_x, test_y) == one
    finally:
        torch.set_num_threads(threads)


def test_the_interval_holds_the_accuracy() -> None:
    x, y = codes(90, 0.6, 0)
    test_x, test_y = codes(300, 0.6, 1)
    result = linear_svm(x, y, test_x, test_y)
    low, high = result.test.interval
    deviation = (result.accuracy * (1 - result.accuracy) / 300) ** 0.5
    assert low < result.accuracy < high
    assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.15)
