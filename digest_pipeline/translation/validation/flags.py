"""What can be wrong with a model's answer: the codes, in one table.

What lives here: the codes, which of them reject an answer, and what each one checks. What does not: the checks
themselves (`reject.py`, `warn.py`, `answer.py`) and the words readers see ([labels.flags] of each language file).
The table in `docs/` is generated from `FLAG_RULES`. Rates are of 65,538 real translations that were examined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class FlagKind(StrEnum):
    REJECTION = "rejection"
    """The answer is not used; the model is asked again with the reason."""
    WARNING = "warning"
    """The answer is used; the row, the digest and the page say what to look at."""
    DEFERRAL = "deferral"
    """There is no answer yet, and nothing is wrong: the next run of the partition asks."""


class FlagCode(StrEnum):
    """A flag's code, as it stands before the colon in a row's `flags`."""

    ANSWER_BLANK = "answer-blank"
    ANSWER_UNREADABLE = "answer-unreadable"
    ANSWER_CUT = "answer-cut"
    FIELD_MISSING = "field-missing"
    PLACEHOLDER_DAMAGED = "placeholder-damaged"
    TOO_SHORT = "too-short"
    TOO_LONG = "too-long"
    NOT_TRANSLATED = "not-translated"
    TEMPLATE_ECHOED = "template-echoed"
    CONTINUATION_MARK = "continuation-mark"
    CONTROL_CHARACTER = "control-character"
    ESCAPED_TEXT = "escaped-text"
    REPETITION = "repetition"
    BOILERPLATE = "boilerplate"
    LINK_INVENTED = "link-invented"
    MARKUP_INVENTED = "markup-invented"
    CHAT_MARK = "chat-mark"
    NO_ANSWER = "no-answer"
    NUMBER_LOST = "number-lost"
    NUMBER_INVENTED = "number-invented"
    NAME_LOST = "name-lost"
    TLDR_SENTENCES = "tldr-sentences"
    TLDR_LONG = "tldr-long"
    GLOSSARY = "glossary"
    MATHEMATICS_INVENTED = "mathematics-invented"
    EMPHASIS_INVENTED = "emphasis-invented"
    SOURCE_UNBALANCED = "source-unbalanced"
    BUDGET_REACHED = "budget-reached"
    BATCH_OPEN = "batch-open"
    ASKED_TODAY = "asked-today"


@dataclass(frozen=True, slots=True)
class FlagRule:
    """One row of the table: a code, what it does, and what is looked at (also told to the model when it is asked again)."""

    code: FlagCode
    kind: FlagKind
    checks: str
    seen: str = ""
    """How often it was seen in 65,538 real translations without these checks; "" where it was not counted."""


@dataclass(frozen=True, slots=True)
class QualityFlag:
    """One thing found in one answer. `str(flag)` is the flag in a row: `code: detail`."""

    code: FlagCode
    detail: str

    @property
    def kind(self) -> FlagKind:
        return FLAG_RULES[self.code].kind

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"

    @classmethod
    def parse(cls, text: str) -> QualityFlag:
        """Of a row's flag. Raises ValueError for a code that there is not."""
        code, _, detail = text.partition(": ")
        return cls(FlagCode(code), detail)


def code_of(flag: str | QualityFlag) -> str:
    """The code of a row's flag: `number-lost: 4.5` → `number-lost`; for counts over time and for readers' words."""
    return str(flag).partition(":")[0].strip()


