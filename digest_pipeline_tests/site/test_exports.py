"""Exports: what another program reads back from JSON Lines, BibTeX and a page's metadata."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest_pipeline import tables
from digest_pipeline.site.exports import export_formats, export_links, write_exports
from digest_pipeline.site.exports.bibtex import bibtex_bytes
from digest_pipeline.site.exports.citation import citation_meta
from digest_pipeline.site.exports.jsonl import JSONL_FIELDS, jsonl_bytes
from digest_pipeline.site.exports.names import bibtex_name
from digest_pipeline.storage import Storage
from digest_pipeline.tex.bibtex import latex_text
from digest_pipeline_tests.support.outputs import DAY, HOSTILE, a_paper, an_entry, an_untranslated_entry

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pybtex.database import parse_string


def read_bibtex(content: bytes) -> dict[str, Any]:
    return dict(parse_string(content.decode(), "bibtex").entries)


# -- JSON Lines


def test_each_line_holds_a_paper_with_its_translation_under_the_tables_names() -> None:
    (line,) = jsonl_bytes([an_entry()]).decode().splitlines()
    row = json.loads(line)
    assert tuple(row) == JSONL_FIELDS
    assert set(tables.PAPERS.names) | set(tables.TRANSLATED_SUMMARIES.names) == set(row)
    assert row["translated_title"] == "论语言模型如何泡茶"
    assert row["submitted_at_utc"] == "2026-06-01T09:30:00+00:00"
    assert row["listing_date"] == "2026-06-02"
    assert row["categories"] == ["cs.CL", "cs.IR"]
    assert "论语言模型" in line


def test_a_day_without_papers_is_an_empty_file_and_an_untranslated_paper_is_a_line() -> None:
    assert jsonl_bytes([]) == b""
    assert json.loads(jsonl_bytes([an_untranslated_entry()]))["status"] == "quarantined"


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",))), max_size=5))
def test_any_text_survives_exactly_and_never_breaks_a_line(texts: list[str]) -> None:
    lines = jsonl_bytes(an_entry(abstract=text) for text in texts).decode().split("\n")
    assert [json.loads(line)["abstract"] for line in lines[:-1]] == texts


# -- BibTeX


def test_a_bibtex_entry_has_what_a_reference_needs() -> None:
    (entry,) = read_bibtex(bibtex_bytes([a_paper(doi="10.1000/x_y", journal_ref="J. Tea 3 (2026) 1--9")])).values()
    assert entry.key == "arxiv-2606.00001"
    fields = entry.fields
    assert fields["title"] == "{On the Brewing of Tea by Language Models}"
    assert (fields["eprint"], fields["archiveprefix"], fields["primaryclass"]) == ("2606.00001", "arXiv", "cs.CL")
    assert (fields["year"], fields["month"], fields["doi"]) == ("2026", "6", "10.1000/x_y")
    assert fields["abstract"] == r"We brew $n^2$ cups. They taste of $\alpha$."
    assert [str(person) for person in entry.persons["author"]] == [r"Example, Zo{\"e}", r"Muster, Ana Mar{\'\i}a", "Beispiel, Wei"]


def test_keys_come_from_the_id_alone_and_of_two_versions_the_newer_stays() -> None:
    papers = [a_paper(), a_paper(version=3, title="Newer"), a_paper(arxiv_id="hep-ex/0406020", submitted_at_utc=None)]
    read = read_bibtex(bibtex_bytes(papers))
    assert list(read) == ["arxiv-2606.00001", "arxiv-hep-ex-0406020"]
    assert read["arxiv-2606.00001"].fields["version"] == "3"
    assert (read["arxiv-hep-ex-0406020"].fields["year"], read["arxiv-hep-ex-0406020"].fields["month"]) == ("2004", "6")


def test_no_papers_give_a_file_that_bibtex_reads() -> None:
    assert read_bibtex(bibtex_bytes([])) == {}


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Ludwig van Beethoven", "van Beethoven, Ludwig"),
        ("Maria de la Cruz", "de la Cruz, Maria"),
        ("Anna Van den Berg", "Van den Berg, Anna"),
        ("Piet Van Muster", "Van Muster, Piet"),
        ("Rosa Del Prado Verde", "Del Prado Verde, Rosa"),
        ("Omar El Beispiel", "El Beispiel, Omar"),
        ("Minh Van Nguyen", "Nguyen, Minh Van"),
        ("Nguyen Van Muster", "Muster, Nguyen Van"),
        ("Luis Campo y Monte", "Campo y Monte, Luis"),
        ("Ana Clara Guerra e Paz", "Guerra e Paz, Ana Clara"),
        ("Paulo Monteiro Filho", "Monteiro Filho, Paulo"),
        ("Ana Le", "Le, Ana"),
        ("Le Muster", "Muster, Le"),
        ("John Smith Jr.", "Smith, Jr., John"),
        ("John Smith, Jr.", "Smith, Jr., John"),
        ("Muster, Anna B.", "Muster, Anna B."),
        ("The ATLAS Collaboration", "{The ATLAS Collaboration}"),
        ("OpenAI", "{OpenAI}"),
        ("Erdős Pál", r"P{\'a}l, Erd{\H{o}}s"),
        ("李 明", "明, 李"),
        ("D'Angelo {Bob", r"{\textbraceleft}Bob, D'Angelo"),
        ("Tom and Jerry", "{and Jerry}, Tom"),
        ("  ", ""),
    ],
)
def test_names_are_split_as_bibtex_needs_them(name: str, written: str) -> None:
    assert bibtex_name(name) == written


def test_hostile_texts_cannot_run_commands_or_end_the_entry() -> None:
    paper = a_paper(title=HOSTILE, abstract=HOSTILE + "}\n@misc{evil,", comment=HOSTILE, journal_ref=HOSTILE, doi=HOSTILE, authors=(HOSTILE, "A }B"))
    content = bibtex_bytes([paper])
    assert list(read_bibtex(content)) == ["arxiv-2606.00001"]
    assert rb"\input" not in content
    assert not re.search(rb"[\x00-\x08\x0e-\x1f]", content)


@settings(max_examples=300)
@given(
    st.text(st.one_of(st.sampled_from("\\{}$%&#_^~\"'`[]() ,@=xyz1"), st.characters(exclude_categories=("Cs",))), max_size=60), st.text(max_size=20)
)
def test_any_text_gives_bibtex_that_is_read_back_whole(text: str, name: str) -> None:
    papers = [a_paper(title=text, abstract=text, comment=text, authors=(name, text, "Last One")), a_paper(arxiv_id="2606.00002")]
    read = read_bibtex(bibtex_bytes(papers))
    assert list(read) == ["arxiv-2606.00001", "arxiv-2606.00002"]
    assert read["arxiv-2606.00001"].fields["url"] == "https://arxiv.org/abs/2606.00001"
    assert str(read["arxiv-2606.00001"].persons["author"][-1]) == "One, Last"
    commands = re.findall(r"\\([A-Za-z]+)", re.sub(r"\$[^$]+\$|\\\(.*?\\\)|\\\[.*?\\\]", "", latex_text(text)))
    assert not {"input", "write", "def", "include"} & set(commands)


def test_three_thousand_authors_are_all_there() -> None:
    paper = a_paper(authors=tuple(f"Ána Number{n}" for n in range(3000)))
    assert len(read_bibtex(bibtex_bytes([paper]))["arxiv-2606.00001"].persons["author"]) == 3000
    assert len(json.loads(jsonl_bytes([an_entry(authors=paper.authors)]))["authors"]) == 3000


# -- page metadata


def test_zotero_finds_title_authors_dates_and_the_pdf() -> None:
    pairs = citation_meta(a_paper(authors=("Ludwig van Beethoven", "The ATLAS Collaboration"), title="A\n\u202eB"))
    assert [content for name, content in pairs if name == "citation_author"] == ["van Beethoven, Ludwig", "The ATLAS Collaboration"]
    single = dict(pairs)
    assert single["citation_title"] == "A B"
    assert single["citation_publication_date"] == "2026/06/01"
    assert single["citation_pdf_url"] == "https://arxiv.org/pdf/2606.00001v1"
    assert "citation_doi" not in single


def test_a_format_is_a_file_that_is_found_and_linked() -> None:
    assert [one.suffix for one in export_formats()] == ["bib", "jsonl"]
    assert export_links("zh", DAY, "all") == [("BibTeX", "zh/2026-06-02/all.bib"), ("JSON Lines", "zh/2026-06-02/all.jsonl")]


def test_both_files_are_written_for_a_day_and_category(tmp_path: Path) -> None:
    written = write_exports(Storage(tmp_path), "zh", DAY, "cs.CL", [an_entry()])
    assert sorted(written) == ["zh/2026-06-02/cs.CL.bib", "zh/2026-06-02/cs.CL.jsonl"]
    assert all((tmp_path / "site" / path).is_file() for path in written)
