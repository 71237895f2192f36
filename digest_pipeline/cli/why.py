"""`digest why ID`: how a paper came to its place, its type and its flags."""

from __future__ import annotations

import click

from digest_pipeline.clients import open_storage
from digest_pipeline.errors import DigestError
from digest_pipeline.settings import load_settings


@click.command()
@click.argument("arxiv_id", metavar="ID")
def why(arxiv_id: str) -> None:
    """Say how a paper came to its flags or its place: every listing that holds it, the evidence, each language's result."""
    from digest_pipeline.why import explain

    lines = explain(open_storage(load_settings()), arxiv_id)
    if not lines:
        raise DigestError(f"no kept listing holds {arxiv_id}", hint="give an id such as 2606.01234; `digest run --day …` fetches a day")
    click.echo("\n".join(lines))
