"""The tables of the pages, from figures written here."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from pcgen.models import MODELS

METRICS = ("jsd", "mmd_cd", "cov_cd", "one_nna_cd", "mmd_emd", "cov_emd", "one_nna_emd")
COPYING = ("copies", "novelty", "z_u_cd", "c_t_cd", "authenticity_cd", "vendi_cd")


def _several(model: str, value: float) -> dict[str, object]:
    metrics = ("jsd", "mmd_emd", "one_nna_cd", "one_nna_emd")
    values = {f"{metric}_{each}": value if each == "mean" else 0.01 for metric in metrics for each in ("mean", "error")}
    return {"data": "shapes:chair", "model": model, **values, "copies": 0.02, "copies_held_out": 0.03}


def _generated(model: str, one_nna: float) -> dict[str, object]:
    intervals = {f"{metric}_{end}": 0.25 for metric in METRICS for end in ("low", "high")}
    values = {**dict.fromkeys(METRICS, 0.5), "one_nna_cd": one_nna, **intervals, **dict.fromkeys(COPYING, 0.125)}
    about = {"data": "shapes:chair", "points": 1024, "model": model, "clouds": 200, "seconds": 600}
    several = {"draws": 6, "one_nna_cd_mean": 0.505, "one_nna_cd_error": 0.012}
    return {**about, **values, "c_t_cd": "" if model == "gmm" else -1.5, **several, "z_u_cd_mean": 0.75}


def _cells(table: str) -> list[list[str]]:
    """The rows of a table in Markdown, without its head."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_pages_are_up_to_date_with_what_is_measured(
    script: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    program, figures = script("update_pages"), script("figures")
    monkeypatch.setattr(figures, "RESULTS", figures.ROOT / "results")
    monkeypatch.setattr(program.sys, "argv", ["update_pages.py", "--check"])
    program.main()
    for name, marker, make in program.PAGES:
        page = (figures.ROOT / name).read_text(encoding="utf-8")
        assert make() == re.search(rf"(?s)<!-- {marker} -->\n(.*)<!-- /{marker} -->", page)[1]


def test_every_command_of_the_pages_is_one_that_its_script_takes(script: Callable[[str], Any]) -> None:
    program, figures = script("update_pages"), script("figures")
    pages = dict.fromkeys(name for name, _, _ in program.PAGES)
    text = "\n".join((figures.ROOT / name).read_text(encoding="utf-8") for name in pages)
    commands = dict.fromkeys(re.findall(r"python scripts/(bench_\w+)\.py([^`\n]*)", text))
    assert len(commands) > 15
    for name, options in commands:
        app = typer.Typer()
        app.command()(script(name).main)
        typer.main.get_command(app).make_context(name, shlex.split(options, comments=True))  # parses, and runs nothing


def test_a_family_page_has_each_of_its_models_with_what_it_logs(script: Callable[[str], Any]) -> None:
    families = script("families")
    assert sorted(name for names in families.families().values() for name in names) == sorted(MODELS)
    page = families.sections("adversarial")
    if page.startswith("!["):  # of a family whose picture has been drawn
        page = page.partition("\n\n")[2]
    parts = page.split("\n## ")
    assert [part.strip("# ").split("\n")[0] for part in parts] == [f"`{n}`" for n in families.families()["adversarial"]]
    assert (
        "| `generator` | the generator's loss, mean softplus(-D(G(z)))" in parts[0]
        and "\n- Goodfellow et al. (2014). Generative" in parts[0]
    )


def test_references_over_several_lines_are_told_apart(script: Callable[[str], Any]) -> None:
    docstring = """What it is.

Args:
    a: b.

References:
    One, Two (2001). A Title: that
    goes on. (A remark
    on it.)
    Three (2002). Is This a Title?
    (It is.)
"""
    about, papers = script("families").parts(docstring)
    first, second = (
        "One, Two (2001). A Title: that goes on. (A remark on it.)",
        "Three (2002). Is This a Title? (It is.)",
    )
    assert about == "What it is." and papers == [first, second]


def test_what_is_not_measured_yet_says_so_and_how(script: Callable[[str], Any]) -> None:
    program = script("update_pages")
    for page, _, make in program.PAGES:
        if page == "docs/generation.md":
            assert re.fullmatch(
                r"\*Not measured yet\*: `python scripts/bench_\w+\.py.*` writes results/\w+\.csv\.\n", make()
            )


