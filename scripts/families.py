"""Pages of the families, docs/models/FAMILY.md: a section for each model, of its docstring and of results/."""

import re
from collections.abc import Iterable

import figures
import tables

from pcgen.models import MODELS
from pcgen.models.catalogue import read_class
from pcgen.models.summary import logged, summary

__all__ = ["families", "parts", "sections"]


def families() -> dict[str, list[str]]:
    """The folders of `pcgen.models` that hold models of `MODELS`, and their names, in its order."""
    found: dict[str, list[str]] = {}
    for name in MODELS:
        found.setdefault(MODELS.family(name), []).append(name)
    return found


def sections(family: str) -> str:
    """A section for each model of the family."""
    known = {each: _of_models(each) for each in ("quality", "theorems")}
    picture = figures.ROOT / "docs" / "models" / f"{family}.png"
    shown = [f"![Samples of each model, and held-out data below]({picture.name})\n"] if picture.is_file() else []
    every = (_section(name, *(rows.get(name, []) for rows in known.values())) for name in families()[family])
    return "\n".join([*shown, *every])


def _of_models(figure: str) -> dict[str, tables.Rows]:
    """The rows of results/FIGURE.csv by their model; none where it is not measured yet."""
    found: dict[str, tables.Rows] = {}
    for row in figures.read(figure) if figures.has(figure) else []:
        found.setdefault(row["model"], []).append(row)
    return found


def _section(name: str, quality: tables.Rows, theorems: tables.Rows) -> str:
    text, told = read_class(MODELS.places[name]), summary(name)
    module = MODELS.places[name].partition(":")[0].replace(".", "/")
    about, papers = parts(text.docstring)
    command = f"pcgen train {name} --codes runs/ae --out runs/{name}"
    if "vector" not in text.literal("accepts", tuple):
        of_scenes = "scene" in text.literal("accepts", tuple)
        data = "shapes:scene=4000 --points 256" if of_scenes else "shapes:chair --points 1024"
        command = f"pcgen train {name} --data {data} --out runs/{name}"
    blocks = [
        f"## `{name}`",
        about,
        f"```bash\n{command}\n```",
        f"Learns {told.learns}; options: `pcgen models {name}`; source: [{module}.py](../../{module}.py).",
        tables.grid(("logged", "what it is"), _logged(text.docstring)),
        _theorems(theorems),
        _measured(quality),
        "\n".join(f"- {paper}" for paper in papers),
    ]
    return "\n\n".join(part.strip("\n") for part in blocks if part) + "\n"


def _logged(docstring: str) -> list[tuple[str, str]]:
    """The logged values, those of one meaning in one line."""
    lines: dict[str, list[str]] = {}
    for name, what in logged(docstring).items():
        lines.setdefault(what, []).append(name if name == "..." else f"`{name}`")
    return [(", ".join(names), what) for what, names in lines.items()]


def parts(docstring: str) -> tuple[str, list[str]]:
    """What stands before the arguments, in Markdown, and the references."""
    about = docstring.split("\nArgs:")[0].strip("\n")
    references = docstring.partition("\nReferences:\n")[2]
    papers: list[str] = []
    for line in references.split("\n"):
        if line.strip() and papers and (_goes_on(papers[-1]) or line.strip().startswith("(")):
            papers[-1] += f" {line.strip()}"
        elif line.strip():
            papers.append(line.strip())
    return about, papers


def _goes_on(paper: str) -> bool:
    """Whether a reference is not at its end, the full stop or question mark of the title after its year."""
    return re.search(r"\(\d{4}\)\. .*[.?)]$", paper) is None


def _theorems(rows: tables.Rows) -> str:
    """What the model's own tests have measured, beside what it is to be."""
    lines = [(row["what"], _number(row["found"]), _number(row["right"])) for row in rows]
    return tables.grid(("tested property", "measured:", "expected:"), lines) if lines else ""


def _number(value: str) -> str:
    """A number of four digits that count, or the words that stand in its place."""
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value


def _measured(quality: Iterable[dict[str, str]]) -> str:
    """How well it generates codes: a line for each set of shapes."""
    lines = [
        (
            row["data"],
            f"{float(row['score']):.2f} ({float(row['low']):.2f} to {float(row['high']):.2f})",
            f"{float(row['novelty']):.2f}",
            f"{float(row['seconds']):.0f} s",
            f"{int(row['weights']):,}",
        )
        for row in quality
    ]
    head = ("codes of", "[score](../suite.md#quality-on-codes):", "novelty:", "training:", "numbers stored:")
    return tables.grid(head, lines) if lines else ""