_R, _W = FlagKind.REJECTION, FlagKind.WARNING
FLAG_RULES: dict[FlagCode, FlagRule] = {
    rule.code: rule
    for rule in (
        FlagRule(FlagCode.ANSWER_BLANK, _R, "the endpoint answered with nothing at all"),
        FlagRule(FlagCode.ANSWER_UNREADABLE, _R, "the answer holds no JSON object (a code fence or words around one are forgiven)"),
        FlagRule(FlagCode.ANSWER_CUT, _R, "the endpoint stopped at its length limit, so the text is not whole"),
        FlagRule(FlagCode.FIELD_MISSING, _R, "title, abstract or a TL;DR is missing, no text, or blank", "1.4 %; the English TL;DR 24 %"),
        FlagRule(
            FlagCode.PLACEHOLDER_DAMAGED,
            _R,
            "a formula, command, link or citation is lost, doubled or made up",
            "mathematics 44 %, commands 78 %, links 13 %",
        ),
        FlagRule(FlagCode.TOO_SHORT, _R, "the translation is too short for its source: summarised, not translated", "2.8 %"),
        FlagRule(FlagCode.TOO_LONG, _R, "the translation is too long for its source: something was added"),
        FlagRule(FlagCode.NOT_TRANSLATED, _R, "the text is not in the language asked for, or repeats the source", "0.02–0.15 %"),
        FlagRule(FlagCode.TEMPLATE_ECHOED, _R, "a field name or a sentence of the instructions stands in the text"),
        FlagRule(FlagCode.CONTINUATION_MARK, _R, "“continued” marks such as （续）, that no abstract has"),
        FlagRule(FlagCode.CONTROL_CHARACTER, _R, "control, private-use or direction-changing characters that the source lacks"),
        FlagRule(FlagCode.ESCAPED_TEXT, _R, "a literal \\uXXXX or \\n in place of the character"),
        FlagRule(FlagCode.REPETITION, _R, "the same words over and over"),
        FlagRule(FlagCode.BOILERPLATE, _R, "words of arXiv's feed or a label before the text, such as 公告类型 or 摘要：", "17.8 %, lately 58.7 %"),
        FlagRule(FlagCode.LINK_INVENTED, _R, "a web or e-mail address that the source lacks"),
        FlagRule(FlagCode.MARKUP_INVENTED, _R, "HTML, Markdown links or code fences that the source lacks"),
        FlagRule(FlagCode.CHAT_MARK, _R, "control words of chat templates: an injected instruction came through"),
        FlagRule(FlagCode.NO_ANSWER, _R, "no usable answer came in the time or number of attempts allowed"),
        FlagRule(FlagCode.NUMBER_LOST, _W, "a number of the abstract is not in the translation", "8.5 %"),
        FlagRule(FlagCode.NUMBER_INVENTED, _W, "a number of the translation or of a TL;DR is not in the paper", "0.4 %"),
        FlagRule(FlagCode.NAME_LOST, _W, "the system's name in the title, or a name in the abstract, is not in the translation", "titles 4.0–7.1 %"),
        FlagRule(FlagCode.TLDR_SENTENCES, _W, "the TL;DR has more than one sentence", "28 %"),
        FlagRule(FlagCode.TLDR_LONG, _W, "the TL;DR is longer than the language's limit"),
        FlagRule(FlagCode.GLOSSARY, _W, "a term was translated otherwise than the glossary says"),
        FlagRule(FlagCode.MATHEMATICS_INVENTED, _W, "formulas or TeX commands that the source lacks, such as $O(n)$ for O(n)"),
        FlagRule(FlagCode.EMPHASIS_INVENTED, _W, "Markdown's bold or heading marks that the source lacks"),
        FlagRule(FlagCode.SOURCE_UNBALANCED, _W, "the source has an odd number of $, so that its mathematics could not be protected", "0.4 %"),
        FlagRule(FlagCode.BUDGET_REACHED, FlagKind.DEFERRAL, "asking would pass the limit of a run's or a month's spending"),
        FlagRule(FlagCode.BATCH_OPEN, FlagKind.DEFERRAL, "the paper's batch has no answer yet"),
        FlagRule(
            FlagCode.ASKED_TODAY, FlagKind.DEFERRAL, "a paper given up is asked for once a day (UTC), or after model, prompt or endpoint change"
        ),
    )
}


def as_markdown(words: Mapping[str, str]) -> str:
    """The table for `docs/`; `words` are a language's [labels.flags], code → what readers see. One row a code, in order."""
    head = "| flag | kind | what is checked | seen without checks | what the reader sees |\n| --- | --- | --- | --- | --- |\n"
    rows = ((rule.code, rule.kind, rule.checks, rule.seen or "not counted", words[rule.code]) for rule in FLAG_RULES.values())
    return head + "".join(f"| `{row[0]}` | " + " | ".join(cell.replace("|", "\\|") for cell in row[1:]) + " |\n" for row in rows)
