"""One run on a runner: which days, each made by the same assets as anywhere, pushed as it goes, and how it ended.

What lives here: the days that are due, the order of calls, the budget over a range, the push now and then, and the three
ways to end. What does not: git (`branch.py`), the words on the run's page (`report.py`), Dagster (`orchestration/`).

    made, or nothing announced    0     the pages hold the day
    not published yet             75    nothing was lost; the next look makes it
    failed                        1     what was fetched and paid is kept
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property, partial
from pathlib import Path

import pyarrow.compute as pc

from digest_pipeline.arxiv.late_papers import days_to_look_back, papers_that_turned_up
from digest_pipeline.calendar import EASTERN, load_calendar, newest_listing_day
from digest_pipeline.clients import digest_options, listing_fetcher, openai_client
from digest_pipeline.errors import DigestError, EndpointConfigurationError, HostedStateError, SettingsError
from digest_pipeline.hosted.bookkeeping import take_in_bookkeeping, write_bookkeeping
from digest_pipeline.hosted.branch import DataBranch
from digest_pipeline.hosted.environment import ApiError, Runner, annotate
from digest_pipeline.hosted.leaks import require_no_secret, secrets_of
from digest_pipeline.hosted.segments import SegmentWriter, join_segments, take_in_segments
from digest_pipeline.models import SummaryStatus
from digest_pipeline.papers.ledger import read_facts
from digest_pipeline.ranking.rankings import best_ranks
from digest_pipeline.settings import Settings, project_root
from digest_pipeline.site import paths
from digest_pipeline.site.build import SiteOptions, build_site
from digest_pipeline.storage import Storage
from digest_pipeline.tables import TRANSLATED_SUMMARIES
from digest_pipeline.translation.cache.open import open_cache
from digest_pipeline.translation.cache.protocol import ResponseCache
from digest_pipeline.translation.cache.records import month_of
from digest_pipeline.weekly.digest import write_week
from digest_pipeline.weekly.week import Week, last_whole_week, read_week

NOT_PUBLISHED_YET = 75
"""Exit status, after sysexits' EX_TEMPFAIL: try again later."""
PUSH_EVERY_SECONDS = 10.0
"""GitHub asks for at most six pushes a minute to one repository."""
LOOK_BACK_FROM_HOUR, LOOK_BACK_LISTINGS = 12, 5
REPORT = "state/hosted-run.json"
_ENDPOINT_SECONDS = 20.0


class DayState(StrEnum):
    MADE = "made"
    NOTHING_ANNOUNCED = "nothing announced"
    NOT_PUBLISHED_YET = "not published yet"
    FAILED = "failed"
    UNDER_WAY = "under way"
    """Stands in the report of a run that was killed."""


@dataclass(frozen=True, slots=True)
class DayResult:
    day: date
    state: DayState
    words: str = ""
    """Why, and what to do; empty for a day that was made."""
    cost_usd: float = 0.0


@dataclass
class RunReport:
    """What a run did, kept in `state/hosted-run.json` from its beginning on, so that a killed one is told of too."""

    first: date | None = None
    last: date | None = None
    forecast: str = ""
    days: list[DayResult] = field(default_factory=list)
    stopped: str = ""
    """Why days of the range were not tried; empty where all were."""
    error: str = ""
    """Why the run as a whole failed."""
    publishes: bool = False
    is_finished: bool = False

    @property
    def state(self) -> DayState:
        states = {result.state for result in self.days}
        if self.error or not self.is_finished or DayState.FAILED in states:
            return DayState.FAILED
        for state in (DayState.MADE, DayState.NOT_PUBLISHED_YET):
            if state in states:
                return state
        return DayState.NOTHING_ANNOUNCED

    @property
    def exit_status(self) -> int:
        return {DayState.FAILED: 1, DayState.NOT_PUBLISHED_YET: NOT_PUBLISHED_YET}.get(self.state, 0)

    def write(self, storage: Storage) -> None:
        storage.write_text(REPORT, json.dumps(asdict(self), default=str, ensure_ascii=False, indent=1))

    @classmethod
    def read(cls, storage: Storage) -> RunReport:
        """Raises FileNotFoundError where no run began here."""
        values = json.loads(storage.read_text(REPORT))
        days = [DayResult(**{**one, "day": date.fromisoformat(one["day"]), "state": DayState(one["state"])}) for one in values["days"]]
        ends = {name: date.fromisoformat(values[name]) if values[name] else None for name in ("first", "last")}
        return cls(**{**values, **ends, "days": days})


