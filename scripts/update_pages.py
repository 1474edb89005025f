"""Fill README and docs from the package and results/; with --check only say whether they are up to date."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial

import api_reference
import choosing
import code_tables
import costs
import figures
import generation_tables
import tables
import task_tables
from claims_page import claims
from families import families, sections
from orders import orders

from pcgen.models.summary import summary


def models() -> str:
    """The table of models, as `pcgen models` reads it."""
    command = [sys.executable, "-c", "from pcgen.cli import main; main()", "models", "--markdown"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def places() -> str:
    """The models by what they learn, by what objective, how, how they draw, and what density they have."""
    lines = []
    for family, names in families().items():
        for name, each in ((name, summary(name)) for name in names):
            drawn = each.sampling or "*does not generate*"
            page = f"[`{name}`](models/{family}.md#{name})"
            lines.append((page, each.learns, each.objective, each.learning, drawn, each.density))
    return tables.grid(("model", "learns", "objective", "training", "sampling", "density"), lines)


Table = Callable[[], str]


def _of(name: str, table: Callable[[tables.Rows], str], command: str) -> Table:
    return partial(tables.measured, name, table, f"python scripts/{command}")


def _standing(points: int) -> str:
    """The table of the best generators, by several sets of samples where they were measured."""
    means = f"several_{points}"
    table = partial(generation_tables.standing, means=figures.read(means) if figures.has(means) else [])
    return tables.measured(f"generation_{points}", table, f"python scripts/bench_generation.py --points {points}")


PAGES: list[tuple[str, str, Table]] = [
    ("README.md", "models", models),
    ("docs/suite.md", "places", places),
    ("docs/suite.md", "quality", _of("quality", code_tables.quality, "bench_quality.py")),
    ("docs/suite.md", "orders", _of("quality", orders, "bench_quality.py")),
    ("docs/choosing.md", "needs", choosing.needs),
    ("docs/choosing.md", "scores", _of("quality", choosing.scores, "bench_quality.py")),
    ("docs/performance.md", "memory", costs.memory),
    ("docs/performance.md", "training", _of("training", task_tables.training, "bench_training.py")),
    ("docs/performance.md", "heads", _of("quality", costs.training, "bench_quality.py")),
    ("docs/performance.md", "drawing", _of("samplers", costs.drawing, "bench_samplers.py")),
    (
        "docs/generation.md",
        "autoencoders",
        _of("autoencoders", generation_tables.autoencoders, "bench_autoencoders.py"),
    ),
    ("docs/generation.md", "outward", _of("outward", generation_tables.outward, "bench_outward.py")),
    ("docs/generation.md", "deforming", _of("deforming", generation_tables.deforming, "bench_deforming.py")),
    ("docs/generation.md", "thirds", _of("thirds", generation_tables.thirds, "bench_thirds.py")),
    ("docs/generation.md", "heads", _of("heads", generation_tables.heads, "bench_heads.py")),
    ("docs/generation.md", "standing", partial(_standing, 1024)),
    ("docs/generation.md", "generation", _of("generation_1024", generation_tables.generation, "bench_generation.py")),
    ("docs/generation.md", "several", _of("several_1024", generation_tables.several, "bench_several.py")),
    ("docs/generation.md", "standing_2048", partial(_standing, 2048)),
    (
        "docs/generation.md",
        "generation_2048",
        _of("generation_2048", generation_tables.generation, "bench_generation.py --points 2048"),
    ),
    ("docs/generation.md", "copying", _of("generation_1024", generation_tables.copying, "bench_generation.py")),
    ("docs/generation.md", "turned", _of("copying", generation_tables.turned, "bench_copying.py")),
    ("docs/generation.md", "samplers", _of("samplers", code_tables.samplers, "bench_samplers.py")),
    ("docs/generation.md", "couplings", _of("couplings", generation_tables.couplings, "bench_couplings.py")),
    ("docs/generation.md", "completion", _of("completion", generation_tables.completion, "bench_completion.py")),
    ("docs/generation.md", "training", _of("training", task_tables.training, "bench_training.py")),
    ("docs/protocols.md", "presets", code_tables.presets),
    ("docs/protocols.md", "protocols", _of("protocols", generation_tables.protocols, "bench_protocols.py")),
    ("docs/protocols.md", "intervals", _of("intervals", task_tables.intervals, "bench_intervals.py")),
    (
        "docs/classification.md",
        "classification",
        _of("classification", task_tables.classification, "bench_classification.py"),
    ),
    ("docs/estimators.md", "estimators", _of("estimators", task_tables.estimators, "bench_estimators.py")),
    ("docs/estimators.md", "control_variates", _of("estimators", task_tables.control_variates, "bench_estimators.py")),
    ("docs/claims.md", "claims", claims),
    ("docs/models/scenes.md", "scenes", _of("scenes", task_tables.scenes, "bench_scenes.py")),
    *((f"docs/models/{family}.md", "models", partial(sections, family)) for family in families()),
]


WHOLE: list[tuple[str, Table]] = [
    (f"docs/api/{package}.md", partial(api_reference.page, package)) for package in api_reference.PAGES
]


def main() -> None:
    check = "--check" in sys.argv[1:]
    for name, marker, make in PAGES:
        path = figures.ROOT / name
        text = path.read_text(encoding="utf-8")
        _write(name, text, tables.filled(text, marker, make(), name), f"its table of {marker}", check)
    for name, make in WHOLE:
        path = figures.ROOT / name
        _write(name, path.read_text(encoding="utf-8") if path.is_file() else "", make(), "the page", check)


def _write(name: str, old: str, new: str, what: str, check: bool) -> None:
    if not check:
        (figures.ROOT / name).parent.mkdir(exist_ok=True)
        (figures.ROOT / name).write_text(new, encoding="utf-8")
    elif new != old:
        sys.exit(f"{name}: {what} is not up to date; run python scripts/update_pages.py")


if __name__ == "__main__":
    main()
