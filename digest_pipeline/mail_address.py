"""Mail addresses as people and mail programs write them → parsed and checked ones.

What lives here: reading a list of addresses with the standard library. What does not: who gets mail (`settings.py`,
watch lists), composing and sending it (`notify/mail.py`).
"""

from __future__ import annotations

import re
from email.errors import HeaderParseError, NonASCIILocalPartDefect, ObsoleteHeaderDefect
from email.headerregistry import Address
from email.policy import SMTP
from typing import Any

_SEPARATOR = re.compile(r'("(?:\\.|[^"\\])*"|<[^<>]*>)|[;；，、\r\n]')
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*|\[[0-9a-f.:]+\]", re.I)
_HINT = 'a name with a comma stands in quotes: "Last, First" <first@example.org>'
_HARMLESS = (ObsoleteHeaderDefect, NonASCIILocalPartDefect)  # “Dr. A. Bee <a@x.org>” without quotes; a name before the @ in any script


def parse_addresses(text: str) -> tuple[Address, ...]:
    """The addresses in `text`, with commas, semicolons or line ends between them; empty for an empty text.

    International domains come back in their ASCII form, as mail servers take them. Raises ValueError, naming the entry that is no
    address: mail to the half of one would be lost, or somebody else's.
    """
    listed = _SEPARATOR.sub(lambda found: found[1] or ",", text).strip(" ,\t")
    if not listed:
        return ()
    try:
        header: Any = SMTP.header_factory("To", listed)  # a class made on the spot, which no type knows
    except (HeaderParseError, IndexError, AttributeError, TypeError) as error:  # the library's own slips, for “a@” or “.:”
        raise ValueError(f"{listed!r} cannot be read as a list of mail addresses") from error
    for address in header.addresses:
        if address.username and not _ascii_domain(address):
            raise ValueError(f"{address.addr_spec or address.username!r} is no mail address; {_HINT}")
    if faults := [fault for fault in header.defects if not isinstance(fault, _HARMLESS)]:
        raise ValueError(f"{listed!r} cannot be read as a list of mail addresses: {faults[0]}; {_HINT}")
    return tuple(Address(address.display_name, address.username, _ascii_domain(address)) for address in header.addresses)


def _ascii_domain(address: Address) -> str:
    """Empty where the domain can be none."""
    try:
        domain = address.domain if address.domain.startswith("[") else address.domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
    return domain if _DOMAIN.fullmatch(domain) else ""
