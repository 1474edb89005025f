"""The command line: one file per command, each a thin call of the library.

Heavy imports stand inside the commands, so that `pcgen --help` answers at once.
"""

import sys
import traceback
import warnings
from typing import Annotated

import typer

import pcgen
from pcgen.cli.claims import claims
from pcgen.cli.classify import classify
from pcgen.cli.complete import complete
from pcgen.cli.data import app as data_app
from pcgen.cli.doctor import doctor
from pcgen.cli.encode import encode, reconstruct
from pcgen.cli.evaluate import evaluate
from pcgen.cli.explore import explore
from pcgen.cli.models import models
from pcgen.cli.report import report
from pcgen.cli.runs import runs
from pcgen.cli.sample import sample
from pcgen.cli.suite import suite
from pcgen.cli.train import train
from pcgen.cli.view import view

__all__ = ["app", "main"]

app = typer.Typer(
    help="Generative modelling of point clouds: train, sample, evaluate, look.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    train,
    sample,
    complete,
    encode,
    reconstruct,
    explore,
    evaluate,
    classify,
    view,
    report,
    suite,
    runs,
    models,
    claims,
    doctor,
):
    app.command()(command)
app.add_typer(data_app, name="data")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"pcgen {pcgen.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the full traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of every command; `--debug` is read by `main`, which is where errors arrive."""


def main() -> None:
    """Run the command line; an error is at most a few readable lines and exit code 2, a traceback with --debug."""
    debug = "--debug" in sys.argv[1:]
    if "" not in sys.path:  # The current folder, where a model of your own, module:Class, may be.
        sys.path.append("")
    # Accepted anywhere on the line, not only before the command.
    arguments = [word for word in sys.argv[1:] if word != "--debug"]
    # A warning is for the user to read, not a line of our source.
    warnings.showwarning = lambda message, *_, **__: print(f"warning: {message}", file=sys.stderr)
    try:
        sys.exit(app(arguments, prog_name="pcgen", standalone_mode=False) or 0)
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # help has been printed: `pcgen`, `pcgen data`
            sys.exit(0)
        print(f"pcgen: {_usage(error)}", file=sys.stderr)
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        print("pcgen: stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe has gone: `pcgen models | head`
        sys.stderr.close()
        sys.exit(141)
    except Exception as error:
        if debug:
            traceback.print_exc()
        if _out_of_memory(error):
            print("pcgen: out of memory; take fewer clouds, a smaller --batch-size or fewer --points", file=sys.stderr)
            sys.exit(2)
        known = isinstance(error, (ValueError, OSError, FloatingPointError))
        kind = "" if known else f"{type(error).__name__}: "
        hint = "" if known or debug else "; this is a bug in pcgen: --debug shows where"
        print(f"pcgen: {kind}{error}{hint}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 2 if known else 1))


def _out_of_memory(error: Exception) -> bool:
    """Whether memory was not to be had, of the machine or of a GPU."""
    # torch's allocator for the CPU says so by its text alone.
    name, text = type(error).__name__, str(error)
    return name in ("MemoryError", "OutOfMemoryError", "_ArrayMemoryError") or "can't allocate memory" in text


def _usage(error: typer.TyperException) -> str:
    message = str(error.format_message()) if hasattr(error, "format_message") else str(error)
    return " ".join(message.split())
