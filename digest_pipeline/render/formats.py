"""The formats of an output, found by their files: a module with a `FORMAT` beside the others is all that a new one needs.

What lives here: finding them. What does not: any format (`site/exports/`, `site/feeds/`).
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Generic, TypeVar

Of = TypeVar("Of")


@dataclass(frozen=True, slots=True)
class Format(Generic[Of]):
    """One way of writing something, e.g. the papers of a day."""

    suffix: str
    """Ends the file's name, after the dot: `bib`."""
    label: str
    """What the link to it says."""
    write: Callable[[Of], bytes]
    """The file's bytes; the same input gives the same bytes."""


@cache
def formats_of(package: str) -> Sequence[Format[object]]:
    """The `FORMAT` of every module of the package that has one, by the modules' names."""
    folder = import_module(package).__path__
    modules = (import_module(f"{package}.{found.name}") for found in sorted(pkgutil.iter_modules(folder), key=lambda one: one.name))
    return tuple(module.FORMAT for module in modules if hasattr(module, "FORMAT"))
