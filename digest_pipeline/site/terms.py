"""The words by which a browser ranks a day from its reader's stars: `site/terms/<day>.js`, about 110 bytes a paper.

What lives here: choosing and writing them. What does not: ranking (`assets/rank.js`), which knows a word only as a number of
sixteen bits, the same number on every day.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Sequence

from digest_pipeline.models import Paper

TERMS = 32
"""More tell hardly better: the thirty-two rarest words of an abstract are nearly all that is its own."""


def terms_file(papers: Sequence[Paper]) -> bytes:
    """A script, as pages opened from a disk may load one: `digest.addTerms({"2606.01438": "<base64>", …});`. The same papers give the same bytes."""
    found = dict(zip((paper.arxiv_id for paper in papers), _terms(papers), strict=True))
    encoded = {arxiv_id: base64.b64encode(struct.pack(f"<{len(numbers)}H", *numbers)).decode() for arxiv_id, numbers in found.items()}
    return f"digest.addTerms({json.dumps(encoded, separators=(',', ':'), sort_keys=True)});\n".encode()


def _terms(papers: Sequence[Paper]) -> list[list[int]]:
    from sklearn.feature_extraction.text import TfidfVectorizer  # half a second, which only builds with a new day pay

    if not papers:
        return []
    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    texts = [f"{paper.title} . {paper.title} . {paper.abstract}" for paper in papers]
    if not any(vectorizer.build_analyzer()(text) for text in texts):
        return [[] for _ in papers]
    weights = vectorizer.fit_transform(texts)
    words = vectorizer.get_feature_names_out()
    rows = (weights[row] for row in range(len(papers)))
    ordered = (sorted(zip((-row.data).round(6).tolist(), words[row.indices].tolist(), strict=True)) for row in rows)
    return [sorted({zlib.crc32(word.encode()) & 0xFFFF for _, word in best[:TERMS]}) for best in ordered]
