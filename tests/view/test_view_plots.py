"""Plots, read back from their PNG."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pcgen.view import curves, scatter
from pcgen.view.colors import by_label


def ink(path: Path, color: Any) -> Any:
    """Rows and columns of the pixels that have a colour."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")) / 255
    return np.nonzero(np.abs(pixels - color).max(axis=2) < 0.03)


def test_curves_draw_each_loss_and_the_validation(tmp_path: Path) -> None:
    history = [{"step": s, "losses": {"falling": 1.0 - s / 100, "level": 0.5}} for s in range(0, 101, 10)]
    history[5]["validation"] = 0.9
    path = curves(history, tmp_path / "new" / "curves.png", title="a run")
    rows, columns = ink(path, by_label(0))
    left, right = columns < np.quantile(columns, 0.2), columns > np.quantile(columns, 0.6)
    assert rows[left].mean() < rows[right & (rows > rows.min() + 30)].mean()  # falls (rows count down)
    level, _ = ink(path, by_label(1))
    assert np.bincount(level).max() > 300  # a level line
    _, validation = ink(path, by_label(2))
    assert len(validation) > 30  # one validation is a dot, not an invisible line
    assert validation.min() > max(columns.max(), ink(path, by_label(1))[1].max())  # on axes of its own
    _, at = ink(path, [0x88 / 255] * 3)
    best = at[np.abs(at - validation.mean()) < 3]
    assert len(best) > 100  # an upright line through the best


def test_gaps_and_a_single_row_are_drawn(tmp_path: Path) -> None:
    values = [1.0, 0.5, float("nan"), 0.2, None]
    gaps = curves([{"step": i, "losses": {"loss": value}} for i, value in enumerate(values)], tmp_path / "a.png")
    assert len(ink(gaps, by_label(0))[0]) > 100
    assert len(ink(curves([{"step": 1, "losses": {"loss": 2.0}}], tmp_path / "b.png"), by_label(0))[0]) > 20


def test_scatter_draws_each_model_in_its_family_s_colour_at_its_place(tmp_path: Path) -> None:
    points = {"gan": (0.1, 0.1), "vae": (0.9, 0.9), "gmm": (0.1, 0.9)}
    path = scatter(points, tmp_path / "scatter.png", groups={"gan": "adversarial", "vae": "variational"})
    found = {name: [axis.mean() for axis in ink(path, by_label(i))] for i, name in enumerate(points)}
    # The legend has a dot of each colour as well, so only the order along each axis is exact.
    assert found["gan"][0] > found["vae"][0] and found["gan"][0] > found["gmm"][0]
    assert found["vae"][1] > found["gan"][1] and found["vae"][1] > found["gmm"][1]


def test_the_user_s_own_plots_are_untouched(tmp_path: Path) -> None:
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    scatter({"gan": (0.0, 1.0)}, tmp_path / "a.png")
    curves([{"step": 1, "losses": {"loss": 2.0}}], tmp_path / "b.png")
    assert pyplot.get_fignums() == before


def test_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="history: must have at least one row, got none"):
        curves([], tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"history: every row must have a 'step', got \['losses'\] in row 0"):
        curves([{"losses": {}}], tmp_path / "a.png")
    with pytest.raises(ValueError, match="points: must have at least one model, got none"):
        scatter({}, tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"must be two finite numbers for each model, got \(0\.0, nan\) for gan"):
        scatter({"gan": (0.0, float("nan"))}, tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"path: must end in \.png, got 'a\.svg'"):
        scatter({"gan": (0.0, 1.0)}, "a.svg")
    (tmp_path / "a.png").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"a\.png: exists already"):
        curves([{"step": 1, "losses": {"loss": 2.0}}], tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"mine"
