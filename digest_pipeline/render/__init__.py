"""What every output shows, before any format: a day's papers read once, one view of a paper, watch lists, templates.

`reading.py` and `day.py` read a finished listing day, `paper.py` decides what is said of a paper, `watch_lists.py` and
`matching.py` decide who watches it. What does not live here: a format (`markdown/`, `site/`, `notify/`).
"""
