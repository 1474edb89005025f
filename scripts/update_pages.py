"""Fill the tables of README and docs from MODELS and results/; with --check only say whether they are up to date."""

import re
import subprocess
import sys
from collections.abc import Callable

import figures


def models() -> str:
    """The table of models, as `pcgen models` reads it."""
    command = [sys.executable, "-c", "from pcgen.cli import main; main()", "models", "--markdown"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def quality() -> str:
    """A table for each set of shapes: the models by their score, the baselines beneath."""
    rows = figures.read("quality")
    parts = []
    for data in dict.fromkeys(row["data"] for row in rows):
        own = [row for row in rows if row["data"] == data]
        trained = sorted((row for row in own if int(row["weights"])), key=lambda row: float(row["score"]))
        first = own[0]
        parts += [
            f"**{data}**: {first['training_codes']} codes of {first['code']}, {first['held_out_codes']} held out"
            + ("" if first.get("resolved", "True") == "True" else "; too few to tell the baseline from training codes"),
            "",
            "| model | score | 95% | novelty | training | numbers learned |",
            "|---|---:|---|---:|---:|---:|",
        ]
        for row in [*trained, *(row for row in own if not int(row["weights"]))]:
            name = row["model"] if row in trained else f"*{row['model']}*"
            cost = f"{float(row['seconds']):.0f} s | {int(row['weights']):,}" if row in trained else "|"
            parts.append(
                f"| {name} | {float(row['score']):.2f} | {float(row['low']):.2f} to {float(row['high']):.2f} "
                f"| {float(row['novelty']):.2f} | {cost} |"
            )
        parts.append("")
    last = rows[-1]
    parts.append(
        f"On {last['machine']}, torch {last['torch']}, pcgen {last['pcgen']} at {last['commit']}, {last['date']}; "
        "`python scripts/bench_quality.py` repeats it."
    )
    return "\n".join(parts) + "\n"


PAGES: list[tuple[str, str, Callable[[], str]]] = [
    ("README.md", "models", models),
    ("docs/suite.md", "models", models),
    ("docs/suite.md", "quality", quality),
]


def main() -> None:
    for name, marker, make in PAGES:
        path = figures.ROOT / name
        text, filled = path.read_text(encoding="utf-8"), make()
        pattern = rf"(?s)(?<=<!-- {marker} -->\n).*(?=<!-- /{marker} -->)"
        new = re.sub(pattern, lambda _, filled=filled: filled, text)
        if "--check" in sys.argv[1:]:
            if new != text:
                sys.exit(f"{name}: its table of {marker} is not up to date; run python scripts/update_pages.py")
        else:
            path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
