"""The five steps of one listing day, each a plain function: workshop and date in, files and a report out.

    fetch      → raw/<day>/                                   what arXiv answered
    assemble   → papers/date=<day>/                           one row a paper
    translate  → translated_summaries/date=<day>/language=…   one row a paper and language
    render     → digests/<tag>/<day>/, ledger/date=<day>/     the files people read, and the count of them
    publish    → site/                                        pages, feeds, search over all days

Every step can be killed at any point and run again. What lives here: the order of calls within a step and
what it reports. What does not: how anything is done (the rooms) and Dagster (`orchestration/`).
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING

from digest_pipeline import tables
from digest_pipeline.arxiv.listing import fetch_listing
from digest_pipeline.arxiv.raw_store import RawManifest
from digest_pipeline.arxiv.sample import keep_sample
from digest_pipeline.errors import SourceError
from digest_pipeline.markdown.read_back import rendered_ids
from digest_pipeline.markdown.render import preview, render_digest
from digest_pipeline.models import ALL, DayLedger, DigestEntry, ListingInfo, Paper, Summary, SummaryStatus, counts_by_type
from digest_pipeline.papers.assemble import assemble_papers, counts_by_category
from digest_pipeline.papers.ledger import day_facts, day_ledger, in_category, usual_size, write_facts, write_ledger
from digest_pipeline.translation.languages import Language
from digest_pipeline.workshop import GENERATOR, Workshop

if TYPE_CHECKING:
    from digest_pipeline.translation.run import Progress

QUARANTINE_LIMIT = 0.02
"""Share of papers without a translation beyond which the day's translation check fails; one alone never does, on any day."""
SHRUNKEN = 0.5
"""A listing below this share of the weekday's median warns."""
READY_DAYS_ARE_KEPT = timedelta(days=30)
_READY = "state/batch-days.json"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome. `name` is a sentence that is true when green; a `warning` does not make the day wrong."""

    name: str
    passed: bool
    description: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class StageReport:
    """What a step did: where, how many rows, its numbers (they plot over time), a Markdown preview, its checks."""

    path: str
    rows: int
    numbers: dict[str, int | float | str | bool | None]
    preview: str = ""
    findings: tuple[Finding, ...] = ()
    figure: bytes = b""
    """A PNG for the UI; empty where the step draws none."""


_OF_TRANSLATION = ("openai",)
_OF_PUBLICATION = ("digest_pipeline.site.build", "matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg")


def _load_ahead(modules: Iterable[str]) -> None:
    """Loads what a later step needs while this one waits for the network: about a second a day that nobody waits for."""
    missing = [name for name in modules if name not in sys.modules]
    if missing:
        threading.Thread(target=lambda: [import_module(name) for name in missing], name="load-ahead").start()


# -- fetch ---------------------------------------------------------------------------------------------


def fetch(shop: Workshop, day: date, *, refetch: bool = False) -> StageReport:
    """Raises ListingDateError, NotPublishedYet or a SourceError."""
    if not shop.settings.is_sample and shop.raw.manifest(day) is None:
        _load_ahead(_OF_TRANSLATION)
    manifest = (
        keep_sample(day, shop.raw, shop.calendar, shop.now())
        if shop.settings.is_sample
        else fetch_listing(day, shop.listing_fetcher, refetch=refetch)
    )
    return StageReport(
        path=shop.storage.raw_folder(day),
        rows=sum(file.records for file in manifest.files),
        numbers={
            "announced": manifest.announced,
            "evidence": manifest.evidence.value if manifest.evidence else "none",
            "requests_to_arxiv": manifest.requests,
            "kept_answers": len(manifest.files),
            "block": "–".join(manifest.block) if manifest.block else "",
        },
        preview="\n".join(f"- {note}" for note in manifest.notes),
        findings=tuple(_calendar_findings(shop, manifest)),
    )


class FetchAhead:
    """Fetches days in their order, and one of them ahead while the caller has other work, such as waiting for the model.

    In a backfill arXiv's pauses, 20 to 30 s a day, then pass within the model's answering. A run that ends early
    leaves at most one day that is kept without having been asked for.
    """

    def __init__(self, fetch_day: Callable[[date], StageReport], days: Sequence[date]) -> None:
        self._fetch_day = fetch_day
        self._following = dict(pairwise(days))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fetch-ahead")
        self._ahead: dict[date, Future[StageReport]] = {}

    def begin_after(self, day: date) -> None:
        """Begins with the day after `day`, where there is one."""
        if (following := self._following.get(day)) is not None:
            self._ahead[following] = self._thread.submit(self._fetch_day, following)

    def report(self, day: date) -> StageReport:
        """The day's report, or its error, whether it was begun ahead or not."""
        begun = self._ahead.pop(day, None)
        return self._fetch_day(day) if begun is None else begun.result()


