"""The pictures of the families, at a tiny size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from pcgen import training
from pcgen.data.training_set import training_set


def test_a_family_has_a_row_for_each_head_that_is_trained(script: Callable[[str], Any], tmp_path: Path) -> None:
    source = training_set("shapes:chair=40", points=32)
    torch.manual_seed(0)
    small = {"encoder": {"name": "pointnet", "widths": [8]}, "decoder": {"name": "fully_connected", "widths": [8]}}
    training.on_clouds("autoencoder", source, 32, code=4, reconstruction="chamfer", **small).fit(
        tmp_path / "ae", training.Options(steps=2)
    )
    codes = training.read_codes(tmp_path / "ae")
    for name in ("gaussian", "gmm", "vae"):
        training.on_codes(name, codes).fit(tmp_path / name, training.Options(steps=2))
    program = script("draw_families")
    program.main(runs=tmp_path, shapes="shapes:chair=40", size=40, out=tmp_path / "pictures")
    heights = {path.stem: Image.open(path).height for path in (tmp_path / "pictures").iterdir()}
    assert set(heights) == {"mixtures", "variational"}
    assert heights["mixtures"] > 1.2 * heights["variational"]
