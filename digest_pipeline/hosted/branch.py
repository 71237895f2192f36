"""The data directory on a branch: brought to a fresh runner, and pushed back as the branch's only commit.

What lives here: git's plumbing, and which files go onto the branch. What does not: what is in the files, but for one
thing: a day goes whole or not at all.

The branch always has exactly one commit, without a parent, which each push replaces, so that no history grows. Files are
one day's each and do not change once their day is made, so that a push sends only what is new. Two runs never
overwrite each other: a push says which commit it replaces, and one that is refused is made anew on top of the other
run's commit: of the days both made, the later push's; of everything else, both. A restored file carries the time stamp
RESTORED; by that, what a run has made or changed is told from what it found.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from digest_pipeline.errors import HostedStateError

BRANCH = "digest-data"
RESTORED = 946_684_800
"""2000-01-01, in seconds: the time stamp of a file as it stands on the branch."""
TRIES = 6
_TRACKING = f"refs/digest/{BRANCH}"
_SECONDS = 900.0
_IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "arXiv digest"), ("EMAIL", "digest@users.noreply.invalid"))
}
KEPT = (
    "raw",
    "papers",
    "translated_summaries",
    "digests",
    "ledger",
    "reading_notes",
    "records",
    "notify",
    "answers/segments",
    "answers/batches",
    "answers/endpoints",
)
"""The folders that go onto the branch. Not `site`, which is made from them; not `private` and `rankings`, as the
branch of a public repository is public; not the answer store's own files."""
KEPT_FILES = ("state/batch-days.json",)
_DAY = re.compile(r"(?:^|/)date=(\d{4}-\d{2}-\d{2})/|^digests/[^/]+/(\d{4}-\d{2}-\d{2})/")
_MADE_BEFORE_THE_LEDGER = ("papers/", "translated_summaries/", "digests/")


