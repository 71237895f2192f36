"""Who is told of a hosted run: the readers' chats and the mail of a day that was made, the operator's of one that failed.

What lives here: of which days, by which message. What does not: words, delivery and the record of what was sent
(`notify/`), which stays on the branch, so that nobody is told twice. No daemon runs here, so that nobody else would tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import partial

from digest_pipeline.calendar import newest_listing_day, previous_weekday
from digest_pipeline.errors import DeliveryError, DigestError
from digest_pipeline.hosted.run import DayState, HostedData, RunReport, deferred_papers
from digest_pipeline.notify import alerts
from digest_pipeline.notify.alerts import RunFailed
from digest_pipeline.notify.mail import public_page, read_mail_day, send_day
from digest_pipeline.notify.ready import announcement
from digest_pipeline.render.watch_lists import load_watch_lists

RECENT_LISTINGS = 3
"""Readers are told of these many newest listings; a range of older days is nobody's news."""


def tell(data: HostedData, report: RunReport) -> list[str]:
    """Sends what is due; returns the troubles in words, since a service that is out of reach fails no run."""
    troubles: list[str] = []
    acts: list[Callable[[], None]] = [*_news(data, report), partial(_deliver, data)]
    for act in acts:
        try:
            act()
        except DigestError as error:
            troubles.append(str(error))
    return troubles


def _news(data: HostedData, report: RunReport) -> Iterator[Callable[[], None]]:
    recent = set(_recent(data.now()))
    for result in report.days if report.publishes else ():
        if result.state in (DayState.MADE, DayState.NOTHING_ANNOUNCED) and result.day in recent:
            yield partial(_tell_readers, data, result.day)
    for day, words in [(str(result.day), result.words) for result in report.days if result.state is DayState.FAILED] or [("", report.error)]:
        if words:
            yield partial(_tell_operator, data, day, words)


def _recent(now: datetime) -> Iterator[date]:
    day = newest_listing_day(now)
    for _ in range(RECENT_LISTINGS):
        yield day
        day = previous_weekday(day)


def _tell_readers(data: HostedData, day: date) -> None:
    """Not while papers of the day wait for money or a batch: the run that completes it tells."""
    if deferred_papers(data.storage, data.settings, day):
        return
    watch_lists = load_watch_lists(data.settings.watch_file)
    alerts.post(
        data.storage,
        data.settings,
        announcement(read_mail_day(data.storage, day, data.settings.languages, watch_lists), public_page(data.settings, day)),
        now=data.now,
    )
    send_day(data.storage, data.settings, day, watch_lists, now=data.now)


def _tell_operator(data: HostedData, day: str, words: str) -> None:
    """One message a cause, however many looks meet it."""
    happened, _, to_do = words.partition(" → ")
    alert = RunFailed(
        run_id=data.runner.run_url.rpartition("/")[2],
        job="digest",
        days=(day,) if day else (),
        message=happened,
        hint=to_do,
        link=data.runner.run_url,
        occasion=f"hosted {happened}",
    )
    alerts.post(data.storage, data.settings, alert, now=data.now)


def _deliver(data: HostedData) -> None:
    try:
        alerts.deliver_waiting(data.storage, data.settings, now=data.now)
    except DeliveryError as error:
        raise DeliveryError(error.message, hint="the next run tries again") from None
