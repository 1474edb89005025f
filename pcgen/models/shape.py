"""The allowed `shape` of a model: the kinds of rows that models learn."""

from collections.abc import Mapping, Sequence

__all__ = ["KINDS", "accepted", "accepts_shape"]

KINDS: Mapping[str, str] = {
    "vector": "(dim,)",
    "set": "(members, channels)",
    "cloud": "(points, 3)",
    "oriented cloud": "(points, 6)",
    "scene": "(points, 3)",
}
"""Kinds of rows, with their shapes. A cloud is a set of three channels, an oriented cloud has unit normals in three
more, and a scene is a cloud of several objects."""

_ADVICE = {
    "vector": "train an autoencoder on the clouds first and use its codes (--codes RUN)",
    "set": "use an autoencoder whose codes are sets (--codes RUN)",
    "cloud": "give it clouds (--data SPEC)",
    "scene": "give it clouds of several objects (--data shapes:scene)",
}


def accepts_shape(accepts: Sequence[str], shape: Sequence[int]) -> bool:
    """Whether a model that accepts those kinds learns rows of that shape."""
    if len(shape) not in (1, 2) or min(shape) < 1:
        return False
    if len(shape) == 1:
        return "vector" in accepts
    if shape[1] == 6 and "oriented cloud" in accepts:
        return True
    return "set" in accepts or (shape[1] == 3 and ("cloud" in accepts or "scene" in accepts))


def accepted(accepts: Sequence[str], shape: Sequence[int], model: str) -> tuple[int, ...]:
    """The shape as a tuple of numbers, if a model that accepts those kinds of rows learns it.

    Raises:
        ValueError: it does not; the text says what shapes it may have, and what to do.
    """
    sizes = tuple(int(size) for size in shape)
    if accepts_shape(accepts, sizes):
        return sizes
    wanted = " or ".join(f"{KINDS[kind]} for {kind}s" for kind in accepts)
    advice = f"; {model} learns {' and '.join(f'{kind}s' for kind in accepts)}: {_ADVICE[accepts[0]]}"
    known = len(sizes) in (1, 2) and min(sizes) > 0
    raise ValueError(f"{model}: shape must be {wanted}, got {sizes}{advice if known else ''}")
