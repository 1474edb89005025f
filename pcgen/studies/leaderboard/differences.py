"""How the models of a leaderboard were trained, where a reader must know."""

from collections.abc import Sequence

from pcgen.studies.leaderboard.entry import Entry

__all__ = ["differences"]


def differences(entries: Sequence[Entry]) -> list[str]:
    """Sentences on efforts, if measured models differ in them, and on options that are not the defaults."""
    done = [entry for entry in entries if entry.reports]
    efforts: dict[float | None, list[str]] = {}
    for entry in done:
        efforts.setdefault(entry.effort, []).append(entry.name)
    told = [
        f"{'not recorded' if effort is None else f'{effort:g}'} for {', '.join(names)}"
        for effort, names in efforts.items()
    ]
    given = [f"{entry.name}.{name}={value}" for entry in done for name, value in entry.options.items()]
    found = []
    if len(told) > 1:
        found.append(f"Effort differs between models (times the default steps of each): {'; '.join(told)}.")
    if given:
        found.append(f"Options that are not the defaults: {', '.join(given)}.")
    return found
