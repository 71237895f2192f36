"""The Markdown digest as a reader's engine shows it: its layout, its marks, and what it says of a day that is not whole."""

from __future__ import annotations

import re

import pytest
import yaml

from digest_pipeline.errors import SourceError
from digest_pipeline.markdown.read_back import rendered_ids
from digest_pipeline.markdown.render import _templates, part_name, preview
from digest_pipeline.markdown.rows import MOST_AUTHORS_NAMED
from digest_pipeline.models import AnnounceType, DigestEntry, Evidence, SummaryStatus
from digest_pipeline.translation.languages import known_language_tags, load_language
from digest_pipeline_tests.support.digest_days import DAY, GOLDEN, digest_of, facts, golden_day, ledger_of, paper, parts_of, summary, untranslated
from digest_pipeline_tests.support.digest_engines import ENGINES, seen

engines = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())


def entry(arxiv_id: str = "2606.00011", **changes: object) -> DigestEntry:
    return DigestEntry(paper(arxiv_id, **changes), summary(arxiv_id))


def front_matter(digest: str) -> dict[str, object]:
    head = digest.split("\n---\n")[0].removeprefix("---\n")
    return dict(yaml.safe_load(head))


def note_lines(digest: str, number: int) -> list[str]:
    """The blank-separated lines of one note, as a program that knows the layout reads them."""
    body = re.search(rf"^\[\^{number}\]: (.*\n(?:\n|    .*\n)*)", digest, re.MULTILINE)
    assert body is not None
    return [line.strip() for line in body[1].split("\n\n") if line.strip()]


# -- the layout readers know ---------------------------------------------------------------------------


def test_a_day_with_one_of_everything_is_the_golden_digest():
    assert golden_day() == GOLDEN.read_text(encoding="utf-8"), "rewrite with: python -m digest_pipeline_tests.support.digest_days"


def test_a_note_has_the_six_lines_in_the_order_readers_know():
    lines = note_lines(digest_of(entry(title="Original")), 1)
    link = "[https://arxiv.org/abs/2606.00011](https://arxiv.org/abs/2606.00011)"
    assert lines[:7] == ["一个普通的标题", "Original", link, "一句话。", "One sentence.", "一段普通的摘要。", "A plain abstract."]


def test_newest_ids_come_first_over_months_and_both_styles_of_id():
    ids = ["2512.09999", "hep-ex/0406020", "2601.00002", "2601.00010", "math/9901001"]
    digest = digest_of(*(entry(i) for i in ids))
    assert rendered_ids(digest) == ["2601.00010", "2601.00002", "2512.09999", "hep-ex/0406020", "math/9901001"]


def test_replacements_stand_apart_at_the_end_with_numbers_going_on():
    digest = digest_of(
        entry("2606.00012", announce_type=AnnounceType.REPLACE, version=2),
        entry("2606.00011"),
        entry("2606.00013", announce_type=AnnounceType.REPLACE_CROSS, version=3),
    )
    assert rendered_ids(digest) == ["2606.00011", "2606.00013", "2606.00012"]
    first, second = digest.split("# 更新版本")
    assert "[^1]: " in first
    assert "[^2]" not in first
    assert "新版本 · v2" in second


def test_announce_type_and_version_are_shown_and_an_ordinary_new_paper_has_no_mark():
    html = ENGINES["commonmark"](digest_of(entry("2606.00011"), entry("2605.00001", announce_type=AnnounceType.CROSS, version=2)))
    assert [row[1] for row in seen(html).rows] == ["A plain title", "A plain title · 交叉列表 · v2"]
    assert "新论文 · v1" in seen(html).notes[0]


@engines
def test_every_reference_has_its_note_and_every_row_three_columns(engine):
    page = seen(engine(golden_day()))
    assert [len(row) for row in page.rows] == [3, 3, 3, 3]
    assert len(page.notes) == 4
    assert [links[0] for links in page.note_links] == [links[0] for links in page.row_links]
    assert "announced 4 = fetched 4 = translated 2 + untranslated 2 = rendered 4" in page.text


