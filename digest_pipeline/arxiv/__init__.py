"""From a listing date to arXiv's raw answers: the feed of today, the id block of any day, kept whole.

Modules: `rate_limit` (one request at a time on this machine), `http` (a request with its limits), `xml`, `atom` and `rss` (what
the answers say), `api` (the questions), `raw_store` (how answers are kept), `id_boundaries` and `id_ranges` (a past listing by
its ids), `feed_listing` (whether today's feed is believed), `listing` (which way a given day is had). The next source,
another archive or an OAI harvest, is one more file beside them. Nothing here knows categories' readers, languages or Dagster.
"""
