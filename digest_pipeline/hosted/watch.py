"""The watch over runs that do not come, and the hand that keeps the workflow switched on.

    python3 -m digest_pipeline.hosted.watch        with GITHUB_TOKEN; needs `issues: write` and `actions: write`

What lives here: when a run of listings without a day is worth an issue, the issue, opened once and closed by itself, and
GitHub's switch-off after 60 days without activity. What does not: making days. It runs as a job of its own, also after a
job that failed before anything was installed, so it needs the standard library only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from digest_pipeline.calendar import EASTERN, ListingCalendar, load_calendar, newest_listing_day
from digest_pipeline.errors import DigestError
from digest_pipeline.hosted.branch import DataBranch, days_on
from digest_pipeline.hosted.environment import VARIABLES, ApiError, Runner, annotate

LISTINGS = 2
"""So many announced listings in a row without a day are a stop, not a delay."""
DUE_AFTER = timedelta(hours=18)
"""A listing counts as missed this long after its feed turned at midnight US Eastern."""
TITLE = "The digest has stopped"
WORKFLOW = "digest.yml"


def missed_listings(calendar: ListingCalendar, newest_made: date | None, began: date, now: datetime) -> list[date]:
    """The announced listings that are due and came after the newest day made; where none was made, after `began`."""
    newest_due = newest_listing_day(now.astimezone(EASTERN) - DUE_AFTER)
    start = (newest_made or began) + timedelta(days=1)
    return [day for day in calendar.listing_days(start, newest_due) if calendar.is_announced(day)] if start <= newest_due else []


def watch(branch: DataBranch, runner: Runner, calendar: ListingCalendar, now: datetime) -> str:
    """Opens or closes the issue as needed; returns what it did, in a sentence. Raises HostedStateError."""
    made = days_on(branch.paths())
    newest = date.fromisoformat(made[-1]) if made else None
    missed = missed_listings(calendar, newest, now.date() if newest else _began(runner, now), now)
    opened = _open_issues(runner)
    if len(missed) >= LISTINGS and not opened:
        number = runner.ask("POST", "/issues", {"title": TITLE, "body": _body(newest, missed, runner)})["number"]
        return f"issue #{number} opened: no digest of {missed[0]} to {missed[-1]}"
    if newest and not missed and opened:
        for number in opened:
            runner.ask("POST", f"/issues/{number}/comments", {"body": f"The digest of {newest} is made; it goes on. {runner.run_url}"})
            runner.ask("PATCH", f"/issues/{number}", {"state": "closed", "state_reason": "completed"})
        return f"issue {', '.join(f'#{number}' for number in opened)} closed: the digest of {newest} is made"
    return f"{len(missed)} listings without a digest" if missed else f"the newest listing that is due has its digest ({newest or 'none yet'})"


def keep_enabled(runner: Runner) -> None:
    """GitHub switches a scheduled workflow off after 60 days without activity; to enable it, even when it is, counts anew."""
    runner.ask("PUT", f"/actions/workflows/{WORKFLOW}/enable")


def _open_issues(runner: Runner) -> list[int]:
    """Those of ours: by title and by who opened them, so that nobody else's issue is ever closed."""
    found = runner.ask("GET", "/issues?state=open&per_page=100&creator=github-actions%5Bbot%5D") or []
    return [int(one["number"]) for one in found if one["title"] == TITLE and one["user"]["login"] == "github-actions[bot]"]


def _began(runner: Runner, now: datetime) -> date:
    """When the workflow's oldest run that is still listed was started; today where it is the first."""
    runs = runner.ask("GET", f"/actions/workflows/{WORKFLOW}/runs?per_page=100")["workflow_runs"]
    return min((datetime.fromisoformat(one["created_at"]).date() for one in runs), default=now.date())


def _body(newest: date | None, missed: Sequence[date], runner: Runner) -> str:
    last = f"The newest digest is of {newest}." if newest else "No digest was made yet."
    return (
        f"{last} Since then arXiv announced {len(missed)} listings, {missed[0]} to {missed[-1]}, and none was made.\n\n"
        f"The newest run, with the reason at its top: {runner.run_url}\n\n"
        "Nothing that was paid is lost. When the cause is mended, the next run makes up for the last listings by itself, "
        "and this issue is closed by itself; older days: Actions → digest → Run workflow, with the first and the last day.\n"
    )


def main(environ: Mapping[str, str] | None = None, now: datetime | None = None) -> int:
    """Exit status: 0 well, 1 where the host refused something; both parts are tried."""
    environ = os.environ if environ is None else environ
    runner = Runner.from_environment(environ)
    failed = False
    parts: dict[str, Callable[[], None]] = {
        "Watch": lambda: _watch(runner, environ, now or datetime.now(UTC)),
        "Keeping the workflow enabled": lambda: keep_enabled(runner),
    }
    for title, act in parts.items():
        try:
            act()
        except DigestError as error:
            failed = True
            if isinstance(error, ApiError) and error.status == 410:
                annotate(
                    "error", "no issue could be opened: issues are switched off in this repository (Settings → General → Features → Issues)", title
                )
            else:
                annotate("error", str(error), title)
    return int(failed)


def _watch(runner: Runner, environ: Mapping[str, str], now: datetime) -> None:
    further = json.loads(environ.get(VARIABLES) or "{}").get("DIGEST_SKIPPED_EVENINGS_FILE")
    root = Path(subprocess.check_output(["git", "rev-parse", "--show-toplevel"], text=True).strip())  # noqa: S607
    print(watch(DataBranch(root, root / "data", runner.token), runner, load_calendar(Path(further) if further else None), now), flush=True)


if __name__ == "__main__":
    sys.exit(main())
