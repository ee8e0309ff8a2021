"""The registry of refusals: its form, and that it is whole."""

import re
from pathlib import Path

import pytest

from server import authority, federation
from server.federation.refusals import REFUSALS, RefusedError

FOLDERS = [Path(folder) for package in (federation, authority) for folder in package.__path__]


@pytest.mark.parametrize("code", REFUSALS)
def test_every_refusal_says_what_happened_and_what_to_do(code: str) -> None:
    """A code in lower case, an HTTP status of an error, and whole sentences."""
    spec = REFUSALS[code]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", spec.code)
    assert 400 <= spec.status < 600
    for text in (spec.meaning, spec.action):
        assert re.fullmatch(r"[A-Z].*[.]", text)


def test_every_code_is_used_and_every_used_code_is_there() -> None:
    """The registry tells of what the program does, and of nothing else."""
    used = set()
    for path in (path for folder in FOLDERS for path in folder.glob("*.py")):
        source = path.read_text(encoding="utf-8")
        used |= set(re.findall(r'(?:RefusedError|super\(\).__init__)\(\s*"(\w+)"', source))
    assert used == REFUSALS.keys()


def test_a_refusal_keeps_its_particulars_apart() -> None:
    """The text is for the server's log; without particulars it is the meaning."""
    refused = RefusedError("tries_wait", "officer:WM1", 5_000)
    assert (str(refused), refused.detail, refused.retry_after_ms) == ("tries_wait: officer:WM1", "officer:WM1", 5_000)
    assert str(RefusedError("code_used")) == f"code_used: {REFUSALS['code_used'].meaning}"
    with pytest.raises(KeyError):
        RefusedError("no_such_code")
