"""`digest run`, `digest forecast`, `digest backfill`: listing days made, or what they would need."""

from __future__ import annotations

from datetime import date

import click

from digest_pipeline import sample
from digest_pipeline.calendar import load_calendar
from digest_pipeline.cli import FAILED, NOT_PUBLISHED_YET, OK
from digest_pipeline.cli.words import LISTING_DATE, command_in_words
from digest_pipeline.clients import digest_options, open_storage, utc_now
from digest_pipeline.errors import SettingsError
from digest_pipeline.models import ALL
from digest_pipeline.settings import Settings, load_settings

# -- one day -------------------------------------------------------------------------------------------


@click.command()
@click.option("--day", type=LISTING_DATE, help="Listing date YYYY-MM-DD; default: the newest listing, or the sample day.")
@click.option("--refetch", is_flag=True, help="Ask arXiv again for a day that is already kept.")
def run(day: date | None, refetch: bool) -> int:
    """Make one listing day's digest, and bring the site up to date.

    Exit status: 0 made, or nothing was announced; 75 not published yet; 1 failed; 2 refused.
    """
    from digest_pipeline.arxiv.listing import newest_announced

    settings = load_settings()
    calendar = load_calendar(settings.skipped_evenings_file)
    digest_options(settings)  # a language that cannot be had is refused before anything is done
    day = day or (sample.SAMPLE_DAY if settings.is_sample else newest_announced(calendar, utc_now()))
    click.echo(_headline(settings, day))
    calendar.require_listing_day(day)
    calendar.require_announceable(day, utc_now())
    from digest_pipeline.orchestration.days import State, run_day

    result = run_day(settings, day, refetch=refetch)
    if result.state is State.DONE:
        _print_made(settings, day)
        return OK
    click.echo(f"✗ {result.message}", err=True)
    if result.state is State.NOT_PUBLISHED:
        click.echo(f"\n… {day} is not published yet. Run the same command again later.")
        return NOT_PUBLISHED_YET
    click.echo(f"\n✗ {day} did not finish: the reason stands above. What was fetched and paid is kept; run the same command again.")
    return FAILED


def _headline(settings: Settings, day: date) -> str:
    if settings.is_sample:
        return f"SAMPLE DAY {day}: invented papers and recorded answers, kept apart under {settings.data_root}"
    return f"Listing of {day} · {', '.join(settings.categories)} → {', '.join(settings.languages)} · model {settings.model}"


def _print_made(settings: Settings, day: date) -> None:
    from digest_pipeline.papers.ledger import read_facts, read_ledger

    storage = open_storage(settings)
    lines = ["", *(f"  {note}" for note in read_facts(storage, day).notes)]
    lines += [f"  {row.language}: {row}" for row in read_ledger(storage, day) if row.category == ALL]
    lines += ["", "Files", *(f"  {storage.root}/{storage.digest_folder(language, day)}/all.md" for language in settings.languages)]
    lines += [f"  {storage.root}/site/index.html", "", f"Next: {_next_step(settings)}"]
    click.echo("\n".join(lines))


def _next_step(settings: Settings) -> str:
    if settings.is_sample:
        return f"{command_in_words('serve')} shows the pages; set OPENAI_API_KEY (or OPENAI_BASE_URL) and run again for today's listing"
    return f"{command_in_words('serve')} shows the pages; {command_in_words('dev')} runs this every listing day"


# -- ranges --------------------------------------------------------------------------------------------


@click.command()
@click.argument("first", type=LISTING_DATE)
@click.argument("last", type=LISTING_DATE)
def forecast(first: date, last: date) -> None:
    """Say what a range of listing days would need: requests, time, papers, cost."""
    from digest_pipeline.forecast import forecast_range

    live = load_settings().model_copy(update={"demo": False})  # asked before there is a key, it is the live run's cost that is wanted
    click.echo(forecast_range(live, first, last).to_text())


@click.command()
@click.argument("first", type=LISTING_DATE)
@click.argument("last", type=LISTING_DATE)
@click.option("--yes", is_flag=True, help="Do not ask before it starts.")
@click.option("--newest-first", is_flag=True, help="Begin with the last day; default: with the first.")
def backfill(first: date, last: date, yes: bool, newest_first: bool) -> int:
    """Make the digests of a range of listing days, after showing the forecast.

    A run a day, one after another in this process. Run the same command again after any interruption: days that are
    whole cost no request and no money. Exit status: 0 every day is made; 1 some are not.
    """
    from digest_pipeline.forecast import forecast_range

    settings = load_settings()
    if settings.is_sample:
        raise SettingsError(
            "a backfill needs a model, and neither OPENAI_API_KEY nor OPENAI_BASE_URL is set",
            hint="set one of them; `digest forecast` works without",
        )
    expected = forecast_range(settings, first, last)
    click.echo(expected.to_text())
    if not yes and not _is_wanted(expected.cost_usd):
        click.echo("Nothing was started.")
        return OK
    from digest_pipeline.cli.progress import BackfillProgress
    from digest_pipeline.orchestration.days import State, run_days

    days = sorted(expected.days, reverse=newest_first)
    with BackfillProgress(len(days)) as progress:
        results = run_days(settings, days, progress.report)
    not_made = [result for result in results if result.state is not State.DONE]
    untried = len(days) - sum(result.day is not None for result in results)
    if untried:
        click.echo(f"Stopped: {untried} days were not tried, since they would meet the same. What was fetched and paid is kept; then run it again.")
    return FAILED if not_made or untried else OK


def _is_wanted(cost_usd: float | None) -> bool:
    """Nobody at the keyboard, as in a cron job, is no consent: that needs `--yes`."""
    try:
        return input(f"\n{'What it will cost is unknown. ' if cost_usd is None else ''}Start? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
