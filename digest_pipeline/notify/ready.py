"""The announcement that a day's digest is ready, for the readers' chats, in their language.

What lives here: what it says. What does not: how it is sent (`alerts.py`), when (the sensor).
"""

from __future__ import annotations

from collections.abc import Sequence

from digest_pipeline.models import DigestEntry
from digest_pipeline.notify.alerts import DigestReady
from digest_pipeline.notify.mail_sections import MailDay
from digest_pipeline.render.day import counts_in_words, in_reading_order
from digest_pipeline.render.paper import paper_view
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
        counts=counts_in_words(day.entries, language),
        notes=(language.label("digest", "sample"),) if day.facts.is_sample else (),
        highlights=tuple((plain_text(view.title), plain_text(view.tldr)) for view in (paper_view(entry, language) for entry in highlights)),
        more=language.label("mail", "more").format(count=left, where=page or f"data/digests/{language.tag}/{shown_date}/") if left > 0 else "",
        link=page,
    )


def _highlights(day: MailDay) -> Sequence[DigestEntry]:
    """The watch lists' papers, then the newest, without replacements."""
    watched = {arxiv_id for watch in day.watches for arxiv_id in watch.reasons}
    fresh = [entry for entry in in_reading_order(day.entries) if not entry.paper.announce_type.is_replacement]
    return sorted(fresh, key=lambda entry: entry.paper.arxiv_id not in watched)
