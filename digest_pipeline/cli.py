"""The installed command `digest`: one day through Dagster, the UI, the pages, the forecast, the doctor, the answers.

What lives here: words and arguments. What does not: the work, which is Dagster's job (`orchestration/`) or a
plain function of a room. `make` calls these.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TextIO, cast

from digest_pipeline import __version__, sample
from digest_pipeline.errors import DigestError, ListingDateError, SettingsError
from digest_pipeline.models import ALL
from digest_pipeline.settings import Settings, load_settings, project_root
from digest_pipeline.workshop import Workshop, utc_now

OK, FAILED, MISUSED = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 well, 1 failed, 2 refused before anything was done."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["hosted"]:
        from digest_pipeline.hosted.commands import main as hosted

        return hosted(given[1:])
    if given[:1] in (["rank"], ["vote"], ["profile"]):
        from digest_pipeline.reader_commands import main as of_reader

        return of_reader(given)
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace, Settings], int] = arguments.command
    try:
        return command(arguments, load_settings())
    except DigestError as error:
        print(f"✗ {error}", file=sys.stderr)
        return MISUSED if isinstance(error, SettingsError | ListingDateError) else FAILED
    except KeyboardInterrupt:
        print("\nStopped. Nothing is lost: run the same command again.", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="digest", description="Each day's arXiv announcements as a digest in your language.")
    parser.add_argument("--version", action="version", version=f"digest-pipeline {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace, Settings], int], text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=text)
        one.set_defaults(command=command)
        return one

    run = add("run", _run, "make one listing day's digest")
    run.add_argument("--day", type=_date, help="listing date YYYY-MM-DD; default: the newest listing, or the sample day")
    run.add_argument("--refetch", action="store_true", help="ask arXiv again for a day that is already kept")
    forecast = add("forecast", _forecast, "say what a range of listing days would need: requests, time, papers, cost")
    forecast.add_argument("first", type=_date)
    forecast.add_argument("last", type=_date)
    backfill = add("backfill", _backfill, "make the digests of a range of listing days, after showing the forecast")
    backfill.add_argument("first", type=_date)
    backfill.add_argument("last", type=_date)
    backfill.add_argument("--yes", action="store_true", help="do not ask before it starts")
    dev = add("dev", _dev, "open the Dagster UI on loopback, with schedule and sensors")
    dev.add_argument("--port", type=int, default=3000)
    serve = add("serve", _serve, "show the pages on loopback")
    serve.add_argument("--port", type=int, default=8000)
    doctor = add("doctor", _doctor, "examine settings, services and machine; exit status 0 well, 1 warnings, 2 errors")
    doctor.add_argument("--offline", action="store_true", help="ask no other machine")
    doctor.add_argument("--json", action="store_true", help="findings as JSON, for programs")
    add("hosted", _doctor, "run on a code host's runners, with everything kept on the branch digest-data")
    add("rank", _doctor, "order days at hand as one reader would want them")
    add("vote", _doctor, "say that a paper is to a reader's liking, or not")
    add("profile", _doctor, "show, check or begin a reader's profile")
    answers = add("answers", _answers, "carry the store of paid answers to another machine")
    answers.add_argument("what", choices=["export", "import"])
    answers.add_argument("file", type=Path)
    return parser


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; write it as 2026-11-20") from None


# -- run -----------------------------------------------------------------------------------------------


def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    from digest_pipeline.arxiv.listing import newest_announced

    shop = Workshop(settings)
    newest = sample.SAMPLE_DAY if settings.is_sample else newest_announced(shop.calendar, utc_now())
    day = arguments.day or newest
    print(_headline(settings, day), flush=True)
    shop.calendar.require_listing_day(day)
    shop.calendar.require_announceable(day, utc_now())
    succeeded = _materialize(shop, day, refetch=arguments.refetch)
    _print_result(shop, day, succeeded)
    return OK if succeeded else FAILED


def _headline(settings: Settings, day: date) -> str:
    if settings.is_sample:
        return f"SAMPLE DAY {day}: invented papers and recorded answers, kept apart under {settings.data_root}"
    return f"Listing of {day} · {', '.join(settings.categories)} → {', '.join(settings.languages)} · model {settings.model}"


def _materialize(shop: Workshop, day: date, *, refetch: bool) -> bool:
    from digest_pipeline.orchestration.running import run_listing_day

    return run_listing_day(shop, day, refetch=refetch)


def _print_result(shop: Workshop, day: date, succeeded: bool) -> None:
    from digest_pipeline.papers.ledger import read_facts, read_ledger

    storage = shop.storage
    if not succeeded:
        print(f"\n✗ {day} did not finish: the reason stands above. What was fetched and paid is kept; run the same command again.")
        return
    facts = read_facts(storage, day)
    print()
    for note in facts.notes:
        print(f"  {note}")
    for row in read_ledger(storage, day):
        if row.category == ALL:
            print(f"  {row.language}: {row}")
    print("\nFiles")
    for language in shop.languages:
        print(f"  {storage.root}/{storage.digest_folder(language.tag, day)}/all.md")
    print(f"  {storage.root}/site/index.html")
    print(f"\nNext: {_next_step(shop.settings)}")


def _next_step(settings: Settings) -> str:
    if settings.is_sample:
        return f"{_command('serve')} shows the pages; set OPENAI_API_KEY (or OPENAI_BASE_URL) and run again for today's listing"
    return f"{_command('serve')} shows the pages; {_command('dev')} runs this every listing day"


def _command(name: str) -> str:
    """As it is typed where we are: `make serve` in a checkout, `digest serve` beside an installed package."""
    return f"`make {name}`" if (project_root() / "Makefile").is_file() else f"`digest {name}`"


# -- ranges --------------------------------------------------------------------------------------------


def _forecast(arguments: argparse.Namespace, settings: Settings) -> int:
    from digest_pipeline.forecast import forecast_range

    live = settings.model_copy(update={"demo": False})  # asked before there is a key, it is the live run's cost that is wanted
    print(forecast_range(Workshop(live), arguments.first, arguments.last).to_text())
    return OK


def _backfill(arguments: argparse.Namespace, settings: Settings) -> int:
    from digest_pipeline.forecast import forecast_range
    from digest_pipeline.orchestration.running import run_listing_days

    if settings.is_sample:
        raise SettingsError(
            "a backfill needs a model, and neither OPENAI_API_KEY nor OPENAI_BASE_URL is set",
            hint="set one of them; `digest forecast` works without",
        )
    shop = Workshop(settings)
    expected = forecast_range(shop, arguments.first, arguments.last)
    print(expected.to_text(), flush=True)
    if not arguments.yes and not _is_wanted(expected.cost_usd):
        print("Nothing was started.")
        return OK
    return OK if run_listing_days(shop, expected.days) else FAILED


def _is_wanted(cost_usd: float | None) -> bool:
    """Nobody at the keyboard, as in a cron job, is no consent: that needs `--yes`."""
    try:
        return input(f"\n{'What it will cost is unknown. ' if cost_usd is None else ''}Start? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


# -- the rest ------------------------------------------------------------------------------------------


def _dev(arguments: argparse.Namespace, settings: Settings) -> int:
    from digest_pipeline.orchestration.dev import serve_dagster
    from digest_pipeline.orchestration.running import prepare_dagster_home

    print(f"Dagster UI: http://127.0.0.1:{arguments.port}  (Ctrl-C stops it; records are in {prepare_dagster_home()})")
    if settings.is_sample:
        print("SAMPLE: neither OPENAI_API_KEY nor OPENAI_BASE_URL is set, so the schedule stays off. Materialize partition", sample.SAMPLE_DAY)
    elif settings.schedule_enabled:
        print("The daily schedule is ON. To stop it: UI → Automation → daily_listing, or DIGEST_SCHEDULE_ENABLED=false.")
    return serve_dagster(arguments.port)


def _serve(arguments: argparse.Namespace, settings: Settings) -> int:
    from digest_pipeline.site.serve import serve

    storage = Workshop(settings).storage
    if not storage.is_local or not storage.exists("site/index.html"):
        print(f"✗ there are no pages at {storage.root}/site yet → {_command('run')} first", file=sys.stderr)
        return FAILED
    serve(storage.local_path("site"), port=arguments.port)
    return OK


def _doctor(arguments: argparse.Namespace, _: Settings) -> int:
    from digest_pipeline.doctor import main as examine

    return examine([f"--{name}" for name in ("offline", "json") if getattr(arguments, name)])


def _answers(arguments: argparse.Namespace, settings: Settings) -> int:
    from digest_pipeline.translation.cache.exchange import export_answers, import_answers
    from digest_pipeline.translation.cache.open import open_cache

    store = open_cache(settings.answers_root, utc_now)
    try:
        if arguments.what == "export":
            with _opened(arguments.file, "w") as file:
                print(f"{export_answers(store, file)} answers written to {arguments.file}")
        else:
            with _opened(arguments.file, "r") as file:
                added, known = import_answers(store, file)
                print(f"{added} answers added, {known} known already")
    finally:
        store.close()
    return OK


def _opened(path: Path, mode: str) -> TextIO:
    try:
        return cast(TextIO, path.open(mode, encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be opened: {error.strerror}", hint="name a file that can") from None


if __name__ == "__main__":
    sys.exit(main())
