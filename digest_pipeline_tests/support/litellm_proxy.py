"""A real LiteLLM proxy on loopback, from the package registry, in an environment of its own.

What lives here: installing it (once, into `.cache/` of the checkout) and running it with a configuration. Its
dependencies would pull the project's own to other versions, so the two never share an environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from digest_pipeline_tests.support.loopback import free_port

VERSION = "1.106.2"
MASTER_KEY = "sk-proxy-0123456789"
_ENVIRONMENT = Path(__file__).resolve().parents[2] / ".cache" / f"litellm-{VERSION}"
_INSTALL_SECONDS = 900
_START_SECONDS = 120


def installed() -> Path:
    """The proxy's command. Fails the test, never skips it, where it cannot be installed."""
    command = _ENVIRONMENT / "bin" / "litellm"
    done = _ENVIRONMENT / "installed"
    if not done.exists():
        pip = [str(_ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"litellm[proxy]=={VERSION}"]
        for step in ([sys.executable, "-m", "venv", "--clear", str(_ENVIRONMENT)], pip):
            result = subprocess.run(step, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
            if result.returncode:
                pytest.fail(f"litellm[proxy]=={VERSION} cannot be installed into {_ENVIRONMENT}: {result.stderr[-800:]}")
        done.touch()
    return command


@contextmanager
def litellm_proxy(models: list[dict[str, Any]], folder: Path) -> Iterator[str]:
    """The proxy's address (ends in /v1). `models` is LiteLLM's `model_list`; it retries nothing itself."""
    config = folder / "litellm.json"  # JSON is YAML
    settings = {"num_retries": 0, "enable_pre_call_checks": True, "disable_cooldowns": True}
    config.write_text(
        json.dumps({"model_list": models, "router_settings": settings, "general_settings": {"master_key": MASTER_KEY}}), encoding="utf-8"
    )
    port = free_port()
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1"}
    with (folder / "litellm.log").open("w") as log:
        command = [str(installed()), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=folder)
        try:
            _wait_until_alive(process, port, folder / "litellm.log")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_alive(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                break
            time.sleep(0.5)
    pytest.fail(f"the LiteLLM proxy did not start: {log.read_text()[-800:]}")