@pytest.mark.parametrize("tag", sorted(known_language_tags()))
def test_headings_are_in_the_readers_language(tag):
    digest = digest_of(entry(), tag=tag)
    assert f"\n# {load_language(tag).label('digest', 'summary')}\n" in digest
    assert f"\n# {load_language(tag).label('digest', 'details')}\n" in digest
    assert rendered_ids(digest) == ["2606.00011"]


def test_english_has_the_tldr_only():
    lines = note_lines(
        digest_of(DigestEntry(paper(), summary(language="en", translated_title="", translated_abstract="", tldr="", tldr_en="Short.")), tag="en"), 1
    )
    assert lines[0] == "A plain title"
    assert lines[2:4] == ["Short.", "A plain abstract."]


def test_the_structured_summary_follows_the_six_lines_under_its_labels():
    lines = note_lines(digest_of(DigestEntry(paper(), summary(motivation="甲", method="乙", result="丙", conclusion="丁"))), 1)
    assert lines[7:11] == ["动机：甲", "方法：乙", "结果：丙", "结论：丁"]


# -- marks ---------------------------------------------------------------------------------------------


def test_a_quarantined_paper_is_shown_in_the_original_with_mark_and_reason():
    digest = digest_of(DigestEntry(paper(title="Left as it was"), untranslated()))
    reason = load_language("zh").label("flags", "not-translated")
    page = seen(ENGINES["commonmark"](digest))
    assert page.rows[0][1:] == ["Left as it was", f"⚠ 未翻译：{reason}"]
    assert note_lines(digest, 1)[0] == "Left as it was"
    assert f"⚠ 未翻译：{reason}" in page.notes[0]
    assert "A plain abstract." in page.notes[0]


def test_a_deferred_paper_says_that_it_is_pending():
    digest = digest_of(DigestEntry(paper(), untranslated(status=SummaryStatus.DEFERRED, flags=())))
    assert "| ⚠ 待翻译 |" in digest


def test_a_warning_is_a_small_mark_in_the_row_and_the_readers_phrase_in_the_note():
    digest = digest_of(DigestEntry(paper(), summary(flags=("number-lost: 12", "number-lost: 13"))))
    phrase = load_language("zh").label("flags", "number-lost")
    assert " · ⚠ 请核对 |" in digest
    assert note_lines(digest, 1).count(f"⚠ 请核对：{phrase}") == 1


def test_a_flag_without_a_phrase_is_shown_as_it_stands():
    assert "⚠ 请核对：a-code-of-old: detail" in digest_of(DigestEntry(paper(), summary(flags=("a-code-of-old: detail",))))


def test_a_withdrawn_paper_is_marked_in_row_and_note():
    digest = digest_of(entry(comment="This paper has been withdrawn"))
    assert "⚠ 已撤稿 |" in digest
    assert "⚠ 已撤稿" in note_lines(digest, 1)


# -- the day ---------------------------------------------------------------------------------------------


def test_front_matter_tells_a_program_what_it_needs():
    day = facts(is_sample=True, evidence=Evidence.ID_BLOCK, notes=("a: b\n---\n#c",))
    head = front_matter(digest_of(entry(), DigestEntry(paper("2606.00012"), untranslated("2606.00012")), day=day))
    assert head["listing_date"] == DAY
    assert (head["schema_version"], head["category"], head["language"], head["model"]) == (1, "all", "zh", "a-model")
    assert (head["sample"], head["reconstructed"], head["evidence"], head["announcement"]) == (True, True, "id-block", True)
    by_type = {"new": 2, "cross": 0, "replace": 0, "replace-cross": 0}
    assert head["counts"] == {"announced": 2, "fetched": 2, "translated": 1, "untranslated": 1, "rendered": 2, "by_type": by_type}
    assert head["notes"] == ["a: b --- #c"]


