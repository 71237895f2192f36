"""What can be run as a whole: a listing day, the site, and the small jobs around them.

What lives here: which assets or ops a job has. What does not: when it runs (`schedules.py`, `sensors/`), and the clean-up of
old runs (`retention.py`). Dagster's own word: https://docs.dagster.io/guides/build/jobs
"""

import dagster as dg

from digest_pipeline.errors import DeliveryError
from digest_pipeline.notify.mail import send_day
from digest_pipeline.orchestration.assets import DIGESTS, GROUP, PAPERS, SITE
from digest_pipeline.orchestration.failures import errors_as_failures
from digest_pipeline.orchestration.partitions import day_of
from digest_pipeline.orchestration.resources import Clock
from digest_pipeline.personal.mail import send_personal
from digest_pipeline.ranking.profiles import load_profiles
from digest_pipeline.render.watch_lists import load_watch_lists
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage
from digest_pipeline.translation.batch_days import collect_batches
from digest_pipeline.translation.translator import Translator

DAILY_DIGEST, DAY_AND_SITE, UPDATE_SITE = "daily_digest", "day_and_site", "update_site"
_MAIL_TRIES, _MAIL_FIRST_PAUSE_SECONDS = 4, 90

_BY_THEMSELVES = dg.AssetSelection.checks(
    dg.AssetCheckKey(dg.AssetKey(PAPERS), "no_paper_turned_up_later"),
    dg.AssetCheckKey(dg.AssetKey(DIGESTS), "the_newest_listing_has_its_digest"),
)

daily_digest = dg.define_asset_job(
    DAILY_DIGEST,
    selection=dg.AssetSelection.groups(GROUP) - dg.AssetSelection.assets(SITE) - _BY_THEMSELVES,
    description="One listing day from arXiv's announcement to its digest; the site follows by itself.",
)
day_and_site = dg.define_asset_job(
    DAY_AND_SITE,
    selection=dg.AssetSelection.groups(GROUP) - _BY_THEMSELVES,
    description="One listing day and then the site, as `digest run` makes them.",
)
update_site = dg.define_asset_job(UPDATE_SITE, selection=dg.AssetSelection.assets(SITE), description="The site over all days.")
look_back = dg.define_asset_job(
    "look_back",
    selection=_BY_THEMSELVES,
    description="One request a listing: papers that arXiv's API shows now and our tables lack; and whether the newest digest is there.",
)


@dg.op
def collect_answers(context: dg.OpExecutionContext, storage: dg.ResourceParam[Storage], translator: dg.ResourceParam[Translator]) -> None:
    """Keeps what ended batches answered, and notes the days that can go on."""
    with errors_as_failures(context):
        days, words = collect_batches(storage, translator)
    context.log.info("%s; ready: %s", words, ", ".join(map(str, days)) or "none")


@dg.job(name="collect_batches", description="Keeps the answers of the endpoint's batches that ended.")
def collect_batches_job() -> None:
    collect_answers()


class MailConfig(dg.Config):
    """Run config of the mail."""

    day: str
    """Listing date, e.g. 2026-06-02."""


@dg.op
def send_mail(
    context: dg.OpExecutionContext,
    config: MailConfig,
    storage: dg.ResourceParam[Storage],
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
) -> None:
    """Sends the day to everybody who has not got it: running this again sends nothing twice. A slow mail server holds up nothing else."""
    with errors_as_failures(context):
        try:
            sent = send_day(storage, settings, day_of(config.day), load_watch_lists(settings.watch_file), now=clock)
            sent += send_personal(storage, settings, day_of(config.day), load_profiles(settings.profiles_file), now=clock)
        except DeliveryError as error:
            context.log.error("%s", error)
            if context.retry_number >= _MAIL_TRIES:
                raise
            raise dg.RetryRequested(max_retries=_MAIL_TRIES, seconds_to_wait=_MAIL_FIRST_PAUSE_SECONDS * 2**context.retry_number) from error
    context.log.info("%d messages sent", sent)


@dg.job(name="mail_digest", description="One listing day by e-mail, to everybody who has not got it. Config: ops.send_mail.config.day")
def mail_digest() -> None:
    send_mail()


def mail_run_request(key: str) -> dg.RunRequest:
    """One run a day: its key is the day, so a day that is made again asks for none."""
    return dg.RunRequest(run_key=f"mail {key}", run_config={"ops": {"send_mail": {"config": {"day": key}}}}, tags={"digest/mail": key})


ALL_JOBS = (daily_digest, day_and_site, update_site, look_back, collect_batches_job, mail_digest)