def test_baselines_stand_last_and_what_is_missing_is_empty(script: Callable[[str], Any]) -> None:
    figures, tables = script("figures"), script("generation_tables")
    names = ("training set", "gmm", "training set decoded", "diffusion")
    figures.write("some", [_generated(name, 0.5 + 0.01 * place) for place, name in enumerate(names)])
    text = script("tables").measured("some", tables.generation, "python scripts/bench_generation.py")
    rows = _cells(text)
    assert [row[0] for row in rows] == ["gmm", "diffusion", "*training set*", "*training set decoded*"]
    assert rows[0][-3:] == ["50.0 (25 to 25)", "51.0 (25 to 25)", "50.5 ± 1.2 (6 sets)"]
    assert rows[0][1] == "10.0 min" and rows[2][1] == ""
    assert "`python scripts/bench_generation.py` repeats it." in text and figures.conditions()["torch"] in text
    copying = _cells(tables.copying(figures.read("some")))
    assert copying[0] == ["gmm", "12%", "0.12", "0.12", "", "12%", "0.1", "0.8"] and copying[1][4] == "-1.50"


def test_the_best_generator_is_held_against_the_training_set_and_the_papers_models(
    script: Callable[[str], Any],
) -> None:
    figures, tables = script("figures"), script("generation_tables")
    rows = [_generated(name, 0.5) for name in ("diffusion", "wgan_gp", "gmm", "training set", "second sample")]
    rows[0] |= {"one_nna_cd_mean": 0.52, "one_nna_cd_error": 0.004, "jsd": 0.4, "copies": 0.01}
    rows[1] |= {"one_nna_cd_mean": 0.58, "mmd_emd": 0.4}
    rows[2] |= {"one_nna_cd_mean": 0.61, "mmd_emd": 0.6}
    rows[3] |= {"one_nna_cd_mean": 0.49, "one_nna_cd_error": 0.003}
    figures.write("some", rows)
    (line,) = _cells(tables.standing(figures.read("some")))
    assert line[:3] == ["shapes:chair", "diffusion", "52.0 ± 0.4 (6 sets)"]
    assert line[4:] == ["+3.0 ± 0.5", "", "0.8", "1% (12%)", "2 of 3", "3 of 3"]

    # Several sets say more than one, where they were measured.
    several = [_several(name, 0.5) for name in ("diffusion", "gmm", "training set")]
    several[0] |= {"one_nna_emd_mean": 0.515, "one_nna_emd_error": 0.004, "copies": 0.02, "copies_held_out": 0.03}
    several[1] |= {"jsd_mean": 0.4, "mmd_emd_mean": 0.6}
    several[2] |= {"one_nna_emd_error": 0.003, "copies": "", "copies_held_out": 0.03}
    figures.write("means", several)
    (line,) = _cells(tables.standing(figures.read("some"), figures.read("means")))
    assert line[4:] == ["+3.0 ± 0.5", "+1.5 ± 0.5", "0.8", "2% (3%)", "", "1 of 3"]
    # Those of other shapes say nothing of these.
    figures.write("means", [{**row, "data": "b"} for row in several])
    (line,) = _cells(tables.standing(figures.read("some"), figures.read("means")))
    assert line[4:] == ["+3.0 ± 0.5", "", "0.8", "1% (12%)", "2 of 3", "3 of 3"]


def test_autoencoders_are_in_thousandths_and_have_intervals_where_measured(script: Callable[[str], Any]) -> None:
    figures, tables = script("figures"), script("generation_tables")
    kinds = {f"one_nna_{metric}_{kind}": 57.5 for metric in ("cd", "emd") for kind in ("train", "even", "decoded")}
    row = {"data": "a", "points": 64, "minutes": 2.5, "variant": "default", "steps": 1353, "weights": 2_345_678}
    row |= {"emd_train": 0.02841, "emd_test": 0.03164, "emd_floor": 0.021, **kinds, "clouds": 100}
    figures.write("some", [{**row, "one_nna_cd_even_low": 50.4, "one_nna_cd_even_high": 64.6}])
    text = tables.autoencoders(figures.read("some"))
    expected = ["default", "1,353", "2.3", "28.4", "31.6", "57.5 (50 to 65) / 57.5", "57.5 / 57.5"]
    assert _cells(text) == [expected] and "a second sampling 21.0" in text