def test_sample_and_reconstruction_are_said_at_the_top_and_only_then():
    words = load_language("zh").labels["digest"]
    plain = digest_of(entry())
    marked = digest_of(entry(), day=facts(is_sample=True, evidence=Evidence.ID_BLOCK))
    top = marked.split("# 摘要")[0]
    assert words["sample"] in top
    assert words["reconstructed"] in top
    assert words["sample"] not in plain
    assert words["reconstructed"] not in plain


@engines
def test_a_day_without_announcement_is_an_explicit_digest(engine):
    digest = digest_of(day=facts(announced=False, evidence=None, notes=("the evening of 2026-06-01 was skipped",)))
    page = seen(engine(digest))
    assert "arXiv 在这一天没有发布公告。" in page.text
    assert "the evening of 2026-06-01 was skipped" in page.text
    assert "announced 0 = fetched 0 = translated 0 + untranslated 0 = rendered 0" in page.text
    assert page.rows == []
    assert rendered_ids(digest) == []


def test_a_category_without_papers_is_not_taken_for_a_day_without_announcement():
    assert "这一天该类别没有论文。" in digest_of()
    assert "没有发布公告" not in digest_of()
    only_replacements = digest_of(entry(announce_type=AnnounceType.REPLACE))
    assert "这一天该类别没有新论文。" in only_replacements
    assert rendered_ids(only_replacements) == ["2606.00011"]


def test_all_untranslated_is_still_every_paper():
    ids = [f"2606.{n:05}" for n in range(20, 0, -1)]
    assert rendered_ids(digest_of(*(DigestEntry(paper(i), untranslated(i)) for i in ids))) == ids


def test_numbers_that_do_not_balance_are_said_with_the_ids():
    ledger = ledger_of([entry()], announced=3, rendered=0, missing_fetched=("2606.00021", "2606.00022"), missing_rendered=("2606.00011",))
    end = digest_of(entry(), ledger=ledger).splitlines()[-5:]
    assert end == [
        "announced 3 ≠ fetched 1 = translated 1 + untranslated 0 ≠ rendered 0",
        "",
        "⚠ 未能取得：2606.00021, 2606.00022",
        "",
        "⚠ 未能列出：2606.00011",
    ]


def test_an_id_that_could_leave_its_link_is_refused_naming_it():
    with pytest.raises(SourceError, match=r"x\)\(y"):
        digest_of(entry("x)(y/0406020"))


# -- sizes -----------------------------------------------------------------------------------------------


def test_a_long_abstract_is_whole_in_every_paragraph_of_its_note():
    words = [f"word{n}" for n in range(500)]
    abstract = "\n".join(" ".join(words[n : n + 10]) + ("\n " if n % 100 == 90 else "") for n in range(0, 500, 10))
    page = seen(ENGINES["github"](digest_of(entry(abstract=abstract))))
    assert len(abstract) > 3_500
    assert " ".join(words) in page.notes[0]


def test_three_thousand_authors_are_named_in_part_and_counted():
    digest = digest_of(entry(authors=tuple(f"Author{n}" for n in range(3000)), affiliations=("",) * 3000))
    assert f"Author{MOST_AUTHORS_NAMED - 1}, 另有 2980 位" in digest
    assert f"Author{MOST_AUTHORS_NAMED}," not in digest


# -- reading back ------------------------------------------------------------------------------------------


def test_a_row_without_note_a_note_without_row_and_a_pair_that_disagrees_are_not_counted():
    digest = digest_of(entry("2606.00011"), entry("2606.00012"))
    assert rendered_ids(digest) == ["2606.00012", "2606.00011"]
    assert rendered_ids(re.sub(r"^\[\^2\]:.*$", "", digest, flags=re.MULTILINE)) == ["2606.00012"]
    assert rendered_ids(re.sub(r"^\| \[\^1\].*\n", "", digest, flags=re.MULTILINE)) == ["2606.00011"]
    assert rendered_ids(digest.replace("](https://arxiv.org/abs/2606.00012) |", "](https://arxiv.org/abs/2606.00099) |")) == ["2606.00011"]


