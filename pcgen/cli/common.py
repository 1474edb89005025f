"""Shared parts of commands: output files, options given as name=value, messages."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from pcgen.errors import choose

if TYPE_CHECKING:
    import typer

    from pcgen.data import Clouds
    from pcgen.data.gathering import Reading

__all__ = [
    "check_out",
    "emd_limit",
    "given",
    "parse_metrics",
    "parse_model_settings",
    "parse_settings",
    "read_each",
    "say",
]

_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
_NOTES = 10  # printed of clouds that are read one by one


def emd_limit(given: int | None) -> int | Literal["auto"] | None:
    """The limit that `pcgen.metrics.evaluate` takes for the one given: none is "auto", and 0 is none."""
    return "auto" if given is None else given or None


def say(*lines: str) -> None:
    """Print a message on standard error, which leaves standard output to results; under torchrun only once."""
    for line in lines if os.environ.get("RANK", "0") == "0" else ():
        print(line, file=sys.stderr, flush=True)


def given(context: "typer.Context", besides: Iterable[str] = (), among: Iterable[str] | None = None) -> list[str]:
    """The options that the command line has, as it names them: all but `besides`, or those `among` these parameters."""
    found = []
    for option in context.command.params:
        source = context.get_parameter_source(str(option.name))
        if (
            option.name not in besides
            and (among is None or option.name in among)
            and source is not None
            and source.name != "DEFAULT"
        ):
            found.append(option.opts[0])
    return found


def check_out(path: Path, suffix: str, overwrite: bool, option: str = "--out") -> None:
    """Raise an error for a file that cannot be written, before any work; its folder is made.

    Raises:
        ValueError: the name does not end in `suffix`, or is a folder's.
        FileExistsError: the file exists and `overwrite` is False, or a folder in its path is a file.
        PermissionError: its folder cannot be made or written to.
    """
    if path.suffix.lower() != suffix:
        raise ValueError(f"{option}: must end in {suffix}, got {path}; name it {path.with_suffix(suffix)}")
    if path.is_dir():
        raise ValueError(f"{option}: {path} is a folder; name a file in it, for example {path / ('out' + suffix)}")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{option}: {path} exists; choose another name or give --overwrite")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writable = os.access(path.parent, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise PermissionError(f"{option}: cannot write into the folder {path.parent}; choose another folder")


def read_each(
    spec: str, how: "Reading", purpose: str, count: int | None = None, shuffled: int | None = None
) -> "list[Clouds]":
    """The first clouds of a source, or of its order by a seed, each a set of one, as their sizes may differ.

    Their notes are printed.

    Args:
        spec: SOURCE[:CLASS][@SPLIT].
        how: as for `load_each`.
        purpose: what they are read for, a verb, for messages.
        count: at most this many; None is all.
        shuffled: the seed of the order; None is the order of the source.

    Raises:
        ValueError: as for `load`; or all clouds are bad and left out.
    """
    from pcgen import data

    found = list(islice(data.load_each(spec, how, shuffle=shuffled is not None, seed=shuffled), count))
    if not found:
        raise ValueError(f"{spec}: no cloud is left to {purpose}; pcgen data check {spec} lists the errors")
    notes = list(dict.fromkeys(note for cloud in found for note in cloud.notes))
    say(*notes[:_NOTES], *([f"and {len(notes) - _NOTES} more notes on clouds"] if len(notes) > _NOTES else []))
    return found


def parse_metrics(text: str) -> list[str]:
    """The distances of `--metrics cd,emd`, each once.

    Raises:
        ValueError: there is none, or one of another name.
    """
    return list(dict.fromkeys(choose(name.strip(), ["cd", "emd"], "--metrics") for name in text.split(",")))


def parse_settings(settings: Sequence[str], *targets: Callable[..., Any], skip: Iterable[str] = ()) -> dict[str, Any]:
    """Values of name=value options, by the types that the targets' signatures state.

    Args:
        settings: name=value each; of a name that is given twice, the last value counts.
        *targets: classes, functions, or methods of instances, whose arguments are options together.
        skip: arguments that are not options; the first argument of sampling, n, and tensors never are.

    Raises:
        ValueError: no such argument (the nearest is named), or a value of another type.
    """
    import inspect

    from jsonargparse import ArgumentParser
    from torch import Tensor

    types: dict[str, Any] = {}
    names: list[str] = []
    for target in targets:
        types |= get_type_hints(target.__init__ if inspect.isclass(target) else target)
        named = [each for each in inspect.signature(target).parameters.values() if each.kind != each.VAR_KEYWORD]
        names += [each.name for each in named if each.name not in {"n", *skip, *names}]
    free = [name for name in names if name in types and Tensor not in (types[name], *get_args(types[name]))]
    values = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ValueError(f"--set: must be name=value, got {setting!r}")
        if not free:
            raise ValueError(f"--set: there are no options to set here, got {setting!r}; leave it out")
        name = choose(name.strip(), free, "--set")
        parser = ArgumentParser(exit_on_error=False, add_help=False)
        parser.add_argument(f"--{name}", type=types[name])
        try:
            values[name] = parser.parse_args([f"--{name}={value}"]).as_dict()[name]
        except Exception as error:  # jsonargparse raises argparse's errors, and its own of several types
            raise ValueError(f"--set {name}: must be {_kind(types[name])}, got {value!r}") from error
    return values


def _kind(wanted: Any) -> str:
    """What a value of a type is, in words: "a whole number or null"."""
    if isinstance(wanted, UnionType) or get_origin(wanted) is Union:
        return " or ".join(map(_kind, get_args(wanted)))
    if get_origin(wanted) is Literal:
        return f"one of {', '.join(map(str, get_args(wanted)))}"
    if wanted in _KINDS:
        return _KINDS[wanted]
    container = get_origin(wanted) or wanted
    if issubclass(container, Mapping):
        return "a mapping in braces, {name: value}"
    return "a list in brackets, [64, 128]" if issubclass(container, Sequence) else f"a {container.__name__}"


def parse_model_settings(
    settings: Sequence[str], names: Sequence[str], target: Callable[[str], tuple[Callable[..., Any], Iterable[str]]]
) -> dict[str, dict[str, Any]]:
    """Values of MODEL.name=value options, by model; `target` gives a model's class, and arguments that are settled.

    Raises:
        ValueError: no such model or argument (the nearest is named), or a value of another type.
    """
    config: dict[str, dict[str, Any]] = {}
    for setting in settings:
        name, dot, rest = setting.partition(".")
        if not dot:
            raise ValueError(f"--set: must be MODEL.name=value, got {setting!r}")
        cls, settled = target(choose(name, names, "--set: model"))
        config.setdefault(name, {}).update(parse_settings([rest], cls, skip=settled))
    return config