def _calendar_findings(shop: Workshop, manifest: RawManifest) -> Iterable[Finding]:
    day = manifest.listing_date
    expected = shop.calendar.is_announced(day)
    contradiction = [note for note in manifest.notes if "calendar" in note]
    agrees = expected == manifest.announced and not contradiction
    yield Finding(
        "arxiv_kept_to_its_calendar",
        agrees,
        "; ".join(contradiction) or f"{day}: {'announced' if manifest.announced else 'no announcement'}, as the calendar says",
        True,
    )
    coming = max(day, shop.now().date()).year + (1 if shop.now().month == 12 else 0)
    yield Finding(
        "the_calendar_covers_the_coming_weeks",
        shop.calendar.covers_year(coming),
        f"skipped evenings of {coming} are {'known' if shop.calendar.covers_year(coming) else 'not in the calendar: add them in a file named by DIGEST_SKIPPED_EVENINGS_FILE'}",
        True,
    )


# -- assemble ------------------------------------------------------------------------------------------


def assemble(shop: Workshop, day: date) -> StageReport:
    """Raises SourceError where the day was not fetched, or not for these categories."""
    manifest = require_manifest(shop, day)
    assembled = assemble_papers(manifest, shop.raw, shop.categories)
    papers = assembled.papers
    shop.storage.write_table(shop.storage.papers_file(day), tables.papers_to_table(papers))
    usual = usual_size(shop.storage, day)
    return StageReport(
        path=shop.storage.papers_file(day),
        rows=len(papers),
        numbers={
            "papers": len(papers),
            **{f"type {kind}": n for kind, n in counts_by_type(papers).items()},
            **{f"category {name}": n for name, n in counts_by_category(papers, shop.categories).items()},
            "from_feed_text": len(assembled.from_feed_text),
            "incomplete": len(assembled.incomplete),
        },
        preview=_papers_preview(papers),
        findings=(
            Finding(
                "every_announced_paper_is_in_the_table",
                not manifest.missing_ids,
                f"missing: {', '.join(manifest.missing_ids)}; run the partition again to add them"
                if manifest.missing_ids
                else f"{len(papers)} of {len(papers)}",
            ),
            Finding(
                "the_listing_has_its_usual_size",
                not manifest.announced or usual is None or len(papers) >= SHRUNKEN * usual,
                f"{len(papers)} papers; the median {day:%A} has {usual:g}"
                if usual is not None
                else f"{len(papers)} papers; too few earlier listings to compare",
                True,
            ),
            Finding(
                "every_record_is_complete",
                not assembled.incomplete,
                f"arXiv gives no title, abstract or authors for {', '.join(assembled.incomplete)}; shipped with what there is: refetch the day once arXiv shows more"
                if assembled.incomplete
                else f"{len(papers)} of {len(papers)} have title, abstract and authors",
                True,
            ),
        ),
    )


def require_manifest(shop: Workshop, day: date) -> RawManifest:
    manifest = shop.raw.manifest(day)
    if manifest is None:
        raise SourceError(f"nothing of the listing of {day} is kept", hint="materialize raw_arxiv_metadata of that day first")
    if lacking := manifest.lacking(shop.categories):
        raise SourceError(f"what is kept of {day} does not cover {', '.join(lacking)}", hint="materialize raw_arxiv_metadata of that day again")
    return manifest


def _papers_preview(papers: Sequence[Paper], limit: int = 12) -> str:
    rows = [f"| {p.arxiv_id}v{p.version} | {p.announce_type} | {p.primary_category} | {p.title.replace('|', '∣')[:90]} |" for p in papers[:limit]]
    return "\n".join(["| id | type | primary | title |", "| --- | --- | --- | --- |", *rows])


# -- translate -----------------------------------------------------------------------------------------


