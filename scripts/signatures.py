"""Signatures as they are written in the source: the same text with every version of Python and of torch."""

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["signature"]

_WIDTH = 100


def signature(value: Callable[..., Any], *, bound: bool = False) -> str:
    """The first line of a function or class; of a dataclass or named tuple the lines of its fields, comments and all.

    Args:
        value: a function or class.
        bound: leave out the first argument, `self` or `cls`.
    """
    if not inspect.isclass(value):
        return _function(value, "", bound)
    bases = [base.__name__ for base in value.__bases__ if base is not object]
    head = f"class {value.__name__}({', '.join(bases)})" if bases else f"class {value.__name__}"
    if dataclasses.is_dataclass(value) or hasattr(value, "_fields"):
        return "\n".join([f"{head}:", *_fields(value)])
    if "__init__" not in vars(value) and not any("__init__" in vars(base) for base in _own(value)):
        return head
    return f"{head}\n{_function(value.__init__, value.__name__, True)}"  # type: ignore[misc]


def _own(cls: type) -> list[type]:
    """The bases that are pcgen's."""
    return [base for base in cls.__mro__[1:] if base.__module__.startswith("pcgen")]


def _function(function: Callable[..., Any], name: str, bound: bool) -> str:
    node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if not isinstance(node, ast.FunctionDef):
        raise ValueError(f"{function}: must be a function that is written with def, got {ast.unparse(node)[:60]}")
    arguments = list(_arguments(node.args))[1 if bound and not _is_static(node) else 0 :]
    end = "" if name or node.returns is None else f" -> {ast.unparse(node.returns)}"
    line = f"{name or node.name}({', '.join(arguments)}){end}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"{name or node.name}(", *(f"    {each}," for each in arguments), f"){end}"])


def _is_static(node: ast.FunctionDef) -> bool:
    return any(ast.unparse(each) == "staticmethod" for each in node.decorator_list)


def _arguments(given: ast.arguments) -> Iterator[str]:
    """Each argument with its type and default, and the marks of those by keyword alone."""
    places = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [None] * (len(places) - len(given.defaults)) + list(given.defaults)
    yield from (_argument(each, default) for each, default in zip(places, defaults, strict=True))
    if given.vararg is not None:
        yield f"*{_argument(given.vararg, None)}"
    elif given.kwonlyargs:
        yield "*"
    yield from (_argument(each, default) for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True))
    if given.kwarg is not None:
        yield f"**{_argument(given.kwarg, None)}"


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    kind = "" if argument.annotation is None else f": {ast.unparse(argument.annotation)}"
    equals = " = " if kind else "="
    return f"{argument.arg}{kind}" + ("" if default is None else f"{equals}{ast.unparse(default)}")


def _fields(cls: type) -> Iterator[str]:
    """The lines of the fields, those of bases first."""
    for each in reversed([cls, *_own(cls)]):
        source = textwrap.dedent(inspect.getsource(each))
        (node,) = ast.parse(source).body
        lines = source.splitlines()
        for part in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(part, ast.AnnAssign) and not ast.unparse(part.target).startswith("_"):
                yield from lines[part.lineno - 1 : part.end_lineno]
