"""Writes the libraries beside this file with the programs themselves; README.md says which."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pypandoc
import rispy

HERE = Path(__file__).parent


def main() -> None:
    source = str(HERE / "source.json")
    pypandoc.convert_file(source, "bibtex", format="csljson", outputfile=str(HERE / "pandoc_bibtex.bib"))
    pypandoc.convert_file(source, "biblatex", format="csljson", outputfile=str(HERE / "pandoc_biblatex.bib"))
    pypandoc.convert_file(str(HERE / "pandoc_biblatex.bib"), "csljson", format="biblatex", outputfile=str(HERE / "pandoc_csl.json"))
    with (HERE / "rispy.ris").open("w", encoding="utf-8") as file:
        rispy.dump([_ris(item) for item in json.loads(Path(source).read_text(encoding="utf-8"))], file)


def _ris(item: dict[str, Any]) -> dict[str, Any]:
    names = [one.get("literal") or f"{one['family']}, {one['given']}" for one in item["author"]]
    known = {"title": item["title"], "abstract": item.get("abstract"), "doi": item.get("DOI"), "urls": [item["URL"]] if "URL" in item else None}
    return {"type_of_reference": "JOUR", "authors": names, **{name: value for name, value in known.items() if value}}


if __name__ == "__main__":
    main()
