"""Tables in Markdown of what benchmarks wrote to results/: a function for each."""

from collections.abc import Callable, Iterable, Sequence

import figures

Rows = list[dict[str, str]]

BASELINES = ("training set", "training set decoded", "second sample")

_NEW = ("copies:", "novelty:", "Z_U:", "C_T:", "authenticity:", "Vendi:")
_SEVERAL = "Z_U, mean of sets:"


def measured(name: str, table: Callable[[Rows], str], command: str) -> str:
    """The table of results/NAME.csv, with what it was made on and by; in words where it is not there yet."""
    if not (figures.RESULTS / f"{name}.csv").is_file():
        return f"*Not measured yet*: `{command}` writes results/{name}.csv.\n"
    rows = figures.read(name)
    made = dict.fromkeys(made_on(row) for row in rows)
    return f"{table(rows)}\nOn {'; '.join(made)}; `{command}` repeats it.\n"


def made_on(row: dict[str, str]) -> str:
    return f"{row['machine']}, torch {row['torch']}, pcgen {row['pcgen']} at {row['commit']}, {row['date']}"


def quality(rows: Rows) -> str:
    """A table for each set of shapes: the models by their score, the baselines beneath."""

    def of(data: str, own: Rows) -> str:
        trained = sorted((row for row in own if int(row["weights"])), key=lambda row: float(row["score"]))
        resolved = own[0].get("resolved", "True") == "True"
        lines = []
        for row in [*trained, *(row for row in own if not int(row["weights"]))]:
            known = row in trained
            cost = (f"{_f(row['seconds'], 0)} s", f"{int(row['weights']):,}") if known else ("", "")
            score = (_f(row["score"]), _range(row, "", 2), _f(row["novelty"]))
            lines.append((row["model"] if known else f"*{row['model']}*", *score, *cost))
        few = "" if resolved else "; too few to tell the baseline from training codes"
        title = f"{own[0]['training_codes']} codes of {own[0]['code']}, {own[0]['held_out_codes']} held out{few}"
        head = ("model", "score:", "95%", "novelty:", "training:", "numbers learned:")
        return f"**{data}**: {title}\n\n{grid(head, lines)}"

    return _for_each_set(rows, of)


def autoencoders(rows: Rows) -> str:
    """Variants in their order: distances of what they decode, and 1-NNA of decoded training clouds."""

    def of(data: str, own: Rows) -> str:
        first = own[0]
        lines = [
            (
                row["variant"],
                f"{int(row['steps']):,}",
                f"{int(row['weights']) / 1e6:.1f}",
                *(_thousandths(row[f"emd_{kind}"]) for kind in ("train", "test")),
                *(_pair(row, kind) for kind in ("even", "decoded")),
            )
            for row in own
        ]
        title = f"{first['points']} points, {_minutes(first['minutes'])} each, {first['clouds']} clouds a side"
        floor = f"EMD of a second sampling {_thousandths(first['emd_floor'])}"
        known = f"1-NNA of the training clouds themselves {_pair(first, 'train')}"
        head = ("variant", "steps:", "10^6 weights:", "EMD train:", "EMD test:", "1-NNA even:", "1-NNA drawn anew:")
        return f"**{data}**: {title}; {floor}; {known}\n\n{grid(head, lines)}"

    return _for_each_set(rows, of)


def heads(rows: Rows) -> str:
    """Variants of heads in their order: losses and 1-NNA of what they draw."""

    def of(data: str, own: Rows) -> str:
        first = own[0]
        lines = [
            (
                _named(row, "variant"),
                row["steps"] and f"{int(row['steps']):,}",
                *(_f(row[f"loss_{kind}"], 4) for kind in ("train", "held_out")),
                _of_draws(row),
                _f(row["z_u_cd_mean"], 1),
            )
            for row in own
        ]
        title = f"{first['points']} points, {_minutes(first['minutes'])} each, {first['clouds']} clouds a side"
        head = ("head", "steps:", "loss, train:", "held out:", "1-NNA-CD:", "Z_U:")
        return f"**{data}**: {title}\n\n{grid(head, lines)}"

    return _for_each_set(rows, of)


def generation(rows: Rows) -> str:
    """Generators in their order, the training set's rows beneath."""

    def of(data: str, own: Rows) -> str:
        lines = [
            (
                _named(row),
                "" if row["model"] in BASELINES else f"{float(row['seconds']) / 60:.1f} min",
                _f(row["jsd"], 3),
                _f(row["mmd_emd"], 4),
                _shares(row, "one_nna_emd"),
                _shares(row, "one_nna_cd"),
                _of_draws(row),
            )
            for row in _baselines_last(own)
        ]
        nearest = ("1-NNA-EMD:", "1-NNA-CD:", "1-NNA-CD, mean of sets:")
        head = ("model", "training:", "JSD:", "MMD-EMD:", *nearest)
        return f"**{data}**: {own[0]['points']} points, {own[0]['clouds']} clouds a side\n\n{grid(head, lines)}"

    return _for_each_set(rows, of)


