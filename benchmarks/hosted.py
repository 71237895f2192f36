"""How large does the data branch grow over 250 days of 200 papers, how long do restore and push take?

The real writer (`hosted/`) pushes generated days to a bare repository on this disk. Texts are drawn from a vocabulary with the
frequencies of natural language, since repeated sentences would compress to nothing. A day is pushed three times, as a
run of half a minute does; then every file is stamped as a fresh runner would have it.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from benchmarks.table import growth, print_result, progress
from digest_pipeline.arxiv.http import RawResponse
from digest_pipeline.arxiv.raw_store import RawManifest, RawStore
from digest_pipeline.hosted.branch import BRANCH, KEPT, RESTORED
from digest_pipeline.hosted.environment import Runner
from digest_pipeline.hosted.run import HostedData
from digest_pipeline.models import Evidence, Paper
from digest_pipeline.settings import load_settings
from digest_pipeline.translation.cache.records import CachedAnswer
from digest_pipeline_tests.support.site_days import generated_papers, listing_days, make_summary, write_day

SIZES, QUICK_SIZES = (25, 100, 250), (2, 4)
PAPERS = 200
PUSHES = 3
FIRST = date(2026, 1, 5)
_CHANCE = random.Random(7)  # noqa: S311 - no secret is drawn
_VOCABULARY = ["".join(_CHANCE.choices("etaoinshrdlucmfwypvbgk", k=_CHANCE.randrange(2, 11))) for _ in range(12_000)]
_CHARACTERS = [chr(0x4E00 + n * 7) for n in range(2_500)]


def _weights(count: int) -> list[float]:
    """Cumulative, of the frequencies of words in natural language."""
    return list(accumulate(1 / (rank + 2.7) for rank in range(count)))


_WORD_WEIGHTS, _CHARACTER_WEIGHTS = _weights(len(_VOCABULARY)), _weights(len(_CHARACTERS))


def english(words: int) -> str:
    return " ".join(_CHANCE.choices(_VOCABULARY, cum_weights=_WORD_WEIGHTS, k=words))


def chinese(characters: int) -> str:
    return "".join(_CHANCE.choices(_CHARACTERS, cum_weights=_CHARACTER_WEIGHTS, k=characters))


def entry(paper: Paper) -> str:
    """As long as arXiv's entries are, of which a third are addresses and names of elements."""
    frame = f"<entry><id>http://arxiv.org/abs/{paper.arxiv_id}v1</id><title>{paper.title}</title><summary>{paper.abstract}</summary><published>2026-01-02T17:00:00Z</published><updated>2026-01-02T17:00:00Z</updated>"
    people = "".join(f"<author><name>{name}</name></author>" for name in paper.authors)
    links = f'<link href="https://arxiv.org/abs/{paper.arxiv_id}v1" rel="alternate"/><link href="https://arxiv.org/pdf/{paper.arxiv_id}v1"/>'
    return f'{frame}{people}{links}<category term="{paper.primary_category}" scheme="http://arxiv.org/schemas/atom"/></entry>'


def make_day(data: HostedData, day: date) -> None:
    """Raw answers, tables, Markdown in two categories and the whole, and 200 paid answers, in a run's order and with its pushes."""
    papers = [replace(paper, title=english(11), abstract=english(190)) for paper in generated_papers(day, PAPERS)]
    summaries = [
        make_summary(p, translated_title=chinese(24), translated_abstract=chinese(420), tldr=chinese(45), tldr_en=english(24)) for p in papers
    ]
    raw, at = RawStore(data.storage), datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
    namespace = 'xmlns="http://www.w3.org/2005/Atom"'
    body = f"<?xml version='1.0' encoding='UTF-8'?><feed {namespace}>{''.join(map(entry, papers))}</feed>".encode()
    kept = raw.keep_file(day, "api", RawResponse(url="https://export.arxiv.org/api/query", status=200, body=body, fetched_at_utc=at))
    raw.keep(RawManifest(day, True, Evidence.RSS, (kept,)), now=at)
    answers = [
        _answer(p.arxiv_id, s.translated_abstract + s.tldr + s.tldr_en, at + timedelta(seconds=n))
        for n, (p, s) in enumerate(zip(papers, summaries, strict=True))
    ]
    for part in range(PUSHES):
        with data.answers() as store:
            store.put_all([(answer, None) for answer in answers[part::PUSHES]])
        if part < PUSHES - 1:
            data.save(f"{day} under way")
    text = "\n\n".join(
        f"### {s.translated_title}\n{p.title}\n{s.translated_abstract}\n{s.tldr}\n{p.abstract}" for p, s in zip(papers, summaries, strict=True)
    )
    half = len(text) // 2
    for name, content in (("all", text), ("cs.CL", text[:half]), ("cs.IR", text[half:])):
        data.storage.write_text(f"digests/zh/{day}/{name}.md", content)
    write_day(data.storage, day, papers, summaries=summaries)


