"""Tables in Markdown of generators, of their parts and of their samples, from results/: a function for each."""

import math
from collections.abc import Mapping, Sequence

from tables import Rows, for_each_set, grid, interval, number, percent, percent_between

from pcgen.metrics.sets import TRAINING

BASELINES = (TRAINING, "training set decoded", "second sample")

_NEW = ("copies:", "novelty:", "Z_U:", "C_T:", "authenticity:", "Vendi:")
_SEVERAL = "Z_U, mean of sets:"


def autoencoders(rows: Rows) -> str:
    """The default, then the others in their order: distances of decoded clouds, 1-NNA of decoded training clouds."""

    def of(data: str, own: Rows) -> str:
        own = sorted(own, key=lambda row: row["variant"] != "default")
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
        title = f"{first['points']} points, {_minutes(first['minutes'])} each, {first['clouds']} clouds per set"
        floor = f"EMD of a second sampling {_thousandths(first['emd_floor'])}"
        known = f"1-NNA of the training clouds themselves {_pair(first, 'train')}"
        head = ("variant", "steps:", "10^6 weights:", "EMD train:", "EMD test:", "1-NNA even:", "1-NNA drawn anew:")
        return f"**{data}**: {title}; {floor}; {known}\n\n{grid(head, lines)}"

    return for_each_set(rows, of)


def heads(rows: Rows) -> str:
    """The training set decoded, then variants of heads in their order: losses and 1-NNA of what they draw."""

    def of(data: str, own: Rows) -> str:
        own = sorted(own, key=lambda row: row["variant"] not in BASELINES)
        first = own[0]
        lines = [
            (
                _named(row, "variant"),
                row["steps"] and f"{int(row['steps']):,}",
                *(number(row[f"loss_{kind}"], 4) for kind in ("train", "held_out")),
                _of_draws(row),
                number(row["z_u_cd_mean"], 1),
            )
            for row in own
        ]
        title = f"{first['points']} points, {_minutes(first['minutes'])} each, {first['clouds']} clouds per set"
        head = ("head", "steps:", "loss, train:", "held out:", "1-NNA-CD:", "Z_U:")
        return f"**{data}**: {title}\n\n{grid(head, lines)}"

    return for_each_set(rows, of)


def generation(rows: Rows) -> str:
    """Generators in their order, the training set's rows beneath."""

    def of(data: str, own: Rows) -> str:
        lines = [
            (
                _named(row),
                "" if row["model"] in BASELINES else f"{float(row['seconds']) / 60:.1f} min",
                number(row["jsd"], 3),
                number(row["mmd_emd"], 4),
                percent_between(row, "one_nna_emd"),
                percent_between(row, "one_nna_cd"),
                _of_draws(row),
            )
            for row in _baselines_last(own)
        ]
        nearest = ("1-NNA-EMD:", "1-NNA-CD:", "1-NNA-CD, mean of sets:")
        head = ("model", "training:", "JSD:", "MMD-EMD:", *nearest)
        return f"**{data}**: {own[0]['points']} points, {own[0]['clouds']} clouds per set\n\n{grid(head, lines)}"

    return for_each_set(rows, of)


def standing(rows: Rows, means: Sequence[dict[str, str]] = ()) -> str:
    """How near the best generator comes to the training set, and where it is ahead of the models of the paper.

    Args:
        rows: of bench_generation.py.
        means: rows of bench_several.py. Where it has measured a set, what the first measures of one set of samples only
            is taken from there; elsewhere the cell of 1-NNA-EMD is empty.
    """
    lines = []
    for data in dict.fromkeys(row["data"] for row in rows):
        own, several = ({row["model"]: row for row in each if row["data"] == data} for each in (rows, means))
        best = min((row for row in own.values() if row["model"] not in BASELINES), key=_mean)
        name, second = best["model"], own.get("second sample")
        known = several.get(TRAINING) if name in several else None
        measured, end = (several, "_mean") if known else (own, "")
        copies = percent(measured[name]["copies"])
        compared = known["copies_held_out"] if known else second and second["copies"]
        lines.append(
            (
                data,
                name,
                _of_draws(best),
                _of_draws(own[TRAINING]),
                _difference(best, own[TRAINING], "one_nna_cd"),
                _difference(several[name], known, "one_nna_emd") if known else "",
                number(best["z_u_cd_mean"], 1),
                f"{copies} ({percent(compared)})" if compared else copies,
                *(_ahead(measured, name, other, end) for other in ("wgan_gp", "gmm")),
            )
        )
    found = ("1-NNA-CD:", "training set:", "difference:", "of 1-NNA-EMD:", "Z_U:", "copies (second sample):")
    return grid(("data", "best generator", *found, "ahead of wgan_gp:", "of gmm:"), lines)


