"""`digest read ID…`: any papers read whole, every claim with its quote."""

from __future__ import annotations

from contextlib import closing

import click

from digest_pipeline.cli import FAILED, OK
from digest_pipeline.clients import arxiv_html, digest_options, open_storage, reading_options, utc_now
from digest_pipeline.errors import SettingsError
from digest_pipeline.models import VersionedId
from digest_pipeline.settings import load_settings


class PaperId(click.ParamType[VersionedId]):
    """An arXiv id or a link to the paper, with or without a version."""

    name = "ID"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> VersionedId:
        text = str(value).strip().rstrip("/")
        try:
            return VersionedId.parse(text.partition("arxiv.org/")[2].partition("/")[2] or text)
        except ValueError:
            self.fail(f"{value!r} is no arXiv id; write it as 2606.01234 or 2606.01234v2", param, ctx)


@click.command()
@click.argument("papers", metavar="ID…", type=PaperId(), nargs=-1, required=True)
@click.option("--forecast", is_flag=True, help="Say what it would cost, and ask the model nothing.")
def read(papers: tuple[VersionedId, ...], forecast: bool) -> int:
    """Read papers whole: each claim in your language, with the paper's own words that carry it.

    An id without a version means version 1. Exit status: 0 each paper was read or has no full text; 1 some were not.
    """
    from digest_pipeline.reading.claims import NoteStatus
    from digest_pipeline.reading.notes import full_texts
    from digest_pipeline.reading.reader import forecast_usd, read_papers
    from digest_pipeline.translation.translator import Translator

    settings = load_settings()
    if settings.is_sample:
        raise SettingsError("reading needs a model, and neither OPENAI_API_KEY nor OPENAI_BASE_URL is set", hint="set one of them")
    html = arxiv_html(settings)
    texts = full_texts(papers, html.page, open_storage(settings), now=utc_now())
    failed = False
    with closing(Translator.from_settings(settings, now=utc_now)) as translator, translator.session():
        budget = reading_options(settings).budget()
        for language in digest_options(settings).languages:
            expected = forecast_usd(texts, language, translator)
            click.echo(f"{len(papers)} papers in {language.tag}, expected cost {'unknown' if expected is None else f'${expected:.4f}'}")
            for one in [] if forecast else read_papers(texts, language, translator, budget):
                click.echo(one.to_text(html.html_url))
                failed |= one.status in (NoteStatus.FAILED, NoteStatus.DEFERRED)
    return FAILED if failed else OK
