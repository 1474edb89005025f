"""Information about a model from the text of its class, read without importing it: torch alone takes a second."""

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
        own: values of class attributes that are literals.
        constants: the same, inherited ones too.
        methods: names of its methods, inherited ones too.
        lineage: places of the class itself and of those it inherits from, in the order in which Python asks them.
    """

    docstring: str
    own: dict[str, object]
    constants: dict[str, object]
    methods: frozenset[str]
    lineage: tuple[str, ...]

    @property
    def ancestors(self) -> frozenset[str]:
        """Names of the classes it inherits from."""
        return frozenset(place.partition(":")[2] for place in self.lineage[1:])

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
    methods = {node.name for node in cls.body if isinstance(node, ast.FunctionDef)}
    inherited: list[str] = []
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
            methods |= parent.methods
            inherited += parent.lineage
    # A class that two bases share is asked after both.
    lineage = [each for i, each in enumerate(inherited) if each not in inherited[i + 1 :]]
    own = dict(_literals(cls))
    constants: dict[str, object] = {}
    for each in reversed(lineage):
        constants |= read_class(each).own
    return ClassText(ast.get_docstring(cls) or "", own, constants | own, frozenset(methods), (place, *lineage))


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
