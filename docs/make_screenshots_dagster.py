"""Makes docs/images/dagster-*.png: a real `digest dev`, some invented listing days, and a browser that looks at it.

    python docs/make_screenshots_dagster.py        [NAME …]   takes about four minutes; needs the slow tests' packages and Chromium

Everything shown comes from the tests' loopback arXiv and model; nothing is asked of anybody else.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import FloatRect, Page, ViewportSize  # noqa: E402

from digest_pipeline.calendar import load_calendar, newest_listing_day  # noqa: E402
from digest_pipeline.clients import utc_now  # noqa: E402
from digest_pipeline_tests.support.browser import chromium  # noqa: E402
from digest_pipeline_tests.support.dagster_ui import Ui, digest_dev, fake_model, wait_for  # noqa: E402
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, generate_days  # noqa: E402

IMAGES = ROOT / "docs" / "images"
CHAIN = ["raw_arxiv_metadata", "papers", "translated_summaries", "digest_files", "site"]
TODAY = newest_listing_day(utc_now() - timedelta(days=1))
DAYS = [day.isoformat() for day in load_calendar().listing_days(TODAY - timedelta(days=17), TODAY)]
SENTENCE = "The paper measures what it says and reports it."
ANSWER = {"translated_title": "", "translated_abstract": "", "tldr": SENTENCE, "tldr_en": SENTENCE}
SHOTS = {
    "dagster-graph": "/locations/__repository__@digest_pipeline/asset-groups/listing_day/lineage",
    "dagster-run": "/runs/{run}",
    "dagster-checks": "/assets/papers?view=checks",
    "dagster-plots": "/assets/translated_summaries?view=overview",
    "dagster-automation": "/automation",
}
SIZES: dict[str, ViewportSize] = {"dagster-graph": {"width": 2400, "height": 640}, "dagster-run": {"width": 1440, "height": 1000}}
RUN_CHART: FloatRect = {"x": 0, "y": 0, "width": 1440, "height": 620}


def make_days(ui: Ui) -> str:
    """Returns the id of the last day's run."""
    backfill = ui.backfill(DAYS[:-2], CHAIN)
    wait_for(lambda: ui.backfill_status(backfill).startswith("COMPLETED"), 400, "the backfill")
    for day in DAYS[-2:]:
        run = ui.materialize(day, [], "day_and_site")
        ui.finished(run, 300)
    time.sleep(60)  # the site's sensor has looked, and what it asked for is made
    return run


def shoot(ui: Ui, page: Page, name: str, path: str) -> None:
    page.set_viewport_size(SIZES.get(name, {"width": 1440, "height": 900}))
    page.goto(f"{ui.url}{path}", wait_until="load")
    page.wait_for_timeout(6000)  # the graph is laid out, and the plots are drawn, after the page is there
    if name == "dagster-plots":
        page.get_by_text("Plots", exact=True).first.click()
        page.get_by_text("Events", exact=True).last.click()  # by partition, it shows the newest keys, which are empty here
        page.wait_for_timeout(4000)
        page.get_by_text("Events", exact=True).last.scroll_into_view_if_needed()
        page.mouse.move(600, 500)
        page.mouse.wheel(0, 330)
        page.wait_for_timeout(2000)
    page.screenshot(path=IMAGES / f"{name}.png", clip=RUN_CHART if name == "dagster-run" else None)
    print(f"{name}.png")


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    listings = generate_days(TODAY - timedelta(days=28), TODAY + timedelta(days=3), skipped_evenings=set(load_calendar().skipped), papers_per_day=60)
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeArxiv(listings, now=utc_now()) as arxiv,
        fake_model(ANSWER) as model,
    ):
        environ = {
            "OPENAI_API_KEY": "loopback",  # pragma: allowlist secret
            "OPENAI_BASE_URL": model.url,
            "DIGEST_LANGUAGES": "en",
            "DIGEST_ARXIV_API_URL": arxiv.api_url,
            "DIGEST_ARXIV_RSS_URL": arxiv.rss_url,
            "DIGEST_ARXIV_INTERVAL_SECONDS": "0",
            "DIGEST_FIRST_LISTING": DAYS[0],
            "DIGEST_SCHEDULE_CATCHUP_LISTINGS": "0",
        }
        with digest_dev(Path(folder), environ) as ui, chromium() as browser:
            run = make_days(ui)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            for name in sys.argv[1:] or SHOTS:
                shoot(ui, page, name, SHOTS[name].format(run=run))


if __name__ == "__main__":
    main()
