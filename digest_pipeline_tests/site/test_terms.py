"""The words by which a browser ranks, and the ranking itself, run as browsers run it."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import date
from typing import Any

import pytest

from digest_pipeline.site.render import asset
from digest_pipeline.site.terms import terms_file
from digest_pipeline_tests.support.site_days import generated_papers
from digest_pipeline_tests.support.tastes import FIELDS, Document, area_under_curve, library_of, papers_of_all_fields

DAY = date(2026, 6, 2)
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def as_papers(documents: list[Document]) -> list[Any]:
    """Listed papers with these texts."""
    from dataclasses import replace

    made = generated_papers(DAY, len(documents))
    return [
        replace(paper, arxiv_id=document.key, title=document.title, abstract=document.abstract, categories=document.categories)
        for paper, document in zip(made, documents, strict=True)
    ]


def test_a_paper_takes_less_than_250_bytes_and_the_same_papers_give_the_same_bytes() -> None:
    papers = as_papers(papers_of_all_fields(80))
    content = terms_file(papers)
    assert len(content) / len(papers) < 250
    assert terms_file(papers) == content
    assert content.startswith(b"digest.addTerms({")


def test_papers_without_any_word_have_no_terms() -> None:
    papers = as_papers([Document("2606.00001", "", ""), Document("2606.00002", "", "")])
    assert terms_file(papers) == b'digest.addTerms({"2606.00001":"","2606.00002":""});\n'


def ranked_by_node(day: list[Document], stars: list[Document]) -> list[dict[str, Any]]:
    papers = as_papers([*day, *stars])
    categories = {document.key: document.categories for document in [*day, *stars]}
    script = f"""
      globalThis.window = globalThis; globalThis.digest = {{}};
      {asset("rank.js").decode()}
      const terms = {{}}; digest.addTerms = (found) => Object.assign(terms, found);
      {terms_file(papers).decode()}
      const categories = {json.dumps(categories)};
      const made = (ids) => ids.map((id) => ({{ id, terms: digest.decodeTerms(terms[id]), categories: categories[id] }}));
      const ids = {json.dumps([one.key for one in day])}, stars = {json.dumps([one.key for one in stars])};
      console.log(JSON.stringify(digest.rankByStars(made(ids), made(stars))));
    """
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    result: list[dict[str, Any]] = json.loads(done.stdout)
    return result


@needs_node
@pytest.mark.parametrize("field", FIELDS)
def test_starred_papers_bring_their_field_to_the_front(field: str) -> None:
    day = papers_of_all_fields(80)
    stars = [Document(f"2605.{n:05d}", one.title, one.abstract, (), (field,)) for n, one in enumerate(library_of(field, 6), 1)]
    order = ranked_by_node(day, stars)
    assert sorted(row["id"] for row in order) == [one.key for one in day]
    assert area_under_curve([row["id"] for row in order], {one.key for one in day if field in one.categories}) > 0.95
    assert order[0]["like"] in {star.key for star in stars}


@needs_node
def test_a_star_of_which_only_the_id_is_known_ranks_without_an_error() -> None:
    day = papers_of_all_fields(20)
    assert len(ranked_by_node(day, [Document("2605.00001", "", "")])) == 20
