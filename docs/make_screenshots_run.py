"""Makes docs/images/hosted-runs.png: what three hosted runs say on their pages: one that made its day, one too early, one with a dead key.

    python docs/make_screenshots_run.py        a few seconds; needs the slow tests' packages and Chromium

The words are those of `digest hosted summary` over the bundled sample day, made into HTML by GitHub's own Markdown parser; the frame around them is ours.
"""

from __future__ import annotations

import io
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import cmarkgfm  # noqa: E402
from cmarkgfm.cmark import Options  # noqa: E402

from digest_pipeline.hosted.environment import Runner  # noqa: E402
from digest_pipeline.hosted.report import summary  # noqa: E402
from digest_pipeline.hosted.run import DayResult, DayState, RunReport  # noqa: E402
from digest_pipeline.orchestration.days import run_day  # noqa: E402
from digest_pipeline.sample import SAMPLE_DAY  # noqa: E402
from digest_pipeline_tests.support.browser import chromium  # noqa: E402
from digest_pipeline_tests.support.runs import sample_clients  # noqa: E402
from digest_pipeline_tests.support.screenshots import small  # noqa: E402

IMAGE = ROOT / "docs" / "images" / "hosted-runs.png"
RUNNER = Runner("github", "you/arxiv-digest", "https://github.com", "", "", "schedule", "https://you.github.io/arxiv-digest")
NEXT = SAMPLE_DAY + timedelta(days=1)
DEAD_KEY = (
    "https://api.openai.com/v1/ refuses the key (HTTP 401) → replace the secret OPENAI_API_KEY (Settings → Secrets and variables → Actions), "
    "then run the workflow again"
)
NOT_YET = f"not published yet: arXiv's feed is dated {SAMPLE_DAY}, not {NEXT} → it is asked for again by the schedule, for hours; or run it again in some minutes"
REPORTS = (
    RunReport(days=[DayResult(SAMPLE_DAY, DayState.MADE, cost_usd=0.0131)], publishes=True, is_finished=True),
    RunReport(days=[DayResult(NEXT, DayState.NOT_PUBLISHED_YET, NOT_YET)], is_finished=True),
    RunReport(error=DEAD_KEY, is_finished=True),
)
STYLE = """
body { margin: 0; padding: 16px; background: #f6f8fa; font: 14px/1.5 system-ui, sans-serif; color: #1f2328; width: 928px }
section { background: #fff; border: 1px solid #d1d9e0; border-radius: 6px; padding: 4px 24px 12px; margin-bottom: 16px }
table { border-collapse: collapse } td, th { border: 1px solid #d1d9e0; padding: 4px 12px } h2 { border-bottom: 1px solid #d1d9e0; padding-bottom: 6px }
a { color: #0969da } h2, h3 { margin: 12px 0 8px } details td { font-size: 12px }
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        clients = sample_clients(Path(folder))
        run_day(clients.settings, SAMPLE_DAY)
        texts = [summary(report, clients.storage, clients.settings, RUNNER) for report in REPORTS]
    sections = "".join(f"<section>{cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE)}</section>" for text in texts)
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 960, "height": 600})
        page.set_content(f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{sections}")
        small(io.BytesIO(page.screenshot(full_page=True)), IMAGE)
    print(IMAGE)


if __name__ == "__main__":
    main()
