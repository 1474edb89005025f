"""The leaderboard: every model of the suite on the codes of one autoencoder, sampled, measured, in one table."""

from pcgen.studies.heads import heads
from pcgen.studies.leaderboard.board import REFERENCE, kept, read, write
from pcgen.studies.leaderboard.differences import differences
from pcgen.studies.leaderboard.entry import Entry
from pcgen.studies.leaderboard.runner import run, training_clouds
from pcgen.studies.leaderboard.settings import Settings
from pcgen.studies.leaderboard.table import markdown, ranked, ranking

__all__ = [
    "REFERENCE",
    "Entry",
    "Settings",
    "differences",
    "heads",
    "kept",
    "markdown",
    "ranked",
    "ranking",
    "read",
    "run",
    "training_clouds",
    "write",
]
