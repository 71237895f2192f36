"""The data branch: one commit, days whole or not at all, and two runs that push at once end with both runs' files."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from digest_pipeline.errors import HostedStateError
from digest_pipeline.hosted.branch import BRANCH, RESTORED, DataBranch, day_of, days_on
from digest_pipeline.hosted.leaks import require_no_secret

DAY = "2026-06-02"
SECRET = "sk-never-to-be-seen-1234"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    (source / "README.md").write_text("x")
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "x"]):
        subprocess.run(["git", *command], cwd=source, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(source), str(tmp_path / "host.git")], check=True)
    return tmp_path / "host.git"


def runner(bare: Path, name: str, **options: object) -> DataBranch:
    """A fresh clone with an empty data directory."""
    checkout = bare.parent / name
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{bare}", str(checkout)], check=True)
    (checkout / "data").mkdir()
    return DataBranch(checkout, checkout / "data", **options)  # type: ignore[arg-type]


def write(branch: DataBranch, **files: str) -> None:
    """Paths with `__` for a slash; written in this order."""
    for name, text in files.items():
        put(branch, name.replace("__", "/"), text)


def put(branch: DataBranch, path: str, text: str) -> None:
    file = branch.data / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def make_day(branch: DataBranch, day: str = DAY, text: str = "made", *, whole: bool = True) -> None:
    """A day's files in the order in which a run writes them."""
    for path in (f"papers/date={day}/papers.parquet.txt", f"translated_summaries/date={day}/language=zh/s.txt", f"digests/zh/{day}/all.md"):
        put(branch, path, text)
    if whole:
        put(branch, f"ledger/date={day}/ledger.txt", text)
        put(branch, f"ledger/date={day}/facts.json", text)


def on_branch(bare: Path) -> dict[str, str]:
    listed = subprocess.run(["git", "ls-tree", "-r", "--name-only", BRANCH], cwd=bare, capture_output=True, text=True, check=True).stdout.split()
    return {path: subprocess.check_output(["git", "show", f"{BRANCH}:{path}"], cwd=bare, text=True) for path in listed}


def commits(bare: Path) -> int:
    return int(subprocess.check_output(["git", "rev-list", "--count", BRANCH], cwd=bare))


def test_the_first_run_finds_no_branch_and_makes_it_and_a_fresh_runner_gets_the_same_files(bare: Path) -> None:
    first = runner(bare, "first")
    assert first.restore() == 0
    assert not first.save("nothing yet")
    make_day(first)
    put(first, f"raw/{DAY}/manifest.json", "raw")
    assert first.save("a day")
    assert not first.save("the same")
    second = runner(bare, "second")
    assert second.restore() == 6
    assert (second.data / f"digests/zh/{DAY}/all.md").read_text() == "made"
    assert not second.save("what was restored is no change")


def test_the_branch_keeps_one_commit_however_often_it_is_pushed(bare: Path) -> None:
    one = runner(bare, "one")
    for day in ("2026-06-02", "2026-06-03", "2026-06-04"):
        make_day(one, day)
        one.save(day)
    assert commits(bare) == 1
    assert days_on(on_branch(bare)) == ["2026-06-02", "2026-06-03", "2026-06-04"]


def test_a_day_under_way_is_left_out_and_the_earlier_state_of_a_day_made_anew_stays(bare: Path) -> None:
    one = runner(bare, "one")
    make_day(one, whole=False)
    put(one, "answers/segments/2026-06/a.jsonl.gz", "paid")
    assert one.save("under way")
    assert list(on_branch(bare)) == ["answers/segments/2026-06/a.jsonl.gz"]
    make_day(one)
    one.save("made")
    again = runner(bare, "again")
    again.restore()
    make_day(again, text="half of it anew", whole=False)
    assert not again.save("killed")
    assert on_branch(bare)[f"digests/zh/{DAY}/all.md"] == "made"


def test_only_what_belongs_there_goes_onto_the_branch(bare: Path) -> None:
    one = runner(bare, "one")
    for path in (
        "site/index.html",
        "private/me/list.md",
        "rankings/date=2026-06-02/x",
        "answers/answers.sqlite",
        "state/arxiv-turn.json",
        "raw/.tmp-1",
    ):
        put(one, path, "x")
    put(one, "state/batch-days.json", "{}")
    one.save("x")
    assert list(on_branch(bare)) == ["state/batch-days.json"]


