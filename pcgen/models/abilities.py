"""What models can do besides learning and sampling, for a model or its class."""

from collections.abc import Mapping

from pcgen.errors import choose
from pcgen.models.base import Learner

__all__ = ["ABILITIES", "abilities", "can"]

ABILITIES: Mapping[str, str] = {
    "log_prob": "log_prob(x) -> (B,): natural logarithm of the exact, normalised density of each row",
    "log_prob_bound": "log_prob_bound(x) -> (B,): a lower bound on it, or an unbiased estimate of one",
    "free_energy": "free_energy(x) -> (B,): minus the log-density up to a constant",
    "encode": "encode(x) -> (B, *code): codes of each row",
    "decode": "decode(z) -> (B, *shape): objects of codes; decode(encode(x)) is near x",
    "levels": "levels(x) -> list of codes of several layers, the one nearest to the data first",
    "chain": "chain(x, steps) -> (B, *shape): the states after that many transitions of a Markov chain from x",
    "states": "states(n) -> iterator of State: the states of n samples, step by step; the last state is draw(n)",
    "count": "count(x) -> (B,): how many objects each row has",
    "boxes": "boxes(x) -> (B, K, 6): centre and size of each object in a row, NaN if there is none",
    "map": "map() -> (height, width, *shape): the object at each position, row and column, of the map that encode uses",
}
"""Methods that a model has only where they are true of it, by name. A bound is never called `log_prob`."""


def abilities(model: Learner | type[Learner]) -> tuple[str, ...]:
    """The names in `ABILITIES` that a model has; of a class, those that its instances may have."""
    return tuple(name for name in ABILITIES if callable(getattr(model, name, None)) and name not in model.lacks)


def can(model: Learner, ability: str) -> bool:
    """Whether a model has an ability, a name in `ABILITIES`.

    Raises:
        ValueError: there is no such ability.
    """
    return choose(ability, ABILITIES, "ability") in abilities(model)
