"""Classification of codes by a linear support vector machine, to measure how well an encoder separates classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.errors import choose
from pcgen.metrics.accuracy import Accuracy, accuracy

__all__ = ["LOSSES", "LinearSVM", "linear_svm"]

LOSSES = ("squared_hinge", "hinge")
_PENALTIES = tuple(10.0**exponent for exponent in (-3, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1))
_FOLDS = 5


@dataclass(frozen=True)
class LinearSVM:
    """The accuracy of the classifier, and the choice of cross-validation.

    Attributes:
        accuracy: share of test rows that are classified correctly.
        class_accuracy: mean of this share over the classes of the test rows.
        penalty: C, the weight of errors against the margin, for codes of unit scale.
        loss: "hinge" or "squared_hinge".
        validation: accuracy of that choice, mean over the folds of the training rows.
        test: the full accuracies on test rows, with those of each class and the interval.
    """

    accuracy: float
    class_accuracy: float
    penalty: float
    loss: str
    validation: float
    test: Accuracy


def linear_svm(
    codes: Tensor,
    labels: Tensor,
    test_codes: Tensor,
    test_labels: Tensor,
    *,
    losses: Sequence[str] = LOSSES[:1],
    seed: int = 0,
) -> LinearSVM:
    """Train a linear SVM on codes and test it on others: one-versus-rest, balanced classes, L2 penalty.

    Penalty (1e-3 to 10 by half decades) and loss are chosen by stratified cross-validation on the training rows, in up
    to 5 folds. The paper chooses between both losses. The squared hinge, whose problem is smooth, is solved several
    times faster, with all of torch's threads. Codes are centred by their training mean and divided by one scalar, their
    training standard deviation, so that the penalties are comparable between encoders; the relative scales of
    directions do not change. Even an untrained encoder separates classes: report its accuracy too.

    Args:
        codes: (S, D), of the training rows.
        labels: (S,) int64.
        test_codes: (R, D).
        test_labels: (R,) int64; rows of a class that is not in training count as wrong.
        losses: the losses to choose from, "squared_hinge", "hinge" or both.
        seed: of the folds and the solver.

    Raises:
        ValueError: shapes do not fit, a code is not finite, all codes are equal, or training has fewer than two classes
            or a class with one row.

    Achlioptas, Diamanti, Mitliagkas, Guibas (2018), Learning Representations and Generative Models for 3D Point Clouds.
    """
    import warnings

    from joblib import parallel_config  # type: ignore[import-untyped]
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.svm import LinearSVC

    for loss in losses:
        choose(loss, LOSSES, "losses")
    if not losses:
        raise ValueError(f"losses: must be one of {', '.join(LOSSES)} or both, got none")
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
        raise ValueError("codes: must differ, got equal rows; is the encoder trained?")
    x, test_x = (((c.double() - centre) / scale).cpu().numpy() for c in (codes, test_codes))
    y, test_y = labels.cpu().numpy(), test_labels.cpu()
    search = GridSearchCV(
        LinearSVC(class_weight="balanced", tol=1e-3, max_iter=1000, random_state=seed),
        # The hinge is solved only in the dual; the squared hinge is faster in the primal.
        [{"C": _PENALTIES, "loss": [loss], "dual": [loss == "hinge"]} for loss in losses],
        cv=StratifiedKFold(min(_FOLDS, int(rows.min())), shuffle=True, random_state=seed),
    )
    # The dual solver uses one random generator for the whole process: with threads, results would not be repeatable.
    threads = 1 if "hinge" in losses else torch.get_num_threads()
    with warnings.catch_warnings(), parallel_config("threading", n_jobs=threads):
        # With weak penalties the solver may stop before convergence; cross-validation judges the result anyway.
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(x, y)
    reached = accuracy(torch.from_numpy(search.predict(test_x)), test_y, seed=seed)
    return LinearSVM(
        accuracy=reached.overall,
        class_accuracy=reached.by_class,
        penalty=float(search.best_params_["C"]),
        loss=str(search.best_params_["loss"]),
        validation=float(search.best_score_),
        test=reached,
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
