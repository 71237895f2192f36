"""Pictures of a finished site for the documents: `python -m digest_pipeline_tests.support.screenshots SITE OUT`.

SITE is a `site/` folder, e.g. the sample day's after `make run`; the pictures go to OUT (`docs/pictures`). What lives
here: which pages, sizes and schemes. What does not: looking for faults (`site/test_browser.py`).
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

from PIL import Image

from digest_pipeline_tests.support.browser import chromium, watched_page

_OPEN_THIRD_ROW = "document.querySelectorAll('.paper h3 a')[2].click()"
_SHOTS = {
    "phone-light": ((360, 740), "light", "{tag}/index.html", ""),
    "phone-dark": ((360, 740), "dark", "{tag}/index.html", "scrollTo(0, 700)"),
    "wide-light": ((1440, 900), "light", "{tag}/index.html", _OPEN_THIRD_ROW),
    "wide-dark": ((1440, 900), "dark", "{tag}/index.html", _OPEN_THIRD_ROW),
}


def take(site: Path, out: Path, tag: str) -> list[Path]:
    """Writes one PNG a shot and returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    taken: list[Path] = []
    with chromium() as browser:
        for name, ((width, height), scheme, page, action) in _SHOTS.items():
            with watched_page(browser, width=width, height=height, scheme=scheme) as seen:
                seen.page.goto((site / page.format(tag=tag)).resolve().as_uri())
                if action:
                    seen.page.evaluate(action)
                seen.page.wait_for_timeout(600)
                taken.append(small(io.BytesIO(seen.page.screenshot()), out / f"{name}.png"))
    return taken


def small(png: io.BytesIO, file: Path) -> Path:
    """128 colours are enough for letters on paper, and a third of the size."""
    Image.open(png).convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(file, optimize=True)
    return file


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m digest_pipeline_tests.support.screenshots", description="Pictures of a finished site.")
    parser.add_argument("site", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--language", default="zh")
    given = parser.parse_args()
    for picture in take(given.site, given.out, given.language):
        print(picture)


if __name__ == "__main__":
    main()
