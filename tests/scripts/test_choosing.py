"""The tables of the pages on choosing a model and on performance."""

from collections.abc import Callable
from typing import Any

Script = Callable[[str], Any]


def _row(data: str, model: str, score: float, seconds: float = 10.0, weights: int = 5) -> dict[str, str]:
    about = {"data": data, "model": model, "training_codes": "90"}
    return {**about, "score": str(score), "seconds": str(seconds), "weights": str(weights)}


def _cells(table: str) -> list[list[str]]:
    """The rows of a table in Markdown, without its head."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_models_are_listed_where_they_have_what_is_needed(script: Script) -> None:
    exact, bound, constant, label, *_ = (row[1] for row in _cells(script("choosing").needs()))
    assert "[`gmm`](models/mixtures.md#gmm)" in exact and "`diffusion`" not in exact
    assert "`diffusion`" in bound and "`rbm`" in constant and "`flow_matching`" in label
    assert "autoencoder`" not in script("choosing").needs().replace("`set_autoencoder`, which", "")


def test_the_best_on_average_stands_first_and_what_is_not_trained_last(script: Script) -> None:
    rows = [_row("a", "training codes", 0, 0, 0), _row("a", "gan", 0.5), _row("a", "gmm", 0.1, 3), _row("a", "vae", 0)]
    rows += [_row("b", "training codes", 0, 0, 0), _row("b", "gan", 0.2, 20), _row("b", "gmm", 0.3, 4)]
    assert _cells(script("choosing").scores(rows)) == [
        ["gmm", "0.10", "0.30", "3 to 4 s"],
        ["gan", "0.50", "0.20", "10 to 20 s"],
        ["*training codes*", "0.00", "0.00", ""],
    ]
    costs = script("costs").training(rows)
    assert _cells(costs)[0] == ["gan", "5", "10 to 20 s"] and "| head | numbers stored | training |" in costs


def test_memory_is_three_numbers_of_four_bytes_a_point(script: Script) -> None:
    first, *_, last = _cells(script("costs").memory())
    assert first == ["1,000", "12 MiB", "23 MiB", "94 MiB"] and last[-1] == "9.2 GiB"


def test_times_are_of_the_default_samplers(script: Script) -> None:
    row = {"head": "gan", "sampler": "default", "evaluations": "1", "seconds_1000_codes": "0.256"}
    rows = [{**row, "seconds_1000_clouds": ""}, {**row, "sampler": "other", "seconds_1000_clouds": "3"}]
    assert _cells(script("costs").drawing(rows)) == [["gan", "1", "0.26 s", ""]]
