"""Whoever holds the server's keys too, or writes past its checks, is held to what devices signed and rules give.

Here every hash and every seal is right, and the log is one that the server itself has signed: what is wrong is wrong in
substance.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.codec import decode_row, encode
from schemas.ids import Generation, ScopeName
from server.commits import Submission
from server.evidence import checking, exported
from server.evidence.disclosure import Disclosures
from server.evidence.findings import Finding
from server.evidence.whole import verify
from server.logbook import ACT, OFFICE, Entry
from server.registry import acts as a
from server.store.sqlite import sealed
from server.store.sqlite.inspection import Inspection
from server.store.sqlite.sealed import SealedTables
from server.store.vault import Subject, Vault
from tests.server.evidence import mutations, station
from tests.server.evidence.station import DESK, HANDSET, Station, record_id
from tests.server.evidence.test_disclosure import Heads

VAN = record_id("van")


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Station]:
    """A small folder."""
    made, _ = await station.make(tmp_path / "data", rounds=2)
    yield made
    await made.store.close()


def findings(one: Station, statement: str = "", *values: object) -> list[Finding]:
    """What is found in a copy, after a statement was run on it."""
    connection = mutations.opened(mutations.image_of(one.folder / "beatbook.db"))
    if statement:
        assert connection.execute(statement, values).rowcount == 1
    inspection = Inspection(connection, station.masters_of(one.folder), Path("copy.db"))
    try:
        return list(verify(inspection).findings)
    finally:
        inspection.close()


async def test_a_head_by_another_key_is_found_in_the_database_and_in_an_export(one: Station, tmp_path: Path) -> None:
    """A server that writes ops in a device's name has not the device's key."""
    one.seats[HANDSET].key = Ed25519PrivateKey.generate()
    await one.results(one.seats[HANDSET].push(one.note(HANDSET, "van", "never written by them")))
    (finding,) = findings(one)
    assert finding.differs == "the signature is not by the key that the device had then"
    giver = Disclosures(one.store, one.ledger, Heads(one))
    export = await giver.make(
        VAN, by=station.BOSS, seat=DESK, recipients=("Aston Law Chambers",), why="asked", at=one.clock()
    )
    (tmp_path / "van.zip").write_bytes(export.content)
    report = checking.check(exported.read(tmp_path / "van.zip"), one.policy)
    assert any("not by the device's key" in each.differs for each in report.findings)


async def act_count(one: Station) -> int:
    """How many acts there are."""
    return len(await one.store.journal(ACT, 0, 500))


async def commit_act(one: Station, act: a.Act, number: int) -> None:
    """Write an act past the ledger."""
    entry = Entry(ACT, f"{number:012d}", a.encode(act))
    await one.commit(Submission(OFFICE, frozenset(), (), entries=(entry,)))


async def test_rights_that_no_rule_gives_are_found(one: Station) -> None:
    """Somebody who writes themselves a scope has no posting that gives it."""
    began = a.Began(scope=ScopeName("compartment:lark"), gen=Generation(1), why=("because I say so",))
    act = a.SeatRights(by=a.SERVER, at=one.clock(), seat=HANDSET, began=(began,))
    await commit_act(one, act, await act_count(one) + 1)
    assert "are not those that the rules give" in findings(one)[0].differs


async def test_rights_that_should_have_ended_are_found(one: Station) -> None:
    """An act after which somebody keeps what they should have lost."""
    act = a.DeviceRevoked(by=a.SERVER, at=one.clock(), device=HANDSET, why="lost")
    await commit_act(one, act, await act_count(one) + 1)
    (finding,) = findings(one)
    assert "what follows for seat hh-0042 was not recorded" in finding.differs


@pytest.mark.parametrize("skipped", [1, 5])
async def test_an_act_out_of_its_number_is_found(one: Station, skipped: int) -> None:
    """Acts are numbered without gaps: one that is missing shows."""
    act = a.CompartmentMade(by=a.SERVER, at=one.clock(), compartment="lark", title="Lark")
    await commit_act(one, act, await act_count(one) + 1 + skipped)
    assert "by its place" in findings(one)[0].differs


async def test_a_row_sealed_anew_is_found(one: Station) -> None:
    """Whoever has the master keys can seal another row; the log has the hash of the one that was committed."""
    connection = mutations.opened(mutations.image_of(one.folder / "beatbook.db"))
    tables = SealedTables(connection, Vault(station.masters_of(one.folder), Path("copy.db")))
    row = decode_row(await one.store.record(VAN) or b"")
    summary, *rest = row.cells["summary"]  # type: ignore[index]  # a plain field name
    changed = msgspec.structs.replace(row, cells={**row.cells, "summary": ["Nothing happened", *rest]})
    key = tables.key(Subject(VAN))
    assert key is not None
    assert summary != "Nothing happened"
    body = key.seal(sealed.RECORD, VAN, encode(changed))
    (finding,) = findings(one, "UPDATE record SET body = ? WHERE id = ?", body, VAN)
    assert "has another hash than commit" in finding.differs


async def test_an_outcome_written_anew_is_found(one: Station) -> None:
    """What a device was told, and what its op did, cannot be told otherwise afterwards."""
    (kept,) = await one.store.ops(None, 0, 1)
    told = msgspec.msgpack.encode(msgspec.structs.replace(kept.result, status="refused", code="op_not_permitted"))
    (finding, *_) = findings(one, "UPDATE op SET result = ? WHERE place = 1", told)
    assert "has another hash than its leaf" in finding.differs


async def test_a_tombstone_taken_away_or_moved_is_found(one: Station) -> None:
    """Without it devices would keep a record that left their scope."""
    taken = findings(one, "DELETE FROM member WHERE gone = 1 AND record = ?", record_id("shed"))
    moved = findings(one, "UPDATE member SET seq = 1 WHERE gone = 1 AND record = ?", record_id("shed"))
    for found in (taken, moved):
        assert any("its tombstone is of" in each.differs for each in found)
