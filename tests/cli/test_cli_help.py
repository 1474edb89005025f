"""What `--help` says of every command."""

from collections.abc import Iterator
from typing import Any

import typer

from pcgen.cli import app


def commands(of: Any, name: str) -> Iterator[tuple[str, Any]]:
    own = getattr(of, "commands", None)
    if own is None:
        yield name, of
    for child, command in (own or {}).items():
        yield from commands(command, f"{name} {child}")


def test_every_option_of_every_command_is_explained() -> None:
    found = dict(commands(typer.main.get_command(app), "pcgen"))
    assert {"pcgen train", "pcgen data convert"} <= set(found)
    silent = [f"{name} --{each.name}" for name, of in found.items() for each in of.params if not each.help]
    assert silent == []
