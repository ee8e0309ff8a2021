"""The demo's checks can fail: each is shown a world in which its promise is broken."""

import contextlib
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.ids import DeviceId, Millis, OpId, RecordId
from schemas.kinds import KINDS, Incident
from schemas.kinds.incident import Category
from server.demo import checks, content
from server.demo.actors import Actor
from server.demo.checks import Verdict
from server.demo.disagreements import Outcome
from server.demo.evidence import Kept
from server.demo.ledger import Ledger, LedgerLine, percentile

RECORD = RecordId("01890000-0000-7000-8000-000000000001")
WORD = "zqbcdfghjklmnpqr"


def ledger_of(*ops: str) -> Ledger:
    """A ledger in which one handheld made these ops, each with the same planted word."""
    ledger = Ledger()
    for op in ops:
        ledger.made(LedgerLine(DeviceId("hh-001"), OpId(op), RECORD, WORD, durable=True, with_signal=True))
    return ledger


def database_of(tmp_path: Path, *ops: tuple[str, int], receipts: tuple[tuple[str, int], ...] = ()) -> Path:
    """A server's database that holds these ops, on an incident, and those on a receipt."""
    path = tmp_path / "beatbook.db"
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE record (id TEXT, kind TEXT)")
        connection.execute("INSERT INTO record VALUES ('i', 'incident'), ('r', 'receipt')")
        connection.execute("CREATE TABLE op (device TEXT, n INTEGER, record TEXT)")
        connection.executemany("INSERT INTO op VALUES (?, ?, 'i')", ops)
        connection.executemany("INSERT INTO op VALUES (?, ?, 'r')", receipts)
    connection.close()
    return path


def records_with(*texts: str) -> dict[str, dict[str, Any]]:
    """The server's records: one incident with these log entries."""
    return {"incident": {RECORD: {"values": {"log": [{"text": text} for text in texts]}}}}


@pytest.mark.parametrize(
    ("stored", "texts", "lost", "twice", "unknown"),
    [
        ([("hh-001", 1)], [f"On scene ({WORD})"], 0, 0, 0),
        ([], [f"On scene ({WORD})"], 1, 0, 0),
        ([("hh-001", 1)], [], 1, 0, 0),
        ([("hh-001", 1)], [f"On scene ({WORD})"] * 2, 0, 1, 0),
        ([("hh-001", 1), ("hh-001", 2)], [f"On scene ({WORD})"], 0, 0, 1),
    ],
    ids=["all well", "not in the op table", "not in the record", "in the record twice", "made by nobody"],
)
def test_ops_are_counted_lost_twice_and_unknown(
    tmp_path: Path, stored: list[tuple[str, int]], texts: list[str], lost: int, twice: int, unknown: int
) -> None:
    """Op table and record's text are both asked, and each broken promise has its own count."""
    verdict = Verdict()
    checks.check_ops(verdict, ledger_of("hh-001/1"), records_with(*texts), database_of(tmp_path, *stored), Kept())
    assert (verdict.ops_lost, verdict.ops_twice, verdict.ops_unknown) == (lost, twice, unknown)
    assert verdict.holds is (lost + twice + unknown == 0)


def test_what_a_handheld_says_by_itself_is_not_unknown(tmp_path: Path) -> None:
    """That a briefing has come no officer wrote; the same number on anything else was made by nobody."""
    verdict = Verdict()
    database = database_of(tmp_path, ("hh-001", 1), receipts=(("hh-001", 2),))
    checks.check_ops(verdict, ledger_of("hh-001/1"), records_with(f"On scene ({WORD})"), database, Kept())
    assert verdict.ops_unknown == 0


@pytest.mark.parametrize(
    ("sealed", "lost"),
    [(f"On scene ({WORD})".encode(), 0), (b"On scene", 1)],
    ids=["with its text", "another text"],
)
def test_an_op_in_quarantine_is_not_lost(tmp_path: Path, sealed: bytes, lost: int) -> None:
    """Its officer had lost the right to the record: it waits for a supervisor, if it is what was written."""
    verdict = Verdict()
    quarantined = {(DeviceId("hh-001"), 1): sealed}
    kept = Kept(quarantined=quarantined)
    checks.check_ops(verdict, ledger_of("hh-001/1"), records_with(), database_of(tmp_path), kept)
    assert (verdict.ops_lost, verdict.quarantined) == (lost, 1)