@dataclass
class DataBranch:
    """The branch `digest-data` of the repository that `checkout` is a clone of, and the data directory it stands for.

    `token` is what the host gave for pushing; empty where git can push by itself. Every method raises HostedStateError.
    """

    checkout: Path
    data: Path
    token: str = field(default="", repr=False)
    user: str = "x-access-token"
    """The name that goes with the token: GitHub's, or GitLab's `gitlab-ci-token`."""
    examine: Callable[[Iterable[Path]], None] = lambda _files: None
    """Looks at the files of a push before it; what it raises stops the push."""
    _tip: str | None = field(default=None, init=False)
    _examined: dict[Path, int] = field(default_factory=dict, init=False, repr=False)

    # -- reading ----------------------------------------------------------------------------------

    def fetch(self, *, content: bool = True) -> str | None:
        """The branch's commit as it is now; None where there is no such branch yet."""
        if not self._git("ls-remote", "origin", f"refs/heads/{BRANCH}").strip():
            self._tip = None
            return None
        leave_out = [] if content else ["--filter=blob:none"]
        self._git("fetch", "--quiet", "--no-tags", "--depth=1", *leave_out, "origin", f"+refs/heads/{BRANCH}:{_TRACKING}")
        self._tip = self._git("rev-parse", _TRACKING).strip()
        return self._tip

    def paths(self) -> list[str]:
        """All paths on the branch as it is now; their content is not fetched where the host can leave it out."""
        if self.fetch(content=False) is None:
            return []
        return [path for path in self._git("ls-tree", "-r", "-z", "--name-only", _TRACKING).split("\0") if path]

    def restore(self) -> int:
        """Lays the branch's files into the data directory; returns their number, 0 where there is no branch.

        A file that was made or changed here stays as it is.
        """
        commit = self.fetch()
        if commit is None or not self._git("ls-tree", "--name-only", commit):
            return 0
        with tempfile.TemporaryFile() as archive:
            self._git("archive", "--format=tar", commit, stdout=archive)
            archive.seek(0)
            with tarfile.open(fileobj=archive) as files:
                return sum(self._lay(files, member) for member in files)

    def _lay(self, files: tarfile.TarFile, member: tarfile.TarInfo) -> bool:
        target, content = self.data / member.name, files.extractfile(member) if member.isfile() else None
        if content is None or ".." in Path(member.name).parts or not _belongs(member.name) or (target.exists() and _is_changed(target)):
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.read())
        os.utime(target, (RESTORED, RESTORED))
        return True

    # -- writing ----------------------------------------------------------------------------------

    def save(self, message: str, *, forget: Iterable[str] = ()) -> bool:
        """Pushes what was made here as the branch's new only commit; false where there was nothing new.

        `forget` are paths of earlier pushes of this run that leave the branch. May be called at any moment of a run.
        """
        forgotten = frozenset(forget)
        for number in range(TRIES):
            tip = self._tip if number == 0 and self._tip else self.fetch()
            tree = self._tree(tip, forgotten)
            if tree is None or (tip is not None and tree == self._git("rev-parse", f"{tip}^{{tree}}").strip()):
                return False
            commit = self._git("commit-tree", tree, "-m", message).strip()
            if self._push(commit, tip):
                self._tip = commit
                return True
        raise HostedStateError(
            f"{TRIES} pushes to {BRANCH} were refused, each time because the branch had moved",
            hint="run the workflow again; what was paid until the last push is kept",
        )

    def _tree(self, tip: str | None, forgotten: frozenset[str]) -> str | None:
        """The tip's files, with what was made here in their place; None where there is neither."""
        listed = self._git("ls-tree", "-r", "-z", "--name-only", tip).split("\0") if tip else []
        ours = self._ours()
        if tip is None and not ours:
            return None
        replaced = {day for path in ours if (day := day_of(path))}
        gone = [path for path in listed if path and path not in ours and (path in forgotten or day_of(path) in replaced)]
        self._look_at(self.data / path for path in ours)
        hashes = self._git("hash-object", "-w", "--no-filters", "--stdin-paths", said="".join(f"{self.data / path}\n" for path in ours)).split()
        changes = [f"0 {'0' * 40}\t{path}\0" for path in gone] + [f"100644 {name}\t{path}\0" for path, name in zip(ours, hashes, strict=True)]
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": f"{folder}/index"}
            if tip:
                self._git("read-tree", tip, environ=index)
            self._git("update-index", "-z", "--index-info", said="".join(changes), environ=index)
            return self._git("write-tree", environ=index).strip()

    def _ours(self) -> list[str]:
        """What this run made or changed, sorted; of a day all files, once it is whole."""
        files = {path: file for path, file in _files(self.data) if _belongs(path)}
        changed = {path for path, file in files.items() if _is_changed(file)}
        days = {day for path in changed if (day := day_of(path))}
        whole = {day for day in days if self._is_whole(day, [path for path in files if day_of(path) == day])}
        return sorted(path for path in files if day_of(path) in whole or (path in changed and day_of(path) is None))

    def _is_whole(self, day: str, paths: Sequence[str]) -> bool:
        """The day's last file to be written is newer than what it tells of: the day was made to its end."""
        facts = self.data / f"ledger/date={day}/facts.json"
        made = [(self.data / path).stat().st_mtime_ns for path in paths if path.startswith(_MADE_BEFORE_THE_LEDGER)]
        return facts.exists() and facts.stat().st_mtime_ns >= max(made, default=0)

    def _look_at(self, files: Iterable[Path]) -> None:
        """Each state of a file once, as a run pushes many times."""
        seen = {file: file.stat().st_mtime_ns for file in files}
        new = [file for file, at in seen.items() if _is_changed(file) and self._examined.get(file) != at]
        self.examine(new)
        self._examined.update({file: seen[file] for file in new})

    def _push(self, commit: str, expected: str | None) -> bool:
        """False where the branch is no longer at `expected`."""
        if expected is not None:
            self._leave_out_what_is_there(expected)
        result = self._try(
            ["push", "--quiet", "--porcelain", f"--force-with-lease=refs/heads/{BRANCH}:{expected or ''}", "origin", f"{commit}:refs/heads/{BRANCH}"]
        )
        if result.returncode == 0:
            return True
        said = (result.stdout + result.stderr).decode(errors="replace")
        if any(words in said for words in _HAS_MOVED):
            return False
        raise HostedStateError(f"{BRANCH} cannot be pushed: {self._safe(said.strip())[-300:]}", hint=_PUSH_HINT)

    def _leave_out_what_is_there(self, tip: str) -> None:
        """git sends the files of the replaced commit again unless the clone is shallow, as a runner's is; a whole one is made so.

        The commit has no parents, so that nothing is cut off. Over 44 days of 200 papers that was 837 MB for a branch of 55.
        """
        if self._git("rev-parse", "--is-shallow-repository").strip() == "false":
            (self.checkout / self._git("rev-parse", "--git-path", "shallow").strip()).write_text(f"{tip}\n", encoding="ascii")

    # -- git --------------------------------------------------------------------------------------

    def _git(self, *arguments: str, said: str = "", environ: Mapping[str, str] | None = None, stdout: int | IO[bytes] = subprocess.PIPE) -> str:
        """What git printed; empty where that goes to the file `stdout`."""
        result = self._try(arguments, said=said, environ=environ, stdout=stdout)
        if result.returncode:
            reason = self._safe(result.stderr.decode(errors="replace").strip())[-300:]
            raise HostedStateError(f"git {arguments[0]} failed: {reason}", hint="see that this is a clone whose remote `origin` can be read")
        return (result.stdout or b"").decode()

    def _try(
        self, arguments: Sequence[str], *, said: str = "", environ: Mapping[str, str] | None = None, stdout: int | IO[bytes] = subprocess.PIPE
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(  # noqa: S603 - git with arguments of this module
                ["git", "-c", "core.quotePath=false", "-c", "gc.auto=0", *arguments],  # noqa: S607 - the git of the machine
                cwd=self.checkout,
                env={**os.environ, **_IDENTITY, **self._authorization(), **(environ or {}), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
                input=said.encode(),
                stdout=stdout,
                stderr=subprocess.PIPE,
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise HostedStateError("there is no git here", hint="install git") from None
        except subprocess.TimeoutExpired:
            raise HostedStateError(f"git {arguments[0]} took longer than {_SECONDS:g} s", hint="run again; see the host's status page") from None

    def _authorization(self) -> dict[str, str]:
        """By the environment and for this process only: nothing of it is written to a file or stands among the arguments."""
        if not self.token:
            return {}
        basic = base64.b64encode(f"{self.user}:{self.token}".encode()).decode()
        return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader", "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}"}

    def _safe(self, text: str) -> str:
        return text.replace(self.token, "***") if self.token else text


_HAS_MOVED = ("stale info", "fetch first", "non-fast-forward", "failed to lock", "cannot lock ref", "[remote rejected]")
_PUSH_HINT = "the job needs `contents: write`; in a fork see Settings → Actions → General → Workflow permissions, and rules for branches"


def day_of(path: str) -> str | None:
    """The listing day that a path belongs to as one of the day's files, e.g. `2026-06-02`; None for one of no day, and for raw answers,
    which are each for itself."""
    found = _DAY.search(path)
    return (found[1] or found[2]) if found else None


def days_on(paths: Iterable[str]) -> list[str]:
    """The days made to their end among a branch's paths, oldest first."""
    return sorted({day for path in paths if path.startswith("ledger/") and path.endswith("/facts.json") and (day := day_of(path))})


def _belongs(path: str) -> bool:
    """Whether a path below the data directory goes onto the branch."""
    return path in KEPT_FILES or path.startswith(tuple(f"{folder}/" for folder in KEPT))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Relative path and file, of everything below the kept folders but what is being written."""
    for kept in KEPT:
        for root, _, names in os.walk(folder / kept):
            for name in names:
                if not name.startswith(".tmp-") and not name.endswith(".lock"):
                    file = Path(root) / name
                    yield file.relative_to(folder).as_posix(), file
    for name in KEPT_FILES:
        if (folder / name).is_file():
            yield name, folder / name


def _is_changed(file: Path) -> bool:
    return int(file.stat().st_mtime) != RESTORED
