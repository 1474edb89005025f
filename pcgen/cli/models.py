"""`pcgen models`: what there is to train, and the options of each."""

from typing import Annotated

import typer

__all__ = ["models"]


def models(
    name: Annotated[str | None, typer.Argument(help="A model; without one, all are listed.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="The table of the README.")] = False,
) -> None:
    """List the models of the suite and the classifiers, or the options of one."""
    import rich.console
    import rich.table
    import rich.text

    from pcgen.models import CLASSIFIERS, MODELS
    from pcgen.models.summary import arguments, model_class, summary

    if markdown:
        typer.echo("| model | what it is | learns | also has | paper |\n|---|---|---|---|---|")
        for each in MODELS:
            row = summary(each)
            typer.echo(f"| `{each}` | {row.what} | {row.learns} | {row.also} | {row.paper} |")
        return
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    if name is None:
        table.add_column("model", no_wrap=True)
        table.add_column("what it is")
        table.add_column("learns")
        table.add_column("also has")
        for each in (*MODELS, *CLASSIFIERS):
            row = summary(each)
            table.add_row(each, row.what, row.learns, row.also)
    else:
        for column in ("--set", "type", "default", "what it is"):
            table.add_column(column, overflow="fold")
        typer.echo(f"{name}: {summary(name).what} Trains {summary(name).training} unless told otherwise.")
        # What has no default (a classifier's classes) is the data's.
        for argument in (each for each in arguments(model_class(name)) if each.default):
            table.add_row(*map(rich.text.Text, (argument.name, argument.type, argument.default, argument.what)))
    rich.console.Console().print(table)
