"""One segment of the search index: some thousand papers that are indexed together, as files.

    site/<tag>/search/<segment>/p-000.bin …     the lists of terms (`postings.py`)
                                papers.bin  ids, and which categories each falls under
                                r-000.bin … what a result shows, some sixty papers a file
                                words.bin        words that occur more than once, for typing mistakes

All are compressed (gzip) and called .bin, for a server that knows .gz would unpack some of them on the way, and some would not.

What lives here: what is indexed of a paper, and these files. What does not: which papers lie in which segment (`__init__.py`).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from digest_pipeline.models import DigestEntry
from digest_pipeline.render.paper import named_authors, paper_view
from digest_pipeline.site.search.postings import Postings
from digest_pipeline.site.search.segmentation import is_run, tokens
from digest_pipeline.storage import Storage
from digest_pipeline.taxonomy import falls_under
from digest_pipeline.tex.plain import plain_text, text_with_tex
from digest_pipeline.translation.languages import Language

RECORDS_IN_A_FILE = 64
FIELDS = (("title", 0), ("original_title", 256), ("tldr", 512), ("abstract", 1024), ("original_abstract", 4096), ("authors", 6144))
"""Each field's first position. A longer field pushes the following ones further; a position tells its field all the same,
save for a text several times as long as any abstract."""
AUTHOR_STEP = 16
"""Positions from one author to the next: words with the same multiple of it are of one name."""
_BETWEEN_FIELDS = 8
_SHOWN_AUTHORS = 4
_SHORTEST_WORD, _LONGEST_WORD = 4, 30
"""Words of these lengths are offered where somebody mistyped."""


@dataclass(slots=True)
class Segment:
    """Papers in the order in which they were indexed."""

    postings: Postings = field(default_factory=Postings)
    ids: list[str] = field(default_factory=list)
    categories: list[tuple[str, ...]] = field(default_factory=list)
    records: list[list[Any]] = field(default_factory=list)
    """[title, original title or "", TL;DR, authors, place on the day's page] a paper, as a result shows it."""

    def add(self, entry: DigestEntry, place: int, language: Language, categories: Sequence[str]) -> None:
        """`place` counts the papers of the day's page; `categories` are those a search can be narrowed to."""
        view, paper = paper_view(entry, language), entry.paper
        self.postings.add(len(self.ids), _terms(entry))
        self.ids.append(paper.arxiv_id)
        self.categories.append(tuple(one for one in categories if any(falls_under(own, one) for own in paper.categories)))
        authors = ", ".join(named_authors(paper.authors, _SHOWN_AUTHORS, language))
        self.records.append([plain_text(view.title), plain_text(view.original_title), plain_text(view.tldr), authors, place])

    def join(self, other: Segment) -> None:
        """Takes over the other's papers, behind the own ones."""
        self.postings.join(other.postings, len(self.ids))
        self.ids += other.ids
        self.categories += other.categories
        self.records += other.records

    def files(self) -> Iterator[tuple[str, bytes]]:
        """(name, content) of each."""
        for number, shard in enumerate(self.postings.shards()):
            yield f"p-{number:03}.bin", shard
        for number, start in enumerate(range(0, len(self.records), RECORDS_IN_A_FILE)):
            yield f"r-{number:03}.bin", _json_gz(self.records[start : start + RECORDS_IN_A_FILE])
        combinations = list(dict.fromkeys(self.categories))
        places = {one: number for number, one in enumerate(combinations)}
        yield "papers.bin", _json_gz({"ids": self.ids, "combinations": combinations, "categories": [places[one] for one in self.categories]})
        yield "words.bin", gzip.compress("\n".join(self._words()).encode(), 6, mtime=0)

    def _words(self) -> Iterator[str]:
        for term, found in sorted(self.postings.items()):
            if _SHORTEST_WORD <= len(term) <= _LONGEST_WORD and len(found.data) > _BETWEEN_FIELDS and term.isalpha() and not is_run(term):
                yield f"{term} {len(found.data)}"


def _terms(entry: DigestEntry) -> Iterator[tuple[str, int]]:
    paper, summary = entry.paper, entry.summary
    texts = (summary.translated_title, paper.title, summary.tldr, summary.translated_abstract, paper.abstract)
    end = 0
    for (_, start), text in zip(FIELDS[:-1], texts, strict=True):
        end = max(start, end + _BETWEEN_FIELDS)
        for term, position in tokens(text_with_tex(text), end):
            yield term, position
            end = position
    at = max(FIELDS[-1][1], -(-(end + _BETWEEN_FIELDS) // AUTHOR_STEP) * AUTHOR_STEP)
    for author in paper.authors:
        end = at
        for term, position in tokens(text_with_tex(author), at):
            yield term, position
            end = position
        at += AUTHOR_STEP * (1 + (end - at) // AUTHOR_STEP)


def _json_gz(value: Any) -> bytes:
    return gzip.compress(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), 6, mtime=0)


def write_segment(storage: Storage, folder: str, segment: Segment) -> int:
    """Writes the files; returns the number of shards. Not flushed one by one: the next build can make them again."""
    shards = 0
    for name, content in segment.files():
        storage.write_bytes(f"{folder}/{name}", content, is_durable=False)
        shards += name.startswith("p-")
    return shards


def read_segment(storage: Storage, folder: str, shards: int) -> Segment:
    """The opposite of `write_segment`. Raises FileNotFoundError, EOFError or ValueError for a folder that is not whole."""
    papers = json.loads(gzip.decompress(storage.read_bytes(f"{folder}/papers.bin")))
    combinations = [tuple(one) for one in papers["combinations"]]
    records: list[list[Any]] = []
    for number in range(-(-len(papers["ids"]) // RECORDS_IN_A_FILE)):
        records += json.loads(gzip.decompress(storage.read_bytes(f"{folder}/r-{number:03}.bin")))
    return Segment(
        Postings.read(storage.read_bytes(f"{folder}/p-{number:03}.bin") for number in range(shards)),
        papers["ids"],
        [combinations[one] for one in papers["categories"]],
        records,
    )