def _answer(arxiv_id: str, raw: str, at: datetime) -> CachedAnswer:
    key = f"{_CHANCE.getrandbits(256):064x}"
    return CachedAnswer(
        key, raw, f"{arxiv_id}v1", "zh", "gpt-5-mini", "0" * 64, "1", f"chatcmpl-{key[:24]}", "stop", 700, 0, 600, False, 0.001, at, at
    )


def stamp(data: HostedData) -> None:
    """Every kept file as a fresh runner would have it."""
    for folder in KEPT:
        for file in data.storage.local_path(folder).rglob("*"):
            if file.is_file():
                os.utime(file, (RESTORED, RESTORED))


def bytes_of(repository: Path) -> int:
    found = subprocess.check_output(["git", "count-objects", "-v"], cwd=repository, text=True)  # noqa: S607
    sizes = dict(line.split(": ") for line in found.splitlines())
    return 1024 * (int(sizes["size"]) + int(sizes["size-pack"]))


def hosted(checkout: Path, bare: Path) -> HostedData:
    subprocess.run(["git", "clone", "-q", f"file://{bare}", str(checkout)], check=True, stderr=subprocess.DEVNULL)  # noqa: S603, S607
    settings = load_settings({"DIGEST_DATA_DIR": str(checkout / "data"), "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, checkout)
    data = HostedData(settings, Runner.from_environment({}), lambda: datetime(2026, 12, 31, tzinfo=UTC), checkout)
    data.storage.local_path(".").mkdir(parents=True)
    return data


def measured(folder: Path, sizes: Sequence[int]) -> Iterator[tuple[list[object], int]]:
    """One row a size, and the branch's bytes."""
    bare = folder / "host.git"
    subprocess.run(["git", "init", "-q", "--bare", str(bare)], check=True)  # noqa: S603, S607
    data = hosted(folder / "runner", bare)
    for number, day in enumerate(listing_days(FIRST, max(sizes)), start=1):
        make_day(data, day)
        started = time.monotonic()
        data.save(str(day), is_last=True)
        push_seconds = time.monotonic() - started
        stamp(data)
        progress(f"{number} days, the last push {push_seconds:.1f} s")
        if number in sizes:
            clone = folder / f"clone-{number}"
            subprocess.run(["git", "clone", "-q", "--bare", "--single-branch", "-b", BRANCH, f"file://{bare}", str(clone)], check=True)  # noqa: S603, S607
            branch = bytes_of(clone)
            fresh = hosted(folder / f"fresh-{number}", bare)
            started = time.monotonic()
            files, _ = fresh.restore()
            restore_seconds = time.monotonic() - started
            largest = max(path.stat().st_size for path in fresh.storage.local_path(".").rglob("*.*") if "sqlite" not in path.name)
            yield (
                [
                    number,
                    f"{branch / 1e6:.0f} MB",
                    f"{bytes_of(bare) / 1e6:.0f} MB",
                    files,
                    f"{largest / 1e6:.2f} MB",
                    f"{push_seconds:.1f} s",
                    f"{restore_seconds:.1f} s",
                ],
                branch,
            )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hosted")
    parser.add_argument("sizes", nargs="*", type=int)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    sizes = tuple(arguments.sizes) or (QUICK_SIZES if arguments.quick else SIZES)
    with tempfile.TemporaryDirectory(prefix="digest-hosted-") as folder:
        rows, branches = zip(*measured(Path(folder), sizes), strict=True)
    print_result(
        f"A hosted run's data branch, days of {PAPERS} papers",
        ["days", "branch", "all ever pushed", "files", "largest file", "last push", "restore"],
        list(rows),
        notes=[growth("the branch", "days", sizes, branches)],
    )


if __name__ == "__main__":
    main()
