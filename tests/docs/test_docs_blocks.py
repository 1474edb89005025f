"""Every command and every program of the pages runs, made small; what cannot run says so and must parse."""

import contextlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_blocks import PAGES, ROOT, Block, blocks, commands, shortened

if not (ROOT / "docs").is_dir():
    pytest.skip("no source tree with its pages", allow_module_level=True)

RUNS = [page for page in PAGES if any(block.language in ("bash", "python") for block in blocks(page))]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", RUNS, ids=name_of)
def test_blocks_run(page: Path, world: Path, pcgen: Callable[[list[str]], str], tmp_path: Path) -> None:
    """In the order of the page, in one folder; programs share their names."""
    folder = tmp_path / "folder"
    shutil.copytree(world, folder, copy_function=os.link)  # what is written anew takes the place of a link
    names: dict[str, Any] = {"__name__": "page"}
    with contextlib.chdir(folder):
        for block in blocks(page):
            if block.language == "python" and not block.skipped:
                exec(compile(block.text, name_of(page), "exec"), names)  # noqa: S102
            elif block.language == "bash":
                for words in commands(block):
                    run_command(block, words, pcgen)
    check = CHECKS.get(name_of(page))
    if check is not None:
        check(names)


def run_command(block: Block, words: list[str], pcgen: Callable[[list[str]], str]) -> None:
    if block.skipped:
        parse(words, pcgen)
    elif words[0] == "pcgen":
        pcgen(shortened(words[1:]))
    else:
        line = " ".join(words)
        assert line == "source .venv/bin/activate", f"is not run; say why in <!-- not run: ... -->: {line}"


def parse(words: list[str], pcgen: Callable[[list[str]], str]) -> None:
    """A command that is not run: pcgen must know its options, and a script must be there and know them."""
    if "pcgen" in words:
        pcgen([*words[words.index("pcgen") + 1 :], "--help"])
        return
    scripts = [word for word in words if word.startswith("scripts/")]
    assert scripts, f"neither a command of pcgen nor a script: {' '.join(words)}"
    text = (ROOT / scripts[0]).read_text(encoding="utf-8")
    for word in words[words.index(scripts[0]) :]:
        option = word.removeprefix("--").replace("-", "_")
        assert not word.startswith("--") or re.search(rf"\b{option}\b", text), f"{scripts[0]} has no option {word}"


def check_readme(names: dict[str, Any]) -> None:
    import torch

    assert names["samples"].shape == (40, 256, 3)
    assert names["report"].one_nna_cd < 0.95  # what a first look should see: shapes, not noise
    torch.testing.assert_close(names["matching"].lower_bound, names["matching"].cost, rtol=1e-12, atol=0)
    assert names["y"].grad.abs().sum() > 0
    from pcgen import training

    mine = training.fit(names["MyModel"]((3,)), torch.randn(200, 3) + 2, steps=600)
    assert (mine.sample(500).mean(0) - 2).abs().max() < 0.4


CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {"README.md": check_readme}
