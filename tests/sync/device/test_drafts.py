"""Drafts: sealed as they are written, whole or not there, and for the server alone."""

import itertools
import shutil
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from schemas.errors import ReplicaError, UsageError
from schemas.ids import DeviceId
from sync.device.drafts import DRAFT_BYTES_MAX, Draft, DraftBox
from sync.device.keystore import MemoryKeyStore
from sync.device.wiping import wipe
from sync.sealing import INFO, SUITE
from tests.sync.device.powercut import after_cut, crash_points
from tests.sync.device.seats import SEAT
from tests.sync.device.support import NOON, contents

SERVER: Final = X25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC: Final = SERVER.public_key().public_bytes_raw()


def draft(text: str = "Spoke to Mrs Oddsocks", **more: Any) -> Draft:  # noqa: ANN401  any field
    """What an officer writes behind a shut screen."""
    fields = {
        "seat": SEAT, "kind": "incident", "record": None, "changes": {"summary": text}, "occurred_at": NOON,
        "author": "WM21877", "wall": NOON + 5, **more,
    }  # fmt: skip
    return Draft(**fields)


def box(folder: Path) -> DraftBox:
    """The seat's box in a folder."""
    return DraftBox(folder, SEAT, PUBLIC)


def read(sealed: bytes, key: X25519PrivateKey = SERVER) -> Draft:
    """What the server makes of one."""
    return msgspec.msgpack.decode(SUITE.decrypt(sealed, key, info=INFO), type=Draft)


def texts(drafts: list[tuple[int, bytes]]) -> list[tuple[int, str]]:
    """Numbers and summaries."""
    return [(n, read(sealed).changes["summary"]) for n, sealed in drafts]


def test_drafts_come_out_at_the_server_as_they_went_in(tmp_path: Path) -> None:
    """In order, numbered, whole; by pages; and only for the server's key."""
    assert box(tmp_path).sealed(0, 10) == []
    written = [draft(f"entry {n}", record="0" * 8 + "-0000-7000-8000-" + "0" * 12) for n in range(3)]
    assert [box(tmp_path).append(one) for one in written] == [1, 2, 3]
    kept = box(tmp_path).sealed(0, 10)
    assert [read(sealed) for _, sealed in kept] == written
    assert texts(box(tmp_path).sealed(1, 1)) == [(2, "entry 1")]
    with pytest.raises(InvalidTag):
        read(kept[0][1], X25519PrivateKey.from_private_bytes(bytes(32)))


def test_no_word_of_a_draft_lies_in_the_clear(tmp_path: Path) -> None:
    """And two of the same words look different."""
    for _ in range(2):
        box(tmp_path).append(draft())
    (raw,) = contents(tmp_path).values()
    for word in (b"Oddsocks", b"summary", b"WM21877", b"incident"):
        assert word not in raw
    one, two = (sealed for _, sealed in box(tmp_path).sealed(0, 2))
    assert one != two
    assert (tmp_path / "replica.drafts").stat().st_mode & 0o777 == 0o600


def test_what_the_server_has_is_dropped_and_no_number_comes_twice(tmp_path: Path) -> None:
    """Also when the box is empty, and when more is dropped than there is."""
    for n in range(3):
        box(tmp_path).append(draft(f"entry {n}"))
    box(tmp_path).drop(2)
    box(tmp_path).drop(1)
    assert texts(box(tmp_path).sealed(0, 10)) == [(3, "entry 2")]
    box(tmp_path).drop(99)
    assert box(tmp_path).sealed(0, 10) == []
    assert box(tmp_path).append(draft("later")) == 4
    assert texts(box(tmp_path).sealed(3, 10)) == [(4, "later")]
    box(tmp_path / "none").drop(3)
    assert not (tmp_path / "none").exists()


def test_what_the_server_lacks_is_counted(tmp_path: Path) -> None:
    """Above any number, whether that is still there, was dropped, or has not come yet; as many as there are to send."""
    assert box(tmp_path).count(0) == 0
    for n in range(4):
        box(tmp_path).append(draft(f"entry {n}"))
    for dropped in (0, 2, 4):
        box(tmp_path).drop(dropped)
        for after in range(6):
            assert box(tmp_path).count(after) == len(box(tmp_path).sealed(after, 10)) == max(0, 4 - max(after, dropped))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"changes": {"summary": "x" * DRAFT_BYTES_MAX}}, "at most"),
        ({"changes": {"summary": object()}}, "cannot be written"),
        ({"changes": {"summary": 2**70}}, "cannot be written"),
        ({"seat": DeviceId("hh-0099")}, "does not go into the box of hh-0042"),
    ],
)
def test_a_draft_that_cannot_be_kept_is_refused(tmp_path: Path, more: dict[str, Any], says: str) -> None:
    """Before anything is written."""
    with pytest.raises(UsageError, match=says):
        box(tmp_path).append(draft(**more))
    assert contents(tmp_path) == {}


