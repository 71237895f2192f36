"""Words and argument types that several commands share."""

from __future__ import annotations

from datetime import date

import click

from digest_pipeline.settings import project_root


class ListingDate(click.ParamType[date]):
    """A date written as 2026-11-20."""

    name = "DATE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no date; write it as 2026-11-20", param, ctx)


LISTING_DATE = ListingDate()


def command_in_words(name: str) -> str:
    """As it is typed where we are: `make serve` in a checkout, `digest serve` beside an installed package."""
    return f"`make {name}`" if (project_root() / "Makefile").is_file() else f"`digest {name}`"
