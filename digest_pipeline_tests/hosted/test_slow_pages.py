"""The pages that the workflow publishes, read in a browser where GitHub shows them: below the repository's name."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from digest_pipeline_tests.hosted.test_slow_workflow import MONDAY, fork, repository, weekdays
from digest_pipeline_tests.support.browser import chromium, watched_page
from digest_pipeline_tests.support.serving import folder_served

__all__ = ["repository"]
pytestmark = pytest.mark.slow
BELOW = "/arxiv-digest/"


def test_the_published_pages_work_below_the_repositorys_name(tmp_path: Path, repository: Path) -> None:
    with fork(tmp_path, repository) as it:
        published = [it.morning(day) for day in weekdays(MONDAY, 2)][-1].published
    assert published is not None
    host = tmp_path / "host"
    host.mkdir()
    (host / BELOW.strip("/")).symlink_to(published)
    with folder_served(host) as address, chromium() as browser, watched_page(browser) as seen:
        page = seen.page
        page.goto(address + BELOW)
        page.wait_for_load_state("networkidle")
        assert str(weekdays(MONDAY, 2)[-1].day) in page.inner_text("h1")
        for link in page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)"):
            if link.startswith(address):
                assert urlsplit(link).path.startswith(BELOW), link
                assert (published / urlsplit(link).path.removeprefix(BELOW)).exists(), link
        page.goto(f"{address}{BELOW}zh/{MONDAY}/index.html")
        page.goto(f"{address}{BELOW}zh/search/index.html")
        page.fill("input[type=search]", "方案")
        page.press("input[type=search]", "Enter")
        page.wait_for_selector("#search-results li")
        found = page.eval_on_selector("#search-results a[href]", "link => link.href")
        assert urlsplit(found).path.startswith(BELOW)
        assert page.goto(found).ok
        assert seen.complaints == []
        assert all(urlsplit(request).path.startswith(BELOW) for request in seen.requests)
    feed = (published / "zh/feeds/all.xml").read_text(encoding="utf-8")
    ours = set(re.findall(r'href="(https://reader[^"]+)"', feed))
    assert ours
    assert all(link.startswith(f"https://reader.github.io{BELOW}zh/") for link in ours)
