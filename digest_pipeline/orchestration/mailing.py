"""The e-mail digest as a run of its own, so that a slow mail server holds up neither a listing nor a sensor.

What lives here: the job and its request. What does not: the message and the sending (`notify/mail.py`), who got it
already (`notify/deliveries.py`: running this again sends nothing twice).
"""

from pathlib import Path

import dagster as dg

from digest_pipeline.errors import DeliveryError, SettingsError
from digest_pipeline.notify.mail import public_page, send_day
from digest_pipeline.orchestration import reporting
from digest_pipeline.orchestration.partitions import day_of
from digest_pipeline.render.watch_lists import WatchList, load_watch_lists
from digest_pipeline.settings import Settings, project_root
from digest_pipeline.workshop import Workshop

__all__ = ["mail_digest", "mail_run_request", "public_page", "watch_lists"]

_TRIES, _FIRST_PAUSE_SECONDS = 4, 90


class MailConfig(dg.Config):
    """Run config of the mail."""

    day: str
    """Listing date, e.g. 2026-06-02."""


@dg.op(name="send_mail")
def send_mail(context: dg.OpExecutionContext, config: MailConfig, workshop: dg.ResourceParam[Workshop]) -> None:
    """Sends the day to everybody who has not got it. A server that does not take it is asked again, then the run fails."""
    try:
        sent = send_day(workshop.storage, workshop.settings, day_of(config.day), watch_lists(workshop.settings), now=workshop.now)
    except SettingsError as error:
        raise reporting.failure(str(error), {}) from error
    except DeliveryError as error:
        context.log.error("%s", error)
        raise dg.RetryRequested(max_retries=_TRIES, seconds_to_wait=_FIRST_PAUSE_SECONDS * 2**context.retry_number) from error
    context.log.info("%d messages sent", sent)


@dg.job(name="mail_digest", description="One listing day by e-mail, to everybody who has not got it. Config: ops.send_mail.config.day")
def mail_digest() -> None:
    send_mail()


def mail_run_request(key: str) -> dg.RunRequest:
    """One run a day: its key is the day, so a day that is made again asks for none."""
    return dg.RunRequest(run_key=f"mail {key}", run_config={"ops": {"send_mail": {"config": {"day": key}}}}, tags={"digest/mail": key})


def watch_lists(settings: Settings) -> tuple[WatchList, ...]:
    """The lists of DIGEST_WATCH_FILE; a relative path is beside workspace.yaml."""
    path = settings.watch_file if settings.watch_file.is_absolute() else Path(project_root()) / settings.watch_file
    return load_watch_lists(path)
