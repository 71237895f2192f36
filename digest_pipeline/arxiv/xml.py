"""XML from outside: strict where it is well-formed, mended where a known slip makes it unreadable, refused otherwise.

Mended are slips that leave no doubt about what was meant: a byte-order mark, a wrong or unknown declared encoding, a
DOCTYPE, HTML's named entities, a bare `&` or `<`, control characters. A torn document stays unreadable, and so does one
that declares entities of its own: nothing outside the document is ever read, and nothing in it is expanded twice.
"""

from __future__ import annotations

import contextlib
import html
import html.entities
import re
from xml.etree.ElementTree import Element, ParseError  # types only; parsing goes through defusedxml

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*?\?>")
_ENCODING = re.compile(rb"\A\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_DOCTYPE = re.compile(r"<!DOCTYPE[^<>\[]*(?:\[(?P<inside>[^\]]*)\]\s*)?>", re.I)
_SLIP = re.compile(
    r"(?P<cdata><!\[CDATA\[.*?\]\]>)"
    r"|&(?P<name>[A-Za-z][A-Za-z0-9]*);"
    r"|&\#(?:(?P<decimal>[0-9]{1,7})|x(?P<hex>[0-9A-Fa-f]{1,6}));"
    r"|(?P<ampersand>&)"
    r"|(?P<less><(?![A-Za-z_/!?]))"
    r"|<(?P<void>br|hr)\s*>",
    re.S,
)
_XML_NAMES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_xml(body: bytes) -> Element | None:
    """The document's root; None where it is no whole, harmless XML, also after mending."""
    declared = _ENCODING.match(body)
    if declared is None or declared[1].lower() in (b"utf-8", b"utf8"):  # others have been declared of UTF-8, which then reads as noise
        with contextlib.suppress(ParseError, DefusedXmlException, ValueError):
            return _strictly(body)
    text = _DECLARATION.sub("", _decoded(body), count=1)
    doctype = _DOCTYPE.search(text)
    if doctype is not None and "<!ENTITY" in (doctype["inside"] or "").upper():
        return None
    try:
        return _strictly(_SLIP.sub(_meant, _FORBIDDEN.sub(" ", _DOCTYPE.sub("", text, count=1))).encode("utf-8"))
    except (ParseError, DefusedXmlException, ValueError):
        return None


def _strictly(body: bytes) -> Element:
    root: Element = fromstring(body, forbid_dtd=True)
    return root


def _decoded(body: bytes) -> str:
    """UTF-8 where the bytes are that, whatever is declared: no other text is by chance; else as declared, else Windows' Latin."""
    body = body.lstrip(b"\xef\xbb\xbf")
    declared = found[1].decode("ascii") if (found := _ENCODING.match(body)) else "cp1252"
    for encoding in ("utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", declared):
        try:
            return body.decode(encoding)
        except (UnicodeDecodeError, LookupError, UnicodeError):
            continue
    return body.decode("cp1252", errors="replace")


def _meant(slip: re.Match[str]) -> str:
    if slip["name"]:
        character = html.entities.html5.get(f"{slip['name']};")
        return slip[0] if slip["name"] in _XML_NAMES else f"&amp;{slip['name']};" if character is None else html.escape(character, quote=False)
    if slip["decimal"] or slip["hex"]:
        number = int(slip["decimal"] or slip["hex"], 10 if slip["decimal"] else 16)
        return " " if number > 0x10FFFF or _FORBIDDEN.match(chr(number)) else slip[0]
    if slip["ampersand"]:
        return "&amp;"
    if slip["less"]:
        return "&lt;"
    return f"<{slip['void']}/>" if slip["void"] else slip[0]
