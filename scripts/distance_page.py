"""The page of timed distances: its tables in Markdown, and the plot of time against size."""

from pathlib import Path

from rich.table import Table

Curves = dict[str, dict[int, float]]  # milliseconds by name and number of points


def draw(chamfer: Curves, emd: Curves, path: Path) -> None:
    """Time against the number of points, both distances side by side, pcgen's curves in colour."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), layout="constrained")
    for axes, curves, title in zip(
        figure.subplots(1, 2), (chamfer, emd), ("Chamfer distance", "Earth Mover's distance"), strict=True
    ):
        greys = iter(["#444444", "#777777", "#999999", "#5b4a3f", "#8a7465", "#b09a8a"])
        blues = iter(["#0057b8", "#39a0ed", "#8cc8f5"])
        markers = iter("osD^vPX*")
        for name, curve in curves.items():
            ours = name.startswith("pcgen")
            style = {"color": next(blues if ours else greys), "linewidth": 2.5 if ours else 1.3, "markersize": 5}
            axes.loglog(list(curve), list(curve.values()), marker=next(markers), label=name, **style)
        axes.set_title(f"{title}, two chairs, one thread", fontsize=11)
        sizes = list(next(iter(curves.values())))
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, labels=[str(size) for size in sizes], fontsize=8)
        axes.set_xlabel("points in each cloud")
        axes.set_ylabel("milliseconds")
        axes.grid(alpha=0.3, which="major")
        axes.legend(fontsize=8, frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.13))
    figure.savefig(path, dpi=150)


def markdown(table: Table) -> str:
    """The table in Markdown."""
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    lines = [[str(column.header) for column in table.columns], ["---"] * len(table.columns), *rows]
    body = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
    return f"### {table.title}\n\n{body}\n" + (f"\n{table.caption}\n" if table.caption else "")