def test_of_two_runs_at_once_the_later_push_keeps_the_others_days_and_answers(bare: Path) -> None:
    one, two = runner(bare, "one"), runner(bare, "two")
    one.restore(), two.restore()
    make_day(one, "2026-06-02", "one")
    make_day(one, "2026-06-03", "one")
    put(one, "answers/segments/2026-06/one.jsonl.gz", "one")
    one.save("one")
    make_day(two, "2026-06-03", "two")
    make_day(two, "2026-06-04", "two")
    put(two, "answers/segments/2026-06/two.jsonl.gz", "two")
    two.save("two")
    found = on_branch(bare)
    assert [path for path in found if path.startswith("answers")] == [f"answers/segments/2026-06/{name}.jsonl.gz" for name in ("one", "two")]
    assert {day_of(path): text for path, text in found.items() if day_of(path)} == {"2026-06-02": "one", "2026-06-03": "two", "2026-06-04": "two"}
    assert commits(bare) == 1


def test_a_page_of_a_day_that_is_gone_leaves_the_branch_with_the_day_made_anew(bare: Path) -> None:
    one = runner(bare, "one")
    make_day(one)
    put(one, f"digests/zh/{DAY}/cs.IR.md", "a category that is no longer set")
    make_day(one)
    one.save("first")
    (one.data / f"digests/zh/{DAY}/cs.IR.md").unlink()
    make_day(one, text="anew")
    one.save("anew")
    assert f"digests/zh/{DAY}/cs.IR.md" not in on_branch(bare)


def test_what_was_made_here_is_not_overwritten_by_a_restore(bare: Path) -> None:
    one, two = runner(bare, "one"), runner(bare, "two")
    make_day(one, text="theirs")
    one.save("x")
    make_day(two, text="mine")
    two.restore()
    assert (two.data / f"digests/zh/{DAY}/all.md").read_text() == "mine"


def test_a_secret_in_a_file_stops_the_push_and_is_not_repeated(bare: Path) -> None:
    def examine(files: Iterable[Path]) -> None:
        require_no_secret(files, [SECRET])

    one = runner(bare, "one", examine=examine)
    put(one, f"raw/{DAY}/answer.txt", f"it says {SECRET} here")
    with pytest.raises(HostedStateError) as caught:
        one.save("x")
    assert "answer.txt holds the value of a secret" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert subprocess.run(["git", "rev-parse", "-q", "--verify", BRANCH], cwd=bare, capture_output=True, check=False).returncode != 0


def test_a_token_is_neither_written_nor_shown(bare: Path, tmp_path: Path) -> None:
    one = runner(bare, "one", token=SECRET)
    make_day(one)
    one.save("x")
    written = b"".join(path.read_bytes() for path in (one.checkout / ".git").rglob("*") if path.is_file())
    assert SECRET.encode() not in written
    assert SECRET not in repr(one)
    subprocess.run(["git", "remote", "set-url", "origin", f"file://{tmp_path}/{SECRET}.git"], cwd=one.checkout, check=True)
    with pytest.raises(HostedStateError) as caught:
        one.restore()
    assert SECRET not in str(caught.value)


def test_a_path_that_leads_out_of_the_data_directory_is_not_laid_out(bare: Path) -> None:
    source = runner(bare, "stranger")
    (source.data / "raw").mkdir()
    (source.data / "raw/link").symlink_to("/etc/passwd")
    for command in (
        ["checkout", "-q", "--orphan", "x"],
        ["rm", "-q", "-r", "--cached", "."],
        ["add", "-f", "data/raw/link"],
        ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "x"],
        ["push", "-q", "origin", f"x:{BRANCH}"],
    ):
        subprocess.run(["git", *command], cwd=source.checkout, check=True)
    fresh = runner(bare, "fresh")
    assert fresh.restore() == 0
    assert list(fresh.data.iterdir()) == []


def test_a_push_sends_only_what_is_new_from_a_whole_clone_too(bare: Path) -> None:
    """Seen as the bytes that the host keeps of all pushes; it keeps them as they came."""
    subprocess.run(["git", "config", "receive.unpackLimit", "1"], cwd=bare, check=True)
    checkout = bare.parent / "whole"
    subprocess.run(["git", "clone", "-q", str(bare), str(checkout)], check=True)
    (checkout / "data").mkdir()
    whole = DataBranch(checkout, checkout / "data")
    for number in range(6):
        put(whole, f"raw/{number}.txt", random.Random(number).randbytes(50_000).hex())
        assert whole.save(str(number))
        for file in whole.data.rglob("*.txt"):
            os.utime(file, (RESTORED, RESTORED))
    found = subprocess.check_output(["git", "count-objects", "-v"], cwd=bare, text=True)
    kept = 1024 * sum(int(line.split(": ")[1]) for line in found.splitlines() if line.startswith(("size:", "size-pack:")))
    assert kept < 1.4 * 6 * 50_000 * 1.15  # hexadecimal digits compress to little more than the bytes
    assert commits(bare) == 1
    assert runner(bare, "fresh").restore() == 6
