"""`pcgen models`: the models and their options."""

from typing import Annotated

import typer

from pcgen.cli.tables import show_table

__all__ = ["models"]


def models(
    name: Annotated[
        str | None, typer.Argument(help="A model, or module:Class of your own; without one, all are listed.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """List the models of the suite and the classifiers, or the options of one."""
    from pcgen.models import CLASSIFIERS, MODELS
    from pcgen.models.summary import summary

    if name is not None:
        _options_of(name)
        return
    if markdown:
        typer.echo("| model | what it is | learns | also has | paper |\n|---|---|---|---|---|")
        for each in MODELS:
            row = summary(each)
            typer.echo(f"| `{each}` | {row.what} | {row.learns} | {row.also} | {row.paper} |")
        return
    found = [(each, summary(each)) for each in (*MODELS, *CLASSIFIERS)]
    rows = [(each, row.what, row.learns, row.also) for each, row in found]
    show_table(("model", "what it is", "learns", "also has"), rows, whole=("model",))


def _options_of(name: str) -> None:
    """Print what a model is, and its options of training and of sampling."""
    import inspect

    from pcgen.models import GenerativeModel, model_class
    from pcgen.models.clouds.deformed import DeformedCloudModel
    from pcgen.models.clouds.latent import LatentCloudModel
    from pcgen.models.mixtures.windows import Windows
    from pcgen.models.summary import logged, options

    cls = model_class(name)
    description = inspect.getdoc(cls) or ""
    typer.echo(f"{name}: {' '.join(description.partition(chr(10) * 2)[0].split())}")
    groups, values = [("pcgen train", options(cls, description))], logged(description)
    if issubclass(cls, GenerativeModel):
        skip = ("n", "labels")
        groups.append(("pcgen sample", options(cls.draw, inspect.getdoc(cls.draw) or "", skip=skip)))
        if {"vector", "set"} & set(cls.accepts):
            whole = DeformedCloudModel if issubclass(cls, Windows) else LatentCloudModel
            found = options(whole.draw, inspect.getdoc(whole.draw) or "", skip=(*skip, "options"))
            groups.append(("pcgen sample, for a head on codes", found))
            values |= logged(inspect.getdoc(whole) or "")
    for command, found in groups:
        rows = [(option.name, option.type, option.default, option.what) for option in found]
        show_table(("--set", "type", "default", "what it is"), rows, title=command)
    show_table(("value", "what it is"), values.items(), title="logged values", whole=("value",))
