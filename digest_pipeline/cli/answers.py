"""`digest answers`: the store of paid answers, carried to another machine."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TextIO, cast

import click

from digest_pipeline.clients import utc_now
from digest_pipeline.errors import SettingsError
from digest_pipeline.settings import load_settings


@click.command()
@click.argument("what", type=click.Choice(["export", "import"]))
@click.argument("file", type=click.Path(path_type=Path))
def answers(what: str, file: Path) -> None:
    """Carry the store of paid answers to another machine."""
    from digest_pipeline.translation.cache.exchange import export_answers, import_answers
    from digest_pipeline.translation.cache.open import open_cache

    with closing(open_cache(load_settings().answers_root, utc_now)) as store, _opened(file, "w" if what == "export" else "r") as opened:
        if what == "export":
            click.echo(f"{export_answers(store, opened)} answers written to {file}")
        else:
            added, known = import_answers(store, opened)
            click.echo(f"{added} answers added, {known} known already")


def _opened(path: Path, mode: str) -> TextIO:
    try:
        return cast(TextIO, path.open(mode, encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be opened: {error.strerror}", hint="name a file that can") from None
