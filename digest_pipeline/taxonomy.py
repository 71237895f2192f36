"""arXiv's archives and categories: which exist, and which a paper falls under.

What lives here: the list (`categories.csv`, from arXiv's category taxonomy page) and matching. What does
not: anything about a particular day.
"""

from __future__ import annotations

import csv
import difflib
from functools import cache
from importlib import resources


@cache
def category_names() -> dict[str, str]:
    """Category → its English name, e.g. `cs.CL` → `Computation and Language`."""
    text = resources.files("digest_pipeline").joinpath("categories.csv").read_text(encoding="utf-8")
    return {row["category"]: row["name"] for row in csv.DictReader(text.splitlines())}


@cache
def archives() -> frozenset[str]:
    """The archives that have categories below them (`cs`, `econ`), whose name alone means all of them."""
    return frozenset(name.split(".")[0] for name in category_names() if "." in name)


def require_known(name: str) -> None:
    """Raises ValueError, with near names, for anything that is neither a category nor a whole archive."""
    if name not in category_names() and name not in archives():
        near = difflib.get_close_matches(name, [*category_names(), *archives()], n=4, cutoff=0.4)
        raise ValueError(f"{name!r} is no arXiv category or archive; near names: {', '.join(near) or 'cs.CL, econ, q-fin'}")


def falls_under(category: str, configured: str) -> bool:
    """True where `configured` is the category itself or its whole archive."""
    return category == configured or category.split(".")[0] == configured


def falls_under_any(category: str, configured: tuple[str, ...]) -> bool:
    return any(falls_under(category, one) for one in configured)


def members(configured: str) -> tuple[str, ...]:
    """A category alone, or all categories of an archive, in the list's order."""
    return tuple(name for name in category_names() if falls_under(name, configured))