def test_an_op_that_stands_is_not_counted_as_quarantined(tmp_path: Path) -> None:
    """Its device sealed it before it was told that it had come."""
    verdict = Verdict()
    name, text = (DeviceId("hh-001"), 1), f"On scene ({WORD})"
    kept = Kept(quarantined={name: text.encode(), (DeviceId("hh-001"), 2): b"a receipt, which no officer wrote"})
    checks.check_ops(verdict, ledger_of("hh-001/1"), records_with(text), database_of(tmp_path, name), kept)
    assert (verdict.ops_lost, verdict.ops_twice, verdict.quarantined) == (0, 0, 0)


@pytest.mark.parametrize(
    ("quarantined", "lost"),
    [({(DeviceId("hh-001"), 1): f"On scene ({WORD})".encode()}, []), ({}, ["refused, and not in quarantine"])],
    ids=["and sealed", "and nowhere else"],
)
def test_an_op_that_the_server_refused_must_be_in_quarantine(
    tmp_path: Path, quarantined: dict[tuple[DeviceId, int], bytes], lost: list[str]
) -> None:
    """It was on its way when the right to its record ended: the op table keeps it, and that alone is not enough."""
    verdict = Verdict()
    name = (DeviceId("hh-001"), 1)
    database = database_of(tmp_path, name)
    kept = Kept(quarantined=quarantined, refused=frozenset({name}))
    checks.check_ops(verdict, ledger_of("hh-001/1"), records_with(), database, kept)
    assert (verdict.ops_lost, verdict.ops_unknown) == (len(lost), 0)
    assert [one.rpartition(": ")[2] for one in verdict.lost] == lost


@pytest.mark.parametrize(
    "broken",
    [
        {"revoked_held_after": 1},
        {"wiped_readable_after": 1},
        {"log_verified": False},
        {"export_verified": False},
        {"review_alarm_on_desk": False},
        {"review_alarms": 0},
        {"review_alarms": 2},
        {"clock_right": False},
    ],
    ids=str,
)
def test_what_is_left_or_unproven_breaks_the_promise(broken: dict[str, Any]) -> None:
    """What is left on a handheld, a log or export that is not sound, a warning that came not once, a wrong clock."""
    assert Verdict().holds
    assert not Verdict(**broken).holds


