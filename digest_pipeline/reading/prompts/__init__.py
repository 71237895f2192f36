"""What a model is asked about a paper's full text, and how its answer is read. The words are in the files beside this one.

The paper is data: it goes into the user message as JSON, never into the instructions. Answers are data too: `read_notes` takes what has the
right shape and counts the rest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from pydantic import BaseModel, ConfigDict, ValidationError

from digest_pipeline.reading.claims import NoteKind
from digest_pipeline.reading.fulltext import FullText
from digest_pipeline.reading.quotes import LEAST_WORDS, MOST_CHARACTERS
from digest_pipeline.translation.languages import Language
from digest_pipeline.translation.validation.lenient_json import read_fields

MOST_NOTES = 12
"""Notes asked for of one part of a paper."""
PART_CHARACTERS = 60_000
"""Text sent at once: about 15,000 tokens, which fits every model in the price table with room for the answer."""
MOST_PARTS = 6
"""A paper of 200 pages is read so far; what lies beyond is said in the notes' detail."""

_PROMPTS = files("digest_pipeline.reading") / "prompts"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "notes": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "kind": {"type": "string", "enum": [kind.value for kind in NoteKind]},
                    "claim": {"type": "string"},
                    "quote": {"type": "string"},
                    "section": {"type": "string"},
                },
                "required": ["kind", "claim", "quote", "section"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["notes"],
    "additionalProperties": False,
}


class Note(BaseModel):
    """One note as the model gave it, not checked yet."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)

    kind: NoteKind
    claim: str
    quote: str
    section: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """What is sent at once: a paper, or some of its sections."""

    title: str
    text: str


def parts_of(paper: FullText) -> tuple[list[Part], int]:
    """(the parts to read, characters beyond them that are not read). Sections stay whole where they fit; one that does not is cut at a paragraph."""
    pieces = [f"## {title}\n\n{text}" if title else text for title, text in paper.sections()]
    pieces = [chunk for piece in pieces for chunk in _cut(piece)]
    texts: list[str] = []
    for piece in pieces:
        if texts and len(texts[-1]) + len(piece) <= PART_CHARACTERS:
            texts[-1] += f"\n\n{piece}"
        else:
            texts.append(piece)
    return [Part(paper.title, text) for text in texts[:MOST_PARTS]], sum(map(len, texts[MOST_PARTS:]))


def _cut(piece: str) -> list[str]:
    chunks: list[str] = []
    while len(piece) > PART_CHARACTERS:
        end = piece.rfind("\n\n", 0, PART_CHARACTERS)
        end = end if end > PART_CHARACTERS // 2 else PART_CHARACTERS
        chunks.append(piece[:end])
        piece = piece[end:].lstrip()
    return [*chunks, piece]


def messages_for(part: Part, language: Language) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": _instructions(language)},
        {"role": "user", "content": json.dumps({"title": part.title, "text": part.text}, ensure_ascii=False)},
    ]


def messages_again(messages: Sequence[dict[str, str]], answer: str, rejected: Sequence[tuple[Note, Sequence[str]]]) -> list[dict[str, str]]:
    """The same once more, with what was answered and what is wrong with it."""
    shown = [(json.dumps(note.model_dump(mode="json"), ensure_ascii=False), faults) for note, faults in rejected]
    again = _template("again.jinja").render(rejected=shown).strip() if shown else 'Answer with one JSON object {"notes": […]} and nothing else.'
    return [*messages, {"role": "assistant", "content": answer[:PART_CHARACTERS]}, {"role": "user", "content": again}]


@cache
def prompt_sha256(language: Language) -> str:
    """Hash of everything that is asked beside the paper."""
    again = (_PROMPTS / "again.jinja").read_text(encoding="utf-8")
    return hashlib.sha256("\0".join([_instructions(language), again, json.dumps(SCHEMA, sort_keys=True)]).encode()).hexdigest()


def reading_key(part: Part, language: Language, model: str, *, again_after: str = "") -> str:
    """64 hexadecimal digits of what the answer depends on; `again_after` is the first answer's key."""
    asked = {
        "title": part.title,
        "text": part.text,
        "prompt": prompt_sha256(language),
        "model": model,
        "language": language.tag,
        "again": again_after,
    }
    return hashlib.sha256(json.dumps(asked, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def read_notes(text: str) -> list[Note] | None:
    """The notes of an answer, however it is dressed; None where it holds none in the form asked for. A misshapen note among good ones is left out."""
    items = (read_fields(text, ("notes",)) or {}).get("notes")
    if not isinstance(items, list):
        return None
    notes = [note for item in items[: 2 * MOST_NOTES] if (note := _note(item)) is not None]
    return notes if notes or not items else None


def with_tex_put_back(note: Note) -> Note:
    """TeX behind one backslash in JSON arrives as a control character and the rest of its name: `\\times` as a tab and `imes`."""
    back = str.maketrans({"\t": r"\t", "\f": r"\f", "\b": r"\b", "\r": r"\r"})
    return note.model_copy(
        update={"quote": re.sub(r"\n(?=(?:abla|eq|u|eg|i|otin)\b)", r"\\n", note.quote.translate(back)), "claim": note.claim.translate(back)}
    )


def _note(item: Any) -> Note | None:
    try:
        return Note.model_validate(item)
    except ValidationError:
        return None


def _instructions(language: Language) -> str:
    return _template("read.jinja").render(language=language, most_notes=MOST_NOTES, least_words=LEAST_WORDS, most_characters=MOST_CHARACTERS).strip()


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701 - for a model
    return environment.from_string((_PROMPTS / name).read_text(encoding="utf-8"))
