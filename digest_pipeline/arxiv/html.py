"""arXiv's HTML pages of papers, one request at a time at arXiv's pace.

What does not live here: what a page holds, and keeping it (`reading/`).
"""

from __future__ import annotations

import requests

from digest_pipeline.arxiv.http import ArxivAccess, UnusableBody, get, polite_session
from digest_pipeline.errors import ArxivUnavailable

_NONE = frozenset({requests.codes.not_found, requests.codes.gone})


class ArxivHtml:
    """`<address>/<id>v<n>`, as bytes."""

    def __init__(self, access: ArxivAccess, html_url: str) -> None:
        self.html_url = html_url
        self._adapter = access.adapter(_validate_body)

    def page(self, versioned_id: str) -> bytes | None:
        """None where arXiv has no HTML of this version. Raises ArxivUnavailable."""
        address = f"{self.html_url}/{versioned_id}"
        with polite_session(self._adapter) as session:
            response = get(session, address)
        self._adapter.raw_responses.clear()
        if response.status_code in _NONE:
            return None
        if response.status_code != requests.codes.ok:
            raise ArxivUnavailable(f"{address} answers HTTP {response.status_code}", hint="run it again later, or check DIGEST_ARXIV_HTML_URL")
        return response.content


def _validate_body(body: bytes) -> bytes:
    """arXiv also says that it is asked too often with status 200."""
    if len(body) < 1000 and b"Rate exceeded" in body:
        raise UnusableBody("arXiv says that its rate is exceeded")
    return body
