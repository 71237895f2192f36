"""The jinja environment of every output: an undefined name is an error, and what is put in is escaped or refused.

What lives here: the options that all environments share. What does not: the templates, which lie beside their code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def html_environment(package: str) -> Environment:
    """For the `templates/` of a package: HTML's escaping wherever `.html.` stands in a template's name, none in plain text."""
    return _environment(package, autoescape=_is_html)


def checked_environment(package: str, finalize: Callable[[Any], Any]) -> Environment:
    """For a format that jinja cannot escape: `finalize` sees each value and raises TypeError for one that was not escaped on purpose."""
    return _environment(package, autoescape=False, finalize=finalize)


def _is_html(template: str | None) -> bool:
    """jinja's own choice goes by the last ending and leaves `x.html.jinja` unescaped."""
    return template is not None and ".html." in template


def _environment(package: str, **options: Any) -> Environment:
    return Environment(  # noqa: S701 (each caller chooses: by the template's name, or a `finalize` that refuses what is not escaped)
        loader=PackageLoader(package),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        **options,
    )
