"""arXiv's HTML of a paper → its passages, as LaTeXML marks them up.

What lives here: telling text, tables, footnotes, captions, related work and bibliography apart. What does not: fetching (`source.py`).
Source: LaTeXML's class names (`ltx_para`, `ltx_section`, …), https://math.nist.gov/~BMiller/LaTeXML/manual/ .
Formulas appear as `$TeX$`, taken from their annotation, so that nothing is lost in reading MathML aloud.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring

MOST_BYTES = 12_000_000
"""A larger page is refused: the text of a book of 1,000 pages is under 4 MB, and parsing takes 20 times the page in memory."""
LEAST_CHARACTERS = 1_500
"""Less running text than this is no paper: a stub, or an error page."""
_CONVERSION_FAILED = re.compile(
    r"conversion to HTML had a fatal error|document may be truncated or damaged|HTML is not available for the source", re.I
)
_RELATED = re.compile(
    r"\b(related|previous|prior|existing|earlier)\s+(work|works|research|studies|literature|approaches|methods)\b|\bliterature review\b|^background\b",
    re.I,
)
_LEFT_OUT = (
    "ltx_page_footer",
    "ltx_page_header",
    "ltx_page_navbar",
    "ltx_TOC",
    "ltx_authors",
    "ltx_dates",
    "ltx_note_mark",
    "ltx_tag_note",
    "ltx_role_thanks",
    "ltx_tag_equation",
    "ltx_tag_item",
    "ltx_title_abstract",
    "package-alerts",
)
_CELLS = ("td", "th")


class PassageKind(StrEnum):
    """What a passage is to the paper. A quote from related work or the bibliography says nothing of this paper's own results."""

    TEXT = "text"
    TABLE = "table"
    RELATED = "related work"
    BIBLIOGRAPHY = "bibliography"


class NoFullText(Exception):
    """There is no full text to read; the message says why. A fact about the paper, not a failure."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One paragraph, abstract, table, caption, list item or footnote, in reading order. White space is as in the page."""

    text: str
    kind: PassageKind
    section: str
    """The nearest section's title with its number, e.g. `3.1 Estimating the cost`; empty before the first."""
    anchor: str
    """The nearest element id, e.g. `S3.SS1.p1`; empty where there is none."""


@dataclass(frozen=True, slots=True)
class FullText:
    """One version of one paper; at least LEAST_CHARACTERS of text."""

    title: str
    passages: tuple[Passage, ...]

    def sections(self) -> Iterator[tuple[str, str]]:
        """(title, text) of each stretch of passages with one section title; without bibliography."""
        title, texts = "", list[str]()
        for passage in self.passages:
            if passage.kind is PassageKind.BIBLIOGRAPHY:
                continue
            if passage.section != title and texts:
                yield title, "\n\n".join(texts)
                texts = []
            title = passage.section
            texts.append(passage.text)
        if texts:
            yield title, "\n\n".join(texts)


def parse_fulltext(html: bytes) -> FullText:
    """Raises NoFullText for what is no paper: too large, no LaTeXML document, a failed conversion, a stub."""
    if len(html) > MOST_BYTES:
        raise NoFullText(f"its HTML has {len(html) / 1e6:.0f} MB, more than the {MOST_BYTES / 1e6:.0f} MB that are read")
    try:
        root = document_fromstring(html, parser=HTMLParser(encoding="utf-8", recover=True, remove_comments=True, remove_pis=True))
    except (etree.LxmlError, ValueError) as error:
        raise NoFullText(f"its HTML cannot be parsed: {error}") from None
    articles = root.xpath("//article[contains(concat(' ', @class, ' '), ' ltx_document ')]")
    if not articles:
        raise NoFullText("the page holds no paper converted by LaTeXML")
    article = articles[0]
    _drop(article)
    if _CONVERSION_FAILED.search(" ".join(root.itertext())):
        raise NoFullText("arXiv says that its conversion to HTML failed")
    passages = tuple(_passages(article))
    length = sum(len(passage.text) for passage in passages if passage.kind is not PassageKind.BIBLIOGRAPHY)
    if length < LEAST_CHARACTERS:
        raise NoFullText(f"its HTML holds {length} characters of text only")
    titles = article.find_class("ltx_title_document")
    return FullText(_squeezed(_text(titles[0])) if titles else "", passages)


