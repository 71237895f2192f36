"""`digest dev` and `digest serve`: the Dagster UI and the pages, on loopback."""

from __future__ import annotations

import os
from datetime import timedelta

import click

from digest_pipeline import sample
from digest_pipeline.calendar import newest_listing_day
from digest_pipeline.cli import FAILED, OK
from digest_pipeline.cli.words import command_in_words
from digest_pipeline.clients import open_storage, utc_now
from digest_pipeline.settings import Settings, load_settings, setting_name

_FIRST_WEEKS = timedelta(weeks=4)


@click.command()
@click.option("--port", type=int, default=3000, show_default=True)
def dev(port: int) -> int:
    """Open the Dagster UI on loopback, with schedule and sensors."""
    from digest_pipeline.orchestration.dev import serve_dagster
    from digest_pipeline.orchestration.home import prepare_dagster_home

    settings = load_settings()
    click.echo(f"Dagster UI: http://127.0.0.1:{port}  (Ctrl-C stops it; records are in {prepare_dagster_home()})")
    if settings.is_sample:
        click.echo(f"SAMPLE: neither OPENAI_API_KEY nor OPENAI_BASE_URL is set, so the schedule stays off. Materialize partition {sample.SAMPLE_DAY}")
    else:
        _begin_partitions_where_the_data_begins(settings)
        if settings.schedule_enabled:
            click.echo("The daily schedule is ON. To stop it: UI → Automation → daily_listing, or DIGEST_SCHEDULE_ENABLED=false.")
    return serve_dagster(port)


def _begin_partitions_where_the_data_begins(settings: Settings) -> None:
    """Years of days that nobody asked for would be shown as missing for ever. For the processes of this session only."""
    if "first_listing" in settings.model_fields_set:
        return
    kept = open_storage(settings).days_of("papers")
    first = kept[0] if kept else newest_listing_day(utc_now() - _FIRST_WEEKS)
    os.environ[setting_name("first_listing")] = first.isoformat()
    click.echo(f"Partitions begin with {first}, {'the earliest day kept' if kept else 'four weeks ago'}; DIGEST_FIRST_LISTING shows earlier ones.")


@click.command()
@click.option("--port", type=int, default=8000, show_default=True)
def serve(port: int) -> int:
    """Show the pages on loopback."""
    from digest_pipeline.site.serve import serve as serve_pages

    storage = open_storage(load_settings())
    if not storage.is_local or not storage.exists("site/index.html"):
        click.echo(f"✗ there are no pages at {storage.root}/site yet → {command_in_words('run')} first", err=True)
        return FAILED
    serve_pages(storage.local_path("site"), port=port)
    return OK
