"""W3C's Nu validator finds nothing on any kind of page. It is a Java program; `make test-slow` installs it and sets VNU_JAR to its file."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest_pipeline.site.build import build_site
from digest_pipeline.site.details import read_details
from digest_pipeline.storage import Storage
from digest_pipeline_tests.site.test_pages import OPTIONS, write_days_with_everything

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def validator() -> list[str]:
    java, program = shutil.which("java"), os.environ.get("VNU_JAR", "")
    if java is None or not Path(program).is_file():
        pytest.skip("no Nu validator: it needs Java, and VNU_JAR with the path of vnu.jar")
    return [java, "-jar", program, "--format", "gnu"]


def findings(validator: list[str], folder: Path, *arguments: str) -> list[str]:
    done = subprocess.run([*validator, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    # Read from a disk, 'self' is nowhere; and a page of many languages has none for certain.
    return [line for line in done.stderr.splitlines() if "violates Content Security Policy" not in line and "appears to be written in" not in line]


def test_the_nu_validator_finds_nothing(validator: list[str], tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    write_days_with_everything(storage)
    build_site(storage, OPTIONS, now=lambda: datetime(2026, 5, 28, 12, tzinfo=UTC))
    site = storage.local_path("site")
    for file in sorted(site.glob("zh/*/abstracts-*.js")):
        opened = "\n".join(f"<article><h3>{one}</h3>{html}</article>" for one, (html, _) in read_details(file.read_bytes()).items())
        file.with_suffix(".html").write_text(
            f'<!doctype html><html lang="zh-Hans"><title>x</title><h1>x</h1><h2>x</h2>{opened}</html>', encoding="utf-8"
        )
    assert findings(validator, site, "--skip-non-html", ".") == []
    assert findings(validator, site, "--css", *map(str, sorted(site.glob("assets/*.css")))) == []
