"""What is printed about a model: from the text of its class, and for its options from its signature."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from docstring_parser import parse
from docstring_parser.google import DEFAULT_SECTIONS, GoogleParser, Section, SectionType

from pcgen.errors import choose
from pcgen.models import CLASSIFIERS, MODELS
from pcgen.models.catalogue import read_class

__all__ = ["Option", "Summary", "logged", "options", "summary"]

_WORDS = {
    "log_prob": "log_prob",
    "log_prob_bound": "bound",
    "free_energy": "free energy",
    "encode": "codes",
    "levels": "levels",
    "chain": "chain",
    "states": "states",
    "count": "count",
    "boxes": "boxes",
    "map": "map",
}

_DENSITIES = {"log_prob": "exact", "log_prob_bound": "a lower bound", "free_energy": "up to a constant"}


@dataclass(frozen=True)
class Summary:
    """One row of the tables of models, in words."""

    what: str
    learns: str
    also: str
    paper: str
    objective: str
    learning: str
    sampling: str
    density: str


@dataclass(frozen=True)
class Option:
    """One option of a model, or of its sampling."""

    name: str
    type: str
    default: str
    what: str


def summary(name: str) -> Summary:
    """What the model of that name is, learns and supports, without importing it.

    Raises:
        ValueError: there is none of that name; the nearest is named.
    """
    choose(name, [*MODELS, *CLASSIFIERS], "model")
    text = read_class((MODELS if name in MODELS else CLASSIFIERS).places[name])
    learns = ", ".join(f"{kind}s" for kind in text.literal("accepts", tuple))
    domain = text.literal("domain", str)
    also = [word for method, word in _WORDS.items() if method in text.methods]
    if text.constants.get("conditional"):
        also.append("by label")
    return Summary(
        what=parse(text.docstring).short_description or "",
        learns=("labelled " if name in CLASSIFIERS else "") + learns + (f" ({domain})" if domain != "real" else ""),
        also=", ".join(also) if name in MODELS else "",
        paper=_paper(text.docstring),
        objective=text.literal("objective", str),
        learning=text.literal("learning", str),
        sampling=text.literal("sampling", str),
        density=next((word for method, word in _DENSITIES.items() if method in text.methods), "none"),
    )


def options(function: Callable[..., Any], described: str, skip: tuple[str, ...] = ()) -> list[Option]:
    """Every argument of a constructor or function that has a default; `described` is the docstring with their words."""
    words = {p.arg_name: p.description or "" for p in parse(described).params}
    hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
    return [
        Option(name, _type_name(hints.get(name)), repr(parameter.default), " ".join(words.get(name, "").split()))
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in skip and parameter.default is not inspect.Parameter.empty
    ]


def logged(docstring: str) -> dict[str, str]:
    """The values that a training of the model logs, from its docstring: names and meanings."""
    parser = GoogleParser([*DEFAULT_SECTIONS, Section("Logged", "logged", SectionType.MULTIPLE)])
    found: dict[str, str] = {}
    for each in parser.parse(docstring).meta:
        if each.args[0] == "logged":
            found |= dict.fromkeys(each.args[1].split(", "), " ".join((each.description or "").split()))
    return found


def _paper(docstring: str) -> str:
    """Authors and year of the first reference: "Ho, Jain, Abbeel (2020)"."""
    reference = docstring.partition("References:")[2].strip().partition(")")[0]
    return " ".join(f"{reference})".split()) if reference else ""


def _type_name(hint: object) -> str:
    if hint is None:
        return ""
    if inspect.isclass(hint):
        return hint.__name__
    return str(hint).replace("typing.", "").replace("collections.abc.", "").replace("torch.nn.modules.module.", "")
