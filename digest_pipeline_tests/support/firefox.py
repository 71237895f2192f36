"""Firefox for tests, driven through its own remote agent (WebDriver BiDi), which needs no further program.

What lives here: starting it, one page, evaluating in it. What does not: the sites it looks at.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("websockets", reason="websockets is installed in the slow suite only")

from websockets.sync.client import ClientConnection, connect

_START_SECONDS = 60
_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


class FirefoxPage:
    """One tab; every call waits for its answer."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._ids = socket, count(1)
        self._command("session.new", capabilities={})
        self._context = self._command("browsingContext.getTree")["contexts"][0]["context"]

    def goto(self, address: str) -> None:
        self._command("browsingContext.navigate", context=self._context, url=address, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, or of the promise it gives, by way of JSON."""
        wrapped = f"(async () => JSON.stringify(await ({expression})))()"
        answer = self._command("script.evaluate", expression=wrapped, target={"context": self._context}, awaitPromise=True)
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"]) if "value" in answer["result"] else None

    def _command(self, method: str, **params: Any) -> Any:
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self._socket.recv(timeout=_START_SECONDS))).get("id") != number:
            pass
        assert answer["type"] == "success", answer
        return answer["result"]


@contextmanager
def firefox_page() -> Iterator[FirefoxPage]:
    """Skips the test, saying so, where no Firefox is installed."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("no Firefox here; Debian's package `firefox-esr` brings it")
    with tempfile.TemporaryDirectory(prefix="firefox-") as folder:
        log = Path(folder) / "stderr"
        with log.open("w") as errors:
            command = [program, "--headless", "--no-remote", "--profile", folder, "--remote-debugging-port", "0"]
            running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env={"HOME": folder, "MOZ_DISABLE_CONTENT_SANDBOX": "1"})
        try:
            with connect(f"{_address(log, running)}/session", max_size=None, proxy=None) as socket:
                yield FirefoxPage(socket)
        finally:
            running.terminate()
            running.wait(20)


def _address(log: Path, running: subprocess.Popen[bytes]) -> str:
    for _ in range(_START_SECONDS * 10):
        if match := _LISTENING.search(log.read_text(errors="replace")):
            return match[1]
        try:
            running.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(f"Firefox did not start: {log.read_text(errors='replace')[-500:]}")
