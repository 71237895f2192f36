"""Scans all files that git keeps for secrets; `--accept` takes today's findings as none, after somebody looked.

detect-secrets does the finding; `.secrets.baseline` has its settings and the accepted findings. Its own hook is not
used because it fails when a finding merely moves to another line. Exit status 1 names each new finding.
"""

import subprocess
import sys
from pathlib import Path

from detect_secrets import SecretsCollection
from detect_secrets.core import baseline

BASELINE = ".secrets.baseline"


def main() -> int:
    accepted = baseline.load(baseline.load_from_file(BASELINE), BASELINE)  # this also sets which detectors run
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout  # noqa: S607
    found = SecretsCollection()
    for name in filter(None, listed.split("\0")):
        if Path(name).is_file() and name != BASELINE and not name.endswith(".lock"):
            found.scan_file(name)
    if sys.argv[1:] == ["--accept"]:
        baseline.save_to_file(found, BASELINE)
        return 0
    fresh = [(name, secret) for name, secret in found - accepted]
    for name, secret in fresh:
        print(f"{name}:{secret.line_number}: {secret.type}", file=sys.stderr)
    if fresh:
        print('No secret? Mark the line with "pragma: allowlist secret", or accept all: .venv/bin/python .ci/secrets.py --accept', file=sys.stderr)
    return 1 if fresh else 0


if __name__ == "__main__":
    sys.exit(main())
