"""The inverted index: written, read, joined."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.site.search import postings
from digest_pipeline.site.search.postings import Postings, shard_of
from digest_pipeline.site.search.segmentation import tokens

_TEXTS = st.lists(st.text(alphabet="ab 注意力機。", max_size=40), max_size=12)


def index_of(texts: list[str]) -> Postings:
    made = Postings()
    for number, text in enumerate(texts):
        made.add(number, tokens(text, 5_000 * (number % 3)))
    return made


@given(_TEXTS)
def test_what_is_written_is_read_back(texts: list[str]) -> None:
    made = index_of(texts)
    assert Postings.read(made.shards()) == made


@given(_TEXTS, st.integers(0, 4))
def test_two_joined_indexes_are_the_index_of_all_papers(texts: list[str], thirds: int) -> None:
    at = 3 * min(thirds, len(texts) // 3)  # positions above depend on the number modulo three
    first, second = index_of(texts[:at]), index_of(texts[at:])
    first.join(second, at)
    assert first == index_of(texts)


def test_a_large_index_is_spread_and_pairs_with_the_same_beginning_lie_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "SHARD_BYTES", 50)
    shards = index_of([f"word{n} 注意力 注入" for n in range(200)]).shards()
    assert len(shards) > 8
    assert len(shards) & (len(shards) - 1) == 0
    assert shard_of("注意", len(shards)) == shard_of("注入", len(shards)) == shard_of("注", len(shards))
    assert len(Postings.read(shards)) == 200 + len({"注意", "意力", "力", "注入", "入"})
