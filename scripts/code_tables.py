"""Tables in Markdown of protocols, and of scores of models on codes, from results/: a function for each."""

from tables import Rows, for_each_set, grid, interval, number

from pcgen.metrics import PROTOCOLS

_EMD = {
    "exact": "exact",
    "approxmatch": "soft matching",
    "approxmatch_pointflow": "soft matching without its last level",
    "approxmatch_squared": "soft matching, squared",
    None: "none",
}


def presets() -> str:
    """The protocols by name, with what they fix."""
    lines = [
        (f"`{p.name}`", p.about, str(p.points or "all"), _EMD[p.emd], f"`@{p.split}`" if p.split else "any")
        for p in PROTOCOLS.values()
    ]
    return grid(("protocol", "what it is", "points:", "EMD", "reference"), lines)


def quality(rows: Rows) -> str:
    """A table for each set of shapes: the models by their score, the baselines beneath."""

    def of(data: str, own: Rows) -> str:
        trained = sorted((row for row in own if int(row["weights"])), key=lambda row: float(row["score"]))
        resolved = own[0].get("resolved", "True") == "True"
        lines = []
        for row in [*trained, *(row for row in own if not int(row["weights"]))]:
            known = row in trained
            cost = (f"{number(row['seconds'], 0)} s", f"{int(row['weights']):,}") if known else ("", "")
            score = (number(row["score"]), interval(row, "", 2), number(row["novelty"]))
            lines.append((row["model"] if known else f"*{row['model']}*", *score, *cost))
        few = "" if resolved else "; too few to tell the baseline from training codes"
        title = f"{own[0]['training_codes']} codes of {own[0]['code']}, {own[0]['held_out_codes']} held out{few}"
        head = ("model", "score:", "95%", "novelty:", "training:", "numbers stored:")
        return f"**{data}**: {title}\n\n{grid(head, lines)}"

    return for_each_set(rows, of)


def samplers(rows: Rows) -> str:
    """For each head a line for each sampler: its score after each number of evaluations."""
    parts = []
    for head in dict.fromkeys(row["head"] for row in rows):
        own = [row for row in rows if row["head"] == head]
        lines = [
            (
                row["sampler"],
                row["evaluations"],
                number(row["score"]),
                interval(row, "", 2),
                number(row["novelty"]),
                f"{number(row['seconds_1000_codes'])} s",
                row["seconds_1000_clouds"] and f"{number(row['seconds_1000_clouds'], 1)} s",
            )
            for row in own
        ]
        columns = ("sampler", "evaluations:", "score:", "95%", "novelty:", "1,000 codes:", "1,000 clouds:")
        parts.append(f"**{head}**: {own[0]['held_out_codes']} held-out codes\n\n{grid(columns, lines)}")
    return "\n".join(parts)
