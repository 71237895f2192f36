"""The week as one listing: counts, and terms that rise. No model is asked.

    week.py      ISO weeks, and a week's papers as far as their days are at hand
    trends.py    terms that more papers have than chance and the eight weeks before explain
    digest.py    both as Markdown, `digests/<tag>/week-<YYYY-Www>.md`

What does not live here: a profile's week (`personal/week.py`), and when it is made (`orchestration/`).
"""
