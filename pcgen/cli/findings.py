"""What `pcgen doctor` finds: one thing that was looked at, and what to type where it is missing."""

from dataclasses import dataclass

__all__ = ["BROKEN", "BUILD", "LACKS", "OK", "Finding", "one_line"]

BUILD = "pip install --no-build-isolation -e .  # in the source tree"
OK, LACKS, BROKEN = "ok", "optional", "missing"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `state` is "ok", "optional" (does without it) or "missing" (needed)."""

    name: str
    state: str
    found: str
    remedy: str = ""  # what to type; empty where nothing is wrong


def one_line(error: BaseException) -> str:
    """What an error says, or else its kind, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
