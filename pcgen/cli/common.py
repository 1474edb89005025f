"""What several commands share: where output may go, options given as name=value, words to the user."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pcgen.errors import choose

__all__ = ["FOUR_GIB", "MaxBytes", "Overwrite", "Seed", "Up", "check_out", "parse_settings", "say"]

FOUR_GIB = 4 * 2**30
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what --out names.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
MaxBytes = Annotated[int, typer.Option(min=1, help="Most memory that one set of clouds may take.")]
Up = Annotated[str, typer.Option(help="Up axis of the data: x, y, z, -x, -y or -z; clouds are turned y up.")]


def say(*lines: str) -> None:
    """Tell the user something on standard error, which leaves standard output to results; under torchrun once."""
    for line in lines if os.environ.get("RANK", "0") == "0" else ():
        print(line, file=sys.stderr, flush=True)


def check_out(path: Path, overwrite: bool, otherwise: str = "") -> None:
    """Refuse an output that exists, before any work, unless it may be replaced.

    Raises:
        FileExistsError: the path exists and `overwrite` is False.
        FileNotFoundError: the folder it would stand in does not exist and cannot be made.
    """
    if path.exists() and not overwrite:
        raise FileExistsError(f"--out: {path} exists; choose another name or give --overwrite{otherwise}")


def parse_settings(settings: Sequence[str], target: Callable[..., Any], skip: Iterable[str] = ()) -> dict[str, Any]:
    """Values of name=value options, by the types that the target's signature states.

    Raises:
        ValueError: no such argument (the nearest is named), or a value of another type.
    """
    import inspect

    from jsonargparse import ArgumentParser

    free = [name for name in inspect.signature(target).parameters if name not in {"self", "n", *skip}]
    given: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ValueError(f"--set: must be name=value, got {setting!r}")
        given[choose(name.strip(), free, "--set")] = value
    if not given:
        return {}
    parser = ArgumentParser(exit_on_error=False, add_help=False)
    add = parser.add_class_arguments if inspect.isclass(target) else parser.add_function_arguments
    left_out: set[str | int] = {name for name in inspect.signature(target).parameters if name not in free}
    add(target, skip=left_out - {"self"})
    values = {}
    for name, value in given.items():
        try:
            values[name] = parser.parse_args([f"--{name}={value}"]).as_dict()[name]
        except Exception as error:  # jsonargparse raises argparse's errors, and its own of several types
            why = " ".join(str(error).split())
            raise ValueError(f"--set {name}: cannot be {value!r}: {why.partition('Expected')[2] or why}") from error
    return values
