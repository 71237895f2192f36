"""An inverted index in memory and as bytes: term → in which papers, and at which positions of them.

    list of a term      (paper − paper before, doubled, + 1 where a number of positions follows; position, step, step …)*,
                        as varints, papers and positions ascending
    shard               varint bytes of the terms, the terms joined by newlines, for each: varint bytes of its list and the
                        list's last paper; then the lists. A term lies in shard crc32(key) mod number of shards, where the
                        key is its first character for a pair of characters and the whole term otherwise.

What lives here: building, joining and writing lists. What does not: words (`segmentation.py`), files (`segments.py`).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from digest_pipeline.site.search.segmentation import is_run

SHARD_BYTES = 24_000
"""About so many bytes of lists in one shard, before compression: a question reads one or two shards of each segment."""


@dataclass(slots=True)
class PostingList:
    """The list of one term. `last`: its last paper, for appending."""

    data: bytearray = field(default_factory=bytearray)
    last: int = 0

    def append(self, paper: int, positions: list[int]) -> None:
        """`paper` is beyond those in the list; `positions` ascending, at least one."""
        _put(self.data, (paper - self.last) << 1 | (len(positions) > 1))
        if len(positions) > 1:
            _put(self.data, len(positions))
        before = 0
        for position in positions:
            step = position - before
            if step < 128:
                self.data.append(step)
            else:
                _put(self.data, step)
            before = position
        self.last = paper

    def extend(self, other: PostingList, offset: int) -> None:
        """Appends another list whose papers are counted from `offset` on."""
        first, at = _get(other.data, 0)
        _put(self.data, ((first >> 1) + offset - self.last) << 1 | (first & 1))
        self.data += other.data[at:]
        self.last = other.last + offset


class Postings(dict[str, PostingList]):
    """Term → list."""

    def add(self, paper: int, found: Iterable[tuple[str, int]]) -> None:
        """A paper's terms with their positions, which ascend within a term."""
        places: dict[str, list[int]] = {}
        for term, position in found:
            if term in places:
                places[term].append(position)
            else:
                places[term] = [position]
        for term, positions in places.items():
            if term not in self:
                self[term] = PostingList()
            self[term].append(paper, positions)

    def join(self, other: Mapping[str, PostingList], offset: int) -> None:
        """Takes over the papers of another index, counted from `offset` on."""
        for term, found in other.items():
            if term not in self:
                self[term] = PostingList()
            self[term].extend(found, offset)

    def shards(self) -> list[bytes]:
        """The index as compressed files; their number is a power of two, by size."""
        size = sum(len(one.data) for one in self.values())
        count = 1
        while count * SHARD_BYTES < size:
            count *= 2
        terms: list[list[str]] = [[] for _ in range(count)]
        for term in self:
            terms[shard_of(term, count)].append(term)
        return [gzip.compress(b"".join(self._shard(sorted(own))), 6, mtime=0) for own in terms]

    def _shard(self, terms: list[str]) -> Iterator[bytes]:
        joined = "\n".join(terms).encode()
        head = bytearray()
        _put(head, len(joined))
        head += joined
        for term in terms:
            _put(head, len(self[term].data))
            _put(head, self[term].last)
        yield bytes(head)
        yield from (bytes(self[term].data) for term in terms)

    @classmethod
    def read(cls, shards: Iterable[bytes]) -> Postings:
        """The opposite of `shards`."""
        found = cls()
        for shard in shards:
            found.update(_lists_of(gzip.decompress(shard)))
        return found


def shard_of(term: str, count: int) -> int:
    """Pairs with the same first character lie together, so that one character can be asked for."""
    return zlib.crc32((term[0] if is_run(term) else term).encode()) % count


def _lists_of(data: bytes) -> Iterator[tuple[str, PostingList]]:
    length, at = _get(data, 0)
    terms = data[at : at + length].decode().split("\n") if length else []
    at += length
    sizes: list[tuple[int, int]] = []
    for _ in terms:
        size, at = _get(data, at)
        last, at = _get(data, at)
        sizes.append((size, last))
    for term, (size, last) in zip(terms, sizes, strict=True):
        yield term, PostingList(bytearray(data[at : at + size]), last)
        at += size


def _put(data: bytearray, number: int) -> None:
    while number > 127:
        data.append(number & 127 | 128)
        number >>= 7
    data.append(number)


def _get(data: bytes | bytearray, at: int) -> tuple[int, int]:
    number = shift = 0
    while data[at] > 127:
        number |= (data[at] & 127) << shift
        shift += 7
        at += 1
    return number | data[at] << shift, at + 1
