"""docs/handheld-api.md cannot lie: its example runs, and it names everything that the API has."""

import inspect
import re
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

import sync.device
from sync.device import (
    Alternative,
    CandidateView,
    ClaimConfirmed,
    ClaimDisplaced,
    ClaimState,
    DeviceIdentity,
    Handheld,
    HeldOp,
    InboxArrived,
    InboxEntry,
    RecordView,
    Standing,
    SyncStatus,
)
from tests.sync.device.support import BIRMINGHAM
from tests.toy_server import toy_server

HANDED_OUT: Final = (
    SyncStatus, RecordView, HeldOp, ClaimState, Alternative, InboxEntry, CandidateView,
    ClaimConfirmed, ClaimDisplaced, InboxArrived,
)  # fmt: skip
PAGE: Final = (Path(__file__).resolve().parents[3] / "docs" / "handheld-api.md").read_text(encoding="utf-8")


async def test_the_example_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A developer who copies it has something that works."""
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/handheld-api.md", "exec"), names)  # noqa: S102  our own page
    identity = DeviceIdentity.generate("hh-0042")
    identity.save(tmp_path / "identity.json")
    async with toy_server([(identity, [BIRMINGHAM])]) as toy:
        await names["shift"](tmp_path, toy.url)
    assert capsys.readouterr().out.splitlines()[1] == "grade set by WM21877"


def test_everything_public_is_on_the_page() -> None:
    """Every exported name, method, argument of `open`, keyword of a method, and field of what is handed out."""
    members = [name for name, _ in inspect.getmembers(Handheld) if not name.startswith("_")]
    arguments = [name for name in inspect.signature(Handheld.open).parameters if name != "cls"]
    for _, method in inspect.getmembers(Handheld, inspect.isfunction):
        given = inspect.signature(method).parameters.values()
        arguments += [one.name for one in given if one.kind is one.KEYWORD_ONLY and not method.__name__.startswith("_")]
    fields = [field.name for struct in HANDED_OUT for field in msgspec.structs.fields(struct)]
    fields += [standing.name for standing in Standing]
    prose = re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    told = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`\n]+`", prose))))
    exported = set(sync.device.__all__) - {"Change", "ChangeStream", "SystemClock"}
    assert (exported | {*members, *arguments, *fields}) - told == set()
