"""Are the pinned packages known to be vulnerable, and does any tracked file hold a secret?

Exit code 0: both were looked at and are clean; 1: something was found; 3: no secret, but the
packages could not be looked up. pip-audit calls that clean too: it skips a package that its service
does not know, and ends with 0. So it is counted here how many were looked up.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent
CLEAN, FOUND, NOT_LOOKED_UP = 0, 1, 3
_ONLY_MOVED = 3
#: 195 packages took 26 s; where nobody answers at all, nobody should wait for long
TIMEOUT_SECONDS = 240


def verdict(report: dict[str, Any] | None) -> tuple[int, str]:
    """What a report of pip-audit says of all packages; None where there is no report."""
    packages = (report or {}).get("dependencies", [])
    known = [f"{p['name']} {p['version']}: {v['id']}" for p in packages for v in p.get("vulns", [])]
    if known:
        return FOUND, "VULNERABLE: " + "; ".join(known)
    skipped = sum("skip_reason" in package for package in packages)
    if skipped or not packages:
        of = f"{skipped} of {len(packages)} packages" if packages else "the packages"
        return NOT_LOOKED_UP, f"NOT AUDITED: no vulnerability service here knows {of}"
    return CLEAN, f"{len(packages)} packages, no known vulnerability"


def _packages() -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "report.json"
        command = [
            PROGRAMS / "pip-audit", "--requirement", ROOT / "constraints.txt", "--no-deps",
            "--disable-pip", "--progress-spinner", "off", "--format", "json", "--output", told,
        ]  # fmt: skip
        try:
            subprocess.run(command, capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return verdict(None)
        return verdict(json.loads(told.read_text()) if told.is_file() else None)


def _secrets() -> tuple[int, str]:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    files = [name for name in tracked if name and (ROOT / name).is_file()]
    return scan(files, ROOT)


def scan(files: list[str], root: Path) -> tuple[int, str]:
    """Look for secrets in ``files`` below ``root`` that are not in the baseline."""
    with tempfile.TemporaryDirectory() as folder:
        # a copy: it writes into it which lines have moved, and ends with 3 for that alone
        known = shutil.copy(ROOT / ".ci" / "secrets.json", folder)
        # --no-verify: a find is not sent to its service to see whether it is valid
        command = [PROGRAMS / "detect-secrets-hook", "--no-verify", "--baseline", known, *files]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode in (0, _ONLY_MOVED):
        return CLEAN, f"{len(files)} files, no secret"
    lines = [line.split() for line in done.stdout.splitlines()]
    places = [words[-1] for words in lines if words[:1] == ["Location:"]]
    # what it says of other errors quotes no file
    return FOUND, "SECRETS? " + (", ".join(places) or done.stderr)


def main() -> int:
    """Both looks; the worse one is the exit code, and what was found is worst."""
    results = [_secrets(), _packages()]
    for _, words in results:
        sys.stdout.write(f"audit: {words}\n")
    codes = {code for code, _ in results}
    return FOUND if FOUND in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main())
