"""`server.evidence.whole`: a folder as it was written is found sound, and whatever an insider did to it is found."""

import asyncio
import os
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Final

import msgspec
import pytest

from server.authority.passphrases import PASSPHRASE
from server.evidence.findings import Report
from server.evidence.story import BY_OUR_RULES, VERIFIER
from server.evidence.tree import Pinned
from server.evidence.whole import NOT_PINNED, verify
from server.registry.acts import PassphraseChanged
from server.store.masters import MasterKeys
from server.store.sqlite.inspection import Inspection
from sync.evidence.checkpoint import Checkpoint
from tests.server.evidence import mutations, station

SOAK: Final = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
EACH: Final = 1_250 if SOAK else 25
"""Mutations of each sort: 10,000 in all when it is soaked."""


class Made(msgspec.Struct, frozen=True):
    """A folder's database, and what others kept of its log."""

    image: bytes
    backup: bytes
    masters: MasterKeys
    half: Pinned
    head: Pinned

    def verify(self, connection: sqlite3.Connection, *pinned: Pinned, keys: bool = True) -> Report:
        """Check a copy, and close it."""
        inspection = Inspection(connection, self.masters if keys else None, Path("copy.db"))
        try:
            return verify(inspection, pinned)
        finally:
            inspection.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One folder for all tests here, which change copies only."""
    folder = tmp_path_factory.mktemp("evidence") / "data"
    database = folder / "beatbook.db"
    backups: list[bytes] = []

    async def write() -> tuple[bytes, bytes, station.Station]:
        one, half = await station.make(folder, half_way=lambda: backups.append(mutations.image_of(database)))
        head = await one.checkpoint()
        await one.store.close()
        return half, head, one

    half, head, one = asyncio.run(write())
    return Made(
        image=mutations.image_of(database),
        backup=backups[0],
        masters=station.masters_of(folder),
        half=Pinned("half", one.policy.open(half).checkpoint, trusted=True),
        head=Pinned("head", one.policy.open(head).checkpoint, trusted=True),
    )


async def late_part(folder: Path) -> None:
    """A folder in which a booking was erased and a medical sheet about it came afterwards; and one that had moved."""
    one = await station.Station.open(folder)
    handset, desk = one.seats[station.HANDSET], one.seats[station.DESK]
    booking = {"suite": "perry-barr", "detainee": "Robin Example", "arrested_at": one.clock.now}
    made = handset.op(station.record_id("booking"), "custody-booking", booking, create=True)
    await one.commit(handset.push(made, one.incident(station.HANDSET, "shed")))
    await one.commit(handset.push(one.note(station.HANDSET, "shed"), one.incident(station.HANDSET, "van")))
    await one.commit(handset.push(one.move(station.HANDSET, "van", "coventry")))
    await one.erase("booking")
    await one.erase("van")
    sheet = {"booking": station.record_id("booking"), "suite": "perry-barr", "medication": ["insulin"]}
    (late,) = await one.results(desk.push(desk.op(station.record_id("sheet"), "medical", sheet, create=True)))
    assert late.code == "op_record_erased"
    (wrong,) = await one.results(desk.push(desk.op(station.record_id("shed"), "incident", {"grade": "enormous"})))
    assert wrong.status == "refused"
    await one.store.close()


async def asked_about(folder: Path) -> None:
    """A folder in which an incident was erased that people had been asked about."""
    one, _ = await station.make(folder, rounds=2)
    await one.erase("van")
    await one.store.close()


@pytest.mark.parametrize("keys", [True, False])
def test_a_question_that_was_erased_with_its_subject_is_no_alarm(tmp_path: Path, *, keys: bool) -> None:
    """An inbox item is made by a rule: no result tells which scopes it was in, and none has to."""
    folder = tmp_path / "data"
    asyncio.run(asked_about(folder))
    inspection = Inspection.open(folder / "beatbook.db", station.masters_of(folder) if keys else None)
    try:
        assert verify(inspection, []).findings == ()
    finally:
        inspection.close()


@pytest.mark.parametrize("keys", [True, False])
def test_what_came_late_about_a_part_of_an_erased_record_is_no_alarm(tmp_path: Path, *, keys: bool) -> None:
    """Its own record never was, so no act erased that; its result, in the log, says why its bytes are not there.

    Bytes that were taken away elsewhere are found as before, whatever the result is made to say.
    """
    folder = tmp_path / "data"
    asyncio.run(late_part(folder))
    image, masters = mutations.image_of(folder / "beatbook.db"), station.masters_of(folder)

    def look(*changes: str) -> Report:
        with mutations.opened(image) as connection:
            for change in changes:
                assert connection.execute(change).rowcount == 1
            return verify(Inspection(connection, masters if keys else None, Path("copy.db")), [])

    assert look().findings == ()
    taken = "UPDATE op SET body = x'' WHERE device = 'hh-0042' AND n = 3"
    forged = (
        "UPDATE op SET result = (SELECT result FROM op WHERE body = x'' AND device = 'desk-01')"
        " WHERE device = 'hh-0042' AND n = 3"
    )
    for changes in ((taken,), (taken, forged)):
        assert "no act erased its record" in str(look(*changes).findings)
    refused = "UPDATE op SET body = x'' WHERE device = 'desk-01' AND n = 2"
    assert look(refused).findings != ()


def test_a_database_as_it_was_written_is_sound(made: Made) -> None:
    """No check may cry wolf: every table holds something here, and nothing is found."""
    report = made.verify(mutations.opened(made.image), made.half, made.head)
    assert report.findings == ()
    assert report.sound
    assert len(report.proven) == 3
    assert [note for note in report.notes if "erased" not in note] == [BY_OUR_RULES]
    assert min(report.checked.values()) > 0
    with mutations.opened(made.image) as connection:
        for table in ("op", "journal", "member", "covered", "node", "erased", "secret", "record_key", "chain"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() != (0,), table  # noqa: S608
    connection.close()


def test_without_keys_hashes_and_order_are_checked_and_the_rest_is_said(made: Made) -> None:
    """An expert who is not given the master keys finds nothing wrong, and is told what was not looked at."""
    report = made.verify(mutations.opened(made.image), made.head, keys=False)
    assert report.findings == ()
    assert any("master keys were not given" in note for note in report.notes)
    assert any(note.startswith("not checked:") and "ops" in note for note in report.notes)


def test_without_a_pinned_head_that_is_said(made: Made) -> None:
    """A report must not suggest that a log rewritten as a whole would have been found."""
    report = made.verify(mutations.opened(made.image))
    assert report.sound
    assert NOT_PINNED in report.notes
    unsigned = Pinned("head", made.head.checkpoint, trusted=False)
    assert NOT_PINNED in made.verify(mutations.opened(made.image), unsigned).notes


def missed(made: Made, sort: str, *pinned: Pinned) -> list[str]:
    """The changes of a sort that a check did not find."""
    mutation = {**mutations.BARE, **mutations.PINNED}[sort]
    found = []
    for seed in range(EACH):
        connection, words = mutations.mutated(made.image, mutation, seed)
        if made.verify(connection, *pinned).sound:
            found.append(f"{seed}: {words}")
    return found


@pytest.mark.hypothesis
@pytest.mark.timeout(0 if SOAK else 60)
@pytest.mark.parametrize("sort", mutations.BARE)
def test_every_change_of_the_database_is_found(made: Made, sort: str) -> None:
    """Whoever edits rows without rewriting the whole log is found out with nothing but the database."""
    assert missed(made, sort) == []


@pytest.mark.hypothesis
@pytest.mark.timeout(0 if SOAK else 60)
@pytest.mark.parametrize("sort", mutations.PINNED)
def test_every_rewriting_of_the_log_is_found(made: Made, sort: str) -> None:
    """Whoever rewrites or cuts the log, tree included, has no signature for it: a kept checkpoint tells."""
    assert missed(made, sort, made.head) == []


def test_a_restored_backup_is_sound_in_itself_and_found_by_a_later_head(made: Made) -> None:
    """Nothing in an old backup is wrong; only who saw more than it has can tell."""
    alone = made.verify(mutations.opened(made.backup), made.half)
    assert alone.findings == ()
    report = made.verify(mutations.opened(made.backup), made.half, made.head)
    assert [(one.table, one.row) for one in report.findings] == [("log", "head")]
    assert "shorter" in report.findings[0].means


def test_a_fork_is_told_from_a_log_that_goes_on(made: Made) -> None:
    """A head of as many entries with another root is another history, whoever signed it."""
    other = Checkpoint(station.ORIGIN, made.half.checkpoint.size, bytes(32))
    report = made.verify(mutations.opened(made.image), Pinned("other", other, trusted=True))
    assert [one.row for one in report.findings] == ["other"]
    assert "fork" in report.findings[0].means


def test_a_finding_says_where_what_and_what_it_means(made: Made) -> None:
    """Whoever reads it knows which row to look at, and what to fear."""
    connection = mutations.opened(made.image)
    connection.execute("UPDATE op SET recorded_at = recorded_at - 1000 WHERE place = 3")
    (finding,) = made.verify(connection).findings
    assert (finding.table, finding.row) == ("op", "hh-0042/3")
    assert finding.differs.startswith("its time of recording is ")
    assert "edited in the database" in finding.means


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("CREATE TRIGGER quiet AFTER INSERT ON op BEGIN DELETE FROM journal WHERE what = 'head'; END", "database"),
        ("CREATE TABLE notes (text TEXT)", "database"),
        ("DROP INDEX op_by_record", "database"),
        ("DELETE FROM tree", "tree"),
        ("UPDATE meta SET value = 'not one' WHERE key = 'epoch'", "meta"),
        ("INSERT INTO meta VALUES ('quiet', 1)", "meta"),
    ],
)
def test_changes_of_the_tables_themselves_are_found(made: Made, statement: str, table: str) -> None:
    """A trigger in the database would change what the server writes from now on."""
    connection = mutations.opened(made.image)
    connection.execute(statement)
    assert {one.table for one in made.verify(connection).findings} == {table}


@pytest.mark.parametrize("table", mutations.TABLES)
@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE {table}",
        "ALTER TABLE {table} RENAME TO elsewhere",
        "ALTER TABLE {table} RENAME COLUMN {column} TO elsewhere",
        "DROP TABLE {table}; CREATE VIEW {table} AS SELECT 1 AS {column}",
        "DROP TABLE {table}; CREATE VIEW {table} AS SELECT * FROM nowhere",
        "CREATE TABLE bare AS SELECT * FROM {table}; DROP TABLE {table}; ALTER TABLE bare RENAME TO {table}",
    ],
)
@pytest.mark.parametrize("keys", [True, False])
def test_a_table_that_was_taken_away_is_told_in_words(made: Made, table: str, statement: str, *, keys: bool) -> None:
    """Without any one of its tables a database is checked as far as it goes, and the table is named."""
    connection = mutations.opened(made.image)
    (column, *_) = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    connection.executescript(statement.format(table=table, column=column))
    report = made.verify(connection, made.head, keys=keys)
    told = [one for one in report.findings if one.table == "database" and one.row == table]
    assert [one.differs for one in told] == [
        "is not there with the columns that this program gives it, and was read as empty"
    ]


@pytest.mark.parametrize("officer", [*station.WHO.values()])
def test_a_passphrase_that_was_taken_away_is_found(made: Made, officer: str) -> None:
    """Acts tell who has signed in with one: nobody is locked out of their account unnoticed."""
    assert VERIFIER == PASSPHRASE
    connection = mutations.opened(made.image)
    connection.execute("DELETE FROM secret WHERE name = ?", (f"{VERIFIER}{officer}",))
    (finding,) = made.verify(connection).findings
    assert (finding.table, finding.row) == ("secret", f"{VERIFIER}{officer}")
    assert "acts tell of this officer's passphrase" in finding.differs


def test_a_passphrase_of_which_an_act_tells_is_found_missing(tmp_path: Path) -> None:
    """Whether or not they have signed in with it: a new one that was given them must be there too."""
    folder = tmp_path / "data"

    async def write() -> None:
        one = await station.Station.open(folder)
        secret = {f"{VERIFIER}{station.BOSS}": b"a verifier"}
        await one.ledger.perform(PassphraseChanged(by="server", at=one.clock(), officer=station.BOSS), secrets=secret)
        await one.store.close()

    asyncio.run(write())
    image, masters = mutations.image_of(folder / "beatbook.db"), station.masters_of(folder)
    for statement, rows in (("SELECT 1", []), ("DELETE FROM secret", [station.BOSS, *station.WHO.values()])):
        connection = mutations.opened(image)
        connection.execute(statement)
        inspection = Inspection(connection, masters, Path("copy.db"))
        findings = [one.row for one in verify(inspection).findings if one.table == "secret"]
        inspection.close()
        assert findings == sorted(f"{VERIFIER}{officer}" for officer in rows)


def test_a_table_with_one_column_more_is_read_and_the_column_told(made: Made) -> None:
    """What was added hides nothing of what is there."""
    connection = mutations.opened(made.image)
    connection.execute("ALTER TABLE covered ADD COLUMN note TEXT")
    (finding,) = made.verify(connection).findings
    assert (finding.row, finding.differs) == ("covered", "is not declared as this program declares it")


def test_mutations_reach_every_table(made: Made) -> None:
    """The mutations above are not all of one easy table."""
    seen: Counter[str] = Counter()
    for seed in range(400):
        connection, words = mutations.mutated(made.image, mutations.flip, seed)
        connection.close()
        seen[words.partition(".")[0]] += 1
    assert len(seen) == 14