class _Handheld:
    """A handheld that holds what it is told to."""

    def __init__(self, held: dict[RecordId, Incident]) -> None:
        self._held = held
        self.status = SimpleNamespace(waiting=0, held=0, sealed=0)

    def for_itself(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    async def find(self, kind: type) -> list[tuple[RecordId, object]]:
        return [(record, value) for record, value in self._held.items() if isinstance(value, kind)]


def actor_with(held: dict[RecordId, Incident], folder: Path = Path()) -> Actor:
    """An actor of Birmingham with that handheld."""
    person = SimpleNamespace(device=DeviceId("hh-001"), audiences=frozenset({"area:birmingham"}))
    return cast("Actor", SimpleNamespace(person=person, handheld=_Handheld(held), folder=folder, planted=[WORD]))


def incident(summary: str) -> Incident:
    """An incident in Birmingham."""
    return Incident(opened_at=Millis(1), area="birmingham", category=Category.CRIME, summary=summary)


@pytest.mark.parametrize(
    ("held", "equal"),
    [
        ({RECORD: incident("as on the server")}, True),
        ({RECORD: incident("something else")}, False),
        ({}, False),
        ({RECORD: incident("as on the server"), RecordId(RECORD[:-1] + "2"): incident("not there")}, False),
    ],
    ids=["equal", "another value", "one missing", "one too many"],
)
async def test_replicas_are_compared_with_the_server(held: dict[RecordId, Incident], *, equal: bool) -> None:
    """A value that differs, a record missing and a record too many are each found."""
    values = {"opened_at": 1, "area": "birmingham", "category": "crime", "summary": "as on the server"}
    records: dict[str, dict[str, Any]] = {name: {} for name in KINDS}
    records["incident"] = {RECORD: {"values": values, "scopes": ["area:birmingham"]}}
    verdict = Verdict()
    await checks.check_replicas(verdict, [actor_with(held)], records)
    assert verdict.replicas_equal is equal
    assert verdict.holds is equal


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_planted_word_in_a_file_of_handheld_or_server_is_found(tmp_path: Path, encoding: str) -> None:
    """In any file of the handheld or of the server, whatever its name, in either encoding."""
    folder, server = tmp_path / "hh-001", tmp_path / "server"
    (folder / "deep").mkdir(parents=True)
    server.mkdir()
    actor, told = actor_with({}, folder), records_with(f"On scene ({WORD})")
    clean = Verdict()
    checks.search_plaintext(clean, [actor], [tmp_path / "none", server], told)
    assert (clean.plaintext_found, clean.search_works) == (0, True)
    for place in (folder / "deep" / "replica.db-wal", server / "beatbook.db"):
        place.write_bytes(b"\x00\x01 (" + WORD.encode(encoding) + b")")
        found = Verdict()
        checks.search_plaintext(found, [actor], [tmp_path / "none", server], told)
        assert found.plaintext_found == 1
        assert not found.holds
        place.unlink()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_planted_word_is_found_wherever_it_lies_in_a_large_file(tmp_path: Path, encoding: str) -> None:
    """Also across the edge of two of the pieces in which a file is read."""
    word = WORD.encode(encoding)
    for before in range(checks.PIECE_BYTES - len(word) - 1, checks.PIECE_BYTES + 2):
        (tmp_path / "replica.db").write_bytes(bytes(before) + word + bytes(100))
        assert checks.count_words(tmp_path, {WORD}) == 1


def test_a_search_that_finds_nothing_where_the_words_must_be_is_no_proof(tmp_path: Path) -> None:
    """The verdict fails when the search does not find the words in what the server answers."""
    verdict = Verdict()
    checks.search_plaintext(verdict, [actor_with({}, tmp_path)], [tmp_path], records_with("On scene"))
    assert not verdict.search_works
    assert not verdict.holds


def test_a_briefing_that_did_not_arrive_is_counted() -> None:
    """Per handheld and briefing."""
    ledger = Ledger()
    ledger.briefings[RECORD] = (0.0, frozenset())
    verdict = Verdict()
    checks.check_briefings(verdict, [actor_with({})], ledger)
    assert verdict.briefings_missing == 1
    ledger.briefing_came(DeviceId("hh-001"), RECORD, 1.0)
    verdict = Verdict()
    checks.check_briefings(verdict, [actor_with({})], ledger)
    assert verdict.briefings_missing == 0


def test_planted_words_have_the_form_that_is_searched_for() -> None:
    """A word that the pattern misses would never be found anywhere."""
    import random  # noqa: PLC0415  only here

    rng = random.Random(7)
    words = {content.planted_word(rng) for _ in range(100)}
    assert len(words) == 100
    assert all(checks.PLANTED.fullmatch(word.encode()) for word in words)
    assert all(checks.PLANTED_UTF16.fullmatch(word.encode("utf-16-le")) for word in words)


@pytest.mark.parametrize(
    ("changed", "holds"),
    [
        ({}, True),
        ({"unexplained": 1}, False),
        ({"in_inbox": 4}, False),
        ({"by_rule": {"latest": 1, "highest": 2}}, False),
    ],
    ids=["all there", "one unexplained", "a question never asked", "a rule never used"],
)
def test_conflicts_that_are_missing_or_unexplained_break_the_promise(changed: dict[str, Any], *, holds: bool) -> None:
    """The script's disagreements must be among those counted, and nothing may be unexplained."""
    by_rule = {"latest": 1, "highest": 2, "state": 1}
    told: dict[str, Any] = {"by_rule": by_rule, "in_inbox": 5, "decided": 1, "unexplained": 0, "explained": []}
    verdict = Verdict()
    checks.check_conflicts(verdict, Outcome(**told | changed))
    assert verdict.holds is holds


def test_percentiles_are_nearest_rank() -> None:
    """The p50 of ten is the fifth, the p99 the last; of nothing there is none."""
    values = [float(i) for i in range(10, 0, -1)]
    assert (percentile(values, 50), percentile(values, 99), percentile([], 50)) == (5.0, 10.0, None)
