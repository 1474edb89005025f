"""One model of a leaderboard, and whether several can be in one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pcgen.metrics.comparable import check_comparable, mean_and_deviation, one_by_one
from pcgen.metrics.report import Report
from pcgen.studies.quality import Quality

__all__ = ["Entry", "check_entries"]


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


def check_entries(entries: Sequence[Entry]) -> None:
    """Raise an error if the reports of models cannot be in one table.

    Raises:
        ValueError: two models differ in the names of their protocols, or two reports under one of them, or of one
            class, in protocol or reference; the message names both.
    """
    done = [entry for entry in entries if entry.reports]
    for entry in done[1:]:
        if entry.reports.keys() != done[0].reports.keys():
            one, other = (f"{each.name} has {', '.join(each.reports)}" for each in (done[0], entry))
            raise ValueError(f"reports: must be under the same protocols; {one}, {other}; evaluate both under all")
    for protocol in done[0].reports if done else ():
        check_comparable([pair for entry in done for pair in one_by_one({entry.name: entry.reports[protocol]})])
    for name in dict.fromkeys(name for entry in entries for name in entry.classes):
        of_class = [entry for entry in entries if name in entry.classes]
        check_comparable([(f"{entry.name} of {name}", entry.classes[name]) for entry in of_class])
