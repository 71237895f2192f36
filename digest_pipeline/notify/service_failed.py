"""Tells that a unit of systemd failed: the back-up, or a server that systemd no longer starts again.

What lives here: the command that `deploy/systemd/digest-failure@.service` runs, at once and without Dagster, which may be
what has failed: `python -m digest_pipeline.notify.service_failed UNIT`. What does not: words and delivery (`alerts.py`).
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from digest_pipeline.errors import DigestError
from digest_pipeline.notify import alerts
from digest_pipeline.notify.alerts import ServiceFailed
from digest_pipeline.settings import load_settings
from digest_pipeline.storage import Storage


def main(arguments: list[str], environ: Mapping[str, str] = os.environ) -> int:
    """Exit status 1 where nobody could be told now; the message then waits in the outbox."""
    [unit] = arguments
    try:
        settings = load_settings(environ)
        storage = Storage(settings.data_root)
        failure = ServiceFailed(unit, socket.gethostname(), environ.get("MONITOR_SERVICE_RESULT", ""))  # which systemd sets for OnFailure=
        posted = alerts.post(storage, settings, failure, now=_utc_now)
        print(f"{unit} failed; {'an alert is on its way' if posted else 'nobody is to be told, or was told less than a week ago'}")
        alerts.deliver_waiting(storage, settings, now=_utc_now)
    except DigestError as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    return 0


def _utc_now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
