"""Makes docs/images/personal-phone.png: a profile's day on a phone, of invented papers, one of them read whole.

python docs/make_screenshots_personal.py        a few seconds; needs the slow tests' packages and Chromium
"""

from __future__ import annotations

import sys
import tempfile
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pyarrow as pa  # noqa: E402

from digest_pipeline import tables  # noqa: E402
from digest_pipeline.personal.digest import write_day  # noqa: E402
from digest_pipeline.ranking.papers_at_hand import PapersAtHand  # noqa: E402
from digest_pipeline.ranking.profiles import Profile  # noqa: E402
from digest_pipeline.ranking.rank import RankedPaper, Reason  # noqa: E402
from digest_pipeline.ranking.rankings import write_rankings  # noqa: E402
from digest_pipeline.reading.view import notes_file  # noqa: E402
from digest_pipeline.storage import Storage  # noqa: E402
from digest_pipeline_tests.support.browser import chromium, watched_page  # noqa: E402
from digest_pipeline_tests.support.site_days import generated_papers  # noqa: E402

DAY = date(2026, 6, 2)
NOTES = [
    (
        "result",
        "以六分之一的成本保持了 98.7% 的质量。",
        "the method keeps 98.7% of the quality of full reading at one sixth of its cost",
        "4 Experiments",
    ),
    (
        "limitation",
        "证据分散于相距较远的章节时容易失败。",
        "Failures concentrate on questions whose evidence is split over distant sections",
        "5 Limitations",
    ),
]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        storage = Storage(folder)
        papers = generated_papers(DAY, 40)
        storage.write_table(storage.papers_file(DAY), tables.papers_to_table(papers))
        why = (Reason("a", "Reading Long Documents Sparsely", 0.41),)
        ranked = [RankedPaper(paper.arxiv_id, place, 1 / place, "sparse routing, retrieval", why) for place, paper in enumerate(papers, 1)]
        write_rankings(storage, DAY, "ada", ranked)
        first = papers[0]
        about = {
            "arxiv_id": first.arxiv_id,
            "version": first.version,
            "language": "zh",
            "model": "",
            "cost_usd": 0.0,
            "status": "shown",
            "dropped": 0,
            "detail": "",
        }
        url = f"https://arxiv.org/html/{first.arxiv_id}v{first.version}"
        rows = [
            {**about, "kind": kind, "claim": claim, "quote": quote, "section": section, "anchor_url": url} for kind, claim, quote, section in NOTES
        ]
        storage.write_table(notes_file(DAY, "zh"), pa.Table.from_pylist(rows, schema=tables.READING_NOTES))
        write_day(storage, PapersAtHand(storage), DAY, Profile(name="ada", top=8), Path(folder), ["zh"])
        with chromium() as browser, watched_page(browser, width=390, height=844) as seen:
            seen.page.goto(storage.local_path(f"private/ada/zh/{DAY}.html").as_uri())
            seen.page.locator("summary").first.click()
            seen.page.screenshot(path=ROOT / "docs" / "images" / "personal-phone.png")


if __name__ == "__main__":
    main()
