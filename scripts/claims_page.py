"""The page of the claims: each as it is tested, with its numbers and verdict where results/claims.csv has them."""

import figures
import tables

from pcgen.studies.claims import CLAIMS, Claim

COMMAND = "python scripts/bench_claims.py"


def claims() -> str:
    """A table of the verdicts, then a section for each claim."""
    known = figures.read("claims") if (figures.RESULTS / "claims.csv").is_file() else []
    rows = {name: [row for row in known if row["claim"] == name] for name in CLAIMS}
    verdicts = tables.grid(
        ("claim", "verdict"), [(_link(claim), _verdict(rows[claim.name])) for claim in CLAIMS.values()]
    )
    made = tables.made_on(known)
    told = f"On {made}; `{COMMAND} NAME` repeats one.\n\n" if known else ""
    return f"{verdicts}\n{told}" + "\n".join(_section(claim, rows[claim.name]) for claim in CLAIMS.values())


def _link(claim: Claim) -> str:
    return f"[`{claim.name}`](#{claim.name}): {claim.says}"


def _verdict(rows: tables.Rows) -> str:
    return rows[0]["verdict"] if rows else "*not measured yet*"


def _section(claim: Claim, rows: tables.Rows) -> str:
    """What it says, where it is from, how it is tested, and what came of it."""
    head = f"### `{claim.name}`\n\n**{claim.says}** {claim.source}\n\n{claim.test}\n\n"
    if not rows:
        return f"{head}*Not measured yet*: `{COMMAND} {claim.name}` writes it into results/claims.csv.\n"
    columns = ("what", "to be larger:", "to be smaller:", "effect:", "95%:", "to exceed:", "outcome")
    lines = [
        (
            row["what"],
            f"{row['larger']} {_f(row['larger_mean'])}",
            f"{row['smaller']} {_f(row['smaller_mean'])}",
            f"{row['kind']} {_f(row['effect'])}",
            f"{_f(row['low'])} to {_f(row['high'])}",
            f"{float(row['least']):g}",
            row["outcome"],
        )
        for row in rows
    ]
    first = rows[0]
    effort = "" if float(first["effort"]) == 1 else f", effort {float(first['effort']):g}"
    cost = f"{first['seeds']} seeds, {float(first['seconds']):.0f} s{effort}"
    return f"{head}{tables.grid(columns, lines)}\n**Verdict: {first['verdict']}** ({cost}).\n"


def _f(value: str) -> str:
    """A number of three digits."""
    return f"{float(value):.3g}"
