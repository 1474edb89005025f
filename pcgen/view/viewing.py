"""What the keys of a window do: which page it shows, in what colours, how large its points are, whether it turns."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from pcgen.errors import choose

__all__ = ["KEYS", "LEGEND", "Change", "Viewing"]

# GLFW's numbers of the keys, which are those of their capital letters and signs on an American keyboard.
KEYS: Mapping[int, str] = {
    **dict.fromkeys((262, ord("N"), 267), "next"),  # right, page down
    **dict.fromkeys((263, ord("P"), 266), "previous"),  # left, page up
    ord("C"): "colours",
    **dict.fromkeys((ord("="), 334), "larger"),  # + is the shifted =; of the number block
    **dict.fromkeys((ord("-"), 333), "smaller"),
    ord("T"): "turn",
    ord("S"): "save",
    ord("R"): "reset",
    **dict.fromkeys((ord("H"), ord("/")), "keys"),  # ? is the shifted /
    **dict.fromkeys((ord("Q"), 256), "close"),  # escape
}
"""What a key does, by its number."""

LEGEND = (
    ("right, n", "next page"),
    ("left, p", "previous page"),
    ("c", "next colouring"),
    ("+  -", "larger, smaller points"),
    ("t", "turn"),
    ("s", "save a picture"),
    ("r", "reset the view"),
    ("h, ?", "these keys"),
    ("q, Esc", "close"),
    ("drag, wheel", "turn by hand, zoom"),
)
"""The keys in words, and what they do."""

_STEP, _SMALLEST, _LARGEST = 1.25, 0.2, 5.0
_TURN = 12.0  # seconds of a whole turn


class Change(Enum):
    """What a key asks of the window."""

    NOTHING = "nothing"
    SCENE = "scene"  # draw what is there anew
    VIEW = "view"  # draw the scene, or another one, seen as at first
    SAVE = "save"
    CLOSE = "close"


@dataclass
class Viewing:
    """What a window shows now.

    Args:
        pages: number of pages.
        colors: names of the colours that there are, the first one shown first.
    """

    pages: int
    colors: tuple[str, ...]
    page: int = 0
    size: float = 1.0  # of points, as a factor
    turning: bool = False
    angle: float = 0.0  # degrees that the clouds have turned
    listed: bool = False  # whether the keys are listed
    said: str = ""  # what the last key led to, until the next one

    @property
    def color(self) -> str:
        """The colours that are shown."""
        return self.colors[0]

    @property
    def line(self) -> str:
        """The line below the clouds."""
        page = f"page {self.page + 1} of {self.pages}" if self.pages > 1 else ""
        return "  ·  ".join(filter(None, [page, self.said, "h: keys"]))

    def press(self, action: str) -> Change:
        """Do what a key stands for, one of the values of `KEYS`.

        Raises:
            ValueError: an unknown action.
        """
        choose(action, dict.fromkeys(KEYS.values()), "action")
        self.said = ""
        if action in ("next", "previous"):
            return self._leaf(1 if action == "next" else -1)
        if action == "colours":
            self.colors = (*self.colors[1:], self.colors[0])
            self.said = f"coloured by {self.color}"
        elif action in ("larger", "smaller"):
            wanted = self.size * (_STEP if action == "larger" else 1 / _STEP)
            self.size = min(max(wanted, _SMALLEST), _LARGEST)
        elif action == "turn":
            self.turning = not self.turning
        elif action == "keys":
            self.listed = not self.listed
        elif action == "reset":
            self.angle = 0.0
            return Change.VIEW
        else:
            return Change.SAVE if action == "save" else Change.CLOSE
        return Change.SCENE

    def _leaf(self, by: int) -> Change:
        if self.pages == 1:
            self.said = "there is one page"
            return Change.SCENE
        self.page = (self.page + by) % self.pages
        return Change.VIEW

    def pass_time(self, seconds: float) -> None:
        """Turn as far as clouds that turn do in that time."""
        if self.turning:
            self.angle = (self.angle + 360 * seconds / _TURN) % 360
