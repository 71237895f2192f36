"""Is the answer true to its source? Every check of one model answer, and the restored texts where it passes.

What lives here: the checks. What does not: the codes and their table (`findings.py`), reading JSON (`prompting.py`),
asking again and quarantine (`engine.py`). A tighter check costs nothing: stored answers are judged anew when read.
"""

from __future__ import annotations

from dataclasses import dataclass

from digest_pipeline.translation.findings import Finding
from digest_pipeline.translation.prompting import Answer, PromptRequest


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one answer.

    `texts` are the answer's fields with every placeholder restored, None where there are rejections. For `en`
    the title is the source's, the abstract is empty and `tldr` equals `tldr_en`.
    """

    texts: Answer | None
    rejections: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    @property
    def is_accepted(self) -> bool:
        return self.texts is not None

    @property
    def flags(self) -> tuple[str, ...]:
        """For the row: the warnings of an accepted answer, the reasons of a rejected one, as `code: detail`."""
        return tuple(map(str, self.rejections or self.warnings))


def judge(request: PromptRequest, text: str) -> Verdict:
    """Parses the model's raw text and checks it against the request's source. Never raises on any text."""
    raise NotImplementedError