@dataclass(frozen=True)
class HostedData:
    """The data directory of a runner, its store of answers, and the branch they are kept on."""

    settings: Settings
    runner: Runner
    now: Callable[[], datetime]
    checkout: Path = field(default_factory=project_root)
    _pushing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def storage(self) -> Storage:
        storage = Storage(self.settings.data_root)
        if not storage.is_local:
            raise SettingsError(
                f"DIGEST_DATA_DIR={self.settings.data_dir} is no folder of the runner",
                hint="a hosted run keeps its data on a branch: remove the setting",
            )
        return storage

    @cached_property
    def branch(self) -> DataBranch:
        secrets = secrets_of(self.settings, self.runner.token)
        examine = partial(require_no_secret, secrets=secrets)
        return DataBranch(self.checkout, self.storage.local_path("."), self.runner.token, self.runner.git_user, examine)

    @cached_property
    def segments(self) -> SegmentWriter:
        return SegmentWriter(self.storage)

    def answers(self) -> AbstractContextManager[ResponseCache]:
        return closing(open_cache(self.settings.answers_root, self.now))

    def restore(self) -> tuple[int, int]:
        """Files laid out and answers taken in; zeros on the first run of all."""
        files = self.branch.restore()
        with self.answers() as store:
            answers = take_in_segments(self.storage, store)
            take_in_bookkeeping(self.storage, store, self.settings)
        return files, answers

    def save(self, message: str, *, is_last: bool = False) -> bool:
        """Pushes what is new; true where there was something. `is_last` also joins the small files of earlier pushes."""
        with self._pushing:
            with self.answers() as store:
                self.segments.write(store, secrets_of(self.settings, self.runner.token))
                write_bookkeeping(self.storage, store, self.settings)
            gone = join_segments(self.storage) if is_last else []
            return self.branch.save(message, forget=gone)


# -- which days -----------------------------------------------------------------------------------------


def days_due(storage: Storage, settings: Settings, now: datetime) -> list[date]:
    """The newest listing and the last ones that have no digest, or one in which papers wait for money; oldest first."""
    from digest_pipeline.orchestration.schedules import listings_to_ask_for

    have = set(finished_days(storage))
    newest = newest_listing_day(now)
    due = listings_to_ask_for(newest, have, settings.schedule_catchup_listings, settings.first_listing)
    recent = sorted(have)[-settings.schedule_catchup_listings :] if settings.schedule_catchup_listings else []
    return sorted({*due, *(day for day in recent if deferred_papers(storage, settings, day))})


def finished_days(storage: Storage) -> list[date]:
    return [day for day in storage.days_of("ledger") if storage.exists(f"ledger/date={day}/facts.json")]


def deferred_papers(storage: Storage, settings: Settings, day: date) -> int:
    """How many of a day's texts wait for the budget or a batch; those in the original by choice wait for nothing."""
    return len(_papers_with(SummaryStatus.DEFERRED, storage, settings, day))


def _chosen_since(storage: Storage, settings: Settings, day: date) -> bool:
    """Whether papers that are listed in the original would be translated by DIGEST_TRANSLATE as it is set now, as far as ranks are kept."""
    original, ranks = _papers_with(SummaryStatus.ORIGINAL, storage, settings, day), best_ranks(storage, day)
    best = settings.translated_best
    return bool(original) and (best is None or not ranks or any(ranks.get(key, best + 1) <= best for key in original))


def _papers_with(status: SummaryStatus, storage: Storage, settings: Settings, day: date) -> list[str]:
    """Their ids, once for each language."""
    files = [path for tag in settings.languages if storage.exists(path := storage.summaries_file(day, tag))]
    tables = [storage.read_table(path, TRANSLATED_SUMMARIES) for path in files]
    return [str(key) for table in tables for key in table.filter(pc.equal(table["status"], status.value))["arxiv_id"].to_pylist()]


