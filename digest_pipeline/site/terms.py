"""The words by which a browser ranks a day from its reader's stars: `site/terms/<day>.js`, about 110 bytes a paper.

What lives here: choosing and writing them. What does not: ranking (`assets/rank.js`), which knows a word only as a number of
sixteen bits, the same number on every day.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence

from digest_pipeline.models import Paper

TERMS = 32
"""More tell hardly better: the thirty-two rarest words of an abstract are nearly all that is its own."""
_WORD = re.compile(r"\b\w\w+\b")


def terms_file(papers: Sequence[Paper]) -> bytes:
    """A script, as pages opened from a disk may load one: `digest.addTerms({"2606.01438": "<base64>", …});`. The same papers give the same bytes."""
    found = dict(zip((paper.arxiv_id for paper in papers), _terms(papers), strict=True))
    encoded = {arxiv_id: base64.b64encode(struct.pack(f"<{len(numbers)}H", *numbers)).decode() for arxiv_id, numbers in found.items()}
    return f"digest.addTerms({json.dumps(encoded, separators=(',', ':'), sort_keys=True)});\n".encode()


def _terms(papers: Sequence[Paper]) -> Iterator[list[int]]:
    """TF-IDF as scikit-learn weighs it; loading that takes longer than building a small day."""
    counts = [Counter(_WORD.findall(f"{paper.title} {paper.title} {paper.abstract}".lower())) for paper in papers]
    papers_with = Counter(word for words in counts for word in words)
    rarity = {word: math.log((1 + len(papers)) / (1 + number)) + 1 for word, number in papers_with.items()}
    for words in counts:
        best = sorted(words, key=lambda word: (-round((1 + math.log(words[word])) * rarity[word], 6), word))
        yield sorted({zlib.crc32(word.encode()) & 0xFFFF for word in best[:TERMS]})
