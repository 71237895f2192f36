"""What a code host's runner says of itself, and the ways in which it is told something.

What lives here: GitHub's and GitLab's environment variables, repository variables as settings, annotations, step outputs,
the step's summary, and GitHub's API as far as a run asks it. What does not: what is said (`report.py`). Standard library
only, as the watch (`watch.py`) runs before anything is installed.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from digest_pipeline.errors import HostedStateError, SettingsError

VARIABLES = "REPOSITORY_VARIABLES"
"""All of a repository's variables as JSON, as GitHub's `toJSON(vars)` writes them."""
NO_SETTINGS = frozenset({"DIGEST_ENABLED"})
_SETTING = re.compile(r"(DIGEST|OPENAI)_\w+")
_SECONDS = 30.0


def take_in_variables(environ: MutableMapping[str, str], secret_names: frozenset[str]) -> None:
    """Makes settings of the repository's variables; what the environment sets already wins, unless it is empty.

    Raises SettingsError for a secret among the variables, which everybody can read.
    """
    given = environ.pop(VARIABLES, "")
    if not given:
        return
    for name, value in json.loads(given).items():
        if not _SETTING.fullmatch(name) or name in NO_SETTINGS:
            continue
        if name in secret_names:
            raise SettingsError(
                f"{name} stands among the repository's variables, which everybody can read",
                hint="make it a secret (Settings → Secrets and variables → Actions → Secrets), delete the variable, and replace the key: it was public",
            )
        if not environ.get(name):
            environ[name] = str(value)


@dataclass(frozen=True, slots=True)
class Runner:
    """The runner and its repository. Empty strings where this is none of the two hosts."""

    host: str
    """`github`, `gitlab`, or empty."""
    repository: str
    """`owner/name`."""
    server_url: str
    api_url: str
    run_url: str
    event: str
    """What started the run: `schedule`, `workflow_dispatch`, …"""
    pages_url: str
    """Where the host shows the pages, as far as it can be told from the repository's name; without a slash at its end."""
    token: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Runner:
        e = os.environ if environ is None else environ
        if e.get("GITHUB_ACTIONS"):
            server, repository = e.get("GITHUB_SERVER_URL", "https://github.com"), e.get("GITHUB_REPOSITORY", "")
            return cls(
                host="github",
                repository=repository,
                server_url=server,
                api_url=e.get("GITHUB_API_URL", "https://api.github.com"),
                run_url=f"{server}/{repository}/actions/runs/{e.get('GITHUB_RUN_ID', '')}",
                event=e.get("GITHUB_EVENT_NAME", ""),
                pages_url=_github_pages(repository),
                token=e.get("GITHUB_TOKEN", ""),
            )
        if e.get("GITLAB_CI"):
            return cls(
                host="gitlab",
                repository=e.get("CI_PROJECT_PATH", ""),
                server_url=e.get("CI_SERVER_URL", ""),
                api_url=e.get("CI_API_V4_URL", ""),
                run_url=e.get("CI_PIPELINE_URL", ""),
                event=e.get("CI_PIPELINE_SOURCE", ""),
                pages_url=e.get("CI_PAGES_URL", "").rstrip("/"),
                token=e.get("STATE_PUSH_TOKEN", "") or e.get("CI_JOB_TOKEN", ""),
            )
        return cls("", "", "", "", "", "", "")

    @property
    def git_user(self) -> str:
        """The user name that the host expects with `token`."""
        return "gitlab-ci-token" if self.host == "gitlab" else "x-access-token"

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """GitHub's answer to one request below `/repos/<owner>/<name>`; None for an empty one. Raises ApiError."""
        request = urllib.request.Request(  # noqa: S310 - the host's own address
            f"{self.api_url}/repos/{self.repository}{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Accept": "application/vnd.github+json", "Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, f"{method} {path} is answered with HTTP {error.code}") from None
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            raise ApiError(0, f"{method} {path} is not answered: {error}") from None
        return json.loads(text) if text else None


class ApiError(HostedStateError):
    """The host's API refused a request (`status`), or did not answer (0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"the host's API: {message}", hint="see the job's `permissions:` and the host's status page")
        self.status = status


def _github_pages(repository: str) -> str:
    """`https://owner.github.io/name`, or without the name for the repository that is called so itself."""
    owner, _, name = repository.partition("/")
    root = f"https://{owner.lower()}.github.io"
    return "" if not owner else root if name.lower() == f"{owner.lower()}.github.io" else f"{root}/{name}"


def annotate(level: str, message: str, title: str = "") -> None:
    """Shows a sentence on the run's page; `level` is `notice`, `warning` or `error`. Elsewhere a line on standard error."""
    if os.environ.get("GITHUB_ACTIONS"):
        about = f" title={_data(title).replace(':', '%3A').replace(',', '%2C')}" if title else ""
        print(f"::{level}{about}::{_data(message)}", flush=True)
    else:
        print(f"{'✗' if level == 'error' else '!'} {title + ': ' if title else ''}{message}", file=sys.stderr, flush=True)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def set_output(name: str, value: str) -> None:
    """For the workflow's later steps; nothing where the host has no such file."""
    if path := os.environ.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{name}={value}\n")


def write_summary(markdown: str) -> None:
    """The step's summary on the run's page; printed where the host has none."""
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown)
    else:
        print(markdown)
