"""The real imports of the package, read from its source: which module uses which name of which other.

What lives here: reading. What does not: what is allowed (`test_architecture.py`). Imports inside functions and under
TYPE_CHECKING count like all others. Run as a program it rewrites the golden list of the names that each room gives to
others: `python -m digest_pipeline_tests.support.rooms`; read the difference.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "digest_pipeline"
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "public_names.txt"
LANGUAGES = "translation.languages"
"""A room of its own, although it lies inside another: words in files, which readers' outputs need without any translating."""


@dataclass(frozen=True, slots=True)
class Import:
    """`module` uses `name` of `target`; name is empty where the module itself is used. All without `digest_pipeline.`."""

    module: str
    target: str
    name: str
    is_eager: bool
    """True where it runs when the module is loaded: not in a function, not under TYPE_CHECKING."""


def modules() -> dict[str, Path]:
    """Dotted name without the package's → file; the package itself is the empty name."""
    found: dict[str, Path] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def room_of(module: str) -> str:
    """The folder, or the top module itself; the package's own `__init__` is the empty name."""
    return LANGUAGES if module.startswith(LANGUAGES) else module.split(".")[0]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imports() -> tuple[Import, ...]:
    """All imports of the package by itself."""
    known = modules()
    return tuple(found for module, path in known.items() for found in _imports_of(module, tree_of(path), known))


def _imports_of(module: str, tree: ast.Module, known: dict[str, Path]) -> Iterator[Import]:
    eager = set(_eager_nodes(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "digest_pipeline":
            assert node.level == 0
            source = (node.module or "").removeprefix("digest_pipeline").lstrip(".")
            for alias in node.names:
                inner = f"{source}.{alias.name}".lstrip(".")
                yield Import(module, inner, "", node in eager) if inner in known else Import(module, source, alias.name, node in eager)
        elif isinstance(node, ast.Import):
            ours = [alias.name for alias in node.names if alias.name.split(".")[0] == "digest_pipeline"]
            yield from (Import(module, name.removeprefix("digest_pipeline").lstrip("."), "", node in eager) for name in ours)


def _eager_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from _eager_nodes(child)


def outside_packages(module_path: Path) -> set[str]:
    """Top-level names of everything else that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(tree_of(module_path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
    return found - {"digest_pipeline"}


def public_names() -> str:
    """One line a module that gives names to other rooms: `module: names`; the rooms' seams, as they are used."""
    given: dict[str, set[str]] = {}
    for one in imports():
        if one.target and room_of(one.module) != room_of(one.target):
            given.setdefault(one.target, set()).add(one.name or "(the module)")
    return "".join(f"{target}: {', '.join(sorted(names))}\n" for target, names in sorted(given.items()))


if __name__ == "__main__":
    GOLDEN.write_text(public_names(), encoding="utf-8")
