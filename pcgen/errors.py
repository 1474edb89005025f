"""Checks of arguments, with errors that give the argument, the requirement, the value, and what to do."""

import difflib
import math
from collections.abc import Iterable, Sequence

__all__ = ["at_least", "choose", "fraction", "moments", "not_negative", "positive", "widths"]

_MOST, _FIRST = 100, 5  # names in a message: all of so many, or the first of more


def choose(name: str, names: Iterable[str], argument: str) -> str:
    """Return `name` if it is one of `names`; otherwise raise a ValueError with the names, and the most similar one.

    Of more than a hundred names, the first are given.

    >>> choose("gna", ["gan", "vae"], "model")
    Traceback (most recent call last):
    ValueError: model: must be one of gan, vae; got 'gna'; did you mean 'gan'?
    >>> choose("c-70", [f"c{place}" for place in range(2000)], "--names")
    Traceback (most recent call last):
    ValueError: --names: must be one of c0, c1, c2, c3, c4 and 1,995 more; got 'c-70'; did you mean 'c70'?
    >>> choose("pointnet", [], "--set: model")
    Traceback (most recent call last):
    ValueError: --set: model: there is none to choose here, got 'pointnet'; leave it out
    """
    names = list(names)
    if name in names:
        return name
    if not names:
        raise ValueError(f"{argument}: there is none to choose here, got {name!r}; leave it out")
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    more = f" and {len(names) - _FIRST:,} more" if len(names) > _MOST else ""
    shown = names[:_FIRST] if more else names
    raise ValueError(f"{argument}: must be one of {', '.join(shown)}{more}; got {name!r}{hint}")


def positive(**values: float) -> None:
    """Raise a ValueError unless all numbers, given by the names of their arguments, are positive and finite.

    >>> positive(lr=-1)
    Traceback (most recent call last):
    ValueError: lr: must be a positive number, got -1
    """
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name}: must be a positive number, got {value}")


def not_negative(**values: float) -> None:
    """Raise a ValueError unless all numbers, given by the names of their arguments, are nonnegative and finite.

    >>> not_negative(beta=-1)
    Traceback (most recent call last):
    ValueError: beta: must be 0 or more, got -1
    """
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name}: must be 0 or more, got {value}")


def at_least(least: int, **values: int) -> None:
    """Raise a ValueError unless all numbers, given by the names of their arguments, are at least `least`.

    >>> at_least(1, steps=0)
    Traceback (most recent call last):
    ValueError: steps: must be at least 1, got 0
    """
    for name, value in values.items():
        if not value >= least:
            raise ValueError(f"{name}: must be at least {least}, got {value}")


def fraction(**values: float) -> None:
    """Raise a ValueError unless all numbers, given by the names of their arguments, are in [0, 1).

    >>> fraction(dropout=1.0)
    Traceback (most recent call last):
    ValueError: dropout: must be at least 0 and below 1, got 1.0
    """
    for name, value in values.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name}: must be at least 0 and below 1, got {value}")


def moments(**values: Sequence[float]) -> None:
    """Raise a ValueError unless the decays of an optimizer's two running moments are two numbers in [0, 1).

    >>> moments(betas=[0.9])
    Traceback (most recent call last):
    ValueError: betas: must be two numbers of at least 0 and below 1, got [0.9]
    """
    for name, value in values.items():
        if len(value) != 2 or not all(0 <= each < 1 for each in value):
            raise ValueError(f"{name}: must be two numbers of at least 0 and below 1, got {list(value)}")


def widths(least: int = 1, **values: Sequence[int] | None) -> None:
    """Raise a ValueError unless hidden widths are at least `least` numbers, all at least 1; None is not checked.

    >>> widths(critic_widths=[8, 0])
    Traceback (most recent call last):
    ValueError: critic_widths: must be one or more widths of at least 1, got [8, 0]
    """
    many = {0: "", 1: "one or more ", 2: "two or more "}.get(least, f"{least} or more ")
    for name, value in values.items():
        if value is not None and (len(value) < least or min(value, default=1) < 1):
            raise ValueError(f"{name}: must be {many}widths of at least 1, got {list(value)}")
