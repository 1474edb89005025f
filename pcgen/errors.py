"""Errors as a user reads them: argument, requirement, value, what to do."""

import difflib
from collections.abc import Iterable

__all__ = ["choose"]


def choose(name: str, names: Iterable[str], argument: str) -> str:
    """Return `name` if it is one of `names`; otherwise a ValueError names the nearest right one and lists them all.

    >>> choose("gna", ["gan", "vae"], "model")
    Traceback (most recent call last):
    ValueError: model: must be one of gan, vae; got 'gna'; did you mean 'gan'?
    """
    names = list(names)
    if name in names:
        return name
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{argument}: must be one of {', '.join(names)}; got {name!r}{hint}")
