"""The assets, one module each: what is kept of arXiv, the papers, their translations, the digests, and the site over all days.

Each is thin: it reads the context, calls one function that knows no Dagster, and returns one result with metadata and checks.
What does not live here: the work (`arxiv`, `papers`, `translation`, `markdown`, `site`) and when it is due (`schedules.py`).
Dagster's own word: https://docs.dagster.io/guides/build/assets/defining-assets
"""

GROUP, WEEK_GROUP = "listing_day", "listing_week"
OWNER = "team:digest"

RAW, PAPERS, SUMMARIES, DIGESTS, SITE = "raw_arxiv_metadata", "papers", "translated_summaries", "digest_files", "site"
RANKINGS, READING_NOTES, PERSONAL = "rankings", "reading_notes", "personal_digests"
WEEKLY = "weekly_digest"
