"""`digest week`: one week out of the days at hand, for everybody and for each profile."""

from __future__ import annotations

import click

from digest_pipeline.cli import OK


@click.command()
@click.argument("which", metavar="[YYYY-Www|DATE]", required=False)
def week(which: str | None) -> int:
    """Make a week's digest out of the days at hand: counts, rising terms, each profile's best. No model is asked.

    Default: the last week that is over. Exit status: 0 made, also where days are lacking or nothing was announced; 1 no day of it is at hand; 2 refused.
    """
    from digest_pipeline import sample
    from digest_pipeline.calendar import load_calendar
    from digest_pipeline.clients import digest_options, open_storage, utc_now
    from digest_pipeline.personal.week import write_personal_weeks
    from digest_pipeline.settings import load_settings
    from digest_pipeline.weekly.digest import notices, week_file, write_week
    from digest_pipeline.weekly.week import Week, last_whole_week

    settings = load_settings()
    calendar, options, storage = load_calendar(settings.skipped_evenings_file), digest_options(settings), open_storage(settings)
    default = Week.of(sample.SAMPLE_DAY) if settings.is_sample else last_whole_week(utc_now())
    chosen = Week.parse(which) if which else default
    calendar.require_announceable(chosen.monday, utc_now())
    digest = write_week(storage, chosen, calendar, options)
    shown = write_personal_weeks(storage, digest.listing, settings, lambda name, error: click.echo(f"! {name}: {error}", err=True))
    first = options.languages[0]
    click.echo(f"{chosen}: {len(digest.listing.all_papers)} papers of {len(digest.listing.papers)} days, {len(digest.trends.terms)} rising terms")
    for notice in notices(digest.listing, first):
        click.echo(f"  {notice}")
    for language in options.languages:
        click.echo(f"  {storage.root}/{week_file(language.tag, chosen)}")
    for name, count in shown.items():
        click.echo(f"  {name}: {count} papers, {storage.root}/private/{name}/")
    return OK
