"""What the text of a model's class says of it, read without importing it: torch alone takes a second."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import pcgen

__all__ = ["ClassText", "read_class"]

T = TypeVar("T")
_ROOT = Path(pcgen.__file__).parent


@dataclass(frozen=True)
class ClassText:
    """A class of pcgen, with what it inherits from other classes of pcgen.

    Attributes:
        docstring: its own.
        constants: values of class attributes that are literals, inherited ones too.
        methods: names of its methods, inherited ones too.
        ancestors: names of the classes it inherits from.
    """

    docstring: str
    constants: dict[str, object]
    methods: frozenset[str]
    ancestors: frozenset[str]

    def literal(self, name: str, kind: type[T]) -> T:
        """The value of a class attribute, of that type.

        Raises:
            ValueError: the class has none that is a literal of that type.
        """
        value = self.constants.get(name)
        if not isinstance(value, kind):
            raise ValueError(f"{name}: must be a literal {kind.__name__} in the class, got {value!r}")
        return value


@cache
def read_class(place: str) -> ClassText:
    """Read the class at `module:Class`, a module of pcgen."""
    module, _, name = place.partition(":")
    tree = _parse(module)
    cls = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    constants: dict[str, object] = dict(_literals(cls))
    methods = {node.name for node in cls.body if isinstance(node, ast.FunctionDef)}
    ancestors: set[str] = set()
    imported = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pcgen.")
        for alias in node.names
    }
    local = {node.name: f"{module}:{node.name}" for node in tree.body if isinstance(node, ast.ClassDef)}
    for base in cls.bases:
        where = (imported | local).get(base.id) if isinstance(base, ast.Name) else None
        if where is not None:
            parent = read_class(where)
            constants = parent.constants | constants
            methods |= parent.methods
            ancestors |= {where.partition(":")[2], *parent.ancestors}
    return ClassText(ast.get_docstring(cls) or "", constants, frozenset(methods), frozenset(ancestors))


@cache
def _parse(module: str) -> ast.Module:
    path = _ROOT.joinpath(*module.split(".")[1:])
    return ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8"))


def _literals(cls: ast.ClassDef) -> Iterator[tuple[str, object]]:
    for node in cls.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            try:
                yield node.target.id, ast.literal_eval(node.value)
            except ValueError:  # not a literal
                continue
