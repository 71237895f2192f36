"""A paper read whole: its full text → notes, each a claim in the reader's language with the quote that carries it.

    source.py     arXiv's HTML of one version, fetched once and kept compressed
    fulltext.py   that HTML → passages: what is text, table, bibliography, related work
    quotes.py     whether a quote stands verbatim in the paper, and where
    claims.py     whether a claim may be shown with its quote
    reader.py     what the model is asked, asked again, and paid once
    notes.py      one listing day's chosen papers → `reading_notes/`

What does not live here: choosing the papers (`ranking/`), showing the notes (the outputs).
"""
