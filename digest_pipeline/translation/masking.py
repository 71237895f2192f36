"""Placeholders: mathematics, commands, links and citations become `⟦n⟧` before the model sees a text.

What lives here: text → masked text, and masked text → text, exactly. What does not: what is done about a damaged
placeholder (`checks.py`), how the masked text is sent (`prompting.py`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mask:
    """One placeholder: `number` as it stands between ⟦ and ⟧, and the source text it stands for."""

    number: int
    original: str
    is_url: bool


@dataclass(frozen=True, slots=True)
class MaskedText:
    """A text with its placeholders. `restore(masked.text, masked.masks) == the source`, for every source."""

    text: str
    masks: tuple[Mask, ...]
    is_balanced: bool
    """False: the source has an odd number of unescaped `$`, so its dollars were left as they are."""
