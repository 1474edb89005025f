"""The leaderboard's table of copying, in Markdown."""

from collections.abc import Mapping, Sequence

from pcgen.metrics.tables import copying_columns, number, shown_columns
from pcgen.studies.leaderboard.entry import Entry

__all__ = ["copying_table"]

_READ = (
    "Read these together: a model that copies has Z_U and C_T far below 0, fewer authentic samples, more copies and "
    "less novelty than the second sample, whose shapes are new; the memoriser (other points of training shapes) shows "
    "the scores of copies. Vendi is shown with that of the reference on as many clouds; below it, samples are less "
    "diverse."
)


def copying_table(done: Sequence[Entry], protocol: str) -> str:
    """Copying under each distance, the oracles beneath, in the order of `done`; empty where nothing was measured."""
    oracles = done[0].reports[protocol][0].rows[1:]
    rows = [*(report.rows[0] for entry in done for report in entry.reports[protocol]), *oracles]
    shown = []
    for distance in ("cd", "emd"):
        under = distance.upper()
        for key, heading, share in shown_columns(rows, copying_columns(distance)):
            words = heading.replace("\n", " ")
            shown.append((key, f"{words} {under}" if key.endswith(distance) else words, share))
    if not shown:
        return ""
    lines = [
        "Copying:",
        "",
        f"| model | {' | '.join(heading for _, heading, _ in shown)} |",
        f"|---|{'---:|' * len(shown)}",
    ]
    for entry in done:
        means = {metric: mean for metric, (mean, _) in entry.spread(protocol).items()}
        lines.append(f"| {entry.name} | {_cells(means, shown)} |")
    lines += [f"| *{row.name}* | {_cells(row.values, shown)} |" for row in oracles if shown_columns([row], shown)]
    said = _READ
    if (new := rows[0].values.get("copies_reference")) is not None:
        said += f" Of the reference, {number(new, True)}% are as near to a training cloud as a copy."
    return "\n".join([*lines, "", said])


def _cells(values: Mapping[str, float], shown: Sequence[tuple[str, str, bool]]) -> str:
    return " | ".join(number(values.get(key), share) for key, _, share in shown)
