"""The digest as files: a day's papers, with their summaries in one language, as Markdown.

What lives here: the layout (`templates/`), what stands in it (`markdown.py`), how text from outside becomes
harmless Markdown (`escaping.py`), and reading a digest back with a parser that is not ours (`reading.py`).
What does not: where the files lie (`home.py`), which papers a category has (`papers/`), and the web pages,
which are made from the tables (`site/`), not from this Markdown.
"""