def translate(shop: Workshop, day: date, progress: Callable[[Progress], None]) -> StageReport:
    """Raises EndpointConfigurationError or EndpointUnavailable; what was answered until then is kept and not paid again."""
    from digest_pipeline.translation.run import translate_papers

    def told(so_far: Progress) -> None:
        if so_far.requests and so_far.done < so_far.total:
            _load_ahead(_OF_PUBLICATION)
        progress(so_far)

    papers = read_papers(shop, day)
    outcome = translate_papers(papers, shop.languages, shop.translator, progress=told)
    for language in shop.languages:
        rows = outcome.summaries[language.tag]
        shop.storage.write_table(shop.storage.summaries_file(day, language.tag), tables.summaries_to_table(rows))
    every = [s for rows in outcome.summaries.values() for s in rows]
    by_status = Counter(s.status for s in every)
    flags = Counter(flag.split(":")[0] for s in every for flag in s.flags)
    untranslated = [s for s in every if s.status is SummaryStatus.QUARANTINED]
    return StageReport(
        path=f"{tables.partition_folder('translated_summaries', day)}/",
        rows=len(every),
        numbers={
            **{f"status {status.value}": by_status[status] for status in SummaryStatus},
            "paid_now": sum(not s.from_cache and s.status is not SummaryStatus.DEFERRED for s in every),
            "reused": sum(s.from_cache for s in every),
            "reused_share": round(sum(s.from_cache for s in every) / len(every), 4) if every else 0.0,
            "input_tokens": outcome.input_tokens,
            "output_tokens": outcome.output_tokens,
            "cost_usd": round(outcome.cost_usd, 6) if outcome.cost_usd is not None else "unknown",
            "with_warnings": sum(bool(s.flags) and s.is_translated for s in every),
            **{f"flag {code}": n for code, n in sorted(flags.items())},
        },
        preview=_untranslated_preview(untranslated),
        findings=(
            Finding(
                "nearly_every_paper_is_translated",
                len(untranslated) <= QUARANTINE_LIMIT * len(every) or len(untranslated) <= 1,
                f"{len(untranslated)} of {len(every)} quarantined (limit: {QUARANTINE_LIMIT:.0%}, and one in any case)",
            ),
            Finding(
                "nothing_waits_for_budget_or_batch",
                not by_status[SummaryStatus.DEFERRED],
                f"{by_status[SummaryStatus.DEFERRED]} papers deferred: run the partition again when the budget allows or the batch is back",
                True,
            ),
        ),
    )


def submit_batch(shop: Workshop, days: Sequence[date]) -> str:
    """Sends the papers of many days that are not paid for through the endpoint's Batch API; says so in a sentence.

    They stay `deferred` until `collect_batches` has the answers. Raises EndpointConfigurationError for an endpoint without it.
    """
    from digest_pipeline.translation.batch.submit import submit

    papers = (paper for day in days for paper in read_papers(shop, day))
    sent = submit(papers, shop.languages, shop.translator)
    words = (
        f"{sent.submitted} questions sent in {sent.batches} batches, {sent.already_known} known before, {sent.left_to_ask} left to the ordinary run"
    )
    return f"{words}; {sent.missing}" if sent.missing else words


def collect_batches(shop: Workshop) -> tuple[list[date], str]:
    """Keeps the answers of the batches that ended; returns the listing days that can be run again, and what happened.

    The days are also noted, so that whoever collects, a run or the sensor's job, no day of the same batch is forgotten.
    """
    from digest_pipeline.translation.batch.collect import collect_open_batches

    found = collect_open_batches(shop.translator)
    if found.days_ready:
        note_ready(shop, found.days_ready, shop.now())
    words = f"{found.answers} answers kept, {found.failed} questions without one, {found.still_open} batches still open"
    return list(found.days_ready), "; ".join([words, *found.notes])


def ready_days(shop: Workshop) -> dict[str, str]:
    """Listing day → when its batch was collected, over the last month."""
    return dict(json.loads(shop.storage.read_text(_READY))) if shop.storage.exists(_READY) else {}


def note_ready(shop: Workshop, days: Sequence[date], now: datetime) -> None:
    oldest = (now - READY_DAYS_ARE_KEPT).isoformat()
    kept = {key: at for key, at in ready_days(shop).items() if at >= oldest}
    shop.storage.write_text(_READY, json.dumps({**kept, **{day.isoformat(): now.isoformat() for day in days}}))


def read_papers(shop: Workshop, day: date) -> list[Paper]:
    """Raises SourceError where the papers table of the day is not there yet."""
    if not shop.storage.exists(shop.storage.papers_file(day)):
        raise SourceError(f"there is no papers table of {day}", hint="materialize papers of that day first")
    return tables.papers_from_table(shop.storage.read_table(shop.storage.papers_file(day), tables.PAPERS))


def _untranslated_preview(summaries: Sequence[Summary], limit: int = 20) -> str:
    rows = [f"| {s.arxiv_id}v{s.version} | {s.language} | {'; '.join(s.flags).replace('|', '∣')[:160]} |" for s in summaries[:limit]]
    return "\n".join(["| quarantined | language | why |", "| --- | --- | --- |", *rows]) if rows else ""


# -- render --------------------------------------------------------------------------------------------


