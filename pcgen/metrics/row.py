"""One line of a report."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Row"]


@dataclass(frozen=True)
class Row:
    """The metrics of one set of clouds against the reference: of the samples, or of an oracle.

    Attributes:
        name: what the clouds are.
        clouds: how many there are.
        values: metric to value; shares are fractions.
        intervals: metric to the ends of its 95% interval.
    """

    name: str
    clouds: int
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
