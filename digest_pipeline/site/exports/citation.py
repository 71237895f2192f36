"""The `citation_*` metadata of a paper's page, which Zotero and Google Scholar read."""

from __future__ import annotations

from digest_pipeline.models import Paper
from digest_pipeline.site.exports.names import citation_name
from digest_pipeline.text import one_line


def citation_meta(paper: Paper) -> tuple[tuple[str, str], ...]:
    """(name, content) of each `<meta>` tag, in order, authors one by one; plain text, to be escaped by the template."""
    submitted, updated = paper.submitted_at_utc, paper.updated_at_utc
    pairs = [
        ("citation_title", one_line(paper.title)),
        *(("citation_author", name) for name in map(citation_name, paper.authors)),
        ("citation_publication_date", f"{submitted:%Y/%m/%d}" if submitted else f"{paper.listing_date:%Y/%m/%d}"),
        ("citation_online_date", f"{updated:%Y/%m/%d}" if updated else ""),
        ("citation_arxiv_id", paper.arxiv_id),
        ("citation_doi", one_line(paper.doi or "")),
        ("citation_journal_title", one_line(paper.journal_ref or "")),
        ("citation_pdf_url", paper.pdf_url),
        ("citation_abstract_html_url", paper.abs_url),
        ("citation_keywords", "; ".join(paper.categories)),
        ("citation_language", "en"),
        ("citation_abstract", one_line(paper.abstract)),
    ]
    return tuple((name, content) for name, content in pairs if content)
