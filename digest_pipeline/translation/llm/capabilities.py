"""What an endpoint and model accept: learned from refusals and answers, remembered, never guessed twice.

What lives here: the ladder of structured output (json_schema → json_object → plain), reasoning, temperature, the name of
the token limit; as parameters of a request, and as lessons drawn from a refusal. What does not: sending, and the lessons
drawn from answers (`client.py`), keeping (`cache/`), facts about families of models (`models.toml`).
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any


class ResponseFormat(IntEnum):
    """Ways to ask for JSON, the strictest first. The answer is validated here whichever was used."""

    JSON_SCHEMA = 0
    JSON_OBJECT_WITH_SCHEMA = 1
    """As llama_cpp.server takes it; it answers 500 to JSON_SCHEMA."""
    JSON_OBJECT = 2
    PLAIN = 3


_TOKEN_FIELDS = ("max_completion_tokens", "max_tokens", "")
_LARGEST_OUTPUT_FACTOR = 16.0
_AGAINST_THINKING: tuple[Mapping[str, Any], ...] = (
    *({"reasoning_effort": effort} for effort in ("minimal", "none", "low")),
    {"enable_thinking": False},
)  # new ones at the end: how many were refused is remembered


@dataclass(frozen=True, slots=True)
class Family:
    """One entry of models.toml."""

    names: tuple[str, ...] = ("*",)
    reasoning: tuple[Mapping[str, Any], ...] = ()
    temperature: bool = True
    token_field: str = "max_tokens"  # noqa: S105 - tokens of text
    output_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class ModelCapabilities:
    """What to send to one endpoint and model. Each field only ever moves in the direction of asking for less."""

    family: Family
    response_format: ResponseFormat = ResponseFormat.JSON_SCHEMA
    format_works: bool = False
    """An answer in this format could be read, so that a 500 or a blank answer is no sign against it. An empty or cut one proves nothing."""
    thinks: bool = False
    """The model was seen to think, though its name tells no family that does (an Azure deployment, an alias)."""
    reasoning_refused: int = 0
    """How many of the reasoning parameters to try were refused."""
    temperature_refused: bool = False
    token_fields_refused: tuple[str, ...] = ()
    output_factor: float = 1.0
    """Factor on the limit of output tokens, above 1 for a model that thinks and cannot be stopped."""
    joins_system: bool = False
    """The model knows no system message: the instructions stand before the paper in the user's."""
    streams: bool = False
    """The endpoint refuses to answer in one piece; its events are put together here."""
    omits_stream: bool = False
    """The endpoint knows no parameter `stream`, with either value."""

    @classmethod
    def of(cls, model: str, memory: Mapping[str, Any]) -> ModelCapabilities:
        """From what the store remembers; `memory` is empty for an endpoint or model never met."""
        family = family_of(model)
        return cls(
            family=family,
            response_format=ResponseFormat(memory.get("rung", 0)),
            format_works=bool(memory.get("schema_proven", False)),
            thinks=bool(memory.get("thinks", False)),
            reasoning_refused=int(memory.get("reasoning_refused", 0)),
            temperature_refused=bool(memory.get("temperature_refused", False)),
            token_fields_refused=tuple(memory.get("token_fields_refused", ())),
            output_factor=max(float(memory.get("room", 1.0)), family.output_factor),
            joins_system=bool(memory.get("joins_system", False)),
            streams=bool(memory.get("streams", False)),
            omits_stream=bool(memory.get("omits_stream", False)),
        )

    def memory(self) -> dict[str, Any]:
        """What the cache shall remember, under the names that earlier versions gave it; `of` reads it."""
        row = {_KEPT_AS.get(f.name, f.name): getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "family"}
        return {**row, "rung": int(self.response_format), "token_fields_refused": list(self.token_fields_refused)}

    def parameters(self, schema: Mapping[str, Any], schema_name: str, temperature: float, most_tokens: int) -> dict[str, Any]:
        """The optional parameters of a chat request."""
        parameters: dict[str, Any] = dict(self.reasoning)
        if not self.omits_stream:
            parameters["stream"] = self.streams  # some servers stream unless they are told not to
        if self.streams:
            parameters["stream_options"] = {"include_usage": True}
        if self.sends_temperature:
            parameters["temperature"] = temperature
        if self.token_field:
            parameters[self.token_field] = int(most_tokens * self.output_factor)
        response_format = _response_format(self.response_format, schema, schema_name)
        if response_format is not None:
            parameters["response_format"] = response_format
        return parameters

    @property
    def reasoning(self) -> Mapping[str, Any]:
        """The parameter to send against thinking; empty where none is known or all were refused."""
        return self._against_thinking[self.reasoning_refused] if self.reasoning_refused < len(self._against_thinking) else {}

    @property
    def _against_thinking(self) -> tuple[Mapping[str, Any], ...]:
        return self.family.reasoning or (_AGAINST_THINKING if self.thinks else ())

    @property
    def sends_temperature(self) -> bool:
        return self.family.temperature and not self.temperature_refused

    @property
    def token_field(self) -> str:
        """The limit's name; empty where the endpoint knows none."""
        candidates = (self.family.token_field, *_TOKEN_FIELDS)
        return next(name for name in candidates if name not in self.token_fields_refused)

    # -- lessons --------------------------------------------------------------------------------------

    def after_refusal(self, words: str) -> ModelCapabilities | None:
        """The next thing to try after a 400 with these words (message, parameter, code); None where they name nothing we sent."""
        words = words.lower()
        if not self.joins_system and any(phrase in words for phrase in _NO_SYSTEM):
            return replace(self, joins_system=True)
        if "enable_thinking" in words and "enable_thinking" not in self.reasoning:  # "must be set to false for non-streaming calls"
            thinking = replace(self, thinks=True)
            for number in range(self.reasoning_refused, len(thinking._against_thinking)):
                if "enable_thinking" in thinking._against_thinking[number]:
                    return replace(thinking, reasoning_refused=number)
        if not self.omits_stream and _STREAM.search(words):
            return replace(self, streams=False, omits_stream=True) if self.streams else replace(self, streams=True)
        if any(name in words for name in self.reasoning) or (self.reasoning and "reasoning" in words):
            return replace(self, reasoning_refused=self.reasoning_refused + 1)
        if self.sends_temperature and "temperature" in words:
            return replace(self, temperature_refused=True)
        if self.token_field and self.token_field in words and not _means_too_large(words):
            return replace(self, token_fields_refused=(*self.token_fields_refused, self.token_field))
        if self.response_format < ResponseFormat.PLAIN and any(name in words for name in _FORMAT_WORDS):
            return self.in_a_lower_format()
        return None

    def in_a_lower_format(self) -> ModelCapabilities:
        """After a refusal: `schema` inside json_object is for servers that cannot say what they lack, so a 400 skips it."""
        lower = ResponseFormat.JSON_OBJECT if self.response_format < ResponseFormat.JSON_OBJECT else ResponseFormat.PLAIN
        return replace(self, response_format=lower, format_works=False)

    def with_less(self) -> ModelCapabilities | None:
        """Something optional less, for a refusal that names nothing; None where nothing optional is left."""
        if self.reasoning:
            return replace(self, reasoning_refused=len(self._against_thinking))
        if self.sends_temperature:
            return replace(self, temperature_refused=True)
        if self.response_format < ResponseFormat.PLAIN:
            return self.in_a_lower_format()
        return None

    def with_more_output(self) -> ModelCapabilities:
        return replace(self, output_factor=min(2 * self.output_factor, _LARGEST_OUTPUT_FACTOR))

    def merged(self, other: ModelCapabilities) -> ModelCapabilities:
        """What both have learned, for lessons learned at the same time."""
        return replace(
            self,
            response_format=max(self.response_format, other.response_format),
            format_works=any(one.format_works for one in (self, other) if one.response_format is max(self.response_format, other.response_format)),
            thinks=self.thinks or other.thinks,
            reasoning_refused=max(self.reasoning_refused, other.reasoning_refused),
            temperature_refused=self.temperature_refused or other.temperature_refused,
            token_fields_refused=tuple(dict.fromkeys((*self.token_fields_refused, *other.token_fields_refused))),
            output_factor=max(self.output_factor, other.output_factor),
            joins_system=self.joins_system or other.joins_system,
            streams=(self.streams or other.streams) and not (self.omits_stream or other.omits_stream),
            omits_stream=self.omits_stream or other.omits_stream,
        )


