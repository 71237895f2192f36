"""Every address below `site/`, in one place: readers bookmark them, so they never change.

What lives here: pure functions from a thing to its path (relative to `site/`, forward slashes, always a
file name so that `file://` works) and the relative link between two paths. Addresses of earlier releases that
are no files any more (a page a category and day, a page a paper) are led on by `404.html`; see `finder.py`.
"""

from __future__ import annotations

from datetime import date
from urllib.parse import quote, urlencode

from digest_pipeline.errors import DigestError
from digest_pipeline.models import ALL, VersionedId

DETAILS_PAPERS = 50
"""Papers in one file of abstracts: about 60 kB compressed, so that the first row opens soon and the next ones at once."""
NOT_FOUND_PAGE = "404.html"


def home_page(tag: str) -> str:
    return f"{tag}/index.html"


def day_page(tag: str, day: date) -> str:
    """`zh/2026-06-02/index.html`: the one page of a day and language."""
    return f"{tag}/{day.isoformat()}/index.html"


def narrowed(page: str, **choice: str) -> str:
    """A day's page that shows only some papers: `narrowed(page, category="cs.CL", type="new")`; empty values say nothing."""
    query = urlencode({name: value for name, value in choice.items() if value})
    return f"{page}?{query}" if query else page


def anchor(arxiv_id: str) -> str:
    """The id of a paper's row on a page."""
    return f"p-{arxiv_id.replace('/', '-')}"


def paper_row(tag: str, day: date, arxiv_id: str) -> str:
    """The row of a paper on its day's page, which opens there: `zh/2026-06-02/index.html#p-2606.01438`."""
    return f"{day_page(tag, day)}#{anchor(_checked(arxiv_id))}"


def details(tag: str, day: date, number: int) -> str:
    """The `number`th file (from 0) of the day's abstracts, `DETAILS_PAPERS` papers in the page's order."""
    return f"{tag}/{day.isoformat()}/abstracts-{number:02d}.js"


def terms(day: date) -> str:
    """The words by which browsers rank the day, the same for all languages."""
    return f"terms/{day.isoformat()}.js"


def paper_page(tag: str, arxiv_id: str) -> str:
    """`zh/paper/2404.01438/index.html`; an old-style id keeps its slash: `zh/paper/hep-ex/0406020/index.html`.

    A file only where papers have pages of their own; else `404.html` leads from there to the paper's row.
    """
    return f"{tag}/paper/{_checked(arxiv_id)}/index.html"


def _checked(arxiv_id: str) -> str:
    """Only what is an arXiv id becomes part of a path: nothing in a table can write elsewhere."""
    try:
        return VersionedId.parse(arxiv_id).arxiv_id
    except ValueError as error:
        raise DigestError(f"a paper cannot have a page: {error}", hint="rebuild the papers table of its day") from error


def listing_index(arxiv_id: str) -> str:
    """The file that says on which days a paper was listed: `ids/2606-01.json` for 2606.01438, `ids/hep-ex-0406.json`."""
    checked = _checked(arxiv_id)
    archive, slash, number = checked.rpartition("/")
    return f"ids/{archive}-{number[:4]}.json" if slash else f"ids/{checked[:4]}-{checked[5:7]}.json"


def archive_page(tag: str, year: int | None = None) -> str:
    """The newest year's calendar, or an earlier one's."""
    return f"{tag}/archive/{'index' if year is None else year}.html"


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
    """The link a page at `from_page` uses for `to_file` (which may end in a query or fragment), percent-encoded where a URL needs it.

    By hand, because `relpath` asks for the current directory twice a link, and a day has thousands.
    """
    here, there = from_page.split("/")[:-1], to_file.split("/")
    shared = 0
    while shared < min(len(here), len(there) - 1) and here[shared] == there[shared]:
        shared += 1
    return quote("/".join([".."] * (len(here) - shared) + there[shared:]), safe="/?#=&%")
