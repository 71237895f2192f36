"""A claim is shown only in the reader's language and with numbers that its quote has."""

from __future__ import annotations

import pytest

from digest_pipeline.reading.claims import NoteKind, faults_of, is_in_language, numbers_without_quote
from digest_pipeline.translation.languages import load_language
from digest_pipeline_tests.reading.test_fulltext import paper

LANTERN = paper("lantern")
ZH = load_language("zh")
QUOTE = "Lantern saves 61.4% of the calls to the large ranker while nDCG@10 falls from 52.8 to 52.5"


def faults(claim: str, quote: str = QUOTE, kind: NoteKind = NoteKind.RESULT) -> str:
    return "; ".join(faults_of(kind, claim, quote, LANTERN, ZH)[0])


def test_a_claim_with_its_quote_passes_and_is_placed() -> None:
    found, passage = faults_of(NoteKind.RESULT, "Lantern 省去 61.4% 的大模型调用，nDCG@10 仅由 52.8 降至 52.5。", QUOTE, LANTERN, ZH)
    assert found == []
    assert passage is not None
    assert (passage.section, passage.anchor) == ("4 Experiments", "S4.p1")


@pytest.mark.parametrize(
    ("claim", "quote", "why"),
    [
        ("省去 64.1% 的调用。", QUOTE, "64.1"),
        ("Lantern saves most of the calls to the large ranker.", QUOTE, "not in Simplified Chinese"),
        ("該方法節省大量對大型模型的調用，並且幾乎不損失檢索質量。", QUOTE, "not in Simplified Chinese"),
        ("详见 https://evil.example/x 的说明。", QUOTE, "link"),
        ("", QUOTE, "empty"),
        ("方法有效。", "Lantern saves 61.4%", "fewer than 6 words"),
        ("方法有效。", "Lantern saves 61.4% of the calls to the huge ranker", "does not stand in the paper"),
        ("方法有效。", "Cascades that stop early by a fixed score threshold.", "bibliography"),
        ("方法有效。", "The cascade of Imagined reaches 58.2% savings with a loss of 1.1 points", "related work"),
        ("方法有效。", "word " * 100, "longer than 300"),
    ],
)
def test_what_may_not_be_shown_is_said_in_words_for_the_model(claim: str, quote: str, why: str) -> None:
    assert why in faults(claim, quote)


def test_related_work_may_carry_what_is_not_this_papers_own() -> None:
    assert faults("此前的级联方法会提前停止。", "Earlier cascades stop early by a fixed score threshold", NoteKind.SETUP) == ""


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("训练集有 4 万条查询", "Training takes eleven minutes on 40,000 labelled queries"),
        ("训练只需 11 分钟", "Training takes eleven minutes on 40,000 labelled queries"),
        ("共 1.2亿 参数", "a model of 120 million parameters in all of its parts"),
        ("nDCG@10 不变", "the value of nDCG@10 does not change in any of them"),
        ("15.000 Fragen", "we asked 15,000 questions of the two systems here"),
        ("节省 0.5 个百分点", "saves 0.5 points over all of the collections tried"),
    ],
)
def test_a_number_may_be_written_in_the_readers_way(claim: str, quote: str) -> None:
    assert numbers_without_quote(claim, quote) == []


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("提升 5.0%", "improves the result by 0.5 points on both of them"),
        ("提升 614 倍", "saves 61.4% of the calls to the large ranker"),
        ("使用 GPT-5", "we use the model GPT-4 for all of the questions"),
        ("共 12亿 参数", "a model of 120 million parameters in all of its parts"),
    ],
)
def test_a_number_of_another_value_is_named(claim: str, quote: str) -> None:
    assert numbers_without_quote(claim, quote) != []


@pytest.mark.parametrize(
    ("tag", "own"),
    [("ja", "提案手法は大規模モデルの呼び出しを減らす。"), ("ko", "제안한 방법은 큰 모델의 호출을 줄인다."), ("de", "Das Verfahren spart die meisten Aufrufe des großen Modells."),
     ("fr", "La méthode évite la plupart des appels au grand modèle."), ("es", "El método evita la mayoría de las llamadas al modelo grande."),
     ("zh-Hant", "該方法節省大量對大型模型的調用，並且幾乎不損失檢索質量。"), ("en", "The method saves most of the calls to the large model.")],
)  # fmt: skip
def test_each_language_knows_its_own_claims_and_refuses_english(tag: str, own: str) -> None:
    language = load_language(tag)
    assert is_in_language(own, language)
    assert tag == "en" or not is_in_language("The method saves most of the calls to the large model.", language)
