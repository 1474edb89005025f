"""The claims of the papers, each by its own seeds at full effort, into results/claims.csv; resumable by claim.

python scripts/bench_claims.py                    # those that results/claims.csv has not; half an hour in all
python scripts/bench_claims.py mixing parts       # these, again where they are there
"""

from typing import Annotated

import figures
import torch
import typer

from pcgen.errors import choose
from pcgen.studies.claims import CLAIMS


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Claims to test; without one, those not yet there.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Seeds that decide; without, each claim's own number.")] = None,
    effort: Annotated[float, typer.Option(help="Multiplies the updates and sizes of each experiment.")] = 1.0,
) -> None:
    """Test claims one after another on one thread, and keep what is finished."""
    torch.set_num_threads(1)
    there = {row["claim"] for row in figures.read("claims")} if (figures.RESULTS / "claims.csv").is_file() else set()
    for name in [choose(name, CLAIMS, "claim") for name in names] if names else [n for n in CLAIMS if n not in there]:
        verdict = CLAIMS[name].examine(seeds=seeds, effort=effort)
        print(verdict, flush=True)
        figures.write("claims", verdict.rows(), figures.of_others("claims", claim=[name]))


if __name__ == "__main__":
    typer.run(main)