_NO_SYSTEM = (
    "system role",
    "system message",
    "system prompt",
    "developer instruction",
    "'system'",
    "role: system",
    "roles must alternate",
    "only user and assistant",
)
_STREAM = re.compile(r"(?<![a-z])stream|流式")  # and no "upstream error"
_KEPT_AS = {"response_format": "rung", "format_works": "schema_proven", "output_factor": "room"}
_FORMAT_WORDS = ("response_format", "json_schema", "json_object", "json mode", "structured output", "schema", "grammar", "guided")


def _means_too_large(words: str) -> bool:
    return any(phrase in words for phrase in ("too large", "at most", "exceed", "context length", "maximum context"))


def _response_format(response_format: ResponseFormat, schema: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    if response_format is ResponseFormat.JSON_SCHEMA:
        return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": dict(schema)}}
    if response_format is ResponseFormat.JSON_OBJECT_WITH_SCHEMA:
        return {"type": "json_object", "schema": dict(schema)}
    return {"type": "json_object"} if response_format is ResponseFormat.JSON_OBJECT else None


def family_of(model: str) -> Family:
    """The first family of models.toml that fits, or the plain one."""
    name = model.lower().rpartition("/")[2]
    return next((family for family in _families() if any(fnmatchcase(name, pattern) for pattern in family.names)), Family())


@cache
def _families() -> Sequence[Family]:
    data = tomllib.loads((files(__package__) / "models.toml").read_text(encoding="utf-8"))
    return tuple(Family(**{**entry, "names": tuple(entry["names"]), "reasoning": tuple(entry.get("reasoning", ()))}) for entry in data["family"])
