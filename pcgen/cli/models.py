"""`pcgen models`: the models and their options."""

from typing import Annotated

import typer

__all__ = ["models"]


def models(
    name: Annotated[
        str | None, typer.Argument(help="A model, or module:Class of your own; without one, all are listed.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """List the models of the suite and the classifiers, or the options of one."""
    import rich.console
    import rich.table

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
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    table.add_column("model", no_wrap=True)
    table.add_column("what it is")
    table.add_column("learns")
    table.add_column("also has")
    for each in (*MODELS, *CLASSIFIERS):
        row = summary(each)
        table.add_row(each, row.what, row.learns, row.also)
    rich.console.Console().print(table)


def _options_of(name: str) -> None:
    """Print what a model is, and its options of training and of sampling."""
    import inspect

    import rich.console
    import rich.table
    import rich.text

    from pcgen.models import GenerativeModel, model_class
    from pcgen.models.clouds.latent import LatentCloudModel
    from pcgen.models.summary import logged, options

    cls = model_class(name)
    description = inspect.getdoc(cls) or ""
    typer.echo(f"{name}: {' '.join(description.partition(chr(10) * 2)[0].split())}")
    groups = [("pcgen train", options(cls, description))]
    if issubclass(cls, GenerativeModel):
        skip = ("n", "labels")
        groups.append(("pcgen sample", options(cls.draw, inspect.getdoc(cls.draw) or "", skip=skip)))
        if {"vector", "set"} & set(cls.accepts):
            drawing = LatentCloudModel.draw
            found = options(drawing, inspect.getdoc(drawing) or "", skip=(*skip, "options"))
            groups.append(("pcgen sample, for a head on codes", found))
    for command, found in groups:
        table = rich.table.Table(box=rich.box.SIMPLE_HEAD, title=command, title_justify="left")
        for column in ("--set", "type", "default", "what it is"):
            table.add_column(column, overflow="fold")
        for option in found:
            table.add_row(*map(rich.text.Text, (option.name, option.type, option.default, option.what)))
        if found:
            rich.console.Console().print(table)
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, title="logged values", title_justify="left")
    table.add_column("value", no_wrap=True)
    table.add_column("what it is", overflow="fold")
    for number, what in logged(description).items():
        table.add_row(*map(rich.text.Text, (number, what)))
    if table.rows:
        rich.console.Console().print(table)
