"""What changed between two versions, readable at a glance."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from digest_pipeline.site.difference import ChangeKind, compare
from digest_pipeline.tex.html import inline_html
from digest_pipeline.text import one_line


def shown(before: str, after: str) -> str:
    marks = {ChangeKind.EQUAL: "{}", ChangeKind.REMOVED: "[-{}-]", ChangeKind.ADDED: "[+{}+]"}
    return "".join(marks[one.kind].format(one.html) for one in compare(before, after).changes)


def test_changed_words_are_marked_and_the_spaces_stand_outside_the_marks() -> None:
    assert shown("We keep 98 percent of it all.", "We keep 99 percent of it all, too.") == "We keep [-98-][+99+] percent of it all[+, too+]."


def test_wrapping_lines_anew_is_no_change() -> None:
    assert compare("one\ntwo  three", "one two\nthree").is_equal


def test_a_formula_is_compared_whole() -> None:
    html = shown("a bound of $O(n^2)$ steps in the worst case", "a bound of $O(n^3)$ steps in the worst case")
    assert html.count("[-<math") == html.count("[+<math") == 1


def test_single_words_between_two_changes_do_not_break_the_marks_into_confetti() -> None:
    before = "The quick method is slow on all but the smallest of our four collections"
    after = "The new approach is fast on all but the smallest of our four collections"
    assert shown(before, after) == "The [-quick method is slow-][+new approach is fast+] on all but the smallest of our four collections"


def test_a_text_written_anew_is_shown_as_two_texts() -> None:
    difference = compare("Sparse routing for long documents", "We withdraw this because of an error")
    assert difference.is_rewritten
    assert not difference.changes
    assert difference.before == "Sparse routing for long documents"


def test_hostile_text_is_escaped_in_every_stretch() -> None:
    html = shown("keep this part of it <b>old</b>", "keep this part of it <script>new</script>")
    assert "<b>" not in html
    assert "<script>" not in html


_WORDS = st.lists(st.sampled_from(["a", "the", "model", "$x$", "12%", "<b>", "fine,", "end."]), max_size=12).map(" ".join)


@given(_WORDS, _WORDS)
def test_leaving_out_the_marked_stretches_gives_either_version_back(before: str, after: str) -> None:
    difference = compare(before, after)
    if difference.is_equal or difference.is_rewritten:
        return

    def without(kind: ChangeKind) -> str:
        return one_line(Markup("").join(one.html for one in difference.changes if one.kind is not kind)).replace(" ", "")

    def whole(text: str) -> str:
        return str(inline_html(text)).replace('<span class="held">', "").replace("</span>", "").replace(" ", "")

    def plain(html: str) -> str:
        return html.replace('<span class="held">', "").replace("</span>", "").replace('<spanclass="held">', "")

    assert plain(without(ChangeKind.ADDED)) == plain(whole(before))
    assert plain(without(ChangeKind.REMOVED)) == plain(whole(after))
