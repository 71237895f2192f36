"""The bundled sample day: true to arXiv's formats, faithfully translated, and showing exactly the faults it means to show."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, date, datetime

import pytest
from arxiv import Result
from arxiv._feed import parse

from digest_pipeline import sample
from digest_pipeline.arxiv import rss
from digest_pipeline.models import AnnounceType, Evidence, Paper, id_sort_key
from digest_pipeline.translation.languages import load_language
from digest_pipeline.translation.llm.recorded import as_model_answer
from digest_pipeline.translation.placeholders import mask
from digest_pipeline.translation.prompts import build_request
from digest_pipeline.translation.validation.validate import ValidationResult, validate

NOT_IN_THE_API = "2601.90304v1"
HELD = "2601.90012v1"
DAMAGED, NUMBER_MISSING = "2601.90155v1", "2601.90377v1"
WINDOW = (datetime(2026, 1, 13, 19, 0, tzinfo=UTC), datetime(2026, 1, 14, 19, 0, tzinfo=UTC))


def records() -> dict[str, Result]:
    return {result.get_short_id(): result for result in parse(sample.api_bytes()).results}


def feed() -> dict[str, rss.FeedItem]:
    return {f"{item.arxiv_id}v{item.version}": item for item in rss.read_feed(sample.feed_bytes()).items}


def papers() -> dict[str, Paper]:
    """The day's papers with the texts that readers get: the API's, and the feed's where the API has none."""
    known = records()
    return {name: _paper(item, known.get(name)) for name, item in feed().items()}


def _paper(item: rss.FeedItem, record: Result | None) -> Paper:
    return Paper(
        arxiv_id=item.arxiv_id,
        version=item.version,
        announce_type=item.announce_type,
        primary_category=item.categories[0],
        categories=item.categories,
        title=record.title if record else item.title,
        abstract=record.summary if record else item.abstract,
        authors=item.authors,
        affiliations=item.affiliations,
        comment=record.comment if record else None,
        doi=item.doi,
        journal_ref=item.journal_ref,
        submitted_at_utc=record.published if record else None,
        updated_at_utc=record.updated if record else None,
        listing_date=sample.SAMPLE_DAY,
        evidence=Evidence.RSS,
    )


def verdicts(tag: str) -> dict[str, ValidationResult]:
    """What the checks say of each recorded answer, given back as a model would give it."""
    language = load_language(tag)
    judged = {}
    for name, paper in papers().items():
        request = build_request(paper, language)
        fields = as_model_answer(request, sample.recorded_answers(tag)[name])
        judged[name] = validate(request, json.dumps(fields, ensure_ascii=False))
    return judged


def test_the_feed_is_the_days_announcement_of_both_categories() -> None:
    announcement = rss.read_feed(sample.feed_bytes())
    assert announcement.dated == sample.SAMPLE_DAY == date(2026, 1, 15)
    assert announcement.categories == sample.CATEGORIES
    kinds = Counter(item.announce_type for item in announcement.items)
    assert kinds == {AnnounceType.NEW: 9, AnnounceType.CROSS: 4, AnnounceType.REPLACE: 3, AnnounceType.REPLACE_CROSS: 1}
    for item in announcement.items:
        is_ours = item.categories[0] in sample.CATEGORIES
        assert is_ours == (item.announce_type in (AnnounceType.NEW, AnnounceType.REPLACE)), item.arxiv_id
        assert set(item.categories) & set(sample.CATEGORIES), item.arxiv_id
        assert (item.version > 1) == item.announce_type.is_replacement


def test_the_api_knows_every_announced_version_but_one() -> None:
    assert set(feed()) - set(records()) == {NOT_IN_THE_API}
    assert set(records()) <= set(feed())
    fallback = feed()[NOT_IN_THE_API]
    assert len(fallback.authors) == 4
    assert fallback.affiliations[0] == "Sample University, Izmir"
    assert "SuffixBPE" in fallback.abstract


def test_feed_and_api_say_the_same_of_each_paper() -> None:
    items = feed()
    for name, record in records().items():
        assert items[name].categories == tuple(record.categories)
        assert items[name].title == record.title
        assert len(items[name].authors) == len(record.authors)
        assert (items[name].doi, items[name].journal_ref) == (record.doi, record.journal_ref)
        assert items[name].affiliations[0] == "" or record.authors[0].affiliation, name
        greek = re.compile(r"\\(?:alpha|beta|eta|lambda|pi)(?![A-Za-z]) ?|[αβηλπ]")
        assert greek.sub("", items[name].abstract) == greek.sub("", record.summary), name