# -- the run --------------------------------------------------------------------------------------------


def run(data: HostedData, *, first: date | None = None, last: date | None = None, budget_usd: float | None = None) -> RunReport:
    """Makes what is due, or the range; never raises a DigestError, as the report says what went wrong."""
    report = RunReport(first, last or first)
    report.write(data.storage)
    try:
        _run(data, report, budget_usd)
    except DigestError as error:
        report.error = str(error)
    report.is_finished = True
    report.write(data.storage)
    return report


def _run(data: HostedData, report: RunReport, budget_usd: float | None) -> None:
    if data.settings.openai_api_key is None and not data.settings.openai_base_url:
        raise SettingsError(
            "no model is set, so there is nothing to translate with",
            hint="add the secret OPENAI_API_KEY (Settings → Secrets and variables → Actions → New repository secret)",
        )
    days = _days(data, report)
    if days:
        require_pages(data.runner)
        require_working_key(data.settings)
        with _pushing_now_and_then(data):
            _make_days(data, report, days, budget_usd)
        _make_weeks(data, report)
    asked_for = data.runner.event != "schedule"
    if finished_days(data.storage) and (asked_for or any(result.state in (DayState.MADE, DayState.NOTHING_ANNOUNCED) for result in report.days)):
        _require_site(data)
        report.publishes = True


def _days(data: HostedData, report: RunReport) -> list[date]:
    if report.first is None or report.last is None:
        return days_due(data.storage, data.settings, data.now()) or _days_with_late_papers(data)
    from digest_pipeline.forecast import forecast_range

    expected = forecast_range(data.settings, report.first, report.last, now=data.now)
    report.forecast = expected.to_text()
    print(report.forecast, flush=True)
    report.write(data.storage)
    finished = set(finished_days(data.storage))
    return [
        day
        for day in expected.days
        if day not in finished or deferred_papers(data.storage, data.settings, day) or _chosen_since(data.storage, data.settings, day)
    ]


def _days_with_late_papers(data: HostedData) -> list[date]:
    """Once a day, at the looks from noon US Eastern on: the last listings of which arXiv's API shows papers now that it lacked."""
    if data.runner.event != "schedule" or data.now().astimezone(EASTERN).hour < LOOK_BACK_FROM_HOUR:
        return []
    fetcher = listing_fetcher(data.settings, data.storage, data.now)
    return [day for day in days_to_look_back(data.storage, LOOK_BACK_LISTINGS) if papers_that_turned_up(day, data.storage, fetcher)]


def _make_days(data: HostedData, report: RunReport, days: Sequence[date], budget_usd: float | None) -> None:
    """Stops at the budget, and where the endpoint would refuse the next day too."""
    left = budget_usd
    for number, day in enumerate(days):
        report.days.append(DayResult(day, DayState.UNDER_WAY))
        report.write(data.storage)
        result, stops = _make_day(data, day, left)
        report.days[-1] = result
        report.write(data.storage)
        left = None if left is None else left - result.cost_usd
        if not (following := days[number + 1 :]):
            return
        not_begun = f"{len(following)} days from {following[0]} to {following[-1]} were not begun"
        if left is not None and (left <= 0 or deferred_papers(data.storage, data.settings, day)):
            report.stopped = f"the budget of ${budget_usd:g} is spent: {not_begun}"
            return
        if stops:
            report.stopped = f"{not_begun}: they would meet the same"
            return


def _make_weeks(data: HostedData, report: RunReport) -> None:
    """The weeks of the days that this run made, once all their days are there or they are over; a backfill makes none of long ago."""
    calendar, newest = load_calendar(data.settings.skipped_evenings_file), last_whole_week(data.now())
    made = {Week.of(one.day) for one in report.days if one.state in (DayState.MADE, DayState.NOTHING_ANNOUNCED)}
    for week in sorted(one for one in made if one >= newest.before(1)):
        if week <= newest or not read_week(data.storage, week, calendar).lacking:
            write_week(data.storage, week, calendar, digest_options(data.settings))


