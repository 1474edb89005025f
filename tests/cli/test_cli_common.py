"""What several commands share: options by the signature of what they set, and files that may be written."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from torch import Tensor

from pcgen.cli.common import check_out, parse_settings
from pcgen.models import MODELS


def drawing(n: int, labels: Tensor | None = None, *, steps: int = 3, order: Literal["up", "down"] = "up") -> None:
    """A function with what sampling takes."""


class Drawer:
    def sample(self, n: int, temperature: float = 1.0, clip: bool = False) -> None: ...


@pytest.mark.parametrize(
    ("target", "given", "values"),
    [
        (MODELS["diffusion"]((4,)).draw, ["steps=3"], {"steps": 3}),
        (
            MODELS["diffusion"]((4,)).draw,
            ["steps=null", "sampler=ancestral"],
            {"steps": None, "sampler": "ancestral"},
        ),
        (MODELS["gmm"]((4,)).draw, [], {}),
        (Drawer().sample, ["temperature=1e-3", "clip=true"], {"temperature": 1e-3, "clip": True}),
        (drawing, ["steps=1", "order=down", "steps=2"], {"steps": 2, "order": "down"}),
        (MODELS["vae"], ["widths=[64, 32]", "scale=null"], {"widths": [64, 32], "scale": None}),
        (MODELS["vae"], ["encoder=pointnet2"], {"encoder": "pointnet2"}),
        (MODELS["vae"], ["encoder={name: pointnet, widths: [3]}"], {"encoder": {"name": "pointnet", "widths": [3]}}),
    ],
)
def test_options_of_methods_functions_and_classes(target: Any, given: list[str], values: dict[str, Any]) -> None:
    assert parse_settings(given, target, skip=["shape"]) == values


@pytest.mark.parametrize(
    ("target", "given", "message"),
    [
        (MODELS["gmm"]((4,)).draw, "steps=3", "--set: there are no options to set here, got 'steps=3'; leave it out"),
        (MODELS["diffusion"]((4,)).draw, "n=3", "--set: must be one of steps, sampler, guidance, match; got 'n'"),
        (MODELS["diffusion"]((4,)).draw, "steps=x", "--set steps: must be a whole number or null, got 'x'"),
        (Drawer().sample, "clip=perhaps", "--set clip: must be true or false, got 'perhaps'"),
        (drawing, "labels=3", "--set: must be one of steps, order; got 'labels'"),
        (drawing, "order=left", "--set order: must be one of up, down, got 'left'"),
        (MODELS["vae"], "widths=3", "--set widths: must be a list in brackets, [64, 128], got '3'"),
    ],
)
def test_options_that_cannot_be_set(target: Callable[..., Any], given: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        parse_settings([given], target)


def test_out_has_its_suffix_and_is_not_there(tmp_path: Path) -> None:
    check_out(tmp_path / "new" / "c.JSON", ".json", overwrite=False)
    with pytest.raises(ValueError, match=r"^--png: must end in \.png, got .*a\.obj; name it .*a\.png$"):
        check_out(tmp_path / "a.obj", ".png", overwrite=False, option="--png")
    (tmp_path / "a.json").touch()
    with pytest.raises(FileExistsError, match=r"a\.json exists; choose another name or give --overwrite"):
        check_out(tmp_path / "a.json", ".json", overwrite=False)
    check_out(tmp_path / "a.json", ".json", overwrite=True)