def test_a_torn_draft_is_put_aside_and_those_before_it_are_whole(tmp_path: Path) -> None:
    """Cut at every byte of the last one: the rest is there, the next one gets the number, nothing is thrown away."""
    template = tmp_path / "template"
    box(template).append(draft("whole"))
    length = (template / "replica.drafts").stat().st_size
    box(template).append(draft("torn"))
    raw = (template / "replica.drafts").read_bytes()
    for cut in range(length, len(raw)):
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        (folder / "replica.drafts").write_bytes(raw[:cut])
        assert texts(box(folder).sealed(0, 10)) == [(1, "whole")]
        assert box(folder).append(draft("next")) == 2
        assert texts(box(folder).sealed(0, 10)) == [(1, "whole"), (2, "next")]
        torn = contents(folder).get("replica.drafts.torn-2", b"")
        assert torn == raw[length:cut]


def test_a_damaged_draft_costs_none_that_comes_after_it(tmp_path: Path) -> None:
    """A bad block in the middle: what lies behind it is put aside, whole, for whoever can mend it."""
    for n in range(3):
        box(tmp_path).append(draft(f"entry {n}"))
    path = tmp_path / "replica.drafts"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    assert texts(box(tmp_path).sealed(0, 10)) == [(1, "entry 0")]
    box(tmp_path).append(draft("later"))
    assert contents(tmp_path)["replica.drafts.torn-2"] in bytes(raw)
    assert texts(box(tmp_path).sealed(0, 10)) == [(1, "entry 0"), (2, "later")]


@pytest.mark.parametrize("content", [b"", b"bbdraft1", b"x" * 100])
def test_a_file_that_holds_no_drafts_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    """Nothing is written into somebody else's file."""
    (tmp_path / "replica.drafts").write_bytes(content)
    for call in (
        lambda: box(tmp_path).append(draft()),
        lambda: box(tmp_path).sealed(0, 1),
        lambda: box(tmp_path).drop(1),
    ):
        with pytest.raises(ReplicaError, match="holds no drafts"):
            call()
    assert (tmp_path / "replica.drafts").read_bytes() == content


def test_a_wiped_seat_takes_no_drafts(tmp_path: Path) -> None:
    """Whoever holds a wiped handheld is told, and nothing is kept that nobody will send."""
    wipe(tmp_path, SEAT, MemoryKeyStore())
    with pytest.raises(ReplicaError, match="was wiped"):
        box(tmp_path).append(draft())


@pytest.mark.parametrize("lose_names", [True, False])
def test_a_draft_that_was_said_to_be_kept_is(tmp_path: Path, *, lose_names: bool) -> None:
    """The power may go the moment that the call returns; the first draft, and the next."""
    root = tmp_path / "drafts"
    for n, text in ((1, "first"), (2, "second")):
        after_cut(root, lambda text=text: box(root).append(draft(text)), lose_names=lose_names)  # type: ignore[misc]
        assert texts(box(root).sealed(n - 1, 10)) == [(n, text)]


@pytest.mark.parametrize("act", ["append", "drop", "first"])
def test_wherever_the_power_goes_drafts_are_whole(tmp_path: Path, act: str) -> None:
    """Those that were there stay; the new one is there, whole, or not at all; and the next one can be written."""
    template = tmp_path / "template"
    template.mkdir()
    if act != "first":
        for n in (1, 2):
            box(template).append(draft(f"entry {n}"))
    runs = itertools.count()

    def make() -> Path:
        root = tmp_path / f"run-{next(runs)}"
        shutil.copytree(template, root)
        return root

    before = [] if act == "first" else [(1, "entry 1"), (2, "entry 2")]
    after = {"append": [*before, (3, "new")], "drop": [(2, "entry 2")], "first": [(1, "new")]}[act]
    outcomes = []
    for root in crash_points(make, lambda root: box(root).drop(1) if act == "drop" else box(root).append(draft("new"))):
        found = texts(box(root).sealed(0, 10))
        assert found in (before, after)
        outcomes.append(found)
        number = box(root).append(draft("next"))
        assert texts(box(root).sealed(0, 10)) == [*found, (number, "next")]
    assert before in outcomes
