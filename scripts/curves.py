"""Draw docs/samplers.png from results/samplers.csv: the score on codes against evaluations of the network."""

from itertools import groupby
from pathlib import Path

import figures

PATH = figures.ROOT / "docs" / "samplers.png"
TICKS = (5, 10, 20, 40, 80)


def draw(path: Path = PATH) -> None:
    """A panel for each head, a line for each sampler, bars of 95%; the default stands as a star."""
    from matplotlib.figure import Figure

    rows = figures.read("samplers")
    heads = list(dict.fromkeys(row["head"] for row in rows))
    figure = Figure(figsize=(5 * len(heads), 3.6), layout="constrained")
    axes = figure.subplots(1, len(heads), sharey=True, squeeze=False)[0]
    for panel, head in zip(axes, heads, strict=True):
        for name, group in groupby((row for row in rows if row["head"] == head), key=lambda row: row["sampler"]):
            own = list(group)
            count, score, low, high = (
                [float(row[key]) for row in own] for key in ("evaluations", "score", "low", "high")
            )
            below, above = ([abs(a - b) for a, b in zip(end, score, strict=True)] for end in (low, high))
            star = name == "default"
            style = (
                {"fmt": "*", "markersize": 12, "color": "black", "zorder": 5}
                if star
                else {"fmt": "o-", "markersize": 4}
            )
            panel.errorbar(count, score, (below, above), label=name, capsize=2, linewidth=1.2, **style)
        panel.set(title=head, xscale="log", xlabel="evaluations of the network")
        panel.set_xticks(TICKS, [str(tick) for tick in TICKS])
        panel.set_yscale("symlog", linthresh=0.1)  # the differences that are left at many evaluations are seen too
        panel.minorticks_off()
        panel.axhline(0, color="grey", linewidth=0.8)
        panel.legend(fontsize=8)
    axes[0].set_ylabel("score: 0 as training codes")
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    draw()
