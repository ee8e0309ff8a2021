"""The enrolled devices: what is kept, what is refused, what damaged files say."""

import json
import re
from pathlib import Path

import pytest

from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, ScopeName
from schemas.limits import SCOPES_PER_DEVICE_MAX
from server.identity import PUBLIC_KEY_BYTES, Directory
from server.logbook import OFFICE

KEY = bytes(range(32))
DEVICE = DeviceId("hh-1")
FORCE = ScopeName("force")
AREA = ScopeName("area:birmingham")


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    """A directory in a folder that is not there yet."""
    return Directory(tmp_path / "data" / "devices")


def test_nobody_is_enrolled_at_first(directory: Directory) -> None:
    """A folder that is not there holds no device, and looking does not make it."""
    assert directory.find(DEVICE) is None
    assert directory.all() == []
    assert not directory._folder.exists()


def test_an_enrolled_device_is_found_by_everyone_who_opens_the_folder(directory: Directory) -> None:
    """Key, officer and scopes survive; each audience brings its briefings along."""
    directory.enrol(DEVICE, "WM1234", KEY, [FORCE, AREA])
    found = Directory(directory._folder).find(DEVICE)
    assert found is not None
    assert (found.device, found.officer, found.key) == (DEVICE, "WM1234", KEY)
    assert found.generations() == {
        "force": 1, "force:briefing": 1, "area:birmingham": 1, "area:birmingham:briefing": 1,
    }  # fmt: skip
    directory.enrol(DeviceId("aa"), "WM1", KEY, [])
    assert [each.device for each in directory.all()] == ["aa", "hh-1"]
    assert directory._folder.stat().st_mode & 0o077 == 0
    assert [path.name for path in directory._folder.iterdir() if path.suffix != ".json"] == []


def test_generations_rise_whenever_a_right_begins_anew(directory: Directory) -> None:
    """What ended is remembered, so that nothing of an older right is taken for the present one."""
    directory.enrol(DEVICE, "WM1234", KEY, [FORCE, AREA])
    assert AREA not in directory.regrant(DEVICE, [FORCE]).generations()
    assert AREA not in directory.regrant(DEVICE, []).generations()
    again = directory.regrant(DEVICE, [AREA]).generations()
    assert again == {AREA: 2, f"{AREA}:briefing": 2}
    assert directory.regrant(DEVICE, [AREA]).generations() == again
    assert directory.enrol(DEVICE, "WM1234", bytes(32), [AREA, FORCE]).generations()[FORCE] == 2
    assert directory.regrant(DEVICE, [FORCE, AREA]).generations()[AREA] == 2


@pytest.mark.parametrize("device", ["", "x", "HH-1", "hh_1", "../hh-1", "hh/1", "hh-1\n", "h" * 41, "hh-1.json", ".hh"])
def test_a_name_that_is_no_device_is_never_a_path(directory: Directory, device: str) -> None:
    """Whatever a peer calls itself, nothing outside the folder is looked at, and it cannot be enrolled."""
    directory.enrol(DEVICE, "WM1234", KEY, [FORCE])
    (directory._folder.parent / "hh-1.json").write_text("{}")
    assert directory.find(DeviceId(device)) is None
    with pytest.raises(UsageError, match="cannot be enrolled"):
        directory.enrol(DeviceId(device), "WM1234", KEY, [FORCE])
    assert [path.name for path in directory._folder.iterdir()] == ["hh-1.json"]


def test_the_right_to_decide_is_granted_by_name_and_nothing_comes_with_it(directory: Directory) -> None:
    """An inbox has no briefings of its own, and a right to a suite is no right to decide there."""
    suite, asked = ScopeName("suite:perry-barr"), ScopeName("suite:perry-barr:inbox")
    assert directory.enrol(DEVICE, "WM1234", KEY, [suite]).generations().keys() == {suite, f"{suite}:briefing"}
    granted = directory.regrant(DEVICE, [suite, asked, ScopeName("force:inbox"), ScopeName("custody")]).generations()
    assert granted.keys() == {
        *(suite, f"{suite}:briefing", asked),
        *("force:inbox", "custody", "custody:briefing"),
    }
    assert directory.regrant(DEVICE, [asked]).generations() == {asked: 1}
    again = directory.regrant(DEVICE, [])
    assert again.generations() == {}
    assert directory.regrant(DEVICE, [asked]).generations() == {asked: 2}


