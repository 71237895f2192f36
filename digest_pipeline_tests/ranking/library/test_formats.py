"""Libraries as the programs that keep them write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from digest_pipeline.ranking.library import read_library
from digest_pipeline.ranking.library.entry import arxiv_id_in, parse_arxiv_id
from digest_pipeline.ranking.library.zotero_api import items_to_library

BIBTEX = r"""
@string{jml = "Journal of Machine Learning"}
@article{vaswani2017,
  title = {{Attention} Is All You {Need}},
  author = {Vaswani, Ashish and Shazeer, Noam},
  journal = jml,
  abstract = {The dominant models \& more.},
  eprint = {1706.03762}, archivePrefix = {arXiv}
}
@misc{url-only, title = {From a G{\"o}del link}, author = {Kurt G{\"o}del}, url = {https://arxiv.org/abs/2401.01234v2}}
@misc{doi-only, title = {By its DOI}, doi = {10.48550/arXiv.2305.10601}}
"""
RIS = """TY  - JOUR
TI  - Attention Is All You Need
AU  - Vaswani, Ashish
AB  - The dominant models.
UR  - https://arxiv.org/abs/1706.03762
ER  -

TY  - CONF
T1  - Without an id
A1  - Lovelace, Ada
ER  -
"""
CSL = [
    {
        "id": "http://zotero.org/users/1/items/A",
        "type": "article",
        "title": "Attention Is All You Need",
        "abstract": "The dominant models.",
        "author": [{"family": "Vaswani", "given": "Ashish"}, {"literal": "A Group"}],
        "number": "arXiv:1706.03762",
    }
]
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:z="http://www.zotero.org/namespaces/export#"
 xmlns:bib="http://purl.org/net/biblio#" xmlns:foaf="http://xmlns.com/foaf/0.1/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:dcterms="http://purl.org/dc/terms/">
  <bib:Article rdf:about="http://arxiv.org/abs/1706.03762">
    <z:itemType>preprint</z:itemType>
    <bib:authors><rdf:Seq><rdf:li><foaf:Person><foaf:surname>Vaswani</foaf:surname><foaf:givenName>Ashish</foaf:givenName></foaf:Person></rdf:li></rdf:Seq></bib:authors>
    <dc:title>Attention Is All You Need</dc:title>
    <dcterms:abstract>The dominant models.</dcterms:abstract>
  </bib:Article>
  <z:Attachment rdf:about="#item_2"><z:itemType>attachment</z:itemType><dc:title>Full Text PDF</dc:title></z:Attachment>
</rdf:RDF>
"""
CSV = (
    '"Key","Item Type","Publication Year","Author","Title","Publication Title","DOI","Url","Abstract Note","Extra"\n'
    '"A1B2","preprint","2017","Vaswani, Ashish; Shazeer, Noam","Attention Is All You Need","","","http://arxiv.org/abs/1706.03762",'
    '"The dominant models.","arXiv:1706.03762 [cs]"\n'
)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.bib", BIBTEX), ("a.ris", RIS), ("a.json", json.dumps(CSL)), ("a.rdf", RDF), ("a.csv", CSV), ("a.json", json.dumps({"items": CSL}))],
)
def test_title_abstract_authors_and_id_are_read(tmp_path: Path, name: str, text: str) -> None:
    library = read_library(write(tmp_path, name, text))
    first = library.entries[0]
    assert (first.title, first.arxiv_id, first.authors[0]) == ("Attention Is All You Need", "1706.03762", "Ashish Vaswani")
    assert first.abstract.startswith("The dominant models")
    assert library.problems == ()


PROGRAMS = Path(__file__).parents[2] / "recordings" / "libraries"


@pytest.mark.parametrize("name", ["pandoc_bibtex.bib", "pandoc_biblatex.bib", "pandoc_csl.json", "rispy.ris", "source.json"])
def test_what_the_programs_themselves_wrote_is_read_whole(name: str) -> None:
    library = read_library(PROGRAMS / name)
    assert library.problems == ()
    first, second, third = library.entries
    assert first.title.startswith("Lantern: Sparse Routing for")
    assert (first.arxiv_id, first.authors) == ("2401.99991", ("Ana María Lövegood", "Wei Zhang"))
    assert (second.title.casefold(), second.authors) == ("tidal harbours of the æther", ("Chiamaka Obi", "Søren van der Berg"))
    assert (third.title.casefold(), third.authors, third.arxiv_id) == ("quartz without an id", ("The Quartz Group",), "")
    if name != "pandoc_bibtex.bib":  # BibTeX's styles know neither, so pandoc leaves them out
        assert second.arxiv_id == "2305.99992"
        assert first.abstract == "We study lanterns & routing. It saves 61 % of the calls."
        assert " ".join(second.abstract.split()) == "Harbours. And tides."


def test_bibtex_is_read_with_accents_strings_and_ids_in_links(tmp_path: Path) -> None:
    entries = read_library(write(tmp_path, "a.bib", BIBTEX)).entries
    assert [entry.arxiv_id for entry in entries] == ["1706.03762", "2401.01234", "2305.10601"]
    assert (entries[1].title, entries[1].authors) == ("From a Gödel link", ("Kurt Gödel",))
    assert entries[0].abstract == "The dominant models & more."


def test_a_broken_bibtex_entry_is_named_by_its_line_and_the_rest_is_read(tmp_path: Path) -> None:
    text = "@article{good, title = {One}}\n\n@article{broken, title = {Two,\n  year = 2020\n\n@article{late, title = {Three}}\n"
    library = read_library(write(tmp_path, "mine.bib", text))
    assert [entry.title for entry in library.entries] == ["One", "Three"]
    (problem,) = library.problems
    assert str(problem).startswith("mine.bib, line 3: it is no BibTeX")


def test_an_entry_without_title_and_id_is_named_by_its_key(tmp_path: Path) -> None:
    library = read_library(write(tmp_path, "mine.bib", "@misc{nothing, year = 2020}\n@misc{some, title={T}}"))
    assert [str(problem) for problem in library.problems] == ["mine.bib, nothing: the entry has neither a title nor an arXiv id"]
    assert len(library.entries) == 1


def test_a_list_of_ids_takes_links_comments_and_old_ids_and_names_the_bad_line(tmp_path: Path) -> None:
    text = "# read\n2401.01234v2\narXiv:2305.10601\nhttps://arxiv.org/pdf/1706.03762.pdf  # transformers\n\nhep-ex/0406020\nnonsense\n"
    library = read_library(write(tmp_path, "ids.txt", text))
    assert [entry.arxiv_id for entry in library.entries] == ["2401.01234", "2305.10601", "1706.03762", "hep-ex/0406020"]
    assert [str(problem) for problem in library.problems] == ["ids.txt, line 7: 'nonsense' is no arXiv id"]


def test_a_folder_is_read_whole_and_each_paper_once(tmp_path: Path) -> None:
    for name, text in (("a.bib", BIBTEX), ("b.ris", RIS), ("notes.md", "no library"), ("broken.json", "{")):
        write(tmp_path, name, text)
    library = read_library(tmp_path)
    assert len(library.entries) == 4
    assert [problem.file for problem in library.problems] == ["broken.json"]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.json", b'{"a": 1}', "list of items"),
        ("a.csv", b"x,y\n1,2\n", "no column Title"),
        ("a.rdf", b"<a>", "no XML"),
        ("a.rdf", b"<html/>", "no RDF"),
        ("a.ris", b"nothing", "RIS"),
        ("a.bib", b"@misc{a, title={\xe9}}", "UTF-8"),
        ("a.pdf", b"", "are not known"),
    ],
)
def test_a_file_that_is_none_says_why(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    (tmp_path / name).write_bytes(content)
    library = read_library(tmp_path / name)
    assert library.entries == ()
    assert what in str(library.problems[0])


def test_a_file_that_is_missing_is_a_problem_and_no_traceback(tmp_path: Path) -> None:
    assert [str(problem) for problem in read_library(tmp_path / "gone.bib").problems] == ["gone.bib: there is no such file"]


def test_zoteros_web_items_are_read(tmp_path: Path) -> None:
    items = [
        {
            "key": "A1",
            "data": {
                "itemType": "preprint",
                "title": "Attention Is All You Need",
                "abstractNote": "The dominant models.",
                "creators": [{"firstName": "Ashish", "lastName": "Vaswani"}, {"name": "A Group"}],
                "archiveID": "arXiv:1706.03762",
            },
        },
        {"key": "N", "data": {"itemType": "note"}},
    ]
    (entry,) = items_to_library(items).entries
    assert (entry.key, entry.arxiv_id, entry.authors) == ("A1", "1706.03762", ("Ashish Vaswani", "A Group"))


@pytest.mark.parametrize(
    "text", ["arXiv:2401.01234v3 [cs.CL]", "https://arxiv.org/abs/2401.01234", "10.48550/arXiv.2401.01234", "arxiv.org/pdf/2401.01234v1"]
)
def test_an_id_is_found_where_a_text_names_one(text: str) -> None:
    assert arxiv_id_in(text) == "2401.01234"
    assert parse_arxiv_id(text) == "2401.01234"


def test_a_number_alone_is_no_id_within_a_text() -> None:
    assert arxiv_id_in("pages 2401.01234") == ""
