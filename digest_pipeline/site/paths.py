"""Every address below `site/`, in one place: readers bookmark them, so they never change.

What lives here: pure functions from a thing to its path (relative to `site/`, forward slashes, always a
file name so that `file://` works) and the relative link between two paths.
"""

from __future__ import annotations

from datetime import date
from urllib.parse import quote

from digest_pipeline.errors import DigestError
from digest_pipeline.models import ALL, VersionedId


def home_page(tag: str) -> str:
    return f"{tag}/index.html"


def day_page(tag: str, day: date, category: str = ALL) -> str:
    """`zh/2026-06-02/index.html` for all categories, `zh/2026-06-02/cs.CL.html` for one."""
    return f"{tag}/{day.isoformat()}/{'index' if category == ALL else category}.html"


def paper_page(tag: str, arxiv_id: str) -> str:
    """`zh/paper/2404.01438/index.html`; an old-style id keeps its slash: `zh/paper/hep-ex/0406020/index.html`."""
    return f"{tag}/paper/{_checked(arxiv_id)}/index.html"


def _checked(arxiv_id: str) -> str:
    """Only what is an arXiv id becomes part of a path: nothing in a table can write elsewhere."""
    try:
        return VersionedId.parse(arxiv_id).arxiv_id
    except ValueError as error:
        raise DigestError(f"a paper cannot have a page: {error}", hint="rebuild the papers table of its day") from error


def archive_page(tag: str) -> str:
    return f"{tag}/archive/index.html"


def categories_page(tag: str) -> str:
    return f"{tag}/categories/index.html"


def about_page(tag: str) -> str:
    return f"{tag}/about/index.html"


def search_page(tag: str) -> str:
    return f"{tag}/search/index.html"


def statistics_page(tag: str) -> str:
    return f"{tag}/statistics/index.html"


def watch_overview(tag: str) -> str:
    return f"{tag}/watch/index.html"


def watch_page(tag: str, list_name: str) -> str:
    return f"{tag}/watch/{list_name}/index.html"


def feed(tag: str, category: str = ALL, kind: str = "xml") -> str:
    """`kind`: `xml` (Atom), `rss.xml` or `json`."""
    return f"{tag}/feeds/{category}.{kind}"


def watch_feed(tag: str, list_name: str, kind: str = "xml") -> str:
    return f"{tag}/feeds/watch-{list_name}.{kind}"


def export(tag: str, day: date, category: str, kind: str) -> str:
    """`kind`: `jsonl` or `bib`."""
    return f"{tag}/{day.isoformat()}/{category}.{kind}"


def relative_link(from_page: str, to_file: str) -> str:
    """The link a page at `from_page` uses for `to_file`, percent-encoded where a URL needs it.

    By hand, because `relpath` asks for the current directory twice a link, and a day has thousands.
    """
    here, there = from_page.split("/")[:-1], to_file.split("/")
    shared = 0
    while shared < min(len(here), len(there) - 1) and here[shared] == there[shared]:
        shared += 1
    return quote("/".join([".."] * (len(here) - shared) + there[shared:]))