def _difference(row: dict[str, str], known: dict[str, str], metric: str) -> str:
    """How much higher a mean over several sets is than that of the training set, in percent, with its error."""
    more = float(row[f"{metric}_mean"]) - float(known[f"{metric}_mean"])
    error = math.hypot(*(float(each[f"{metric}_error"]) for each in (row, known)))
    return f"{100 * more:+.1f} ± {100 * error:.1f}"


def _ahead(rows: Mapping[str, dict[str, str]], name: str, other: str, end: str) -> str:
    """By how many metrics a model has a lower value than another one, if that was measured."""
    if other not in rows or other == name:
        return ""
    columns = (*(f"{metric}{end}" for metric in ("jsd", "mmd_emd")), "one_nna_cd_mean")
    return f"{sum(float(rows[name][it]) < float(rows[other][it]) for it in columns)} of {len(columns)}"


def several(rows: Rows) -> str:
    """Generators by several sets of samples: the means of metrics with their standard errors."""

    def of(data: str, own: Rows) -> str:
        lines = [
            (
                _named(row),
                *(_with_error(row, metric, 3) for metric in ("jsd", "mmd_emd")),
                *(_with_error(row, f"{metric}_emd", 1, 100) for metric in ("cov", "one_nna")),
                row["copies"] and percent(row["copies"]),
            )
            for row in _baselines_last(own)
        ]
        first = own[0]
        title = f"{first['points']} points, {first['draws']} sets of {first['clouds']} clouds"
        known = f"of the held-out clouds, {percent(first['copies_held_out'])} are copies"
        head = ("model", "JSD:", "MMD-EMD:", "COV-EMD:", "1-NNA-EMD:", "copies:")
        return f"**{data}**: {title}; {known}\n\n{grid(head, lines)}"

    return for_each_set(rows, of)


def copying(rows: Rows) -> str:
    """The columns of the same sets that tell copies from new shapes."""

    def of(data: str, own: Rows) -> str:
        lines = [(_named(row), *_new(row), number(row["z_u_cd_mean"], 1)) for row in _baselines_last(own)]
        return f"**{data}**\n\n{grid(('model', *_NEW, _SEVERAL), lines)}"

    return for_each_set(rows, of)


def outward(rows: Rows) -> str:
    """Heads of each set, with codes decoded as sampled and scaled up by the outward factor."""
    lines = [
        (
            row["data"],
            row["learned"],
            row["model"],
            number(row["factor"]),
            *(number(row[f"{kind}_z_u_cd_mean"], 1) for kind in ("sampled", "scaled")),
            *(_of_draws(row, f"{kind}_") for kind in ("sampled", "scaled")),
        )
        for row in rows
    ]
    head = ("data", "shapes learned:", "head", "factor:", "Z_U:", "Z_U, scaled:", "1-NNA-CD:", "1-NNA-CD, scaled:")
    return grid(head, lines)


def deforming(rows: Rows) -> str:
    """Windows of each set, decoded and deformed in several ways."""

    def of(data: str, own: Rows) -> str:
        lines = [(row["variant"], _of_draws(row), number(row["z_u_cd_mean"], 1), percent(row["copies"])) for row in own]
        title = f"{own[0]['learned']} shapes learned, codes {own[0]['farther']} times as far as drawn"
        return f"**{data}**: {title}\n\n{grid(('samples', '1-NNA-CD:', 'Z_U:', 'copies:'), lines)}"

    return for_each_set(rows, of)


def thirds(rows: Rows) -> str:
    """Windows about two thirds of the training clouds of each set, beside the last third."""

    def of(data: str, own: Rows) -> str:
        lines = [
            (
                row["variant"],
                number(row["farther"], 2),
                _of_draws(row),
                number(row["z_u_cd_mean"], 1),
                percent(row["copies"]),
            )
            for row in own
        ]
        head = ("samples", "farther:", "1-NNA-CD:", "Z_U:", "copies:")
        return f"**{data}**: {own[0]['learned']} shapes\n\n{grid(head, lines)}"

    return for_each_set(rows, of)


def turned(rows: Rows) -> str:
    """For each number of turned copies that were learned: what was drawn, and the baselines."""
    first = rows[0]
    lines = [
        (row["turned"], _named(row), *(percent_between(row, f"one_nna_{each}") for each in ("cd", "emd")), *_new(row))
        for row in rows
    ]
    head = ("turns learned:", "model", "1-NNA-CD:", "1-NNA-EMD:", *_NEW)
    title = f"{first['chairs']} chairs, {first['points']} points, {first['clouds']} held-out clouds"
    return f"**shapes:chair, turned**: {title}\n\n{grid(head, lines)}"


