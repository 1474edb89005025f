"""Classification of codes by a linear support vector machine: how well an encoder separates classes it never saw."""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["LinearSVM", "linear_svm"]

_PENALTIES = tuple(10.0**exponent for exponent in (-3, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1))
_FOLDS = 5


@dataclass(frozen=True)
class LinearSVM:
    """What the classifier reached, and what cross-validation chose.

    Attributes:
        accuracy: share of test rows classified rightly.
        class_accuracy: mean over the test rows' classes of the share within each.
        penalty: C, the weight of errors against the margin, for codes of unit scale.
        loss: "hinge" or "squared_hinge".
        validation: accuracy of that choice, mean over the folds of the training rows.
    """

    accuracy: float
    class_accuracy: float
    penalty: float
    loss: str
    validation: float


def linear_svm(codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor, *, seed: int = 0) -> LinearSVM:
    """Train a linear SVM on codes and test it on others: one classifier against the rest, balanced classes, L2 penalty.

    Penalty (1e-3 to 10 by half decades) and loss (hinge or its square) are chosen by stratified cross-validation on the
    training rows alone, in up to 5 folds. Codes are shifted by their training mean and divided by one scalar, their
    training deviation, so that the penalties mean the same for every encoder; directions keep their scale. An untrained
    encoder already separates classes: give its accuracy beside a trained one's.

    Args:
        codes: (S, D), of the training rows.
        labels: (S,) int64.
        test_codes: (R, D).
        test_labels: (R,) int64; a class that training lacks counts as wrong.
        seed: of the folds and the solver.

    Raises:
        ValueError: shapes do not fit, a code is not finite, codes are all equal, or training has fewer than two classes
            or a class with one row.

    Achlioptas, Diamanti, Mitliagkas, Guibas (2018), Learning Representations and Generative Models for 3D Point Clouds.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.svm import LinearSVC

    _check("codes", codes, "labels", labels, codes.shape[-1])
    _check("test_codes", test_codes, "test_labels", test_labels, codes.shape[-1])
    classes, rows = labels.unique(return_counts=True)
    if len(classes) < 2 or int(rows.min()) < 2:
        raise ValueError(
            f"labels: must have two classes or more of two rows or more each, got {len(classes)} classes, the smallest "
            f"({int(classes[rows.argmin()])}) with {int(rows.min())}"
        )
    centre, scale = codes.double().mean(0), float(codes.double().std(0).square().mean().sqrt())
    if scale == 0:
        raise ValueError("codes: must differ, got equal rows; is the encoder broken?")
    x, test_x = (((c.double() - centre) / scale).cpu().numpy() for c in (codes, test_codes))
    y, test_y = labels.cpu().numpy(), test_labels.cpu()
    search = GridSearchCV(
        LinearSVC(class_weight="balanced", dual=True, max_iter=2000, random_state=seed),
        {"C": _PENALTIES, "loss": ("hinge", "squared_hinge")},
        cv=StratifiedKFold(min(_FOLDS, int(rows.min())), shuffle=True, random_state=seed),
    )
    with warnings.catch_warnings():
        # Loose penalties are not solved to the end; cross-validation judges them as they are.
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(x, y)
    right = (torch.from_numpy(search.predict(test_x)) == test_y).double()
    by_class = torch.stack([right[test_y == label].mean() for label in test_y.unique()])
    return LinearSVM(
        accuracy=float(right.mean()),
        class_accuracy=float(by_class.mean()),
        penalty=float(search.best_params_["C"]),
        loss=str(search.best_params_["loss"]),
        validation=float(search.best_score_),
    )


def _check(name: str, codes: Tensor, label_name: str, labels: Tensor, dim: int) -> None:
    if codes.ndim != 2 or 0 in codes.shape or codes.shape[1] != dim:
        raise ValueError(f"{name}: must be codes (rows, D) with D = {dim}, got {tuple(codes.shape)}")
    if not codes.isfinite().all():
        raise ValueError(f"{name}: must be finite, got NaN or infinity in {int((~codes.isfinite()).any(1).sum())} rows")
    if labels.shape != codes.shape[:1] or labels.is_floating_point():
        raise ValueError(
            f"{label_name}: must be ({len(codes)},) whole numbers, one for each row of {name}, got "
            f"{tuple(labels.shape)} {labels.dtype}"
        )