def render(shop: Workshop, day: date, *, with_figure: bool = False) -> StageReport:
    """Writes each category's digest and their union in every language, reads them back, and counts.

    The figure goes into Dagster's event log, about 30 KB; a backfill of years does without.
    """
    manifest = require_manifest(shop, day)
    papers = read_papers(shop, day)
    facts = day_facts(manifest, is_sample=shop.settings.is_sample)
    rows: list[DayLedger] = []
    first_rows = ""
    for language in shop.languages:
        entries = _entries(shop, day, papers, language)
        for category in (*shop.categories, ALL):
            rows.append(_render_one(shop, facts, manifest, category, language, entries))
        first_rows = first_rows or preview(entries, language)
    write_ledger(shop.storage, day, rows)
    write_facts(shop.storage, facts)
    whole = [row for row in rows if row.category == ALL]
    return StageReport(
        path=shop.storage.digest_folder(shop.languages[0].tag, day),
        rows=sum(row.rendered for row in whole),
        figure=_day_figure(shop, day, papers) if with_figure else b"",
        numbers={
            "files": len(rows),
            **{
                f"{name} ({row.language})": getattr(row, name)
                for row in whole
                for name in ("announced", "fetched", "translated", "untranslated", "rendered")
            },
        },
        preview=first_rows or "\n".join(facts.notes),
        findings=tuple(_ledger_findings(rows)),
    )


def _day_figure(shop: Workshop, day: date, papers: Sequence[Paper]) -> bytes:
    """The day's numbers as a picture; none on a day without papers."""
    if not papers:
        return b""
    from digest_pipeline.site.statistics import day_figure_png

    summaries = {language.tag: {e.paper.arxiv_id: e.summary for e in _entries(shop, day, papers, language)} for language in shop.languages}
    return day_figure_png(day, papers, summaries, shop.categories, shop.calendar)


def _entries(shop: Workshop, day: date, papers: Sequence[Paper], language: Language) -> list[DigestEntry]:
    path = shop.storage.summaries_file(day, language.tag)
    if not shop.storage.exists(path):
        raise SourceError(f"there are no summaries of {day} in {language.tag}", hint="materialize translated_summaries of that day first")
    summaries = {s.arxiv_id: s for s in tables.summaries_from_table(shop.storage.read_table(path, tables.TRANSLATED_SUMMARIES))}
    if lacking := [p.arxiv_id for p in papers if p.arxiv_id not in summaries]:
        raise SourceError(
            f"{len(lacking)} papers of {day} have no row in {path}, e.g. {lacking[0]}",
            hint="materialize translated_summaries of that day again",
        )
    return [DigestEntry(p, summaries[p.arxiv_id]) for p in papers]


def _render_one(
    shop: Workshop, facts: ListingInfo, manifest: RawManifest, category: str, language: Language, entries: Sequence[DigestEntry]
) -> DayLedger:
    mine = in_category(category, [e.paper for e in entries])
    listed = {p.arxiv_id for p in mine}
    chosen = [e for e in entries if e.paper.arxiv_id in listed]
    summaries = {e.paper.arxiv_id: e.summary for e in chosen}
    announced = {*listed, *(manifest.missing_ids if category == ALL else ())}
    day = facts.listing_date

    def ledger_of(rendered: Sequence[str]) -> DayLedger:
        return day_ledger(day, category, language.tag, announced_ids=announced, papers=mine, summaries=summaries, rendered_ids=rendered)

    def written(ledger: DayLedger) -> str:
        text = render_digest(facts, ledger, chosen, language, model=model, generator=GENERATOR)
        shop.storage.write_text(f"{shop.storage.digest_folder(language.tag, day)}/{category}.md", text)
        return text

    model = shop.settings.model if not facts.is_sample else "recorded answers"
    expected = ledger_of([p.arxiv_id for p in mine])
    found = ledger_of(rendered_ids(written(expected)))
    if found != expected:  # the closing line must say what is really in the file
        written(found)
    return found


def _ledger_findings(rows: Sequence[DayLedger]) -> Iterable[Finding]:
    lost = [f"{row.language}/{row.category}: {', '.join(row.missing_rendered)}" for row in rows if row.missing_rendered]
    yield Finding("every_paper_is_in_the_digest", not lost, "; ".join(lost) or "read back from the files")
    unequal = [
        f"{row.language}/{row.category}: announced {row.announced}, fetched {row.fetched}, rendered {row.rendered}"
        for row in rows
        if not row.balances
    ]
    yield Finding("announced_fetched_and_rendered_are_equal", not unequal, "; ".join(unequal) or "in every category and language")


# -- publish -------------------------------------------------------------------------------------------


def publish(shop: Workshop) -> StageReport:
    """Brings the site up to date with all days that have a digest; unchanged days cost nothing."""
    from digest_pipeline.site.build import build_site
    from digest_pipeline.site.options import SiteOptions

    report = build_site(shop.storage, SiteOptions.from_settings(shop.settings), now=shop.now)
    return StageReport(
        path="site/",
        rows=report.days,
        numbers={
            "days": report.days,
            "days_built": report.days_built,
            "paper_pages_built": report.papers_built,
            "files_written": report.files_written,
            "files_unchanged": report.files_unchanged,
        },
        preview=report.search_problem,
        findings=(Finding("the_pages_can_be_searched", not report.search_problem, report.search_problem or "the index is up to date", True),),
    )
