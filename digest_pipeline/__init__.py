"""arXiv Digest: each day's arXiv announcements, exactly, as a digest in the reader's language.

Start reading at `definitions.py`. The packages, in the direction the data flows:
`arxiv` → `papers` → `translation` → `markdown` → `site`, with `notify` beside the last two.
Only `orchestration` imports dagster.
"""

__version__ = "0.1.0"
