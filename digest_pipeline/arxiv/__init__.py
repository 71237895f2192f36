"""From a listing date to arXiv's raw answers: the feed of today, the id block of any day, kept whole.

Rooms inside: `transport` (one polite connection), `atom` and `rss` (what the answers say), `raw` (how they
are kept), `id_block` (a past listing by its ids), `listing` (which way a given day is had). The next
source, another archive or an OAI harvest, is one more file beside them. Nothing here knows categories'
readers, languages or Dagster.
"""
