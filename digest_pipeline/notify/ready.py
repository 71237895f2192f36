"""The announcement that a day's digest is ready, for the readers' chats, in their language.

What lives here: what it says. What does not: how it is sent (`alerts.py`), when (the sensor).
"""

from __future__ import annotations

from collections.abc import Sequence

from digest_pipeline.models import DigestEntry
from digest_pipeline.notify.alerts import DigestReady
from digest_pipeline.notify.mail import MailDay, counts_by_type, in_reading_order
from digest_pipeline.tex.plain import plain_text

HIGHLIGHTS = 8
"""A chat message names this many papers and says how many more there are."""


def announcement(day: MailDay, page: str) -> DigestReady:
    """`page` is the day's public address, or empty."""
    language, shown_date = day.language, day.facts.listing_date.isoformat()
    highlights = _highlights(day)[:HIGHLIGHTS]
    left = len(day.entries) - len(highlights)
    title = "ready" if day.facts.announced else "subject_none"
    return DigestReady(
        day=shown_date,
        language=language.tag,
        title=language.label("mail", title).format(date=shown_date, count=len(day.entries)),
        counts=counts_by_type(day.entries, language),
        notes=(language.label("digest", "sample"),) if day.facts.is_sample else (),
        highlights=tuple((_shown(e.summary.translated_title or e.paper.title), _shown(e.summary.tldr or e.summary.tldr_en)) for e in highlights),
        more=language.label("mail", "more").format(count=left, where=page or f"data/digests/{language.tag}/{shown_date}/") if left > 0 else "",
        link=page,
    )


def _highlights(day: MailDay) -> Sequence[DigestEntry]:
    """The watch lists' papers, then the newest, without replacements."""
    watched = {arxiv_id for watch in day.watches for arxiv_id in watch.reasons}
    fresh = [entry for entry in in_reading_order(day.entries) if not entry.paper.announce_type.is_replacement]
    return sorted(fresh, key=lambda entry: entry.paper.arxiv_id not in watched)


def _shown(text: str) -> str:
    return plain_text(text)
