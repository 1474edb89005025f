"""What a user is told of a model, read from its class: signature, docstring and the protocols that it satisfies."""

import inspect
from dataclasses import dataclass
from typing import get_type_hints

from docstring_parser import Docstring, parse

from pcgen.errors import choose
from pcgen.models import CLASSIFIERS, MODELS
from pcgen.models.base import Bounded, Chain, Conditional, Density, Energy, GenerativeModel, Latent, Learner

__all__ = ["Argument", "Summary", "arguments", "model_class", "summary"]

_CAPABILITIES = {
    "log_prob": Density,
    "bound": Bounded,
    "free energy": Energy,
    "codes": Latent,
    "chain": Chain,
}


@dataclass(frozen=True)
class Summary:
    """One row of the table of models, in words."""

    what: str
    learns: str
    also: str
    training: str
    paper: str


@dataclass(frozen=True)
class Argument:
    """One argument of a model's configuration."""

    name: str
    type: str
    default: str
    what: str


def model_class(name: str) -> type[Learner]:
    """The class of a model of the suite, or of a classifier.

    Raises:
        ValueError: there is none of that name; the nearest is named.
    """
    choose(name, [*MODELS, *CLASSIFIERS], "model")
    return MODELS[name] if name in MODELS else CLASSIFIERS[name]


def summary(name: str) -> Summary:
    """What the model of that name is, what it learns, what else it has, and how long it trains by default."""
    cls = model_class(name)
    kinds = ["labelled clouds"]
    if name in MODELS:
        kinds = [kind for kind, shape in (("vectors", (4,)), ("clouds", (64, 3))) if _accepts(cls, shape)]
    also = [word for word, protocol in _CAPABILITIES.items() if issubclass(cls, protocol)]
    if _conditional(cls):
        also.append("by label")
    batch = cls.recipe.batch_size
    return Summary(
        what=_docstring(cls).short_description or "",
        learns=", ".join(kinds),
        also=", ".join(also),
        training=f"{cls.recipe.steps} steps of {'the whole set' if batch is None else f'{batch} rows'}",
        paper=_paper(cls),
    )


def arguments(cls: type[Learner]) -> list[Argument]:
    """Every argument of a model's constructor but the shape, which the data gives."""
    described = {p.arg_name: p.description or "" for p in _docstring(cls).params}
    hints = get_type_hints(cls.__init__)
    return [
        Argument(
            name,
            _type_name(hints.get(name)),
            "" if parameter.default is inspect.Parameter.empty else repr(parameter.default),
            " ".join(described.get(name, "").split()),
        )
        for name, parameter in inspect.signature(cls).parameters.items()
        if name != "shape"
    ]


def _docstring(cls: type) -> Docstring:
    return parse(inspect.getdoc(cls) or "")


def _accepts(cls: type[Learner], shape: tuple[int, ...]) -> bool:
    try:
        cls(shape)
    except ValueError:
        return False
    return True


def _conditional(cls: type[Learner]) -> bool:
    return (
        issubclass(cls, GenerativeModel)
        and issubclass(cls, Conditional)
        and "labels" in inspect.signature(cls.sample).parameters
    )


def _paper(cls: type) -> str:
    """Authors and year of the first reference: "Ho, Jain, Abbeel (2020)"."""
    text = inspect.getdoc(cls) or ""
    reference = text.partition("References:")[2].strip().partition(")")[0]
    return " ".join(f"{reference})".split()) if reference else ""


def _type_name(hint: object) -> str:
    if hint is None:
        return ""
    if inspect.isclass(hint):
        return hint.__name__
    return str(hint).replace("typing.", "").replace("collections.abc.", "").replace("torch.nn.modules.module.", "")
