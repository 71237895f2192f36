"""A person's library as the programs that keep it write it: BibTeX, RIS, CSL-JSON, Zotero's RDF and CSV, lists of arXiv ids.

What lives here: `read_library`, which finds the reader of a file by its name, and one module a format. What does not: whose
library it is (`profiles.py`) and texts that a file does not have (`lookup.py`). A format is added as a module and a line below.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from digest_pipeline.ranking.library import bibtex, csl_json, id_list, ris, zotero_csv, zotero_rdf
from digest_pipeline.ranking.library.entry import Library, LibraryEntry, Problem

_READERS: dict[str, Callable[[Path], Library]] = {
    ".bib": bibtex.read,
    ".bibtex": bibtex.read,
    ".ris": ris.read,
    ".json": csl_json.read,
    ".rdf": zotero_rdf.read,
    ".csv": zotero_csv.read,
    ".txt": id_list.read,
    ".ids": id_list.read,
}

__all__ = ["Library", "LibraryEntry", "Problem", "read_library"]


def read_library(path: Path) -> Library:
    """One file, or every file of a known kind in a folder and below it. What cannot be used is among the problems; the rest is there."""
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        return Library((), (Problem(path.name, "", "there is no such file"),))
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        return Library((), (Problem(path.name, "", f"files that end in {path.suffix or 'nothing'} are not known; known are {', '.join(_READERS)}"),))
    try:
        return reader(path)
    except OSError as error:
        return Library((), (Problem(path.name, "", f"it cannot be read: {error.strerror}"),))
    except UnicodeDecodeError as error:
        return Library((), (Problem(path.name, "", f"it is no UTF-8 text (byte {error.start}): export it again as UTF-8"),))


def _read_folder(folder: Path) -> Library:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix.lower() in _READERS)
    if not files:
        return Library((), (Problem(folder.name, "", f"the folder has no file of a known kind ({', '.join(_READERS)})"),))
    return Library.joined(read_library(file) for file in files)