@pytest.mark.parametrize(
    "scope",
    [
        *("galaxy:far", "area", "force:x", "area:a:b", "", "Area:x"),
        *(
            "custody:perry-barr",
            "suite:inbox",
            "inbox",
            "area:x:inbox:inbox",
            "area:x:inbox:briefing",
            "galaxy:far:inbox",
        ),
    ],
)
def test_an_audience_that_is_none_is_refused(directory: Directory, scope: str) -> None:
    """The refusal says which (of an inbox, whose), and what the device had stays."""
    directory.enrol(DEVICE, "WM1234", KEY, [FORCE])
    audience = re.escape(repr(scope.removesuffix(":inbox")))
    with pytest.raises(UsageError, match=audience):
        directory.regrant(DEVICE, [FORCE, ScopeName(scope)])
    with pytest.raises(UsageError, match=audience):
        directory.enrol(DEVICE, "WM9", KEY, [ScopeName(scope)])
    kept = directory.find(DEVICE)
    assert kept is not None
    assert (kept.officer, set(kept.generations())) == ("WM1234", {"force", "force:briefing"})


def test_a_device_holds_no_more_scopes_than_it_can_say(directory: Directory) -> None:
    """HELLO has room for so many positions; one more audience is refused when it is granted."""
    most = [ScopeName(f"team:t{at}") for at in range(SCOPES_PER_DEVICE_MAX // 2)]
    assert len(directory.enrol(DEVICE, "WM1234", KEY, most).generations()) == SCOPES_PER_DEVICE_MAX
    with pytest.raises(UsageError, match=str(SCOPES_PER_DEVICE_MAX)):
        directory.regrant(DEVICE, [*most, FORCE])


@pytest.mark.parametrize("length", [0, PUBLIC_KEY_BYTES - 1, PUBLIC_KEY_BYTES + 1])
def test_a_key_of_another_length_is_refused_at_once(directory: Directory, length: int) -> None:
    """Not at the first connection, when the device is far away."""
    with pytest.raises(UsageError, match="32 bytes"):
        directory.enrol(DEVICE, "WM1234", bytes(length), [FORCE])
    assert directory.all() == []


def test_an_officer_that_is_none_is_refused(directory: Directory) -> None:
    """A collar number has its form."""
    with pytest.raises(UsageError, match="officer"):
        directory.enrol(DEVICE, "no such form!", KEY, [FORCE])


def test_the_grants_of_nobody_cannot_change(directory: Directory) -> None:
    """The refusal names the device."""
    with pytest.raises(UsageError, match="hh-9"):
        directory.regrant(DeviceId("hh-9"), [FORCE])


GOOD = {
    "device": "hh-1",
    "officer": "WM1",
    "public_key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "grants": {},
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "\ufeff{}",
        json.dumps({**GOOD, "public_key": "AAAA"}),
        json.dumps({**GOOD, "public_key": "A"}),
        json.dumps({**GOOD, "public_key": 5}),
        json.dumps({**GOOD, "grants": {"Not A Scope": {"gen": 1}}}),
        json.dumps({**GOOD, "grants": {"force": {"gen": 0}}}),
        json.dumps({**GOOD, "grants": {"force": 1}}),
        json.dumps({**GOOD, "device": "hh-2"}),
        json.dumps({**GOOD, "officer": "a b"}),
    ],
)
def test_a_damaged_file_is_named_and_never_taken(directory: Directory, text: str) -> None:
    """The error says which file, what is wrong with it, and what to do."""
    directory.enrol(DEVICE, "WM1", bytes(32), [])
    path = directory._folder / "hh-1.json"
    assert json.loads(path.read_text()) == GOOD
    path.write_text(text)
    with pytest.raises(StoreError, match="damaged enrolment") as raised:
        directory.find(DEVICE)
    assert str(path) in str(raised.value)
    with pytest.raises(StoreError):
        directory.all()


def test_bytes_that_are_no_text_are_damage_too(directory: Directory) -> None:
    """A file of zeros, as a power cut may leave it, or of another encoding."""
    directory.enrol(DEVICE, "WM1", KEY, [])
    path = directory._folder / "hh-1.json"
    for raw in (bytes(200), b'{"device": "\xff"}'):
        path.write_bytes(raw)
        with pytest.raises(StoreError, match="damaged enrolment"):
            directory.find(DEVICE)


def test_a_file_that_cannot_be_read_or_written_is_named(directory: Directory, tmp_path: Path) -> None:
    """Neither is a device that is not enrolled."""
    (directory._folder / "hh-1.json").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"hh-1\.json: cannot be read"):
        directory.find(DEVICE)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Directory(blocked / "devices")._keep(directory.enrol(DeviceId("hh-2"), "WM1", KEY, []))


def test_no_device_gets_the_servers_own_name(tmp_path: Path) -> None:
    """Two writers that number ops in one name would take each other's for replays."""
    with pytest.raises(UsageError, match="server's own name"):
        Directory(tmp_path).enrol(OFFICE, "WM1", bytes(32), [ScopeName("force")])
