"""Tables in Markdown of estimators, scenes, classifiers and speed, from results/: a function for each."""

from statistics import NormalDist

from tables import Rows, grid, number, percent, percent_between


def estimators(rows: Rows) -> str:
    """For each problem of bits its estimators, the least variance first."""
    parts = []
    for problem in dict.fromkeys(row["problem"] for row in rows if not _of_integral(row)):
        own = sorted((row for row in rows if row["problem"] == problem), key=lambda row: float(row["variance"]))
        lines = [
            (
                row["estimator"],
                row["evaluations"],
                f"{float(row['bias']):.2g} ({float(row['bias_low']):.2g} to {float(row['bias_high']):.2g})",
                f"{float(row['variance']):.3g}",
            )
            for row in own
        ]
        head = ("estimator", "evaluations of f:", "bias:", "variance:")
        parts.append(f"**{problem}**\n\n{grid(head, lines)}")
    return "\n".join(parts)


def control_variates(rows: Rows) -> str:
    """The integral, with and without its controls."""
    own = [row for row in rows if _of_integral(row)]
    lines = [(row["estimator"], row["factor"], f"{float(row['variance']):.3g}") for row in own]
    return grid(("control", "factor:", "variance of a draw:"), lines)


def _of_integral(row: dict[str, str]) -> bool:
    return row["problem"] == "integral"


def scenes(rows: Rows) -> str:
    """For each model its counts and boxes, and what readers tell from its codes."""
    first = rows[0]
    lines = [
        (
            row["model"],
            f"{int(row['updates']):,}" if int(row["updates"]) else "",
            *(percent_between(row, name) if row[name] else "" for name in ("count", "count_unseen")),
            *(percent(row[name]) for name in ("shapes_found", "boxes_right")),
            *(percent_between(row, f"read_{task}") for task in ("count", "sum", "order")),
        )
        for row in rows
    ]
    chances = ("", "", "", "", "", *(percent(first[f"chance_{task}"], 1) for task in ("count", "sum", "order")))
    found = ("updates:", "count:", "a count never seen:", "shapes found:", "boxes right:")
    head = ("model", *found, "count read:", "sum read:", "order read:")
    asked = ", ".join(f"{first[f'scenes_{task}']} for {task}" for task in ("count", "sum", "order"))
    return f"test scenes that readers are asked about: {asked}\n\n{grid(head, [*lines, ('*chance*', *chances)])}"


def classification(rows: Rows) -> str:
    """Classifiers in their order: the floors and the SVM on codes, then those that learned labels."""
    lines = [
        (
            row["classifier"],
            row["points"] if int(row["points"]) else "",
            percent_between(row, "accuracy"),
            percent(row["class_accuracy"], 1),
            row["epochs"],
            f"{int(row['seconds']):,} s" if int(row["seconds"]) else "",
        )
        for row in rows
    ]
    first = rows[0]
    title = (
        f"**{first['data']}**: {first['classes']} classes, {first['learned']} clouds learned, {first['tested']} tested"
    )
    head = ("classifier", "points:", "accuracy, %:", "mean of classes:", "epochs:", "time:")
    return f"{title}\n\n{grid(head, lines)}{_gains(rows)}"


def _gains(rows: Rows) -> str:
    """How far the codes of each encoder are above those of the same encoder untrained, in each way in that it is."""
    lines, paired = [], True
    for row in rows:
        for floor in rows:
            if floor["classifier"].startswith(f"{row['classifier']} untrained"):
                low, gain, high = (100 * each for each in _gain(row, floor))
                paired = paired and _has_answers(row, floor)
                without = floor["classifier"].removeprefix(row["classifier"]).strip()
                lines.append((row["classifier"], without, f"{gain:+.1f} ({low:+.1f} to {high:+.1f})"))
    if not lines:
        return ""
    how = (
        "compared cloud by cloud, since all rows are tested on the same clouds"
        if paired
        else "as if the two were tested on different clouds: they are tested on the same ones, so unless they err on "
        "different ones the true intervals are narrower"
    )
    told = f"In brackets: 95% over other draws of the test clouds, {how}.\nOther trainings are not in it."
    return f"\n{grid(('trained', 'against', 'points of accuracy:'), lines)}\n{told}\n"


def _gain(row: dict[str, str], floor: dict[str, str]) -> tuple[float, float, float]:
    """The difference of two accuracies between the ends of its 95% interval, by the normal approximation.

    From the answers to each cloud, if both rows have them; otherwise by the variances of both, as of independent tests.
    """
    tested = int(row["tested"])
    if _has_answers(row, floor):
        differ = [int(one) - int(other) for one, other in zip(row["right"], floor["right"], strict=True)]
        gain = sum(differ) / tested
        variance = (sum(each * each for each in differ) / tested - gain**2) / tested
    else:
        ours, theirs = (float(each["accuracy"]) for each in (row, floor))
        gain, variance = ours - theirs, (ours * (1 - ours) + theirs * (1 - theirs)) / tested
    reach = NormalDist().inv_cdf(0.975) * variance**0.5
    return gain - reach, gain, gain + reach


def _has_answers(row: dict[str, str], floor: dict[str, str]) -> bool:
    """Whether each test cloud's answer is known of both, which results of earlier benchmarks do not have."""
    return bool(row.get("right")) and bool(floor.get("right"))


def training(rows: Rows) -> str:
    """Updates of the same autoencoder, as clouds a second."""
    lines = [(row["variant"], number(row["clouds_per_second"], 0), number(row["times_eager"], 1)) for row in rows]
    title = f"{rows[0]['points']} points, batches of {rows[0]['batch']}"
    return f"{title}\n\n{grid(('variant', 'clouds a second:', 'times eager:'), lines)}"


def intervals(rows: Rows) -> str:
    """For each kind of data and number of clouds, the intervals of each metric: how often they are right, and width."""
    metrics = ("mmd", "cov", "one_nna", "one_nna_difference", "jsd")
    lines = [
        (row["data"], f"{row['samples']} + {row['reference']}", *(_held_and_width(row, metric) for metric in metrics))
        for row in rows
    ]
    head = ("data", "samples + reference:", "MMD:", "COV:", "1-NNA:", "difference of two 1-NNA:", "JSD:")
    return f"Of {rows[0]['repeats']} pairs of sets: right, width\n\n{grid(head, lines)}"


def _held_and_width(row: dict[str, str], metric: str) -> str:
    held = row[f"{metric}_held"]
    return f"{percent(held)}, {number(row[f'{metric}_width'])}" if held else ""