def test_new_papers_stand_in_id_order_inside_the_window_and_the_held_one_before_them() -> None:
    block = sorted((r for name, r in records().items() if name.startswith("2601.")), key=lambda r: id_sort_key(r.get_short_id().split("v")[0]))
    assert block[0].get_short_id() == HELD
    assert (WINDOW[0] - block[0].published).days >= 20
    times = [record.published for record in block[1:]]
    assert times == sorted(times)
    assert WINDOW[0] < times[0] <= times[-1] <= WINDOW[1]


def test_the_sample_shows_what_it_is_there_to_show() -> None:
    known, listed = records(), papers()
    assert max(len(record.authors) for record in known.values()) == 30
    assert [name for name, paper in listed.items() if paper.is_withdrawn] == ["2509.90118v2"]
    assert any("/" in paper.arxiv_id for paper in listed.values())
    assert any("|" in paper.title and "`" in paper.title for paper in listed.values())
    assert any("$" in paper.title for paper in listed.values())
    assert any("Ignore all previous instructions" in paper.abstract for paper in listed.values())
    assert any("\n" in paper.abstract for paper in listed.values())
    assert re.search(r"<title>[^<]*\n[^<]*</title>", sample.feed_bytes().decode())
    assert all(880 <= len(paper.abstract) <= 1900 for paper in listed.values())
    assert any(not name.isascii() for record in known.values() for name in (a.name for a in record.authors))


@pytest.mark.parametrize("body", [sample.feed_bytes(), sample.api_bytes()], ids=["rss", "api"])
def test_the_files_say_that_they_are_invented(body: bytes) -> None:
    assert b"INVENTED" in body[:200]


def test_every_language_answers_every_announced_paper() -> None:
    assert set(sample.sample_languages()) >= {"en", "zh", "ja"}
    for tag in sample.sample_languages():
        answers = sample.recorded_answers(tag)
        assert set(answers) == set(feed()), tag
        for name, fields in answers.items():
            assert set(fields) == {"translated_title", "translated_abstract", "tldr", "tldr_en"}
            assert fields["tldr"], name
            assert fields["tldr_en"], name
            assert bool(fields["translated_abstract"]) == (tag != "en"), name
    with pytest.raises(KeyError, match="no recorded answers in 'xx'"):
        sample.recorded_answers("xx")


@pytest.mark.parametrize("tag", ["zh", "ja"])
def test_translations_keep_mathematics_links_and_code_character_by_character(tag: str) -> None:
    for name, paper in papers().items():
        if (tag, name) == ("zh", DAMAGED):
            continue
        answer = sample.recorded_answers(tag)[name]
        for source, target in ((paper.title, answer["translated_title"]), (paper.abstract, answer["translated_abstract"])):
            assert Counter(m.original for m in mask(target).masks) >= Counter(m.original for m in mask(source).masks if "$" in m.original), name
            assert re.findall(r"https?://[!-~]+", target) == [url.rstrip(".") for url in re.findall(r"https?://[!-~]+", source)], name
        assert not re.search(r"https?://[!-~]+[^\s!-~]", answer["translated_abstract"]), name


def test_paragraphs_are_kept() -> None:
    for tag in ("zh", "ja"):
        for name, paper in papers().items():
            assert sample.recorded_answers(tag)[name]["translated_abstract"].count("\n") == paper.abstract.count("\n"), name


def test_one_chinese_answer_is_rejected_and_one_warned_of_and_no_other_has_a_flag() -> None:
    judged = verdicts("zh")
    flags = {name: [finding.code.value for finding in verdict.rejections + verdict.warnings] for name, verdict in judged.items()}
    assert {name: found for name, found in flags.items() if found} == {DAMAGED: ["placeholder-damaged"], NUMBER_MISSING: ["number-lost"]}
    assert not judged[DAMAGED].is_accepted
    assert tuple(map(str, judged[NUMBER_MISSING].flags)) == ("number-lost: 22",)


@pytest.mark.parametrize("tag", ["ja", "en"])
def test_the_other_languages_pass_every_check(tag: str) -> None:
    assert {name: verdict.flags for name, verdict in verdicts(tag).items() if verdict.flags} == {}


def test_what_the_checks_restore_is_what_was_recorded() -> None:
    for tag in ("zh", "ja"):
        for name, verdict in verdicts(tag).items():
            if verdict.texts is not None:
                assert verdict.texts.translated_abstract == sample.recorded_answers(tag)[name]["translated_abstract"]
                assert verdict.texts.translated_title == sample.recorded_answers(tag)[name]["translated_title"]


def test_chinese_summaries_are_one_short_sentence() -> None:
    for name, answer in sample.recorded_answers("zh").items():
        assert len(re.findall(r"[\u4e00-\u9fff]", answer["tldr"])) <= 80, name
        assert answer["tldr"].count("。") == 1, name
