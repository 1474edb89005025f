"""How the models of a leaderboard are trained and measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pcgen import metrics
from pcgen.errors import at_least, choose

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """How the models of a leaderboard are trained and measured.

    Attributes:
        reference: SOURCE[:CLASS][@SPLIT] of the clouds to compare samples with; @test unless it names a split.
        models: names of heads.
        config: arguments of models by name, {"gan": {"lr": 1e-4}}.
        effort: multiplies every model's default number of steps.
        seeds: sets of samples of each model; more than one gives means and deviations.
        clouds: clouds in each set of samples; None is as many as the reference has.
        reference_clouds: at most this many clouds of the reference, chosen by `seed`; None is all.
        protocols: names of presets; the same samples are measured under each.
        distances: "cd", "emd" or both.
        emd_clouds, emd_points: limits under EMD, as in `pcgen.metrics.evaluate`.
        device: where to train and sample.
        seed: of all that is random; sets of samples take the seeds from it on.
        processes: that train heads side by side before they are measured (see `pcgen.studies.workers`).
    """

    reference: str
    models: Sequence[str]
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    effort: float = 1.0
    seeds: int = 1
    clouds: int | None = None
    reference_clouds: int | None = None
    protocols: Sequence[str] = ("exact",)
    distances: Sequence[str] = ("cd", "emd")
    emd_clouds: int | Literal["auto"] | None = "auto"
    emd_points: int | Literal["auto"] | None = "auto"
    device: str = "cpu"
    seed: int = 0
    processes: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.effort < math.inf:
            raise ValueError(f"effort: must be a factor above 0, got {self.effort}")
        at_least(1, seeds=self.seeds, processes=self.processes)
        limits = {"emd_clouds": self.emd_clouds, "emd_points": self.emd_points}
        asked = {"clouds": self.clouds, "reference_clouds": self.reference_clouds, **limits}
        at_least(1, **{name: value for name, value in asked.items() if isinstance(value, int)})
        for name, limit in limits.items():
            if isinstance(limit, str):
                choose(limit, ["auto"], name)
        for name, names in (("models", self.models), ("protocols", self.protocols), ("distances", self.distances)):
            if isinstance(names, str):
                raise ValueError(f"{name}: must be a list of names, got the text {names!r}; give [{names!r}]")
        if not self.protocols:
            raise ValueError("protocols: must name at least one, got none")
        for name in self.protocols:
            metrics.protocol(name)
        for distance in self.distances:
            choose(distance, ["cd", "emd"], "distances")

    def measurement(self) -> dict[str, Any]:
        """What two rows must share to be in one table, as JSON values; each row has its own effort and options."""
        return {
            "data": self.reference,
            "protocols": list(self.protocols),
            "distances": list(self.distances),
            "clouds": self.clouds,
            "reference_clouds": self.reference_clouds,
            "emd_clouds": self.emd_clouds,
            "emd_points": self.emd_points,
            "seed": self.seed,
        }