def _make_day(data: HostedData, day: date, budget_usd: float | None) -> tuple[DayResult, bool]:
    """How the day ended, and whether every further day would meet the same."""
    from digest_pipeline.orchestration.days import State, run_day
    from digest_pipeline.orchestration.records import keep_records

    limit = budget_usd if budget_usd is not None else data.settings.budget_per_run_usd
    settings = data.settings.model_copy(update={"budget_per_run_usd": limit, "publication_wait_seconds": 0.0})  # the next look waits for nothing
    before = _spent(data)
    result = run_day(settings, day, now=data.now)
    cost = round(_spent(data) - before, 6)
    keep_records(data.storage, day)
    if result.state is State.DONE:
        announced = read_facts(data.storage, day).announced
        return DayResult(day, DayState.MADE if announced else DayState.NOTHING_ANNOUNCED, "", cost), False
    state = DayState.NOT_PUBLISHED_YET if result.state is State.NOT_PUBLISHED else DayState.FAILED
    return DayResult(day, state, result.message, cost), result.stops


def _spent(data: HostedData) -> float:
    """US dollars of this month, as far as prices are known."""
    with data.answers() as store:
        return store.spending(month_of(data.now())).usd


@contextmanager
def _pushing_now_and_then(data: HostedData) -> Iterator[None]:
    """A runner that vanishes loses what came since the last push; a push that fails now is made up for by a later one."""
    ended = threading.Event()

    def push() -> None:
        while not ended.wait(PUSH_EVERY_SECONDS):
            try:
                data.save("Answers of a run under way")
            except DigestError as error:
                annotate("warning", str(error), "A push in between failed")

    thread = threading.Thread(target=push, name="push-now-and-then", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


# -- what must hold -------------------------------------------------------------------------------------


def require_working_key(settings: Settings) -> None:
    """Asks the endpoint for one word, before arXiv is asked for anything. Raises EndpointConfigurationError for a key, account or
    model that is refused; what time may mend is left to the run."""
    import openai

    with openai_client(settings, _ENDPOINT_SECONDS) as client:
        try:
            client.chat.completions.create(model=settings.model, messages=[{"role": "user", "content": "Answer with the one word OK."}])
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise EndpointConfigurationError(
                f"{client.base_url} refuses the key (HTTP {error.status_code})",
                hint="replace the secret OPENAI_API_KEY (Settings → Secrets and variables → Actions), then run the workflow again",
            ) from None
        except openai.NotFoundError:
            raise EndpointConfigurationError(
                f"{client.base_url} does not know the model {settings.model!r}", hint="see the variables DIGEST_MODEL and OPENAI_BASE_URL"
            ) from None
        except openai.OpenAIError:
            return


def require_pages(runner: Runner) -> None:
    """Raises SettingsError, before anything is paid, where the repository publishes no pages; only GitHub can be asked."""
    if runner.host != "github" or not runner.token:
        return
    try:
        runner.ask("GET", "/pages")
    except ApiError as error:
        if error.status == 404:
            raise SettingsError(
                "this repository has no Pages yet",
                hint="Settings → Pages → Build and deployment → Source: GitHub Actions; then run the workflow again",
            ) from None
        annotate("warning", str(error), "Pages were not looked at")


def _require_site(data: HostedData) -> None:
    """Brings `site/` up to date and looks through it. Raises HostedStateError where the newest day has no page."""
    build_site(data.storage, SiteOptions.from_settings(data.settings), now=data.now)
    newest = finished_days(data.storage)[-1]
    lacking = [page for tag in data.settings.languages if not data.storage.exists(f"site/{(page := paths.day_page(tag, newest))}")]
    if lacking:
        raise HostedStateError(f"site/{lacking[0]} was not made, so nothing is published", hint="see the log of the step that makes the days")
    site = data.storage.local_path("site")
    require_no_secret((file for file in site.rglob("*") if file.is_file()), secrets_of(data.settings, data.runner.token))
