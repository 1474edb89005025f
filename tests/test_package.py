"""What `import pcgen` gives."""

import ast
from pathlib import Path

import pcgen


def test_editors_and_type_checkers_see_every_submodule() -> None:
    (guarded,) = [
        node
        for node in ast.parse(Path(pcgen.__file__).read_text()).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    # `as` of the same name marks what is exported (PEP 484).
    seen = [name for line in guarded.body if isinstance(line, ast.ImportFrom) for name in line.names]
    assert {name.name for name in seen} == set(pcgen._SUBMODULES)
    assert all(name.name == name.asname for name in seen)