def test_any_other_text_has_no_papers():
    assert rendered_ids("") == []
    assert rendered_ids("| a | b | c |\n| - | - | - |\n| 1 | 2 | 3 |\n") == []
    assert rendered_ids("| a | b | c |\n| - | - | - |\n| [^1] | no link | 3 |\n\n[^1]: and none here\n") == []
    paper = "[x](https://arxiv.org/abs/2606.00011)"
    assert rendered_ids(f"| a | b | c |\n| - | - | - |\n| no note | {paper} | 3 |\n") == []


# -- the Dagster UI ------------------------------------------------------------------------------------------


def test_preview_shows_the_newest_rows_and_how_many_more():
    entries = [entry(f"2606.{n:05}", title=f"Paper | {n}") for n in range(1, 13)]
    text = preview(entries, load_language("zh"), limit=3)
    page = seen(ENGINES["github"](text))
    assert [row[0] for row in page.rows] == ["Paper | 12", "Paper | 11", "Paper | 10"]
    assert page.text.endswith("… and 9 more")


def test_preview_of_no_papers_is_empty():
    assert preview([], load_language("zh")) == ""


def test_a_template_refuses_a_text_that_was_not_escaped():
    with pytest.raises(TypeError, match="unescaped"):
        _templates().from_string("{{ title }}").render(title="*raw*")


# -- parts -------------------------------------------------------------------------------------------------


def many(count: int, **changes: object) -> list[DigestEntry]:
    return [entry(f"2606.{number:05}", **changes) for number in range(1, count + 1)]


def test_a_large_digest_continues_in_parts_that_are_whole_files_and_lose_no_paper():
    entries = many(40)
    parts = parts_of(*entries, largest=12_000)
    assert len(parts) > 2
    assert all(len(part.encode()) <= 12_000 for part in parts)
    assert [one for part in parts for one in rendered_ids(part)] == [e.paper.arxiv_id for e in reversed(entries)]
    for number, part in enumerate(parts, start=1):
        head = yaml.safe_load(part.split("---\n")[1])
        assert (head["part"], head["parts"]) == (number, len(parts))
        assert f"**{number}**" in part
        assert part.rstrip().endswith("rendered 40")
        assert all(f"]({part_name('all', other)})" in part for other in range(1, len(parts) + 1) if other != number)


def test_the_first_part_names_every_paper_of_the_day():
    entries = many(40)
    first, *_ = parts_of(*entries, largest=12_000)
    assert all(f"(https://arxiv.org/abs/{e.paper.arxiv_id})" in first for e in entries)


def test_the_first_part_of_a_huge_day_names_the_other_papers_by_their_ids():
    first, *others = parts_of(*many(60, title="A title of many words " * 4), largest=14_000)
    assert all(len(part.encode()) <= 14_000 for part in (first, *others))
    assert "[arXiv:2606.00001](https://arxiv.org/abs/2606.00001)" in first


def test_an_ordinary_digest_is_one_part_without_links_to_others():
    digest = digest_of(*many(3))
    assert yaml.safe_load(digest.split("---\n")[1])["parts"] == 1
    assert "all.md" not in digest


def test_replacements_keep_their_heading_in_whichever_part_they_stand():
    replaced = [entry(f"2605.{number:05}", announce_type=AnnounceType.REPLACE) for number in range(1, 11)]
    parts = parts_of(*many(20), *replaced, largest=12_000)
    assert "更新版本" not in parts[0]
    assert "# 更新版本" in parts[-1]
    assert sum(len(rendered_ids(part)) for part in parts) == 30
