"""A profile's own digest of a day, under `private/<profile>/`: what is shown, as Markdown, page, feed and mail.

    selection.py   which papers: the best that are new to this reader, and strong ones of the week that had no place
    digest.py      the day as values, and its files
    mail.py        the same by mail, where the profile asks for it

What does not live here: the order (`ranking/`), one view of a paper (`render/`). Nothing of it is ever below `site/`.
"""
