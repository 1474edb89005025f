"""What is read of the text of a class is what the class is; and reading imports nothing."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pcgen.models import CLASSIFIERS, MODELS, catalogue
from pcgen.models.abilities import ABILITIES, abilities
from pcgen.models.base import Facts, GenerativeModel, Learner
from pcgen.models.catalogue import read_class
from pcgen.models.conditional import Conditional
from pcgen.models.domains import DOMAINS
from pcgen.models.summary import summary

PLACES = {**MODELS.places, **CLASSIFIERS.places}


def model(name: str) -> type[Learner]:
    return MODELS[name] if name in MODELS else CLASSIFIERS[name]


@pytest.mark.parametrize("name", PLACES)
def test_the_text_of_a_class_says_what_the_class_is(name: str) -> None:
    text, cls = read_class(PLACES[name]), model(name)
    assert text.docstring == inspect.cleandoc(cls.__doc__ or "")
    assert text.literal("accepts", tuple) == cls.accepts
    assert text.literal("domain", str) == cls.domain and cls.domain in DOMAINS
    assert {each for each in ABILITIES if each in text.methods} == set(abilities(cls))
    assert text.ancestors == {each.__name__ for each in cls.__mro__[1:] if each.__module__.startswith("pcgen.")}


@pytest.mark.parametrize("name", MODELS)
def test_a_summary_says_what_a_model_learns_and_has(name: str) -> None:
    row, cls = summary(name), MODELS[name]
    assert row.what and row.learns.partition(" (")[0] == ", ".join(f"{kind}s" for kind in cls.accepts)
    takes = "classes" in cls.arguments(Facts((4,), 100, ("a", "b")))
    assert ("by label" in row.also) == (issubclass(cls, Conditional) and takes)
    assert ("log_prob" in row.also.split(", ")) == hasattr(cls, "log_prob")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_says_how_it_learns_and_draws(name: str) -> None:
    row, cls = summary(name), MODELS[name]
    assert (row.objective, row.learning, row.sampling) == (cls.objective, cls.learning, cls.sampling)
    assert row.objective and row.learning and bool(row.sampling) == issubclass(cls, GenerativeModel)
    has = {"exact": "log_prob", "a lower bound": "log_prob_bound", "up to a constant": "free_energy"}
    assert all((row.density == word) == hasattr(cls, method) for word, method in has.items())


def test_what_is_no_literal_of_a_class_is_named() -> None:
    with pytest.raises(ValueError, match="shape: must be a literal tuple in the class, got None"):
        read_class(MODELS.places["vae"]).literal("shape", tuple)


class Root:
    domain: str = "real"
    accepts: tuple[str, ...] = ("vector",)


class Left(Root):
    accepts: tuple[str, ...] = ("set",)


class Right(Root):
    domain: str = "binary"
    accepts: tuple[str, ...] = ("cloud",)


class Both(Left, Right):
    """A diamond."""


def test_a_diamond_is_read_in_pythons_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the second base states itself goes before what the first one only inherits."""
    monkeypatch.setattr(catalogue, "_parse", lambda module: ast.parse(Path(__file__).read_text()))
    text = read_class("pcgen.diamond:Both")
    assert [place.partition(":")[2] for place in text.lineage] == [each.__name__ for each in Both.__mro__[:-1]]
    assert text.literal("domain", str) == Both.domain == "binary"
    assert text.literal("accepts", tuple) == Both.accepts == ("set",)


def test_models_are_listed_without_torch() -> None:
    program = (
        "import sys; sys.argv = ['pcgen', 'models']\n"
        "from pcgen.cli import main\n"
        "try: main()\n"
        "except SystemExit as stopped: assert not stopped.code\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in PLACES)


def test_reading_draws_no_random_numbers() -> None:
    from pcgen.models.summary import options

    state = torch.get_rng_state()
    for name in PLACES:
        summary(name)
        assert options(model(name), inspect.getdoc(model(name)) or "")
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", [*MODELS, *CLASSIFIERS])
def test_every_python_knows_the_arguments_of_a_constructor(name: str) -> None:
    """Python 3.11.2 took those of `Learner.__new__` for a class that inherits `__init__`."""
    cls = MODELS[name] if name in MODELS else CLASSIFIERS[name]
    own = [each for each in inspect.signature(cls.__init__).parameters.values() if each.name != "self"]
    assert list(cls.__signature__.parameters.values()) == list(inspect.signature(cls).parameters.values()) == own
