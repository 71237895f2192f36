"""`digest doctor`: is everything set up so that tonight's run can work? One line a question, secrets masked.

What lives here: asking the questions and printing the answers. What does not: the questions (`machine.py` asks this
machine, `services.py` others), mending anything.

Exit status for machines: 0 all is well, 1 there are warnings, 2 something will not work.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

from digest_pipeline.clients import utc_now
from digest_pipeline.doctor import machine, services
from digest_pipeline.doctor.findings import Finding, Installation, Level, Question, Subject
from digest_pipeline.errors import DigestError, SettingsError
from digest_pipeline.notify.redact import secret_values, without_secrets
from digest_pipeline.settings import Settings, load_settings, project_root
from digest_pipeline.storage import Storage

HERE: tuple[Question, ...] = machine.QUESTIONS
ELSEWHERE: tuple[Question, ...] = services.QUESTIONS


def examine(
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
    now: Callable[[], datetime] = utc_now,
    offline: bool = False,
) -> list[Finding]:
    """All findings, in the order of the questions. `offline` leaves out those that ask another machine. No secret is in them."""
    environ = os.environ if environ is None else environ
    installation = Installation(settings, Storage(settings.data_root), environ, root or project_root(), now)
    secrets = secret_values(settings)
    return [_masked(finding, secrets) for question in (HERE if offline else HERE + ELSEWHERE) for finding in _asked(question, installation)]


def _asked(question: Question, installation: Installation) -> Iterator[Finding]:
    subject, ask = question
    try:
        yield from ask(installation)
    except DigestError as error:
        yield Finding(subject, Level.ERROR, error.message, error.hint)


def _masked(finding: Finding, secrets: Sequence[str]) -> Finding:
    return replace(finding, message=without_secrets(finding.message, secrets), hint=without_secrets(finding.hint, secrets))


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the findings and returns the exit status."""
    parser = argparse.ArgumentParser(prog="digest doctor", description="Is everything set up? Exit status: 0 well, 1 warnings, 2 errors.")
    parser.add_argument("--offline", action="store_true", help="ask no other machine")
    parser.add_argument("--json", action="store_true", help="findings as JSON, for programs")
    options = parser.parse_args(argv)
    try:
        findings = examine(load_settings(), offline=options.offline)
    except SettingsError as error:
        findings = [Finding(Subject.SETTINGS, Level.ERROR, error.message, error.hint)]
    if options.json:
        print(json.dumps([asdict(finding) | {"level": finding.level.name.lower()} for finding in findings], ensure_ascii=False, indent=1))
    else:
        print("\n".join(map(_line, findings)))
    return int(max((finding.level for finding in findings), default=Level.OK))


def _line(finding: Finding) -> str:
    mark = {Level.OK: "ok     ", Level.WARNING: "WARNING", Level.ERROR: "ERROR  "}[finding.level]
    return f"{mark}  {finding.subject:<15} {finding.message}" + (f"\n{'':26}→ {finding.hint}" if finding.hint else "")
