"""What all tests share: no setting of the developer's machine reaches them, and slow machines are not failures."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from digest_pipeline_tests.support.loopback import Mailbox, smtp_server

settings.register_profile("project", deadline=None)  # a shared machine stalls; speed is shown in benchmarks/
settings.load_profile("project")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Neither keys nor settings of the shell that starts the tests; turns at a stand-in are taken apart from the machine's."""
    for name in os.environ:
        if name.startswith(("DIGEST_", "OPENAI_", "DAGSTER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DIGEST_ARXIV_LOCK_DIR", str(tmp_path_factory.getbasetemp() / "turns"))


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mail server on loopback, and what it has got."""
    with smtp_server() as running:
        yield running
