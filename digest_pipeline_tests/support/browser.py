"""Debian's Chromium for tests that read a page as a person would.

What lives here: starting it, and a page that remembers every complaint and every request. What does not: the
sites it looks at.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is installed in the slow suite only")

from playwright.sync_api import Browser, Page, sync_playwright

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Skips the test, saying so, where no Chromium is installed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium here; Debian's package `chromium` brings it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """A page with what it complained of (console errors, exceptions, failed requests) and asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


@contextmanager
def watched_page(browser: Browser, *, width: int = 1440, height: int = 900, scheme: str = "light", scripts: bool = True) -> Iterator[Watched]:
    options: dict[str, Any] = {"viewport": {"width": width, "height": height}, "color_scheme": scheme, "java_script_enabled": scripts}
    context = browser.new_context(**options)
    seen = Watched(context.new_page())
    seen.page.on("console", lambda message: seen.complaints.append(message.text) if message.type in ("error", "warning") else None)
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.page.on("requestfailed", lambda request: seen.complaints.append(f"failed: {request.url}"))
    seen.page.on("request", lambda request: seen.requests.append(request.url))
    seen.page.on("dialog", lambda dialog: (seen.dialogs.append(dialog.message), dialog.dismiss()))
    try:
        yield seen
    finally:
        context.close()