def _drop(article: HtmlElement) -> None:
    """Takes out what is no text of the paper; formulas become their TeX."""
    etree.strip_elements(article, "script", "style", "svg", "img", with_tail=False)
    for name in _LEFT_OUT:
        for element in article.find_class(name):
            element.drop_tree()
    for formula in list(article.iter("math")):
        tex = _tex(formula)
        replacement = HtmlElement()
        replacement.tag, replacement.text, replacement.tail = "span", f"${tex}$" if tex else "", formula.tail
        formula.getparent().replace(formula, replacement)


def _tex(formula: HtmlElement) -> str:
    annotations = formula.xpath(".//annotation[@encoding='application/x-tex']")
    tex = annotations[0].text if annotations else formula.get("alttext") or "".join(formula.itertext())
    return _squeezed(re.sub(r"%\s+|\\displaystyle\b", "", tex or ""))  # LaTeXML breaks long formulas with a comment sign


def _passages(article: HtmlElement) -> Iterator[Passage]:
    """Notes stand apart from the sentence they interrupt; a figure's caption and a table's rows are passages of their own."""
    notes = [note for note in article.find_class("ltx_note") if note.find_class("ltx_note_content")]
    standing_apart = {id(note): Passage(_text(note.find_class("ltx_note_content")[0]).strip(), *_place(note)) for note in notes}
    order: list[tuple[HtmlElement, Passage | None]] = []
    for element in article.iter():
        classes = element.get("class", "").split() if isinstance(element.tag, str) else []
        if id(element) in standing_apart:
            order.append((element, standing_apart[id(element)]))
        elif {"ltx_para", "ltx_abstract", "ltx_bibitem", "ltx_caption"} & set(classes) or (element.tag == "table" and "ltx_tabular" in classes):
            order.append((element, None))
    for note in notes:
        note.drop_tree()
    taken: set[int] = set()
    for element, note in order:
        if note is not None:
            yield note
        elif not any(id(above) in taken for above in element.iterancestors()):
            taken.add(id(element))
            text = _table_text(element) if element.tag == "table" else _text(element).strip()
            kind, section, anchor = _place(element)
            if text.strip():
                yield Passage(text, PassageKind.TABLE if element.tag == "table" and kind is PassageKind.TEXT else kind, section, anchor)


def _place(element: HtmlElement) -> tuple[PassageKind, str, str]:
    """(kind, section title, nearest id) by what is around the element."""
    section, anchor, kind = "", element.get("id", ""), PassageKind.TEXT
    for above in (element, *element.iterancestors()):
        classes = above.get("class", "").split()
        anchor = anchor or above.get("id", "")
        if "ltx_bibliography" in classes:
            kind = PassageKind.BIBLIOGRAPHY
        if above.tag == "section" or "ltx_abstract" in classes:
            headings = [child for child in above if "ltx_title" in (child.get("class") or "").split()]
            title = _squeezed(_text(headings[0])) if headings else ""
            section = section or title or ("Abstract" if "ltx_abstract" in classes else "")
            if kind is PassageKind.TEXT and _RELATED.search(re.sub(r"^[\dA-Z.]+\s+", "", title)):
                kind = PassageKind.RELATED
    return kind, section, anchor


def _table_text(table: HtmlElement) -> str:
    """A line a row, its cells between bars."""
    rows = [[_squeezed(_text(cell)) for cell in row.iter(*_CELLS)] for row in table.iter("tr")]
    return "\n".join(" | ".join(cells) for cells in rows if any(cells))


def _text(element: HtmlElement) -> str:
    return "".join(element.itertext())


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