def copying(rows: Rows) -> str:
    """The columns of the same sets that tell copies from new shapes."""

    def of(data: str, own: Rows) -> str:
        lines = [(_named(row), *_new(row), _f(row["z_u_cd_mean"], 1)) for row in _baselines_last(own)]
        return f"**{data}**\n\n{grid(('model', *_NEW, _SEVERAL), lines)}"

    return _for_each_set(rows, of)


def protocols(rows: Rows) -> str:
    """For each model a line for each protocol; the rows that are of no model beneath."""

    def of(data: str, own: Rows) -> str:
        cells = []
        for model in sorted(dict.fromkeys(row["model"] for row in own), key=lambda name: name in BASELINES):
            for row in (row for row in own if row["model"] == model):
                under = [
                    (_f(row[f"mmd_{each}"], 4), *(_share(row[f"{one}_{each}"], 1) for one in ("cov", "one_nna")))
                    for each in ("cd", "emd")
                ]
                cells.append(
                    (_named(row), f"{row['protocol']} `{row['stamp']}`", _f(row["jsd"], 3), *under[0], *under[1])
                )
        head = [f"{name}-{each}:" for each in ("CD", "EMD") for name in ("MMD", "COV", "1-NNA")]
        title = f"{own[0]['points']} points, {own[0]['clouds']} clouds a side"
        return f"**{data}**: {title}\n\n{grid(('model', 'protocol and stamp', 'JSD:', *head), cells)}"

    return _for_each_set(rows, of)


def turned(rows: Rows) -> str:
    """For each number of turned copies that were learned: what was drawn, and the baselines."""
    first = rows[0]
    lines = [
        (row["turned"], _named(row), *(_shares(row, f"one_nna_{each}") for each in ("cd", "emd")), *_new(row))
        for row in rows
    ]
    head = ("turns learned:", "model", "1-NNA-CD:", "1-NNA-EMD:", *_NEW)
    title = f"{first['chairs']} chairs, {first['points']} points, {first['clouds']} held-out clouds"
    return f"**shapes:chair, turned**: {title}\n\n{grid(head, lines)}"


def samplers(rows: Rows) -> str:
    """For each head a line for each sampler: its score after each number of evaluations."""
    parts = []
    for head in dict.fromkeys(row["head"] for row in rows):
        own = [row for row in rows if row["head"] == head]
        lines = [
            (
                row["sampler"],
                row["evaluations"],
                _f(row["score"]),
                _range(row, "", 2),
                _f(row["novelty"]),
                f"{_f(row['seconds_1000_codes'])} s",
                row["seconds_1000_clouds"] and f"{_f(row['seconds_1000_clouds'], 1)} s",
            )
            for row in own
        ]
        columns = ("sampler", "evaluations:", "score:", "95%", "novelty:", "1,000 codes:", "1,000 clouds:")
        parts.append(f"**{head}**: {own[0]['held_out_codes']} held-out codes\n\n{grid(columns, lines)}")
    return "\n".join(parts)


def couplings(rows: Rows) -> str:
    """For each coupling a line for each number of evaluations."""
    first = rows[0]
    lines = [
        (
            _named(row, "coupling"),
            row["updates"] and f"{int(row['updates']):,}",
            _f(row["bend"]),
            row["evaluations"],
            _shares(row, "one_nna_cd"),
            _shares(row, "one_nna_emd"),
            _thousandths(row["mmd_cd"]),
        )
        for row in rows
    ]
    head = ("coupling", "updates:", "bend:", "evaluations:", "1-NNA-CD:", "1-NNA-EMD:", "MMD-CD, thousandths:")
    title = f"{first['points']} points, {_minutes(first['minutes'])} of training each, {first['clouds']} clouds a side"
    return f"**shapes:chair**: {title}\n\n{grid(head, lines)}"


def completion(rows: Rows) -> str:
    """For each set and share that is kept: the distances of what completes it to the whole."""

    def of(data: str, own: Rows) -> str:
        lines = [
            (
                _share(row["share"]),
                row["way"],
                f"{_f(row['emd_best'], 4)} ({_range(row, 'emd_best_', 4)})",
                _f(row["emd_mean"], 4),
                _f(row["cd_best"], 5),
                _f(row["diversity_emd"], 4),
            )
            for row in own
        ]
        head = ("points kept:", "way", "EMD, best:", "EMD, mean:", "CD, best:", "apart, EMD:")
        return f"**{data}**: {own[0]['clouds']} test clouds\n\n{grid(head, lines)}"

    return _for_each_set(rows, of)


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
            *(_shares(row, name) if row[name] else "" for name in ("count", "count_unseen")),
            *(_share(row[name]) for name in ("shapes_found", "boxes_right")),
            *(_shares(row, f"read_{task}") for task in ("count", "sum", "order")),
        )
        for row in rows
    ]
    chances = ("", "", "", "", "", *(_share(first[f"chance_{task}"], 1) for task in ("count", "sum", "order")))
    found = ("updates:", "count:", "a count never seen:", "shapes found:", "boxes right:")
    head = ("model", *found, "count read:", "sum read:", "order read:")
    asked = ", ".join(f"{first[f'scenes_{task}']} for {task}" for task in ("count", "sum", "order"))
    return f"test scenes that readers are asked about: {asked}\n\n{grid(head, [*lines, ('*chance*', *chances)])}"


