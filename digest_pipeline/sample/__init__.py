"""The bundled sample day: one small listing in arXiv's true formats, and recorded model answers to it. All invented.

What lives here: the bytes, as arXiv and a model would have sent them (`rss.xml`, `api.xml`, `answers.<language>.json`);
README.md says what each paper is there to show. What does not: turning them into a kept raw day (`arxiv/sample.py`)
and into answers of a provider (`translation/`). No paper, person, number or id in here is real.
"""

from __future__ import annotations

import json
from datetime import date
from importlib.resources import files

SAMPLE_DAY = date(2026, 1, 15)
"""The listing date of the sample, a Thursday; its announcement evening is 2026-01-14."""

CATEGORIES = ("cs.CL", "cs.IR")
"""What the feed was asked for; its announce types hold for this union."""

_HERE = files(__name__)


def feed_bytes() -> bytes:
    """The announcement feed (RSS 2.0, UTF-8) of the day."""
    return _HERE.joinpath("rss.xml").read_bytes()


def api_bytes() -> bytes:
    """The query API's answer (Atom, UTF-8) for the announced versioned ids; it does not know one of them yet."""
    return _HERE.joinpath("api.xml").read_bytes()


def sample_languages() -> tuple[str, ...]:
    """Tags of the languages with recorded answers, sorted."""
    names = (entry.name for entry in _HERE.iterdir())
    return tuple(sorted(name.split(".")[1] for name in names if name.startswith("answers.") and name.endswith(".json")))


def recorded_answers(language: str) -> dict[str, dict[str, str]]:
    """Versioned id (`2601.90012v1`) → `translated_title, translated_abstract, tldr, tldr_en`, unmasked, one for each paper.

    Of `en` the first two are empty and the TL;DRs are equal. Raises KeyError for a language without recorded answers.
    """
    if language not in sample_languages():
        raise KeyError(f"no recorded answers in {language!r}; there are {', '.join(sample_languages())}")
    answers: dict[str, dict[str, str]] = json.loads(_HERE.joinpath(f"answers.{language}.json").read_text(encoding="utf-8"))
    return answers
