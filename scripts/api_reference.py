"""Pages of the API, docs/api/PACKAGE.md: signatures as they are written, and docstrings as Markdown."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import tables
from docstrings import first_sentence, rendered
from families import families
from signatures import signature

import pcgen
from pcgen.models import MODELS

__all__ = ["PAGES", "page"]

_INDEX = "pcgen"
_ROOT = Path(pcgen.__file__).parent.parent
_BESIDE = {
    "models": ("pcgen.models.abilities", "pcgen.models.clouds.latent", "pcgen.models.clouds.deformed"),
    "ops": ("pcgen.ops.graph",),
}  # modules that are used by themselves, after the package's own names

PAGES = (_INDEX, *pcgen._SUBMODULES)


def page(package: str) -> str:
    """The page of a package, or of all of them, docs/api/pcgen.md."""
    if package == _INDEX:
        return _index()
    return "\n\n".join(part for module in _modules(package) for part in _of_module(module, package)) + "\n"


def _index() -> str:
    lines = [
        (f"[`pcgen.{name}`]({name}.md)", first_sentence(importlib.import_module(f"pcgen.{name}"))) for name in PAGES[1:]
    ]
    about = f"# `pcgen`\n\n{rendered(inspect.getdoc(pcgen) or '')}"
    return f"{about}\n\n{tables.grid(('package', 'what it is'), lines)}"


def _modules(package: str) -> Iterator[ModuleType]:
    """The package itself, and what stands beside it; where it has no names of its own, all of its modules."""
    module = importlib.import_module(f"pcgen.{package}")
    yield module
    beside = _BESIDE.get(package, ())
    if not hasattr(module, "__all__"):
        beside = tuple(f"{module.__name__}.{each.name}" for each in pkgutil.iter_modules(module.__path__))
    within = [getattr(module, name) for name in getattr(module, "__all__", ())]
    yield from (each for each in within if inspect.ismodule(each))
    yield from map(importlib.import_module, beside)


def _of_module(module: ModuleType, package: str) -> Iterator[str]:
    depth = "#" if module.__name__ == f"pcgen.{package}" else "##"
    yield f"{depth} `{module.__name__}`"
    yield rendered(inspect.getdoc(module) or "")
    for name in getattr(module, "__all__", ()):
        if not inspect.ismodule(value := getattr(module, name)):
            yield from _of_name(name, value, module)


def _of_name(name: str, value: Any, module: ModuleType) -> Iterator[str]:
    yield f"### `{name}`"
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        yield _constant(name, value)
        return
    home = value.__module__
    if home.startswith("pcgen.") and not home.startswith(module.__name__) and home.split(".")[1] in PAGES:
        yield f"See [`{home}`]({home.split('.')[1]}.md#{name.lower()})."
        return
    source = inspect.getsourcefile(inspect.unwrap(value)) or ""
    path = Path(source).relative_to(_ROOT).as_posix()
    yield f"```python\n{signature(value)}\n```"
    yield rendered(inspect.getdoc(value) or "")
    if inspect.isclass(value):
        yield from _members(value)
    yield f"Source: [{path}](../../{path})."


def _members(cls: type) -> Iterator[str]:
    """The public methods and properties of the class that have docstrings, with those of bases without a page."""
    public = importlib.import_module(".".join(cls.__module__.split(".")[:2]))
    bases = [base for base in cls.__mro__[1:] if base.__module__.startswith(public.__name__)]
    unseen = [base for base in bases if not hasattr(public, base.__name__)]
    for name, value in [pair for each in (*reversed(unseen), cls) for pair in vars(each).items()]:
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if name.startswith("_") or not inspect.isfunction(function) or not function.__doc__:
            continue
        kind = "property " if isinstance(value, property) else ""
        text = f"{signature(function, bound=True)}" if not kind else f"{name} -> {_returned(function)}"
        yield f"**{kind}`{text}`**" if "\n" not in text else f"```python\n{text}\n```"
        yield rendered(inspect.getdoc(function) or "")


def _returned(function: Any) -> str:
    return signature(function, bound=True).rpartition(" -> ")[2]


def _constant(name: str, value: Any) -> str:
    if value is MODELS:
        links = (f"[`{each}`](../models/{family}.md#{each})" for family, own in families().items() for each in own)
        return f"Classes by name, each imported when it is asked for: {', '.join(links)}."
    if isinstance(value, Mapping):
        return f"A mapping with the keys {', '.join(f'`{key}`' for key in value)}."
    return f"`{name} = {value!r}`"
