"""What several commands share: where output may go, options given as name=value, words to the user."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from pcgen.errors import choose

__all__ = [
    "check_out",
    "emd_limit",
    "parse_metrics",
    "parse_settings",
    "say",
]

# Types as jsonargparse writes them, and as a user would say it.
_KINDS = {
    "<class 'int'>": "a whole number",
    "<class 'float'>": "a number",
    "<class 'bool'>": "true or false",
    "<class 'str'>": "a text",
}


def emd_limit(given: int | None) -> int | Literal["auto"] | None:
    """The limit that `pcgen.metrics.evaluate` takes for the one given: none is "auto", and 0 is none."""
    return "auto" if given is None else given or None


def say(*lines: str) -> None:
    """Tell the user something on standard error, which leaves standard output to results; under torchrun once."""
    for line in lines if os.environ.get("RANK", "0") == "0" else ():
        print(line, file=sys.stderr, flush=True)


def check_out(path: Path, suffix: str, overwrite: bool, option: str = "--out") -> None:
    """Refuse a file that cannot be written, before any work; the folder it is to stand in is made.

    Raises:
        ValueError: the name does not end in `suffix`, or is a folder's.
        FileExistsError: the file exists and `overwrite` is False, or a folder in its path is a file.
        PermissionError: its folder cannot be made or written to.
    """
    if path.suffix.lower() != suffix:
        raise ValueError(f"{option}: must end in {suffix}, got {path}; name it {path.with_suffix(suffix)}")
    if path.is_dir():
        raise ValueError(f"{option}: {path} is a folder; name a file in it, {path / ('out' + suffix)} say")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{option}: {path} exists; choose another name or give --overwrite")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writable = os.access(path.parent, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise PermissionError(f"{option}: {path.parent} is no folder that can be written to; choose another one")


def parse_metrics(text: str) -> list[str]:
    """The distances of `--metrics cd,emd`.

    Raises:
        ValueError: there is none, or one of another name.
    """
    return [choose(name.strip(), ["cd", "emd"], "--metrics") for name in text.split(",")]


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
        if not free:
            raise ValueError(f"--set: there are no options to set here, got {setting!r}; leave it out")
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
            expected = re.search(r"Expected an? (.*?)\. Got", " ".join(str(error).split()))
            wanted = _KINDS.get(expected[1], expected[1]) if expected else "of the type that `pcgen models` shows"
            raise ValueError(f"--set {name}: must be {wanted}, got {value!r}") from error
    return values
