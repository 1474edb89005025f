"""What the tables of the pages share: their frame in Markdown, what they were made on, and how numbers are told."""

import re
import sys
from collections.abc import Callable, Iterable, Sequence

import figures

Rows = list[dict[str, str]]


def measured(name: str, table: Callable[[Rows], str], command: str) -> str:
    """The table of results/NAME.csv, with what it was made on and by; in words where it is not there yet."""
    if not figures.has(name):
        return f"*Not measured yet*: `{command}` writes results/{name}.csv.\n"
    rows = figures.read(name)
    return f"{table(rows)}\nOn {made_on(rows)}; `{command}` repeats it.\n"


def made_on(rows: Rows) -> str:
    """The machines, versions, commits and dates of rows, what they have in common told once."""
    places: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        place = f"{row['machine']}, torch {row['torch']}, pcgen {row['pcgen']}".replace(", 1 threads", ", 1 thread")
        places.setdefault((place, row["date"]), {})[row["commit"]] = None
    return "; ".join(f"{place} at {', '.join(commits)}, {date}" for (place, date), commits in places.items())


def filled(text: str, marker: str, table: str, name: str) -> str:
    """The page with the table between the comments of its marker."""
    new, places = re.subn(rf"(?s)(?<=<!-- {marker} -->\n).*(?=<!-- /{marker} -->)", lambda _: table, text)
    if not places:
        sys.exit(
            f"{name}: must have the lines <!-- {marker} --> and <!-- /{marker} -->, where its table goes; add them"
        )
    return new


def grid(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; columns whose heads end in a colon are of numbers, and stand to the right."""
    names = [name.rstrip(":") for name in head]
    marks = ("---:" if name.endswith(":") else "---" for name in head)
    cells = [" | ".join(cell.replace("|", "\\|") for cell in each) for each in (names, *lines)]
    return "\n".join([f"| {cells[0]} |", f"|{'|'.join(marks)}|", *(f"| {each} |" for each in cells[1:])]) + "\n"


def for_each_set(rows: Rows, of: Callable[[str, Rows], str]) -> str:
    """A table for each set of shapes, from its name and its rows."""
    sets = dict.fromkeys(row["data"] for row in rows)
    return "\n".join(of(data, [row for row in rows if row["data"] == data]) for data in sets)


def number(value: str, digits: int = 2) -> str:
    """A number of so many digits; nothing where there is none."""
    return f"{float(value):.{digits}f}" if value else ""


def between(seconds: Sequence[float]) -> str:
    """The least and the most of seconds, or one number if they are the same."""
    ends = dict.fromkeys(f"{end:.0f}" for end in (min(seconds), max(seconds)))
    return f"{' to '.join(ends)} s"


def percent(value: str, digits: int = 0) -> str:
    """A fraction in percent."""
    return f"{100 * float(value):.{digits}f}%" if value else ""


def interval(row: dict[str, str], prefix: str, digits: int) -> str:
    """The ends of an interval, from the columns PREFIXlow and PREFIXhigh."""
    return f"{number(row[f'{prefix}low'], digits)} to {number(row[f'{prefix}high'], digits)}"


def percent_between(row: dict[str, str], metric: str) -> str:
    """A fraction and its interval in percent."""
    value, low, high = (100 * float(row[f"{metric}{end}"]) for end in ("", "_low", "_high"))
    return f"{value:.1f} ({low:.0f} to {high:.0f})"
