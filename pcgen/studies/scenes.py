"""What models know of scenes: how many objects there are, and what tells readers of few labelled scenes from codes."""

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor

from pcgen.data import scenes, shapes
from pcgen.errors import choose
from pcgen.metrics.accuracy import Accuracy, accuracy

__all__ = ["TASKS", "answer", "found", "read"]

TASKS: Mapping[str, str] = {
    "count": "how many shapes a scene has",
    "sum": "the sum of the two numbers of a scene of two shapes, each family of shapes being a number from 1 to 6",
    "order": "whether of a scene of two shapes the one further along x has the larger number",
}
"""What is read from codes, after the tasks of Eslami et al., whose objects are digits."""

_PENALTIES = (0.1, 1.0, 10.0, 100.0)
_FOLDS = 4


def answer(task: str, index: int, seed: int = 0) -> int | None:
    """The right answer to a task of `TASKS` about scene number `index`; None where it is not asked of that scene."""
    choose(task, TASKS, "task")
    shown = scenes.count(index, seed)  # far sooner known than which they are
    if task == "count":
        return shown
    if shown != 2:
        return None
    placed = scenes.scene(index, seed)
    number = {family: 1 + place for place, family in enumerate(shapes.FAMILIES)}
    first, second = (number[each.family] for each in sorted(placed, key=lambda each: float(each.centre[0])))
    if task == "sum":
        return first + second
    return None if first == second else int(first < second)


def read(codes: Tensor, answers: Tensor, unseen: Tensor, right: Tensor, seed: int = 0) -> Accuracy:
    """Train a reader of codes on some scenes and ask it about others.

    The reader is a support vector machine with a Gaussian kernel on codes whose numbers have unit variance each; its
    penalty is chosen by cross-validation among the scenes that it learns from.

    Args:
        codes: of the scenes that it learns from, (S, *code).
        answers: about these, (S,) int64.
        unseen: codes of other scenes, (R, *code).
        right: the right answers about these, (R,) int64.
        seed: of the folds and of the interval.
    """
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    reader = GridSearchCV(make_pipeline(StandardScaler(), SVC()), {"svc__C": _PENALTIES}, cv=folds)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # a sum that few scenes have
        reader.fit(codes.flatten(1).double().numpy(), answers.numpy())
    return accuracy(torch.from_numpy(reader.predict(unseen.flatten(1).double().numpy())), right, seed=seed)


def found(boxes: Tensor, right: Tensor, reach: float) -> tuple[int, int, int]:
    """Of the shapes of scenes, and of the boxes that a model found: how many belong to each other.

    A box and a shape belong together if their centres are within `reach`, in pairs that take each of both once at most,
    and bring the distances' sum down.

    Args:
        boxes: of a model, (S, K, 6), NaN where there is none.
        right: the true ones, (S, L, 6).
        reach: in the data's units.

    Returns:
        The numbers of pairs, of shapes, and of boxes.
    """
    from scipy.optimize import linear_sum_assignment

    pairs = shown = there = 0
    for own, true in zip(boxes, right, strict=True):
        own, true = own[~own[:, 0].isnan(), :3], true[~true[:, 0].isnan(), :3]
        distance = torch.cdist(own.double(), true.double()).clamp_max(10 * reach).numpy()
        rows, columns = linear_sum_assignment(distance)
        pairs += int((distance[rows, columns] < reach).sum())
        shown, there = shown + len(own), there + len(true)
    return pairs, there, shown
