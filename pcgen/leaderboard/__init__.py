"""The leaderboard: every model of the suite on the codes of one autoencoder, sampled, measured, in one table."""

from pcgen.leaderboard.board import kept, write
from pcgen.leaderboard.entry import Entry
from pcgen.leaderboard.runner import REFERENCE, heads, run
from pcgen.leaderboard.settings import Settings
from pcgen.leaderboard.table import markdown

__all__ = ["REFERENCE", "Entry", "Settings", "heads", "kept", "markdown", "run", "write"]
