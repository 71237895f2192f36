"""Watch lists: what is shown and why, and what a user is told of a bad line."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.errors import SettingsError
from digest_pipeline.render.matching import Place, match_paper, why_shown
from digest_pipeline.render.watch_lists import WatchList, load_watch_lists, parse_watch_lists
from digest_pipeline.translation.languages import load_language
from digest_pipeline_tests.support.outputs import a_paper, a_summary, an_entry


def shown_by(keyword: str, title: str, **changes: object) -> bool:
    paper = replace(a_paper(title=title, abstract="Nothing of interest."), **changes)  # type: ignore[arg-type]
    return bool(why_shown(paper, None, WatchList("one", "One", keywords=(keyword,))))


@pytest.mark.parametrize(
    ("keyword", "title"),
    [
        ("language model", "Large Language Models"),
        ("language models", "A language model for tea"),
        ("large-language model", "large\nlanguage model"),
        ("study", "Case studies of tea"),
        ("studies", "A study of tea"),
        ("process", "Gaussian Processes"),
        ("Schrödinger", "The Schrodinger bridge"),
        ("Schrodinger", 'The Schr\\"odinger bridge'),
        ("Schrödinger", 'The Schr{\\"o}dinger bridge'),
        ("RAG", "Better RAG"),
        ("LLM", "Of LLMs"),
        ("k-means", "Fast k-means++"),
        ("C++", "Writing C++ by hand"),
        ("naïve", "NAIVE BAYES"),
        ("/agent(ic|s)?\\b/i", "Agentic tea"),
    ],
)
def test_a_keyword_finds_its_other_spellings(keyword: str, title: str) -> None:
    assert shown_by(keyword, title)


@pytest.mark.parametrize(
    ("keyword", "title"),
    [
        ("agent", "A reagent for tea"),
        ("RAG", "rag dolls and rags"),
        ("AI", "Ai Weiwei and art"),
        ("tea", "Teaching models"),
        ("language model", "language of a model"),
        ("/agent/", "AGENTS"),
        ("process", "A processor"),
    ],
)
def test_a_keyword_does_not_find_other_words(keyword: str, title: str) -> None:
    assert not shown_by(keyword, title)


def test_chinese_keywords_match_anywhere_in_the_translation() -> None:
    watched = WatchList("zh", "中", keywords=("检索增强", "RAG系统"))
    summary = a_summary(translated_title="面向检索增强生成的 RAG 系统", translated_abstract="正文。")
    reasons = why_shown(a_paper(), summary, watched)
    assert [(r.place, r.found) for r in reasons] == [(Place.TRANSLATED_TITLE, "检索增强"), (Place.TRANSLATED_TITLE, "RAG系统")]
    assert reasons[0].in_words(load_language("zh")) == "标题译文：检索增强"


def test_a_negative_keyword_hides_the_paper() -> None:
    watched = WatchList("x", "X", keywords=("model",), excluded=("survey",))
    assert why_shown(a_paper(title="A model"), None, watched)
    assert not why_shown(a_paper(title="A model: a Survey"), None, watched)


def test_categories_narrow_a_list_and_alone_show_everything_of_theirs() -> None:
    paper = a_paper(title="A model", categories=("cs.IR", "econ.GN"))
    assert not why_shown(paper, None, WatchList("x", "X", keywords=("model",), categories=("cs.CL",)))
    assert why_shown(paper, None, WatchList("x", "X", keywords=("model",), categories=("econ",)))
    assert not why_shown(paper, None, WatchList("x", "X", keywords=("tea",), categories=("econ",)))
    assert [r.place for r in why_shown(paper, None, WatchList("x", "X", categories=("econ",)))] == [Place.CATEGORY]


@pytest.mark.parametrize(
    ("wanted", "author"),
    [
        ("Jose Perez", "José Pérez"),
        ("J. Pérez", "José Pérez"),
        ("Pérez, José", "José Pérez"),
        ("José Pérez", "J. Perez"),
        ("Perez", "José Pérez"),
        ("Łukasz Nowak", "Lukasz Nowak"),
        ("Wei-Lin Chen", "Wei Lin Chen"),
        ("van der Berg, Anna", "Anna van der Berg"),
        ("Anna B. Muster", "Anna Muster"),
    ],
)
def test_an_author_is_found_under_the_usual_spellings(wanted: str, author: str) -> None:
    assert why_shown(a_paper(authors=("Someone Else", author)), None, WatchList("x", "X", authors=(wanted,)))[0].found == author


@pytest.mark.parametrize(
    ("wanted", "author"),
    [("José Pérez", "Juan Pérez"), ("K. Pérez", "José Pérez"), ("Li Wei", "Wei Li"), ("An Li", "Ana Li"), ("van der Berg, Anna", "Anna Berg")],
)
def test_an_author_is_not_taken_for_somebody_else(wanted: str, author: str) -> None:
    assert not why_shown(a_paper(authors=(author,)), None, WatchList("x", "X", authors=(wanted,)))


def test_lists_keep_their_order() -> None:
    lists = (WatchList("b", "B", keywords=("tea", "coffee")), WatchList("a", "A", keywords=("tea",)))
    assert [match.list_name for match in match_paper(lists, an_entry(title="Tea").paper)] == ["b", "a"]


def test_a_regular_expression_that_would_run_for_years_is_refused_soon() -> None:
    started = time.monotonic()
    with pytest.raises(SettingsError, match=r"line 3: the regular expression .* can run for ever"):
        parse_watch_lists("[[list]]\nname = 'x'\nkeywords = ['/(a+)+$/']\n")
    assert time.monotonic() - started < 10


def test_a_slow_expression_that_the_probes_do_not_find_is_stopped_on_the_paper() -> None:
    watched = WatchList("x", "X", keywords=("/(z+)+q$/",))
    with pytest.raises(SettingsError, match=r"'x' runs for more than"):
        why_shown(a_paper(title="z" * 5000), None, watched)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[list]]\nname = x\n", r"not valid TOML: .*line 2"),
        ("[[list]]\nname = 'A b'\nkeywords = ['x1']", r"line 2: name is 'A b'"),
        ("\n[[list]]\nkeywords = ['x1']", r"line 2: name is ''"),
        ("[[list]]\nname = 'a'\nkeyword = ['x1']", r"line 3: 'keyword' is unknown"),
        ("[[list]]\nname = 'a'\nkeywords = 'x1'", r"line 3: keywords must be a list"),
        ("[[list]]\nname = 'a'\nkeywords = ['ok',\n 7]", r"line 4: 7 in keywords is no text"),
        ("[[list]]\nname = 'a'\nkeywords = ['ok',\n '/(/']", r"line 4: the regular expression /\(/ is refused"),
        ("[[list]]\nname = 'a'\nkeywords = ['/x*/']", r"line 3: .*would show every paper"),
        ("[[list]]\nname = 'a'\nkeywords = ['-']", r"line 3: the keyword '-'"),
        ("[[list]]\nname = 'a'\nkeywords = ['***']", r"line 3: .*no letter or digit"),
        ("[[list]]\nname = 'a'\nkeywords = ['-x']", r"line 2: the list 'a' has no keyword"),
        ("[[list]]\nname = 'a'\ncategories = ['cs.CLL']", r"line 3: 'cs.CLL' is no arXiv category.*cs.CL"),
        ("[[list]]\nname = 'a'\nkeywords = ['ok']\nmail_to = ['nobody']", r"line 4: 'nobody' is no mail address"),
        ("[[list]]\nname = 'a'\nkeywords = ['ok']\n\n[[list]]\nname = 'a'\nkeywords = ['ok']", r"line 6: the name 'a' is used twice"),
        ("name = 'a'", r"line 1: 'name' is unknown at the top"),
        ("[list]\nname = 'a'", r"line 1: .*double brackets"),
    ],
)
def test_a_bad_line_is_refused_with_its_number_and_reason(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_watch_lists(text)


def test_no_file_means_no_lists(tmp_path: Path) -> None:
    assert load_watch_lists(tmp_path / "watch.toml") == ()


def test_the_example_file_is_accepted() -> None:
    lists = load_watch_lists(Path(__file__).parents[2] / "watch.example.toml")
    assert [one.name for one in lists] == ["agents", "retrieval", "people"]
    assert lists[0].excluded == ("survey",)
    assert lists[1].mail_to == ("you@example.org",)


def test_addresses_of_a_list_stay_out_of_its_printed_form() -> None:
    assert "secret@example.org" not in repr(WatchList("a", "A", mail_to=("secret@example.org",)))


@given(st.text(min_size=1, max_size=40), st.text(max_size=200))
def test_any_keyword_is_either_refused_or_matches_itself_and_never_crashes(keyword: str, text: str) -> None:
    toml_keyword = "".join(f"\\U{ord(c):08X}" for c in keyword if not 0xD800 <= ord(c) <= 0xDFFF)
    try:
        (watched,) = parse_watch_lists(f'[[list]]\nname = "a"\ncategories = ["cs.CL"]\nkeywords = ["{toml_keyword}"]')
    except SettingsError:
        return
    why_shown(a_paper(title=text or "x"), None, watched)
    for plain in watched.keywords:
        if not plain.startswith("/"):
            assert why_shown(a_paper(title=f"see {plain}, here"), None, watched)


TOML_VALUES = st.recursive(st.booleans() | st.integers(-9, 9) | st.text(st.characters(codec="ascii")), lambda inner: st.lists(inner, max_size=3))


@given(st.dictionaries(st.sampled_from(["name", "keywords", "authors", "categories", "mail_to", "exclude", "title", "list"]), TOML_VALUES))
def test_a_watch_list_is_read_or_refused_whatever_its_values_are(values: dict[str, object]) -> None:
    with contextlib.suppress(SettingsError):
        parse_watch_lists("[[list]]\n" + "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items()))


@given(st.text(st.sampled_from("[]{}=\"',.# \nlistnamekeywords0123456789é\\")))
def test_a_watch_file_is_read_or_refused_whatever_is_in_it(text: str) -> None:
    with contextlib.suppress(SettingsError):
        parse_watch_lists(text)


def test_a_day_of_600_papers_and_ten_lists_is_matched_in_seconds() -> None:
    lists = [WatchList(f"l{n}", "L", keywords=tuple(f"rare word {n}{m}" for m in range(10)), authors=("A. Nobody",)) for n in range(10)]
    started = time.monotonic()
    for number in range(600):
        match_paper(
            lists,
            a_paper(abstract=f"é {number} " + "plain words of an abstract " * 60),
            [a_summary(translated_abstract=f"{number}摘要的译文。" * 100)],
        )
    assert time.monotonic() - started < 30
