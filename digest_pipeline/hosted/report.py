"""What a run says on its page: the state in a sentence, each day's ledger, what it cost, flagged papers, links.

What lives here: Markdown from what lies in the data directory. What does not: where it is written (`environment.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from digest_pipeline.hosted.environment import Runner, annotate
from digest_pipeline.hosted.run import DayResult, DayState, RunReport
from digest_pipeline.models import LEDGER_COUNTS, Summary, SummaryStatus
from digest_pipeline.papers.ledger import read_facts, read_ledger
from digest_pipeline.render.reading import read_summaries
from digest_pipeline.settings import Settings
from digest_pipeline.site import paths
from digest_pipeline.storage import Storage

FLAGGED_SHOWN = 30
DAYS_SHOWN = 10
_MARK = {
    DayState.MADE: "✅",
    DayState.NOTHING_ANNOUNCED: "⚪",
    DayState.NOT_PUBLISHED_YET: "🕓",
    DayState.FAILED: "❌",
    DayState.UNDER_WAY: "❌",
}


def annotate_run(report: RunReport) -> None:
    """The sentences that matter, as annotations: an error for each failure, a notice for waiting and for a spent budget."""
    if report.error:
        annotate("error", report.error, "The digest was not made")
    for result in report.days:
        if result.state is DayState.FAILED:
            annotate("error", result.words, f"{result.day} failed")
        elif result.state is DayState.NOT_PUBLISHED_YET:
            annotate("notice", result.words, f"{result.day} is not published yet")
    if report.stopped:
        annotate("notice", report.stopped, "Stopped at the budget")


def summary(report: RunReport, storage: Storage, settings: Settings, runner: Runner) -> str:
    """The whole summary; of a range the last ten days in full."""
    return "\n".join([*_head(report), *_days(report, storage, settings, runner)]) + "\n"


def _head(report: RunReport) -> Iterator[str]:
    yield f"## {_MARK[report.state]} {_headline(report)}"
    yield ""
    if not report.is_finished:
        yield "The run was ended from outside. What was fetched and paid is kept on the branch; the next run goes on from there.\n"
    for sentence in filter(None, (report.error, report.stopped)):
        yield f"**{_cell(sentence)}**\n"
    if report.forecast:
        yield f"```text\n{report.forecast}\n```\n"
    cost = sum(result.cost_usd for result in report.days)
    if cost:
        yield f"Paid by this run: ${cost:.4f}, as far as the model's price is known.\n"


def _headline(report: RunReport) -> str:
    if not report.days and report.error:
        return "The digest was not made"
    if not report.days:
        return "Nothing to do: every listing up to the newest has its digest" if report.is_finished else "Ended before it began"
    made = [result for result in report.days if result.state in (DayState.MADE, DayState.NOTHING_ANNOUNCED)]
    days = ", ".join(f"{result.day} {result.state}" for result in report.days[-DAYS_SHOWN:])
    return f"{len(made)} of {len(report.days)} days made ({days})" if len(report.days) > 1 else days


def _days(report: RunReport, storage: Storage, settings: Settings, runner: Runner) -> Iterator[str]:
    for result in report.days[-DAYS_SHOWN:]:
        if len(report.days) > 1:
            yield f"### {_MARK[result.state]} {result.day}: {result.state}\n"
        if result.words:
            yield f"{_cell(result.words)}\n"
        if result.state in (DayState.MADE, DayState.NOTHING_ANNOUNCED):
            yield from _made_day(result, storage, settings, runner)


def _made_day(result: DayResult, storage: Storage, settings: Settings, runner: Runner) -> Iterator[str]:
    for note in read_facts(storage, result.day).notes:
        yield f"- {_cell(note)}"
    rows = read_ledger(storage, result.day)
    names = [name for name in LEDGER_COUNTS if name != "original" or any(row.original for row in rows)]
    head = " | ".join("in the original by choice" if name == "original" else name for name in names)
    yield f"\n| language | category | {head} |\n| --- | --- |{' ---: |' * len(names)}"
    for row in rows:
        counts = " | ".join(str(getattr(row, name)) for name in names)
        yield f"| {row.language} | {row.category} | {counts}{'' if row.balances else ' ≠'} |"
    yield ""
    yield from _flagged([one for tag in settings.languages for one in read_summaries(storage, result.day, tag).values()])
    yield from _links(result.day, settings, runner)


def _flagged(summaries: Sequence[Summary]) -> Iterator[str]:
    waiting = sum(one.status is SummaryStatus.DEFERRED for one in summaries)
    if waiting:
        yield f"{waiting} papers wait for the budget or a batch; a later run takes them up.\n"
    flagged = sorted((one for one in summaries if one.flags and one.status is not SummaryStatus.DEFERRED), key=lambda one: one.is_translated)
    if not flagged:
        return
    yield f"<details><summary>{len(flagged)} flagged papers</summary>\n\n| paper | language | state | why |\n| --- | --- | --- | --- |"
    for one in flagged[:FLAGGED_SHOWN]:
        yield f"| [{one.arxiv_id}](https://arxiv.org/abs/{one.arxiv_id}) | {one.language} | {one.status} | {_cell('; '.join(one.flags))[:200]} |"
    if len(flagged) > FLAGGED_SHOWN:
        yield f"| … | | | {len(flagged) - FLAGGED_SHOWN} more in the table translated_summaries |"
    yield "\n</details>\n"


def _links(day: date, settings: Settings, runner: Runner) -> Iterator[str]:
    pages = settings.site_url.rstrip("/") or runner.pages_url
    for tag in settings.languages if pages else ():
        yield f"- [{tag}: the day's page]({pages}/{paths.day_page(tag, day)})"
    for tag in settings.languages if runner.host == "github" else ():
        yield f"- [{tag}: Markdown on the branch]({runner.server_url}/{runner.repository}/blob/digest-data/digests/{tag}/{day}/all.md)"
    yield ""


def _cell(text: str) -> str:
    """On one line, and nothing of it can end a table's cell or begin markup of its own."""
    return " ".join(text.split()).replace("|", "∣").replace("<", "&lt;").replace("`", "ˋ")
