"""How a text is cut into what can be found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.site.search.segmentation import normalized, tokens


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Attention is all", [("attention", 0), ("is", 1), ("all", 2)]),
        ("注意力", [("注意", 0), ("意力", 1), ("力", 2)]),
        ("图", [("图", 0)]),
        ("ViT模型", [("vit", 0), ("模型", 1), ("型", 2)]),
        ("モデルの", [("モデ", 0), ("デル", 1), ("ルの", 2), ("の", 3)]),
        ("모델은", [("모델", 0), ("델은", 1), ("은", 2)]),
        ("state-of-the-art", [("state", 0), ("of", 1), ("the", 2), ("art", 3)]),
        ("one. Two", [("one", 0), ("two", 2)]),
        ("对齐，推理", [("对齐", 0), ("齐", 1), ("推理", 3), ("理", 4)]),
        ("对齐 推理", [("对齐", 0), ("齐", 1), ("推理", 3), ("理", 4)]),
        ("Erdős & Müller", [("erdos", 0), ("muller", 2)]),
        ("ＧＰＴ－４", [("gpt", 0), ("4", 1)]),
        ("...", []),
    ],
)
def test_words_pairs_and_positions(text: str, found: list[tuple[str, int]]) -> None:
    assert list(tokens(text)) == found


@given(st.text(max_size=80))
def test_positions_never_go_back_and_nothing_is_found_that_the_text_lacks(text: str) -> None:
    found = list(tokens(text, 7))
    assert [place for _, place in found] == sorted(place for _, place in found)
    assert all(term in normalized(text) for term, _ in found)
