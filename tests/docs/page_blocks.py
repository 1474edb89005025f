"""What stands in the pages' code blocks, and the same commands at a size that takes a second."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGES", "ROOT", "Block", "blocks", "commands", "shortened"]

ROOT = Path(__file__).resolve().parents[2]
# The reference is made of docstrings; its blocks are signatures.
PAGES = [
    ROOT / "README.md",
    ROOT / "examples" / "README.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.parent.name != "api"),
]

_FENCE = re.compile(r"(?ms)(?:^<!-- not run: ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```$")
_COUNT, _POINTS, _STEPS = 40, 64, 6  # shapes of a family, points, updates: as many as the phases of a model, at least
_DRAWN = 6  # clouds of `sample`, where a page draws more
# In the place of what pages say of size and time: of an option that is given twice, the last counts.
_SMALL = {
    "train": ["--steps", str(_STEPS), "--validate-every", "1000"],  # after the last step in any case
    "sample": ["--overwrite"],
    "complete": ["-n", "2", "--candidates", "8", "--steps", "2", "--overwrite"],
    "encode": ["--points", "128", "--overwrite"],
    "reconstruct": ["--points", "128", "--overwrite"],
    "explore": ["--points", "128", "--overwrite"],
    "evaluate": ["--overwrite"],
    "view": ["--overwrite"],
    "report": ["--clouds", "4", "--overwrite"],
    "suite": ["--models", "gaussian,ppca", "--effort", "0.001", "--clouds", "4", "--reference-clouds", "4"],
    "data convert": ["--overwrite"],
    "data mesh": ["--method", "ball_pivoting"],
}
# Networks by which many samples are drawn, and maps that are drawn unit by unit.
_NARROW = {"diffusion": ["--set", "width=32"], "som": ["--set", "height=3", "--set", "width=3"]}


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    text: str
    skipped: str  # why it is not run; empty where it is


def blocks(page: Path) -> Iterator[Block]:
    for reason, language, text in _FENCE.findall(page.read_text(encoding="utf-8")):
        yield Block(language, text, reason)


def commands(block: Block) -> Iterator[list[str]]:
    """The words of each line, without comments; lines that end in a backslash go on."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if words := shlex.split(line, comments=True):
            yield words


def shortened(words: list[str]) -> list[str]:
    """The words after `pcgen` of a command that trains, draws and reads less."""
    name = " ".join(words[:2]) if words[0] == "data" else words[0]
    short = [_few(word) for word in _without_end(words)] + _SMALL.get(name, [])
    if name == "train":
        short += _NARROW.get(words[1], [])
        short += [] if "--resume" in words else ["--overwrite"]
        short += ["--points", str(_POINTS), "--batch-size", "8"] if "--data" in words else []
    if name == "view":
        if "--film" in words:
            short += ["--frames", "2", "--size", "64"]
        elif "--png" not in words:  # a window needs a screen
            short += ["--png", "window.png"]
        if "--chain" in words:
            short += ["--count", "2"]
        if not any(word.startswith("runs/") for word in words):
            short += ["--points", "128", "--count", "2"]
    if name == "sample" and ("-n" not in words or int(words[words.index("-n") + 1]) > _DRAWN):
        short += ["-n", str(_DRAWN)]
    if name == "report" and "runs/board" not in words:
        short += ["--metrics", "cd"]
    if name == "claims" and len(words) > 1:
        short += ["--seeds", "3", "--effort", "0.02"]
    if name == "classify" and {"--supervised", "--models"} & {*words}:
        short += ["--steps", "2", "--batch-size", "8"]
    if "--copies" in words:
        short += ["--copies", "2"]
    return short


def _without_end(words: list[str]) -> list[str]:
    """Without --minutes M and --steps N, in whose place a few steps stand."""
    if words[0] not in ("train", "classify"):
        return words
    pairs = list(zip([*words, ""], ["", *words], strict=True))[:-1]
    ends = ("--minutes", "--steps")
    return [word for word, before in pairs if word not in ends and before not in ends]


def _few(word: str) -> str:
    """Built-in shapes in small numbers."""
    return re.sub(r"(?<=[:,])(\w+)(=\d+)?", rf"\1={_COUNT}", word) if word.startswith("shapes:") else word