def classification(rows: Rows) -> str:
    """Classifiers in their order: the floors and the SVM on codes, then those that learned labels."""
    lines = [
        (
            row["classifier"],
            _shares(row, "accuracy"),
            _share(row["class_accuracy"], 1),
            row["epochs"],
            f"{int(row['seconds']):,} s" if int(row["seconds"]) else "",
        )
        for row in rows
    ]
    first = rows[0]
    title = (
        f"**{first['data']}**: {first['classes']} classes, {first['learned']} clouds learned, {first['tested']} tested"
    )
    head = ("classifier", "accuracy, %:", "mean of classes:", "epochs:", "time:")
    return f"{title}\n\n{grid(head, lines)}"


def training(rows: Rows) -> str:
    """Updates of the same autoencoder, as clouds a second."""
    lines = [(row["variant"], _f(row["clouds_per_second"], 0), _f(row["times_eager"], 1)) for row in rows]
    title = f"{rows[0]['points']} points, batches of {rows[0]['batch']}"
    return f"{title}\n\n{grid(('variant', 'clouds a second:', 'times eager:'), lines)}"


def _new(row: dict[str, str]) -> tuple[str, ...]:
    """The cells of `_NEW`, under CD."""
    signed = (_f(row[name]) for name in ("novelty", "z_u_cd", "c_t_cd"))
    return (_share(row["copies"]), *signed, _share(row["authenticity_cd"]), _f(row["vendi_cd"], 1))


def _for_each_set(rows: Rows, of: Callable[[str, Rows], str]) -> str:
    sets = dict.fromkeys(row["data"] for row in rows)
    return "\n".join(of(data, [row for row in rows if row["data"] == data]) for data in sets)


def grid(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; columns whose heads end in a colon are of numbers, and stand to the right."""
    names = [name.rstrip(":") for name in head]
    marks = ("---:" if name.endswith(":") else "---" for name in head)
    cells = [" | ".join(cell.replace("|", "\\|") for cell in each) for each in (names, *lines)]
    return "\n".join([f"| {cells[0]} |", f"|{'|'.join(marks)}|", *(f"| {each} |" for each in cells[1:])]) + "\n"


def _named(row: dict[str, str], column: str = "model") -> str:
    return f"*{row[column]}*" if row[column] in BASELINES else row[column]


def _baselines_last(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: row["model"] in BASELINES)


def _f(value: str, digits: int = 2) -> str:
    """A number of so many digits; nothing where there is none."""
    return f"{float(value):.{digits}f}" if value else ""


def _share(value: str, digits: int = 0) -> str:
    """A fraction in percent."""
    return f"{100 * float(value):.{digits}f}%" if value else ""


def _shares(row: dict[str, str], metric: str) -> str:
    """A fraction and its interval in percent."""
    value, low, high = (100 * float(row[f"{metric}{end}"]) for end in ("", "_low", "_high"))
    return f"{value:.1f} ({low:.0f} to {high:.0f})"


def _of_draws(row: dict[str, str]) -> str:
    """The mean over several sets, the least and the most of them, and how many they are."""
    if not row["draws"]:
        return ""
    mean, least, most = (100 * float(row[f"one_nna_cd_{each}"]) for each in ("mean", "least", "most"))
    return f"{mean:.1f} ({least:.0f} to {most:.0f}, {row['draws']} sets)"


def _range(row: dict[str, str], prefix: str, digits: int) -> str:
    return f"{_f(row[f'{prefix}low'], digits)} to {_f(row[f'{prefix}high'], digits)}"


def _pair(row: dict[str, str], kind: str) -> str:
    """1-NNA under CD / under EMD, which are in percent already; the intervals where there are some."""
    values = []
    for metric in ("one_nna_cd", "one_nna_emd"):
        low, high = row.get(f"{metric}_{kind}_low", ""), row.get(f"{metric}_{kind}_high", "")
        ends = f" ({_f(low, 0)} to {_f(high, 0)})" if low and high else ""
        values.append(f"{_f(row[f'{metric}_{kind}'], 1)}{ends}")
    return " / ".join(values)


def _thousandths(value: str) -> str:
    return f"{1000 * float(value):.1f}"


def _minutes(value: str) -> str:
    return f"{float(value):g} minutes"
