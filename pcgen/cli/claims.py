"""`pcgen claims`: claims of papers about the models of the suite, tested here."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pcgen.cli.common import check_out, given
from pcgen.cli.options import Overwrite, Threads
from pcgen.cli.tables import show_table

if TYPE_CHECKING:
    from pcgen.studies.claims import Verdict

__all__ = ["claims"]


def claims(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Claims to test; without one, all are listed.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Test every claim; some take minutes.")] = False,
    seeds: Annotated[int | None, typer.Option(help="Number of seeds, 3 or more (default: the claim's own).")] = None,
    effort: Annotated[float, typer.Option(help="Multiplies the updates and sizes of each experiment.")] = 1.0,
    out: Annotated[Path | None, typer.Option(help="Write the numbers to this .csv file.")] = None,
    overwrite: Overwrite = False,
    threads: Threads = None,
) -> None:
    """List claims of papers, or test some: with several seeds each, a verdict, its numbers and their intervals."""
    from pcgen.cli.progress import counting
    from pcgen.errors import choose
    from pcgen.studies.claims import CLAIMS

    chosen = list(CLAIMS) if every else [choose(name, CLAIMS, "claim") for name in dict.fromkeys(names or [])]
    if not chosen:
        if asked := given(context):
            raise ValueError(f"{', '.join(asked)}: for testing claims; name some, or --all, or leave it out for a list")
        _list()
        return
    if out is not None:
        check_out(out, ".csv", overwrite)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    verdicts: list[Verdict] = []
    for name in chosen:
        with counting(name, "seeds") as progress:
            verdicts.append(CLAIMS[name].examine(seeds=seeds, effort=effort, progress=progress))
        typer.echo(str(verdicts[-1]))
        if out is not None:  # after each, so that what is finished is kept
            _write(out, verdicts)


def _list() -> None:
    """Print the claims and where they are from."""
    from pcgen.studies.claims import CLAIMS

    rows = [(claim.name, claim.says, claim.source.partition(". ")[0]) for claim in CLAIMS.values()]
    show_table(("name", "claim", "paper"), rows, whole=("name",))


def _write(path: Path, verdicts: "Sequence[Verdict]") -> None:
    """The rows of all verdicts as a table."""
    import csv
    import io

    from pcgen.files import write_whole

    rows = [row for verdict in verdicts for row in verdict.rows()]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())
