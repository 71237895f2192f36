"""What the cache of paid answers keeps, and under which key."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from digest_pipeline.translation.prompts import PromptRequest


def answer_key(request: PromptRequest, model: str, sampling: str) -> str:
    """64 hexadecimal digits of what the answer depends on: prompt, schema, model, language, sampling, the text as sent.

    No arXiv id, date, category or template is part of it. Texts that differ in white space or Unicode composition only
    share a key. The masked text is part of it, so that an answer never meets placeholders it was not given for.
    """
    masked = {"masked_title": request.title.text, "masked_abstract": request.abstract.text}
    parts = {**request.key_fields, **masked, "model": model, "sampling": sampling}
    text = json.dumps({name: normalised(value) for name, value in parts.items()}, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def normalised(text: str) -> str:
    """NFC, every run of white space one space, none at the ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """One paid answer as it came. Tokens are the endpoint's own count unless `tokens_estimated`."""

    key: str
    raw: str
    """The model's text, whole, before any parsing."""
    about: str
    """The paper it was first asked for, e.g. `2404.01438v2`; for people, no part of the key."""
    language: str
    model: str
    prompt_sha256: str
    schema_version: str
    response_id: str
    finish_reason: str
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    tokens_estimated: bool
    cost_usd: float | None
    """US dollars at the prices of that day; None where the model's price was unknown."""
    asked_at_utc: datetime
    answered_at_utc: datetime
    via: str = "chat"
    """`chat` or `batch`."""
    earlier_input_tokens: int = 0
    """Tokens of rejected attempts that this answer replaces; likewise the next two."""
    earlier_output_tokens: int = 0
    earlier_cost_usd: float | None = 0.0

    def to_json(self) -> dict[str, Any]:
        row = dataclasses.asdict(self)
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> CachedAnswer:
        """Raises KeyError or ValueError where a field is missing or malformed; unknown fields are ignored."""
        values = {f.name: row[f.name] for f in dataclasses.fields(cls)}
        times = {name: datetime.fromisoformat(values[name]) for name in ("asked_at_utc", "answered_at_utc")}
        return cls(**{**values, **times})


class Lease(StrEnum):
    """The outcome of asking for the right to pay for a key."""

    GRANTED = "granted"
    HELD = "held"
    """Another live process is asking for it."""
    ANSWERED = "answered"
    """An answer has arrived meanwhile."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What one calendar month (UTC) cost, rejected answers included."""

    usd: float = 0.0
    answers: int = 0
    unpriced_answers: int = 0
    """Answers whose cost is unknown; their money is not in `usd`."""
    input_tokens: int = 0
    output_tokens: int = 0

    @classmethod
    def of_names(cls, names: Iterable[str]) -> Spending:
        """Of the objects that stand for paid answers: `<id>,<micro-dollars or "unknown">,<tokens in>,<tokens out>`."""
        rows = [name.split(",")[1:] for name in names]
        return cls(
            usd=sum(int(dollars) for dollars, _, _ in rows if dollars != "unknown") / 1_000_000,
            answers=len(rows),
            unpriced_answers=sum(dollars == "unknown" for dollars, _, _ in rows),
            input_tokens=sum(int(tokens) for _, tokens, _ in rows),
            output_tokens=sum(int(tokens) for _, _, tokens in rows),
        )


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One question inside a batch. `reserved_usd` counts as spent until the batch is closed."""

    key: str
    about: str
    language: str
    listing_date: date
    prompt_sha256: str
    schema_version: str
    reserved_usd: float

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "listing_date": self.listing_date.isoformat()}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> BatchItem:
        """Unknown fields are ignored."""
        values = {f.name: row[f.name] for f in dataclasses.fields(cls)}
        return cls(**{**values, "listing_date": date.fromisoformat(values["listing_date"])})


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A paper that was given up, so that it is not paid for again on the same day."""

    key: str
    day: str
    """UTC, `2026-06-12`."""
    settings: str
    """How it was asked for; another value asks again at once."""
    flags: tuple[str, ...]


class BatchState(StrEnum):
    PREPARING = "preparing"
    """Recorded here, perhaps not yet known to the endpoint: a crash may lie between."""
    SUBMITTED = "submitted"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """One batch: `token` is ours and travels as metadata, so that a submission can be found again after a crash."""

    token: str
    state: BatchState
    endpoint: str
    model: str
    created_at_utc: datetime
    batch_id: str = ""
    file_id: str = ""
    outcome: str = ""
    items: tuple[BatchItem, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        row = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**row, "created_at_utc": self.created_at_utc.isoformat(), "items": [item.to_json() for item in self.items]}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> BatchRecord:
        values = {f.name: row[f.name] for f in dataclasses.fields(cls)}
        values |= {"state": BatchState(row["state"]), "created_at_utc": datetime.fromisoformat(row["created_at_utc"])}
        return cls(**{**values, "items": tuple(map(BatchItem.from_json, row["items"]))})


def month_of(moment: datetime) -> str:
    """`2026-06`; `moment` is in UTC."""
    return f"{moment:%Y-%m}"