def test_a_page_without_the_place_of_its_table_is_refused(script: Callable[[str], Any]) -> None:
    filled = script("tables").filled
    assert filled("a\n<!-- t -->\nold\n<!-- /t -->\nb\n", "t", "new \\1\n", "p.md") == (
        "a\n<!-- t -->\nnew \\1\n<!-- /t -->\nb\n"
    )
    with pytest.raises(SystemExit, match=r"p\.md: must have the lines <!-- t --> and <!-- /t -->"):
        filled("a\nb\n", "t", "new", "p.md")


def test_every_table_of_a_benchmark_reads_what_it_writes(script: Callable[[str], Any], tmp_path: Path) -> None:
    figures, tables = script("figures"), script("generation_tables")
    sampled = {"head": "diffusion", "sampler": "ddim", "held_out_codes": 20, "evaluations": 5, "score": 0.1234}
    sampled |= {"low": -0.5, "high": 0.5, "novelty": 1.0, "seconds_1000_codes": 0.25, "seconds_1000_clouds": ""}
    figures.write("samplers", [sampled])
    assert _cells(script("code_tables").samplers(figures.read("samplers"))) == [
        ["ddim", "5", "0.12", "-0.50 to 0.50", "1.00", "0.25 s", ""]
    ]
    completed = {
        f"{d}_{k}{end}": 0.02 for d in ("cd", "emd") for k in ("best", "mean") for end in ("", "_low", "_high")
    }
    completed = {"data": "a", "share": 0.25, "clouds": 9, "way": "w", **completed, "diversity_emd": ""}
    figures.write("completion", [completed])
    assert _cells(tables.completion(figures.read("completion"))) == [
        ["25%", "w", "0.0200 (0.0200 to 0.0200)", "0.0200", "0.02000", ""]
    ]
    figures.write(
        "training", [{"points": 64, "batch": 8, "variant": "v", "clouds_per_second": 100.4, "times_eager": 2.55}]
    )
    assert _cells(script("task_tables").training(figures.read("training"))) == [["v", "100", "2.5"]]


def test_rows_of_other_data_stay_with_what_they_were_made_on(
    script: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    figures, tables = script("figures"), script("tables")
    figures.write("some", [{"data": data, "value": 1} for data in ("a", "b")])
    then = {**figures.conditions(), "commit": "another"}
    monkeypatch.setattr(figures, "conditions", lambda: then)
    assert figures.of_others("none", data=["b"]) == []
    figures.write("some", [{"data": "b", "value": 2}], figures.of_others("some", data=["b"]))
    rows = figures.read("some")
    assert [(row["data"], row["value"], row["commit"] == "another") for row in rows] == [
        ("a", "1", False),
        ("b", "2", True),
    ]
    text = tables.measured("some", lambda rows: "", "python scripts/bench_generation.py")
    assert text.count("pcgen ") == 1 and f", another, {then['date']}; `python" in text
    with pytest.raises(ValueError, match=r"some\.csv: its rows must have the columns .*other.*; move it"):
        figures.write("some", [{"other": 1}], rows)


def test_an_order_is_so_where_the_intervals_tell_the_scores_apart(script: Callable[[str], Any]) -> None:
    def row(data: str, model: str, score: float, half: float) -> dict[str, str]:
        ends = {"low": str(score - half), "high": str(score + half)}
        return {"data": data, "model": model, "score": str(score), **ends}

    orders = script("orders").orders
    rows = [row("a", "vade", 0.1, 0.06), row("a", "vae", 0.21, 0.08)]  # a difference of 0.11, an interval of 0.1
    rows += [row("b", "vade", 0.1, 0.06), row("b", "vae", 0.19, 0.08)]
    rows += [row("c", "vade", 0.5, 0.06), row("c", "vae", 0.1, 0.08), row("c", "dae", 0.1, 0.1)]
    (line,) = _cells(orders(rows))  # of the other claims a model is missing
    assert line[:2] == ["`vade`", "`vae`"] and line[3:6] == ["0.10 : 0.21", "0.10 : 0.19", "0.50 : 0.10"]
    assert line[6] == "yes on 1 of 3, the other way on 1 of 3"
    (line,) = _cells(orders(rows[2:4]))
    assert line[4:] == ["not told apart", ""]
