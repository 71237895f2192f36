"""Questions to other machines: arXiv (one record, in its turn behind any run), the model's endpoint (one word), the mail server (a log-in, no mail).

What lives here: each question as a function from the installation to its findings. What does not: this machine (`machine.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import requests

from digest_pipeline.arxiv import atom
from digest_pipeline.arxiv.http import Pace, get, polite_session
from digest_pipeline.calendar import ANNOUNCEMENT_TIME
from digest_pipeline.clients import arxiv_access, openai_client
from digest_pipeline.doctor.findings import Finding, Installation, Level, Question, Subject, error, ok, warning
from digest_pipeline.errors import SettingsError
from digest_pipeline.translation.budget import Budget, require_price
from digest_pipeline.translation.pricing import PriceTable

if TYPE_CHECKING:
    import openai

_A_KNOWN_PAPER = "hep-th/9711200"
_TIMEOUT_SECONDS = 30.0
_CLOCK_WARNING, _CLOCK_ERROR = timedelta(seconds=60), timedelta(seconds=600)


def _arxiv(this: Installation) -> Iterator[Finding]:
    s = this.settings
    if s.is_sample:
        yield ok(Subject.ARXIV, "not asked: the sample needs no arXiv")
        return
    access = replace(arxiv_access(s, this.now), pace=Pace(s.arxiv_interval_seconds, _TIMEOUT_SECONDS, attempts=1))
    with polite_session(access.adapter(atom.read_page)) as session:
        response = get(session, s.arxiv_api_url, params={"id_list": _A_KNOWN_PAPER, "max_results": "1"})
    if response.status_code != requests.codes.ok:
        yield error(Subject.ARXIV, f"{s.arxiv_api_url} answers HTTP {response.status_code}", "see DIGEST_ARXIV_API_URL")
        return
    yield ok(Subject.ARXIV, f"{s.arxiv_api_url} answers")
    yield from _clock(response.headers.get("Date"), this.now())


def _clock(date_header: str | None, now: datetime) -> Iterator[Finding]:
    try:
        theirs = parsedate_to_datetime(date_header or "")
    except ValueError:
        yield warning(Subject.CLOCK, "arXiv's answer carries no time to compare this machine's clock with")
        return
    off = abs(now - theirs)
    level = Level.ERROR if off > _CLOCK_ERROR else Level.WARNING if off > _CLOCK_WARNING else Level.OK
    todo = "" if level is Level.OK else f"set the clock (NTP): the schedule goes by it, and arXiv announces at {ANNOUNCEMENT_TIME:%H:%M} US Eastern"
    yield Finding(Subject.CLOCK, level, f"within {off.total_seconds():.0f} s of arXiv's", todo)


def _endpoint(this: Installation) -> Iterator[Finding]:
    import openai

    s = this.settings
    if s.is_sample:
        yield ok(Subject.MODEL, "not asked: the sample has recorded answers")
        return
    where = s.openai_base_url or "https://api.openai.com/v1"
    for model in dict.fromkeys(name for name in (s.model, s.fallback_model) if name):
        with openai_client(s, _TIMEOUT_SECONDS) as client:
            try:
                client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Answer with the one word OK."}])
            except openai.OpenAIError as refusal:
                yield error(Subject.MODEL, f"{model} at {where}: {_first_line(refusal)}", _advice(refusal))
            else:
                yield ok(Subject.MODEL, f"{where} takes the key and knows {model}")


def _embeddings(this: Installation) -> Iterator[Finding]:
    import openai

    s = this.settings
    if not s.embedding_model or s.is_sample:
        return
    prices, budget = PriceTable.load(s.prices_file), Budget(s.budget_per_run_usd, s.budget_per_month_usd)
    require_price(s.embedding_model, prices, budget)
    with openai_client(s, _TIMEOUT_SECONDS) as client:
        try:
            length = len(client.embeddings.create(model=s.embedding_model, input=["OK"], encoding_format="float").data[0].embedding)
        except openai.OpenAIError as refusal:
            advice = _advice(refusal).replace("DIGEST_MODEL", "DIGEST_EMBEDDING_MODEL")
            yield error(Subject.MODEL, f"embeddings of {s.embedding_model}: {_first_line(refusal)}", advice)
        except (AttributeError, IndexError, TypeError, ValueError):
            yield error(Subject.MODEL, f"{s.embedding_model} gives no embedding", "set DIGEST_EMBEDDING_MODEL to an embedding model")
        else:
            yield ok(Subject.MODEL, f"{s.embedding_model} gives embeddings of {length} numbers")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _advice(error: openai.OpenAIError) -> str:
    import openai

    if isinstance(error, openai.RateLimitError):
        return "no credit left, or too many requests: see the account's page" if "quota" in str(error) else "too many requests; try again in a minute"
    advice: tuple[tuple[type[openai.OpenAIError], str], ...] = (
        (openai.AuthenticationError, "the key is refused: see OPENAI_API_KEY"),
        (openai.PermissionDeniedError, "the key may not use this model: see the account's page"),
        (openai.NotFoundError, "the endpoint does not know the model or the address: see DIGEST_MODEL and OPENAI_BASE_URL"),
        (openai.APITimeoutError, f"no answer within {_TIMEOUT_SECONDS:.0f} s; a local model may still be loading"),
        (openai.APIConnectionError, "cannot be reached: see OPENAI_BASE_URL, the network and a proxy"),
    )
    return next((words for kind, words in advice if isinstance(error, kind)), "see DIGEST_MODEL and the endpoint's documentation")


def _mail(this: Installation) -> Iterator[Finding]:
    from digest_pipeline.notify.smtp import connect, parse_smtp_url

    s = this.settings
    if s.smtp_url is None:
        if s.mail_to:
            raise SettingsError("DIGEST_MAIL_TO names recipients, but DIGEST_SMTP_URL is not set", hint="set it, or no mail is sent")
        return
    with connect(s):
        yield ok(Subject.MAIL, f"{parse_smtp_url(s).hostname} accepts us; {len(s.mail_to)} recipients of the whole digest")


QUESTIONS: tuple[Question, ...] = ((Subject.ARXIV, _arxiv), (Subject.MODEL, _endpoint), (Subject.MODEL, _embeddings), (Subject.MAIL, _mail))
