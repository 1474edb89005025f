"""Tables of docs/choosing.md: which models have what, from their classes, and how well each did, from results/."""

from collections.abc import Callable

import tables
from families import families

from pcgen.models import MODELS
from pcgen.models.summary import Summary, summary

_WITH_RATES = ("gradient", "game", "wake-sleep")

_NEEDS: list[tuple[str, Callable[[Summary], bool]]] = [
    ("the exact density of a code or cloud (`log_prob`)", lambda it: it.density == "exact"),
    ("a lower bound on it (`log_prob_bound`)", lambda it: it.density == "a lower bound"),
    ("a density up to a constant (`free_energy`)", lambda it: it.density == "up to a constant"),
    ("samples of a class, `pcgen sample --labels`", lambda it: "by label" in it.also),
    ("its own codes, `pcgen encode` (of a head: `--own`)", lambda it: "codes" in it.also.split(", ")),
    ("codes in levels, from details to the whole", lambda it: "levels" in it.also.split(", ")),
    ("clouds without an autoencoder, `--data`", lambda it: "clouds" in it.learns),
    ("the codes of `set_autoencoder`, which are sets", lambda it: "sets" in it.learns),
    ("scenes of several objects, their boxes and their number", lambda it: "boxes" in it.also.split(", ")),
    ("a model of binary data", lambda it: "(binary)" in it.learns),
    ("a fit without a learning rate", lambda it: not any(word in it.learning for word in _WITH_RATES)),
]


def needs() -> str:
    """What may be asked of a model, and the generative models that have it, by the families' pages."""
    known = {
        f"[`{name}`](models/{family}.md#{name})": summary(name)
        for family, names in families().items()
        for name in names
    }
    generative = {link: told for link, told in known.items() if told.sampling}
    lines = [(need, ", ".join(link for link, told in generative.items() if has(told))) for need, has in _NEEDS]
    return tables.grid(("needed", "models that have it"), lines)


def scores(rows: tables.Rows) -> str:
    """A line for each head: its score on the codes of each set, the best on average first, with what it cost."""
    sets = list(dict.fromkeys(row["data"] for row in rows))
    models = dict.fromkeys(row["model"] for row in rows)
    found = {(row["model"], row["data"]): row for row in rows}
    everywhere = [model for model in models if all((model, data) in found for data in sets)]

    def mean(model: str) -> float:
        return sum(float(found[model, data]["score"]) for data in sets) / len(sets)

    # With other options than the defaults, "gan r1=0" for example, a model is for comparison elsewhere.
    everywhere = [model for model in everywhere if model in MODELS or not _trained(found[model, sets[0]])]
    trained = [model for model in everywhere if any(_trained(found[model, data]) for data in sets)]
    lines = []
    for model in [*sorted(trained, key=mean), *(model for model in everywhere if model not in trained)]:
        own = [found[model, data] for data in sets]
        values = (f"{float(row['score']):.2f}" for row in own)
        seconds = [float(row["seconds"]) for row in own]
        cost = tables.between(seconds) if model in trained else ""
        lines.append((model if model in trained else f"*{model}*", *values, cost))
    return tables.grid(("model", *(f"{data}:" for data in sets), "training:"), lines)


def _trained(row: dict[str, str]) -> bool:
    """Whether it is a model's row, not a baseline's."""
    return int(row["weights"]) > 0
