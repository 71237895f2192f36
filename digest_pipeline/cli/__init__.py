"""The installed command `digest`: one module a group of commands.

What lives here: the group, its exit statuses, and how errors are shown. What does not: the work, which is a plain function
of a package, or Dagster's (`orchestration/`). `make` calls these commands.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from digest_pipeline import __version__
from digest_pipeline.errors import DigestError, ListingDateError, SettingsError

OK, FAILED, MISUSED, NOT_PUBLISHED_YET = 0, 1, 2, 75
"""75 is EX_TEMPFAIL of sysexits.h: nothing is wrong, try again later."""

COMMANDS = {
    "run": "cli.days",
    "forecast": "cli.days",
    "backfill": "cli.days",
    "week": "cli.week",
    "read": "cli.read",
    "why": "cli.why",
    "dev": "cli.serve",
    "serve": "cli.serve",
    "doctor": "cli.doctor",
    "answers": "cli.answers",
    "rank": "cli.reader",
    "vote": "cli.reader",
    "profile": "cli.reader",
    "hosted": "hosted.commands",
}
"""Command → the module that has it under that name; loaded only when it is called, so that a command starts quickly."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"digest_pipeline.{COMMANDS[name]}"), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="digest", message="%(prog)s-pipeline %(version)s")
def digest() -> None:
    """Each day's arXiv announcements as a digest in your language."""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 well, 1 failed, 2 refused before anything was done, 75 not published yet."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["hosted"]:
        from digest_pipeline.hosted.commands import main as hosted

        return hosted(arguments[1:])  # which shows errors on the run's page too
    try:
        status = digest.main(args=arguments, prog_name="digest", standalone_mode=False)
        return status if isinstance(status, int) else OK
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except DigestError as error:
        click.echo(f"✗ {error}", err=True)
        return MISUSED if isinstance(error, SettingsError | ListingDateError) else FAILED
    except click.Abort:  # click has ended the line
        click.echo("Stopped. Nothing is lost: run the same command again.", err=True)
        return FAILED
