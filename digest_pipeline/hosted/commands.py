"""The commands `digest hosted …`, which the workflow files call: bring the data, make the days, push, tell.

What lives here: arguments, environment and exit status. What does not: the work (the modules beside this one).
"""

from __future__ import annotations

import os
from datetime import date

import click

from digest_pipeline import clients
from digest_pipeline.errors import DigestError
from digest_pipeline.hosted.environment import Runner, annotate, set_output, take_in_variables, write_summary
from digest_pipeline.hosted.run import REPORT, HostedData, RunReport
from digest_pipeline.settings import load_settings, secret_settings


class _Annotated(click.Group):
    """Shows an error on the run's page too."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except DigestError as error:
            annotate("error", str(error))
            raise SystemExit(1) from None


@click.group("hosted", cls=_Annotated)
def hosted() -> None:
    """Run on a code host's runners, with everything kept on the branch digest-data."""


def _data() -> HostedData:
    """Raises SettingsError. The sample is never meant here: without a key a run says what is missing."""
    take_in_variables(os.environ, secret_settings())
    settings = load_settings()
    kept = settings.model_copy(update={"demo": False}) if settings.is_sample else settings
    runner = Runner.from_environment()
    return HostedData(kept.model_copy(update={"site_url": kept.site_url or runner.pages_url}), runner, clients.utc_now)


class _Day(click.ParamType[date]):
    name = "day"

    def convert(self, value: str | date, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return value if isinstance(value, date) else date.fromisoformat(value.strip())
        except ValueError:
            self.fail(f"{value!r} is no date; write it as 2026-11-20", param, ctx)


@hosted.command(help="Lay what the branch keeps into the data directory of a fresh runner.")
def restore() -> None:
    files, answers = _data().restore()
    print(f"{files} files and {answers} paid answers restored" if files else "No branch digest-data yet: this is the first run")


@hosted.command(help="Make the listings that are due, or a range; exit status 0 made or nothing announced, 75 not published yet, 1 failed.")
@click.option("--first", type=_Day(), envvar="FIRST", help="First listing date of a range; default: what is due.")
@click.option("--last", type=_Day(), envvar="LAST", help="Last listing date; default: the first.")
@click.option("--budget", type=click.FloatRange(min=0, min_open=True), envvar="BUDGET", help="US dollars at which a range stops.")
def run(first: date | None, last: date | None, budget: float | None) -> None:
    from digest_pipeline.hosted.report import annotate_run
    from digest_pipeline.hosted.run import run as run_days

    report = run_days(_data(), first=first, last=last, budget_usd=budget)
    annotate_run(report)
    set_output("state", report.state.value.replace(" ", "-"))
    set_output("publishes", str(report.publishes).lower())
    raise SystemExit(report.exit_status)


@hosted.command(help="Tell readers of the days that were made, and the operator of what failed, where the settings name them.")
def tell() -> None:
    from digest_pipeline.hosted.tell import tell as tell_of

    data = _data()
    for trouble in tell_of(data, RunReport.read(data.storage)) if data.storage.exists(REPORT) else ():
        annotate("warning", trouble, "Not everybody could be told")


@hosted.command(help="Push what a run made, also after one that was killed.")
def save() -> None:
    data = _data()
    pushed = data.save(f"Digest data as of {data.now():%Y-%m-%d %H:%M} UTC", is_last=True)
    print("Pushed to digest-data" if pushed else "Nothing new to push")


@hosted.command(help="Write the run's summary: state, ledger, cost, flagged papers, links.")
def summary() -> None:
    from digest_pipeline.hosted.report import summary as summary_of

    data = _data()
    report = RunReport.read(data.storage) if data.storage.exists(REPORT) else RunReport(error="the run did not begin: see its log")
    write_summary(summary_of(report, data.storage, data.settings, data.runner))


@hosted.command(help="Tell this machine's Dagster of every day on the branch, so that its UI shows them as made.")
def records() -> None:
    from digest_pipeline.orchestration.home import prepare_dagster_home
    from digest_pipeline.orchestration.records import report_records

    home = prepare_dagster_home()
    print(f"{report_records(_data().storage)} days reported to Dagster ({home})")


def main(arguments: list[str]) -> int:
    """Exit status."""
    try:
        hosted.main(arguments, prog_name="digest hosted", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
