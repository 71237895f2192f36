"""arXiv's HTML of a paper is told apart: text, tables, footnotes, related work, bibliography; what is no paper is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest_pipeline.reading.fulltext import LEAST_CHARACTERS, MOST_BYTES, FullText, NoFullText, PassageKind, parse_fulltext

RECORDINGS = Path(__file__).parents[1] / "recordings" / "latexml"


def paper(name: str) -> FullText:
    return parse_fulltext((RECORDINGS / f"{name}.html").read_bytes())


def texts(name: str, kind: PassageKind) -> list[str]:
    return [passage.text for passage in paper(name).passages if passage.kind is kind]


def test_each_passage_knows_its_section_and_its_place_on_the_page() -> None:
    places = {passage.section: passage.anchor for passage in paper("lantern").passages}
    assert places["3.2 Choosing the price"] == "S3.SS2.p1"
    assert paper("lantern").passages[0].section == "Abstract"


def test_a_footnote_does_not_cut_the_sentence_it_stands_in() -> None:
    assert any("while the time of a look-up grows by 1\u00a0$\\mu$s only.\nWhen the load" in text for text in texts("tidal", PassageKind.TEXT))
    assert any(text.startswith("The difference to consistent hashing is below") for text in texts("tidal", PassageKind.TEXT))


def test_a_table_is_read_row_by_row_and_its_caption_is_text() -> None:
    [table] = texts("tidal", PassageKind.TABLE)
    assert table.splitlines()[-1] == "Tidal (ours) | $1.6\\pm 0.2$ | 1.22 | 42"
    assert any(text.startswith("Table 1: Adding the 33rd machine") for text in texts("tidal", PassageKind.TEXT))


def test_related_work_and_bibliography_are_known_for_what_they_are() -> None:
    assert len(texts("lantern", PassageKind.RELATED)) == len(texts("tidal", PassageKind.RELATED)) == 1
    assert [text for text in texts("lantern", PassageKind.BIBLIOGRAPHY) if "Journal of Invented Results" in text]


def test_a_formula_is_its_tex() -> None:
    text = "\n".join(texts("tidal", PassageKind.TEXT))
    assert "$=\\frac{\\hat{\\rho}_{i}(t+1)^{-1}}{\\sum_{j=1}^{m}\\hat{\\rho}_{j}(t+1)^{-1}}.$" in text


def test_the_sections_hold_all_text_but_the_bibliography() -> None:
    sections = dict(paper("lantern").sections())
    assert list(sections) == [
        "Abstract", "1 Introduction", "2 Related Work", "3.1 Estimating the cost", "3.2 Choosing the price", "4 Experiments", "5 Limitations",
    ]  # fmt: skip
    assert "61.4 | 52.5" in sections["4 Experiments"]


@pytest.mark.parametrize(
    ("html", "why"),
    [
        (b"<html><body><h1>404</h1><p>Not found</p></body></html>", "no paper converted by LaTeXML"),
        (b"", "cannot be parsed"),
        (b"<article class='ltx_document'><div class='ltx_para'><p>A few words.</p></div></article>", "12 characters"),
        (b"<article class='ltx_document'>Conversion to HTML had a Fatal error and exited abruptly.</article>", "conversion to HTML failed"),
        (b" " * (MOST_BYTES + 1), "12 MB"),
    ],
)
def test_what_is_no_paper_is_said_in_words(html: bytes, why: str) -> None:
    with pytest.raises(NoFullText, match=why):
        parse_fulltext(html)


def test_a_notice_about_a_missing_package_is_no_failed_conversion() -> None:
    html = (RECORDINGS / "lantern.html").read_bytes().replace(b"<body>", b"<body><div class='package-alerts'>failed: tikz-cd</div>")
    assert len(parse_fulltext(html).passages) == len(paper("lantern").passages)


def test_markup_that_is_left_open_loses_no_text() -> None:
    html = (RECORDINGS / "lantern.html").read_bytes().replace(b"</p>", b"")
    found = parse_fulltext(html)
    assert sum(len(passage.text) for passage in found.passages) >= LEAST_CHARACTERS