def protocols(rows: Rows) -> str:
    """For each model a line for each protocol; the rows that are of no model beneath."""

    def of(data: str, own: Rows) -> str:
        cells = []
        for model in sorted(dict.fromkeys(row["model"] for row in own), key=lambda name: name in BASELINES):
            for row in (row for row in own if row["model"] == model):
                under = [
                    (number(row[f"mmd_{each}"], 4), *(percent(row[f"{one}_{each}"], 1) for one in ("cov", "one_nna")))
                    for each in ("cd", "emd")
                ]
                cells.append(
                    (_named(row), f"{row['protocol']} `{row['stamp']}`", number(row["jsd"], 3), *under[0], *under[1])
                )
        head = [f"{name}-{each}:" for each in ("CD", "EMD") for name in ("MMD", "COV", "1-NNA")]
        title = f"{own[0]['points']} points, {own[0]['clouds']} clouds per set"
        return f"**{data}**: {title}\n\n{grid(('model', 'protocol and stamp', 'JSD:', *head), cells)}"

    return for_each_set(rows, of)


def couplings(rows: Rows) -> str:
    """For each coupling a line for each number of evaluations."""
    first = rows[0]
    lines = [
        (
            _named(row, "coupling"),
            row["updates"] and f"{int(row['updates']):,}",
            number(row["bend"]),
            row["evaluations"],
            percent_between(row, "one_nna_cd"),
            percent_between(row, "one_nna_emd"),
            _thousandths(row["mmd_cd"]),
        )
        for row in rows
    ]
    head = ("coupling", "updates:", "bend:", "evaluations:", "1-NNA-CD:", "1-NNA-EMD:", "MMD-CD, thousandths:")
    title = f"{first['points']} points, {_minutes(first['minutes'])} of training each, {first['clouds']} clouds per set"
    return f"**shapes:chair**: {title}\n\n{grid(head, lines)}"


def completion(rows: Rows) -> str:
    """For each set and share that is kept: the distances of what completes it to the whole."""

    def of(data: str, own: Rows) -> str:
        lines = [
            (
                percent(row["share"]),
                row["way"],
                f"{number(row['emd_best'], 4)} ({interval(row, 'emd_best_', 4)})",
                number(row["emd_mean"], 4),
                number(row["cd_best"], 5),
                number(row["diversity_emd"], 4),
            )
            for row in own
        ]
        head = ("points kept:", "way", "EMD, best:", "EMD, mean:", "CD, best:", "apart, EMD:")
        return f"**{data}**: {own[0]['clouds']} test clouds\n\n{grid(head, lines)}"

    return for_each_set(rows, of)


def _new(row: dict[str, str]) -> tuple[str, ...]:
    """The cells of `_NEW`, under CD."""
    signed = (number(row[name]) for name in ("novelty", "z_u_cd", "c_t_cd"))
    return (percent(row["copies"]), *signed, percent(row["authenticity_cd"]), number(row["vendi_cd"], 1))


def _named(row: dict[str, str], column: str = "model") -> str:
    return f"*{row[column]}*" if row[column] in BASELINES else row[column]


def _baselines_last(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: row["model"] in BASELINES)


def _mean(row: dict[str, str]) -> float:
    return float(row["one_nna_cd_mean"])


def _of_draws(row: dict[str, str], kind: str = "") -> str:
    """The mean over several sets, its standard error, and how many they are."""
    if not row[f"{kind}draws"]:
        return ""
    mean, error = (100 * float(row[f"{kind}one_nna_cd_{each}"]) for each in ("mean", "error"))
    return f"{mean:.1f} ± {error:.1f} ({row[f'{kind}draws']} sets)"


def _with_error(row: dict[str, str], metric: str, digits: int, factor: float = 1.0) -> str:
    """The mean over several sets and its standard error."""
    return " ± ".join(f"{factor * float(row[f'{metric}_{each}']):.{digits}f}" for each in ("mean", "error"))


def _pair(row: dict[str, str], kind: str) -> str:
    """1-NNA under CD / under EMD, which are in percent already; the intervals where there are some."""
    values = []
    for metric in ("one_nna_cd", "one_nna_emd"):
        low, high = row.get(f"{metric}_{kind}_low", ""), row.get(f"{metric}_{kind}_high", "")
        ends = f" ({number(low, 0)} to {number(high, 0)})" if low and high else ""
        values.append(f"{number(row[f'{metric}_{kind}'], 1)}{ends}")
    return " / ".join(values)


def _thousandths(value: str) -> str:
    return f"{1000 * float(value):.1f}"


def _minutes(value: str) -> str:
    return f"{float(value):g} minutes"
