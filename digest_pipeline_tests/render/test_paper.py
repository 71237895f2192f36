"""What every output says of a paper: which title, which marks, what is missing and why."""

from __future__ import annotations

from digest_pipeline.models import AnnounceType
from digest_pipeline.render.paper import named_authors, paper_view
from digest_pipeline.translation.languages import load_language
from digest_pipeline_tests.support.outputs import an_entry, an_untranslated_entry

ZH, EN = load_language("zh"), load_language("en")


def test_the_translated_title_stands_first_and_the_authors_one_beside_it() -> None:
    view = paper_view(an_entry(), ZH)
    assert (view.title, view.title_lang) == ("论语言模型如何泡茶", "zh-Hans")
    assert view.original_title == "On the Brewing of Tea by Language Models"
    assert view.marks == ()
    assert view.missing == ""


def test_without_a_translation_the_original_stands_with_the_reason() -> None:
    view = paper_view(an_untranslated_entry(), ZH)
    assert (view.title, view.title_lang, view.original_title) == ("On the Brewing of Tea by Language Models", "en", "")
    assert view.missing.startswith("未翻译")
    assert view.tldr == view.abstract == ""


def test_a_paper_without_title_is_called_by_its_id() -> None:
    view = paper_view(an_untranslated_entry(title=" "), ZH)
    assert view.title == view.authors_title == "arXiv:2606.00001"


def test_a_new_version_a_withdrawal_and_a_doubt_are_marked() -> None:
    entry = an_entry(
        announce_type=AnnounceType.REPLACE, version=3, comment="This paper has been withdrawn", summary={"flags": ("number-lost: 12", "odd: x")}
    )
    view = paper_view(entry, ZH)
    assert view.marks[:2] == ("新版本", "v3")
    assert [mark[:1] for mark in view.marks[2:]] == ["⚠", "⚠"]
    assert [note.detail for note in view.doubts] == ["12", ""]
    assert view.doubts[1].phrase == "odd: x", "a code without words is shown whole"


def test_many_authors_are_named_in_part_and_counted() -> None:
    assert named_authors(["A", "B\nC", " "], 5, EN) == ("A", "B C")
    assert named_authors([f"N{n}" for n in range(7)], 5, EN)[-1] == "and 2 more"
