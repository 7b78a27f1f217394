"""The ``mine-robot`` command. Exit codes: 0 done, 1 the mission ended short, 2 bad input (one line)."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

from mine_robot import __version__
from mine_robot.bringup.commands import fields, missions, records, tuning
from mine_robot.bringup.terminal import complain, lasting_streams
from mine_robot.core.private import keep_private
from mine_robot.pipeline.loading import LoadError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="mine_robot: search a mined field lane by lane, mark what is found, prove what is cleared.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"mine-robot {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options of ``mine-robot`` itself."""


# In the order of --help.
app.command()(missions.run)
app.command("console")(missions.serve_console)
app.command()(fields.check)
app.command()(fields.plan)
app.command()(fields.slopes)
app.command(hidden=True)(fields.preview)
app.command()(fields.estimate)
app.command()(tuning.replay)
app.command()(tuning.tune)
app.command()(tuning.threshold)
app.command()(records.report)
app.command()(records.export)
app.command()(records.evidence)
app.command()(records.merge)
app.command()(records.score)


def main() -> None:
    """Entry point of ``mine-robot``: an error in the input is one line and exit code 2."""
    from mine_robot.records.errors import RecordError

    lasting_streams()
    keep_private()
    warnings.filterwarnings(
        "ignore", "Glyph .* missing", UserWarning
    )  # a map shows a box for a letter it has no font for
    try:
        app()
    except (LoadError, RecordError) as error:
        complain(f"mine-robot: {error}")
        sys.exit(2)


if __name__ == "__main__":
    main()
