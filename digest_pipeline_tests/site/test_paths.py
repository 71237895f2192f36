"""Links between pages: what a browser makes of them is the file they are meant for."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.site.paths import relative_link

_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=6).filter(lambda name: name not in (".", ".."))
_FEW_NAMES = st.sampled_from(["zh", "paper", "index.html", "a b", "2026-06-02"]) | _NAMES
_FILES = st.lists(_FEW_NAMES, min_size=1, max_size=5).map("/".join)


@given(_FILES, _FILES)
def test_a_relative_link_leads_from_any_page_to_its_file(page, file):
    link = unquote(relative_link(page, file))
    assert posixpath.normpath(posixpath.join(posixpath.dirname(page), link)) == file


def test_a_relative_link_names_no_folder_that_both_share():
    assert relative_link("zh/2026-06-02/all/index.html", "zh/2026-06-02/cs.CL/index.html") == "../cs.CL/index.html"
    assert relative_link("zh/index.html", "zh/index.html") == "index.html"
    assert relative_link("index.html", "assets/style.css") == "assets/style.css"
