"""What can be wrong with a model's answer: the codes, in one table.

What lives here: the codes, which of them reject an answer, and what each one checks. What does not: the checks
themselves (`validation/`) and the words readers see ([labels.flags] of each language file).
The table in `docs/` is generated from `FlagCode`. Rates are of 65,538 real translations that were examined.
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
    """A flag's code, as it stands before the colon in a row's `flags`; with what it does and what is looked at (also told to the model)."""

    kind: FlagKind
    checks: str
    seen: str
    """How often it was seen in 65,538 real translations without these checks; "" where it was not counted."""

    def __new__(cls, code: str, kind: FlagKind = FlagKind.WARNING, checks: str = "", seen: str = "") -> FlagCode:
        member = str.__new__(cls, code)
        member._value_, member.kind, member.checks, member.seen = code, kind, checks, seen
        return member

    ANSWER_BLANK = "answer-blank", FlagKind.REJECTION, "the endpoint answered with nothing at all"
    ANSWER_UNREADABLE = "answer-unreadable", FlagKind.REJECTION, "the answer holds no JSON object (a code fence or words around one are forgiven)"
    ANSWER_CUT = "answer-cut", FlagKind.REJECTION, "the endpoint stopped at its length limit, so the text is not whole"
    FIELD_MISSING = "field-missing", FlagKind.REJECTION, "title, abstract or a TL;DR is missing, no text, or blank", "1.4 %; the English TL;DR 24 %"
    PLACEHOLDER_DAMAGED = (
        "placeholder-damaged",
        FlagKind.REJECTION,
        "a formula, command, link or citation is lost, doubled or made up",
        "mathematics 44 %, commands 78 %, links 13 %",
    )
    TOO_SHORT = "too-short", FlagKind.REJECTION, "the translation is too short for its source: summarised, not translated", "2.8 %"
    TOO_LONG = "too-long", FlagKind.REJECTION, "the translation is too long for its source: something was added"
    NOT_TRANSLATED = "not-translated", FlagKind.REJECTION, "the text is not in the language asked for, or repeats the source", "0.02–0.15 %"
    TEMPLATE_ECHOED = "template-echoed", FlagKind.REJECTION, "a field name or a sentence of the instructions stands in the text"
    CONTINUATION_MARK = "continuation-mark", FlagKind.REJECTION, "“continued” marks such as （续）, that no abstract has"
    CONTROL_CHARACTER = "control-character", FlagKind.REJECTION, "control, private-use or direction-changing characters that the source lacks"
    ESCAPED_TEXT = "escaped-text", FlagKind.REJECTION, "a literal \\uXXXX or \\n in place of the character"
    REPETITION = "repetition", FlagKind.REJECTION, "the same words over and over"
    BOILERPLATE = (
        "boilerplate",
        FlagKind.REJECTION,
        "words of arXiv's feed or a label before the text, such as 公告类型 or 摘要：",
        "17.8 %, lately 58.7 %",
    )
    LINK_INVENTED = "link-invented", FlagKind.REJECTION, "a web or e-mail address that the source lacks"
    MARKUP_INVENTED = "markup-invented", FlagKind.REJECTION, "HTML, Markdown links or code fences that the source lacks"
    CHAT_MARK = "chat-mark", FlagKind.REJECTION, "control words of chat templates: an injected instruction came through"
    NO_ANSWER = "no-answer", FlagKind.REJECTION, "no usable answer came in the time or number of attempts allowed"
    NUMBER_LOST = "number-lost", FlagKind.WARNING, "a number of the abstract is not in the translation", "8.5 %"
    NUMBER_INVENTED = "number-invented", FlagKind.WARNING, "a number of the translation or of a TL;DR is not in the paper", "0.4 %"
    NAME_LOST = (
        "name-lost",
        FlagKind.WARNING,
        "the system's name in the title, or a name in the abstract, is not in the translation",
        "titles 4.0–7.1 %",
    )
    TLDR_SENTENCES = "tldr-sentences", FlagKind.WARNING, "the TL;DR has more than one sentence", "28 %"
    TLDR_LONG = "tldr-long", FlagKind.WARNING, "the TL;DR is longer than the language's limit"
    GLOSSARY = "glossary", FlagKind.WARNING, "a term was translated otherwise than the glossary says"
    MATHEMATICS_INVENTED = "mathematics-invented", FlagKind.WARNING, "formulas or TeX commands that the source lacks, such as $O(n)$ for O(n)"
    EMPHASIS_INVENTED = "emphasis-invented", FlagKind.WARNING, "Markdown's bold or heading marks that the source lacks"
    SOURCE_UNBALANCED = (
        "source-unbalanced",
        FlagKind.WARNING,
        "the source has an odd number of $, so that its mathematics could not be protected",
        "0.4 %",
    )
    BUDGET_REACHED = "budget-reached", FlagKind.DEFERRAL, "asking would pass the limit of a run's or a month's spending"
    BATCH_OPEN = "batch-open", FlagKind.DEFERRAL, "the paper's batch has no answer yet"
    ASKED_TODAY = "asked-today", FlagKind.DEFERRAL, "a paper given up is asked for once a day (UTC), or after model, prompt or endpoint change"


@dataclass(frozen=True, slots=True)
class QualityFlag:
    """One thing found in one answer. `str(flag)` is the flag in a row: `code: detail`."""

    code: FlagCode
    detail: str

    @property
    def kind(self) -> FlagKind:
        return self.code.kind

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


def as_markdown(words: Mapping[str, str]) -> str:
    """The table for `docs/`; `words` are a language's [labels.flags], code → what readers see. One row a code, in order."""
    head = "| flag | kind | what is checked | seen without checks | what the reader sees |\n| --- | --- | --- | --- | --- |\n"
    rows = ((code, code.kind, code.checks, code.seen or "not counted", words[code]) for code in FlagCode)
    return head + "".join(f"| `{row[0]}` | " + " | ".join(cell.replace("|", "\\|") for cell in row[1:]) + " |\n" for row in rows)
