"""A profile's own digest of a day or a week, under `private/<profile>/`: what is shown, as Markdown, page, feed and mail.

    selection.py   which papers: the best that are new to this reader, and strong ones of the week that had no place
    digest.py      the day as values, and its files
    week.py        the best ten of a week, and new versions of what the reader likes
    mail.py        the same by mail, where the profile asks for it

What does not live here: the order (`ranking/`), one view of a paper (`render/`). Nothing of it is ever below `site/`.
"""
