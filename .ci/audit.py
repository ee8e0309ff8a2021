"""Ask whether anything locked has a known vulnerability, and fail on whatever could not be asked.

pip-audit says "no known vulnerabilities" of what it skipped, and skips what is for another platform. So every locked
release is asked about, whatever its marker says, and one without an answer is a failure. Before that comes a control: a
release that is known to be vulnerable. When it is not reported, there is no advisory service here, and nothing was
checked; that is neither clean nor a finding, and says so.

Exit codes: 0 clean; 1 a finding, or a release without an answer; 75 not checked (EX_TEMPFAIL of sysexits.h).
"""  # noqa: INP001

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import click
from locked import LOCK, Release, releases

CLEAN: Final = 0
FOUND: Final = 1
NOT_CHECKED: Final = 75
CONTROL: Final = "jinja2==2.4.1"
"""Released in 2010, with advisories since 2014."""
TIMEOUT_S: Final = 600

Answers = dict[tuple[str, str], "list[str] | str"]
"""(name, version) -> ids of advisories, or why there is no answer."""


def ask(requirements: str) -> Answers | None:
    """Ask pip-audit about exact requirements; None when it gave no answer at all."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requirements.txt"
        path.write_text(requirements, encoding="utf-8")
        command = [
            sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner", "off",
            "--desc", "off", "--format", "json", "--requirement", str(path),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return None
    try:
        told: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    return {
        (each["name"], each.get("version", "")): each["skip_reason"]
        if "skip_reason" in each
        else [advisory["id"] for advisory in each["vulns"]]
        for each in told
    }


def groups(locked: Iterable[Release]) -> list[list[Release]]:
    """The releases in as few lists as let no list have a name twice (one release for each range of Pythons)."""
    found: list[list[Release]] = []
    for release in locked:
        fitting = (group for group in found if release.name not in {each.name for each in group})
        group = next(fitting, None)
        if group is None:
            found.append([release])
        else:
            group.append(release)
    return found


def audit(lock: str, asking: Callable[[str], Answers | None], say: Callable[[str], None]) -> int:
    """Audit a lock; returns the exit code.

    Args:
        lock: its text.
        asking: as `ask`.
        say: where each line of the outcome goes.
    """
    name, _, version = CONTROL.partition("==")
    control = (asking(CONTROL + "\n") or {}).get((name, version))
    if not isinstance(control, list) or not control:
        say("!" * 100)
        say("NOT CHECKED for known vulnerabilities: there is no advisory service here.")
        say(f"The control {CONTROL}, which is known to be vulnerable, was not reported. Run `make audit` where")
        say("the public package index can be reached. Nothing is known about what is locked.")
        say("!" * 100)
        return NOT_CHECKED
    locked = releases(lock)
    findings: list[str] = []
    for group in groups(locked):
        lines = [f"{each.name}=={each.version} {' '.join(f'--hash={one}' for one in each.hashes)}" for each in group]
        answers = asking("\n".join(lines) + "\n") or {}
        for each in group:
            # A skipped one is told without its version.
            told = answers.get((each.name, each.version), answers.get((each.name, ""), "no answer"))
            if isinstance(told, str):
                findings.append(f"UNCHECKED  {each.name} {each.version}: {told}")
            elif told:
                findings.append(f"VULNERABLE {each.name} {each.version}: {', '.join(told)}")
    for finding in findings:
        say(finding)
    if findings:
        say(f"{len(findings)} of {len(locked)} locked releases are vulnerable or could not be checked.")
        return FOUND
    say(f"Clean: none of the {len(locked)} locked releases has a known vulnerability.")
    return CLEAN


if __name__ == "__main__":
    sys.exit(audit(LOCK.read_text(encoding="utf-8"), ask, click.echo))
