"""Sealed edits are kept under the records that they are about, and go with them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec
import pytest

from schemas.ids import Millis, OfficerId, RecordId
from schemas.ops import Op
from server.commits import Submission
from server.evidence.whole import verify
from server.filing import Filing, unsealed
from server.intake import SealedEdit, sealed_entries
from server.logbook import ACT, QUARANTINE, Entry
from server.store.sqlite.inspection import Inspection
from sync import sealing
from sync.device.drafts import Draft, encode_draft
from tests.server.evidence.station import HANDSET, Station, masters_of, record_id
from tests.server.running import running

OFFICER: Final = OfficerId("WM20417")
GONE: Final = record_id("gone")
WORD: Final = "quillfeather"


@pytest.fixture
async def station(tmp_path: Path) -> AsyncIterator[Station]:
    """A folder on the disk, with an incident that is to be erased and one that stays."""
    station = await Station.open(tmp_path / "data")
    handset = station.seats[HANDSET]
    await station.commit(handset.push(station.incident(HANDSET, "gone"), station.incident(HANDSET, "stays")))
    yield station
    await station.store.close()


def edit_of(station: Station, name: str, text: str = WORD) -> bytes:
    """An op that was never sent, sealed."""
    return sealing.seal(station.note(HANDSET, name, text), station.keys.seal_to)


def draft_of(station: Station, record: RecordId | None) -> bytes:
    """What was written while the replica was shut, sealed."""
    draft = Draft(
        seat=HANDSET, kind="incident", record=record, changes={"summary": WORD}, occurred_at=Millis(1),
        author=OFFICER, wall=Millis(1),
    )  # fmt: skip
    return sealing.seal(encode_draft(draft), station.keys.seal_to)


def filed(station: Station, *sealed: bytes) -> Submission:
    """What is committed when a device hands these over."""
    return Filing(station.keys)(sealed_entries(HANDSET, OFFICER, list(enumerate(sealed, 1))))


async def bodies(station: Station) -> list[bytes | None]:
    """What the journal has of quarantine, in order."""
    return [entry.body for entry in await station.store.journal(QUARANTINE, 0, 100)]


async def test_an_edit_in_quarantine_goes_with_its_record(station: Station, tmp_path: Path) -> None:
    """What came before and what comes after: the hash stays, the log verifies; what is about another one is whole."""
    sealed = edit_of(station, "gone")
    await station.commit(filed(station, sealed, edit_of(station, "stays"), draft_of(station, GONE)))
    assert None not in await bodies(station)
    await station.erase("gone")
    kept = await bodies(station)
    assert [body is None for body in kept] == [True, False, True]
    # A device that was out of contact hands over what it had sealed before it could hear.
    await station.commit(filed(station, edit_of(station, "gone", "another")))
    assert (await bodies(station))[3:] == [None]
    found = unsealed(msgspec.msgpack.decode(kept[1] or b"", type=SealedEdit), station.keys)
    assert isinstance(found, Op)
    assert found.record == record_id("stays")
    inspection = Inspection.open(tmp_path / "data" / "beatbook.db", masters_of(tmp_path / "data"))
    try:
        assert verify(inspection, ()).sound
    finally:
        inspection.close()


async def test_what_names_no_record_or_cannot_be_opened_stays(station: Station) -> None:
    """Nobody can say whose erasure should take it; nothing is lost."""
    foreign = sealing.seal(b"x", bytes([9]) + bytes(31))
    unknown = sealing.seal(b"of a newer program", station.keys.seal_to)
    submission = filed(station, draft_of(station, None), foreign, unknown, b"too short")
    assert [entry.record for entry in submission.entries] == [None] * 4
    await station.commit(submission)
    await station.erase("gone")
    assert None not in await bodies(station)
    kept = [msgspec.msgpack.decode(body or b"", type=SealedEdit) for body in await bodies(station)]
    assert [unsealed(edit, station.keys) is None for edit in kept] == [False, True, True, True]


def test_nothing_else_is_looked_into(station: Station) -> None:
    """Acts, and what has its record already, are handed on as they came."""
    act = Entry(ACT, "1", b"an act")
    known = Entry(QUARANTINE, "k", b"not even looked at", GONE)
    for entries in ((), (act,), (act, known)):
        submission = Submission(HANDSET, frozenset(), (), entries=entries)
        assert Filing(station.keys)(submission) == submission


async def test_a_running_server_files_what_is_handed_over(tmp_path: Path) -> None:
    """By whatever way it comes to the committer."""
    async with running(tmp_path) as server:
        draft = Draft(
            seat=HANDSET, kind="incident", record=GONE, changes={"summary": WORD}, occurred_at=Millis(1),
            author=OFFICER, wall=Millis(1),
        )  # fmt: skip
        sealed = sealing.seal(encode_draft(draft), server.beatbook.authority.keys.seal_to)
        await server.beatbook.committer.commit(sealed_entries(HANDSET, OFFICER, [(1, sealed)]))
        (entry,) = await server.store.journal(QUARANTINE, 0, 10)
        assert entry.record == GONE
