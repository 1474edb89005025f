"""One model of a leaderboard."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pcgen.metrics.report import Report, mean_and_deviation
from pcgen.studies.quality import Quality

__all__ = ["Entry"]


@dataclass(frozen=True)
class Entry:
    """One model of the leaderboard: its reports, or why it failed.

    Attributes:
        name: of the model.
        reports: under each protocol, by name, a report for each set of samples.
        samples: the file of its first set of samples.
        seconds: of training.
        failure: what went wrong; empty where nothing did.
        quality: of its codes, followed by that of the baselines; empty where it was not measured.
        classes: a report on its samples of each class, of a model that draws by class.
        effort: of its training, a multiple of its default number of steps; None where that was not recorded.
        options: of the model that are not its defaults.
    """

    name: str
    reports: Mapping[str, tuple[Report, ...]] = field(default_factory=dict)
    samples: Path | None = None
    seconds: float = 0.0
    failure: str = ""
    quality: tuple[Quality, ...] = ()
    classes: Mapping[str, Report] = field(default_factory=dict)
    effort: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sets(self) -> int:
        """How many sets of samples were measured."""
        return max(map(len, self.reports.values()), default=0)

    def spread(self, protocol: str) -> dict[str, tuple[float, float]]:
        """Mean and standard deviation of each metric over the sets of samples (the latter 0 for one set)."""
        return mean_and_deviation(self.reports.get(protocol, ()))

    def mean(self, metric: str, protocol: str) -> float | None:
        """Mean of a metric over the sets of samples; None where it was not measured."""
        found = self.spread(protocol).get(metric)
        return None if found is None else found[0]
