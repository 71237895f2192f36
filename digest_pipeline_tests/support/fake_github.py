"""GitHub's API as far as a hosted run asks it: Pages, issues, and the workflow's own switch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from digest_pipeline_tests.support.serving import serving

BOT = "github-actions[bot]"


@dataclass
class FakeGitHub:
    """A repository's state; change it at any time. `requests` are method and path."""

    url: str = ""
    has_pages: bool = True
    has_issues: bool = True
    enabled: int = 0
    """How often the workflow was enabled."""
    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: list[tuple[int, str]] = field(default_factory=list)
    runs_created_at: list[str] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    @property
    def open_issues(self) -> list[dict[str, Any]]:
        return [issue for issue in self.issues if issue["state"] == "open"]

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        self.requests.append((method, path))
        where = path.partition("?")[0].split("/")[4:]
        match method, where:
            case "GET", ["pages"]:
                return (200, {"build_type": "workflow"}) if self.has_pages else (404, {"message": "Not Found"})
            case "GET", ["issues"]:
                return 200, self.open_issues
            case "POST", ["issues"]:
                if not self.has_issues:
                    return 410, {"message": "Issues are disabled for this repo"}
                self.issues.append({"number": len(self.issues) + 1, "state": "open", "user": {"login": BOT}, **body})
                return 201, self.issues[-1]
            case "POST", ["issues", number, "comments"]:
                self.comments.append((int(number), body["body"]))
                return 201, {}
            case "PATCH", ["issues", number]:
                self.issues[int(number) - 1].update(body)
                return 200, {}
            case "PUT", ["actions", "workflows", "digest.yml", "enable"]:
                self.enabled += 1
                return 204, None
            case "GET", ["actions", "workflows", "digest.yml", "runs"]:
                return 200, {"workflow_runs": [{"created_at": at} for at in self.runs_created_at]}
        return 404, {"message": f"{method} {path} is not known to the stand-in"}


@contextmanager
def fake_github() -> Iterator[FakeGitHub]:
    github = FakeGitHub()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            github.tokens.add(self.headers.get("Authorization", ""))
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = github.answer(self.command, self.path, json.loads(text) if text else {})
            content = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = _any

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with serving(Handler) as server:
        github.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield github
