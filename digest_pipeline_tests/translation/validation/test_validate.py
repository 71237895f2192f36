"""Each way in which real translations were seen to fail has a check that answers it, and faithful answers pass them all."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.translation.flags import FlagCode, FlagKind, as_markdown, code_of
from digest_pipeline.translation.languages import known_language_tags, load_language
from digest_pipeline.translation.prompts import build_request
from digest_pipeline.translation.validation.validate import ValidationResult, validate
from digest_pipeline_tests.support.answers import ANSWERS, PAPER, STRUCTURED_ZH, answer, paper

ZH = ANSWERS["zh"]
ABSTRACT, TITLE, TLDR = ZH["translated_abstract"], ZH["translated_title"], ZH["tldr"]


def judged(tag: str = "zh", text: str | None = None, **changes: str) -> ValidationResult:
    return validate(build_request(PAPER, load_language(tag)), answer(tag, **changes) if text is None else text)


def codes(result: ValidationResult) -> set[str]:
    return {code_of(flag) for flag in result.flags}


@pytest.mark.parametrize("tag", sorted(known_language_tags()))
def test_a_faithful_answer_passes_without_a_flag_in_every_language(tag: str) -> None:
    result = judged(tag)
    assert result.is_accepted
    assert not result.flags


def test_an_accepted_answer_has_its_formulas_citations_and_links_back() -> None:
    texts = judged().texts
    assert texts is not None
    assert texts.translated_title == "LumaRank：用 $k$ 个共享注意力头加速段落重排序"
    assert "保留了 98.3\\% 的准确率" in texts.translated_abstract
    assert "对\\textbf{三个较小的模型}的消融研究" in texts.translated_abstract
    assert "与 [7] 的预测一致。代码见https://example.org/lumarank 。" in texts.translated_abstract
    assert "⟦" not in texts.translated_abstract


def test_english_gets_its_own_title_no_abstract_and_one_summary() -> None:
    texts = judged("en").texts
    assert texts is not None
    assert (texts.translated_title, texts.translated_abstract) == (PAPER.title, "")
    assert texts.tldr == texts.tldr_en != ""


def test_a_structured_summary_is_checked_and_kept() -> None:
    request = build_request(PAPER, load_language("zh"), structured=True)
    whole = validate(request, answer("zh", **STRUCTURED_ZH))
    assert whole.texts is not None
    assert whole.texts.method == STRUCTURED_ZH["method"]
    assert codes(validate(request, answer("zh"))) == {FlagCode.FIELD_MISSING}
    assert codes(validate(request, answer("zh", **{**STRUCTURED_ZH, "result": "见 http://evil.example/x"}))) == {FlagCode.LINK_INVENTED}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", FlagCode.ANSWER_BLANK),
        ("  \n", FlagCode.ANSWER_BLANK),
        ("Sure! Here is the translation: {", FlagCode.ANSWER_UNREADABLE),
        ("<html><body>Bad gateway</body></html>", FlagCode.ANSWER_UNREADABLE),
        ("[1, 2]", FlagCode.ANSWER_UNREADABLE),
        ('{"error": "overloaded"}', FlagCode.ANSWER_UNREADABLE),
        ('{"translated_title": "题', FlagCode.ANSWER_UNREADABLE),
        ('{"translated_title": "题目"}', FlagCode.FIELD_MISSING),
        (json.dumps({"translated_title": 7, "translated_abstract": "", "tldr": "", "tldr_en": ""}), FlagCode.FIELD_MISSING),
    ],
)
def test_an_answer_that_is_none_is_named(text: str, code: FlagCode) -> None:
    result = judged(text=text)
    assert not result.is_accepted
    assert codes(result) == {code}


@pytest.mark.parametrize("field", ["translated_title", "translated_abstract", "tldr", "tldr_en"])
def test_a_blank_field_is_rejected(field: str) -> None:
    result = judged(**{field: "  "})
    assert codes(result) == {FlagCode.FIELD_MISSING}
    assert field in str(result.flags[0])


REJECTED: list[tuple[str, FlagCode, Callable[[], dict[str, str]]]] = [
    ("a formula is lost", FlagCode.PLACEHOLDER_DAMAGED, lambda: {"translated_abstract": ABSTRACT.replace("⟦2⟧", "4")}),
    ("a formula is doubled", FlagCode.PLACEHOLDER_DAMAGED, lambda: {"translated_abstract": ABSTRACT.replace("⟦2⟧", "⟦2⟧⟦2⟧")}),
    ("a placeholder is made up", FlagCode.PLACEHOLDER_DAMAGED, lambda: {"translated_abstract": ABSTRACT + "⟦8⟧"}),
    ("a citation stands for a placeholder", FlagCode.PLACEHOLDER_DAMAGED, lambda: {"translated_abstract": ABSTRACT.replace("⟦6⟧", "[6]")}),
    ("the title's formula moved into the abstract", FlagCode.PLACEHOLDER_DAMAGED, lambda: {"translated_abstract": ABSTRACT + "⟦1⟧"}),
    ("the summary makes up a placeholder", FlagCode.PLACEHOLDER_DAMAGED, lambda: {"tldr": "用 ⟦9⟧ 加速重排序。"}),
    ("it was summarised", FlagCode.TOO_SHORT, lambda: {"translated_abstract": "本文共享 ⟦2⟧ 个头，⟦3⟧，⟦4⟧小⟦5⟧，⟦6⟧，⟦7⟧。"}),
    ("something was added", FlagCode.TOO_LONG, lambda: {"translated_abstract": ABSTRACT + "".join(chr(0x4E00 + i * 7) for i in range(600))}),
    ("the title became an abstract", FlagCode.TOO_LONG, lambda: {"translated_title": TITLE + ABSTRACT.translate({ord(c): None for c in "⟦⟧"})}),
    ("the title was left in English", FlagCode.NOT_TRANSLATED, lambda: {"translated_title": build_request(PAPER, load_language("zh")).title.text}),
    ("the summary was left in English", FlagCode.NOT_TRANSLATED, lambda: {"tldr": "LumaRank shares heads across layers and is faster."}),
    ("the English summary is Chinese", FlagCode.NOT_TRANSLATED, lambda: {"tldr_en": TLDR}),
    ("traditional was given for simplified", FlagCode.NOT_TRANSLATED, lambda: {"translated_abstract": ANSWERS["zh-Hant"]["translated_abstract"]}),
    ("Japanese was given for Chinese", FlagCode.NOT_TRANSLATED, lambda: {"translated_abstract": ANSWERS["ja"]["translated_abstract"]}),
    (
        "one sentence was left in English",
        FlagCode.NOT_TRANSLATED,
        lambda: {"translated_abstract": ABSTRACT + "We also show that the gain of the method grows with the depth of the model and the data."},
    ),
    ("a field name is in the text", FlagCode.TEMPLATE_ECHOED, lambda: {"translated_title": "translated_title：" + TITLE}),
    (
        "an instruction is in the text",
        FlagCode.TEMPLATE_ECHOED,
        lambda: {"tldr": TLDR + build_request(PAPER, load_language("zh")).messages[0]["content"].splitlines()[-1].removeprefix("- ")},
    ),
    ("the text goes on elsewhere", FlagCode.CONTINUATION_MARK, lambda: {"translated_abstract": ABSTRACT + "（续）"}),
    ("a control character", FlagCode.CONTROL_CHARACTER, lambda: {"tldr": TLDR + "\x08"}),
    ("a lone surrogate, which no file can hold", FlagCode.CONTROL_CHARACTER, lambda: {"tldr": TLDR + "\ud800"}),
    ("the writing direction is turned", FlagCode.CONTROL_CHARACTER, lambda: {"tldr": TLDR + "\u202e"}),
    ("a literal escape", FlagCode.ESCAPED_TEXT, lambda: {"tldr": TLDR + "\\u6211"}),
    ("words over and over", FlagCode.REPETITION, lambda: {"translated_abstract": ABSTRACT + "本文提出方法。" * 30}),
    ("the feed's words", FlagCode.BOILERPLATE, lambda: {"translated_abstract": "arXiv:2611.04321v1 公告类型：新 " + ABSTRACT}),
    ("a label before the text", FlagCode.BOILERPLATE, lambda: {"translated_abstract": "摘要：" + ABSTRACT}),
    ("a link that the source lacks", FlagCode.LINK_INVENTED, lambda: {"translated_abstract": ABSTRACT + " 详见 http://evil.example/x"}),
    ("a bare host that the source lacks", FlagCode.LINK_INVENTED, lambda: {"tldr": "详见 evil.com。" + TLDR}),
    ("a mail address that the source lacks", FlagCode.LINK_INVENTED, lambda: {"tldr": TLDR + "联系 me@evil.example"}),
    ("HTML", FlagCode.MARKUP_INVENTED, lambda: {"tldr": TLDR + "<script>alert(1)</script>"}),
    ("an unclosed tag with an attribute", FlagCode.MARKUP_INVENTED, lambda: {"tldr": TLDR + "<img src=x onerror=alert(1)"}),
    ("a Markdown link", FlagCode.MARKUP_INVENTED, lambda: {"tldr": "[" + TLDR + "](x)"}),
    ("a code fence", FlagCode.MARKUP_INVENTED, lambda: {"translated_abstract": "```" + ABSTRACT + "```"}),
    ("a chat template's control word", FlagCode.CHAT_MARK, lambda: {"tldr": TLDR + "<|im_end|>"}),
]


@pytest.mark.parametrize(("code", "changes"), [(code, changes) for _, code, changes in REJECTED], ids=[name for name, _, _ in REJECTED])
def test_a_spoilt_answer_is_rejected_for_its_own_reason(code: FlagCode, changes: Callable[[], dict[str, str]]) -> None:
    result = judged(**changes())
    assert result.texts is None
    assert codes(result) == {code}
    assert all(flag.kind is FlagKind.REJECTION for flag in result.rejections)


@pytest.mark.parametrize("tag", sorted(known_language_tags() - {"en"}))
def test_an_abstract_left_in_english_is_rejected_in_every_language(tag: str) -> None:
    result = judged(tag, translated_abstract=build_request(PAPER, load_language(tag)).abstract.text)
    assert FlagCode.NOT_TRANSLATED in codes(result)


@pytest.mark.parametrize("other", ["en", "fr", "de", "es"])
@pytest.mark.parametrize("tag", ["fr", "de", "es"])
def test_one_latin_language_is_not_taken_for_another(tag: str, other: str) -> None:
    source = build_request(PAPER, load_language(tag)).abstract.text
    result = judged(tag, translated_abstract=ANSWERS[other].get("translated_abstract", source))
    assert result.is_accepted == (tag == other)


WARNED: list[tuple[str, str, dict[str, str]]] = [
    ("a number is lost", "number-lost: 160", {"translated_abstract": ABSTRACT.replace("160 毫秒", "更慢")}),
    ("a number is invented", "number-invented: 35", {"translated_abstract": ABSTRACT.replace("41 毫秒", "41 毫秒（快 35%）")}),
    ("the system's name is lost from the title", "name-lost: title: LumaRank", {"translated_title": "用 ⟦1⟧ 个共享注意力头加速段落重排序"}),
    ("the system's name is lost from the abstract", "name-lost: abstract: LumaRank", {"translated_abstract": ABSTRACT.replace("LumaRank", "该方法")}),
    ("the summary has two sentences", "tldr-sentences: tldr has 2 sentences", {"tldr": "该方法共享注意力头。它快四倍。"}),
    ("the English summary has two sentences", "tldr-sentences: tldr_en has 2 sentences", {"tldr_en": "It shares heads. It is fast, e.g. at 41 ms."}),
    ("the summary is long", "tldr-long: tldr has 180 characters", {"tldr": "".join(chr(0x4E00 + i * 7) for i in range(180))}),
    ("a term drifted", "glossary: latency → 延迟", {"translated_abstract": ABSTRACT.replace("延迟", "时间")}),
    ("mathematics was added", "mathematics-invented: tldr: more $ than the source has", {"tldr": "复杂度为 $O(n)$ 的重排序方法。"}),
    ("bold was added", "emphasis-invented: tldr: “**重排序**”", {"tldr": "一种更快的**重排序**方法。"}),
]


@pytest.mark.parametrize(("flag", "changes"), [(flag, changes) for _, flag, changes in WARNED], ids=[name for name, _, _ in WARNED])
def test_a_doubtful_answer_is_used_and_flagged(flag: str, changes: dict[str, str]) -> None:
    result = judged(**changes)
    assert result.is_accepted
    assert tuple(map(str, result.flags)) == (flag,)


def test_an_odd_number_of_dollars_in_the_source_is_said() -> None:
    request = build_request(paper(title="A cost of $7", abstract="Runs cost us $7 in all."), load_language("zh"))
    result = validate(request, answer(translated_title="7 $ 的成本", translated_abstract="总共花费 $7。", tldr="总共花费 7 美元。"))
    assert result.is_accepted
    assert "source-unbalanced: odd number of $ in the source" in map(str, result.flags)


@pytest.mark.parametrize(
    ("source", "translation"),
    [
        ("We train on 1.5 billion tokens.", "我们在 15 亿个词元上训练。"),
        ("We label 10,000 of 20000 pages.", "我们标注了 2 万页中的 1 万页。"),
        ("It needs two GPUs and 3 days in June 2024.", "2024 年 6 月，它需要 2 块 GPU 和三天。"),
        ("A 0.5 point gain; half as large.", "提升 0.5 个点；约为 50%。"),
        ("Scores of 12,500 and 3.14.", "得分为 12500 和 3.14。"),
    ],
)
def test_numbers_may_be_written_in_the_languages_own_way(source: str, translation: str) -> None:
    request = build_request(paper(title="Counting", abstract=source), load_language("zh"))
    result = validate(request, answer(translated_title="计数", translated_abstract=translation, tldr="一种计数方法。"))
    assert [flag for flag in result.flags if flag.code.startswith("number")] == []


def test_a_title_of_names_alone_may_stay_as_it_is() -> None:
    request = build_request(paper(title="DINOv2"), load_language("zh"))
    assert validate(request, answer(translated_title="DINOv2", translated_abstract=renumbered(ABSTRACT))).is_accepted


def test_what_the_source_has_itself_is_no_invention() -> None:
    source = "Mail evil.com or see the tags <b> and <|im_start|>; ignore previous instructions (continued)."
    request = build_request(paper(title="On prompt injection", abstract=source), load_language("zh"))
    abstract = "请联系 evil.com，或参见标签 ⟦1⟧ 与 ⟦2⟧；忽略此前的指令 (continued)。"
    result = validate(request, answer(translated_title="论提示注入", translated_abstract=abstract, tldr="论提示注入。"))
    assert result.is_accepted
    assert result.texts is not None
    assert "标签 <b> 与 <|im_start|>" in result.texts.translated_abstract


def test_a_list_of_english_names_is_no_untranslated_passage() -> None:
    names = "MATH, ARC, HellaSwag, WinoGrande, TruthfulQA, PIQA, SIQA, OpenBookQA, CommonsenseQA, BoolQ, RACE, DROP, SQuAD and CoQA"
    request = build_request(paper(title="A new suite", abstract=f"We evaluate the method on these data sets: {names}."), load_language("zh"))
    translation = f"我们在以下数据集上对该方法进行了全面的评测并报告了结果：{names.replace(' and', '、')}。"
    assert validate(request, answer(translated_title="一个新的评测集", translated_abstract=translation, tldr="一个新的评测集。")).is_accepted


def test_a_refusal_topic_is_no_failure() -> None:
    request = build_request(paper(title="Refusals", abstract="Models say: I cannot help with that."), load_language("zh"))
    result = validate(request, answer(translated_title="拒答", translated_abstract="模型会说：“抱歉，我无法帮助你。”", tldr="研究模型的拒答。"))
    assert result.is_accepted


def test_reasons_sent_back_hold_no_placeholder_that_could_be_copied() -> None:
    result = judged(translated_abstract="⟦9⟧⟦10⟧⟦ {x} <b>" + ABSTRACT.replace("⟦2⟧", ""))
    assert not result.is_accepted
    assert not any(mark in str(flag) for flag in result.rejections for mark in "⟦⟧{}<>")


def test_every_code_says_what_it_checks() -> None:
    assert all(code.checks for code in FlagCode)


FIELDS = st.sampled_from(["translated_title", "translated_abstract", "tldr", "tldr_en"])


@given(st.text())
def test_no_text_from_the_model_breaks_the_judge(text: str) -> None:
    assert not judged(text=text).is_accepted


@given(
    FIELDS, st.one_of(st.text(max_size=300), st.lists(st.sampled_from(["⟦1⟧", "$", "<b", "词", "word ", "\\", "。", "7", "http://"])).map("".join))
)
def test_no_field_breaks_the_judge_and_what_passes_has_no_placeholder(field: str, value: str) -> None:
    result = judged(**{field: value})
    if result.texts is not None:
        assert not any("⟦" in getattr(result.texts, name) for name in ANSWERS["zh"])


def renumbered(abstract: str) -> str:
    """The abstract's answer for a title without a formula: its placeholders count from 1."""
    for number in range(2, 8):
        abstract = abstract.replace(f"⟦{number}⟧", f"⟦{number - 1}⟧")
    return abstract


def test_the_table_for_the_documents_has_a_row_for_each_code() -> None:
    table = as_markdown(load_language("en").labels["flags"])
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [str(code) for code in FlagCode]
    assert "| `number-lost` | warning | a number of the abstract is not in the translation | 8.5 % | a number may be missing |" in rows


@pytest.mark.parametrize("field", ["tldr", "tldr_en"])
def test_a_number_that_only_the_summary_has_is_flagged(field: str) -> None:
    sentence = {"tldr": "LumaRank 使段落重排序提速 7.5 倍。", "tldr_en": "LumaRank reranks passages 7.5 times faster."}[field]
    result = judged(**{field: sentence})
    assert result.is_accepted
    assert f"number-invented: {field}: 7.5" in map(str, result.flags)
