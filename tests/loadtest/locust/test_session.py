"""The device's end of a session: byte for byte the page's, and the page's rules where it shows none."""

import secrets

import msgpack
import pytest

from loadtest.locust import wire
from loadtest.locust.chain import Link, first_link
from loadtest.locust.session import Device
from loadtest.locust.wire import Message, packed
from tests.example_messages import GOLDEN
from tests.golden_make import FOLDER
from tests.loadtest.locust import paper
from tests.loadtest.locust.hearing import EPOCH, NOW, Clock, device, live, row

RECORD = "019b796c-eba0-7000-8000-0000000000a1"
OTHER = "019b796d-4960-7000-8000-0000000000b2"
AREA = "area:birmingham"
EMPTY = bytes(32)
MAP_16 = 0xDE
"""First byte of a MessagePack map of up to 2^16 pairs."""


def opened(frames: list[bytes]) -> list[Message]:
    """What frames say."""
    return [msgpack.unpackb(frame) for frame in frames]


def snapshot_plan(seq: int = 1, count: int = 1) -> Message:
    """A plan that begins a snapshot of the area."""
    return {"scope": AREA, "gen": 1, "action": "snapshot", "seq": seq, "count": count}


def page(*rows: Message, at: int = 1) -> bytes:
    """The only page of a snapshot."""
    told: Message = {"t": "snapshot", "scope": AREA, "gen": 1, "at": at, "after": "", "upto": "", "rows": list(rows)}
    return packed({**told, "last": True})


def batch(made: Device, start: int, end: int, *rows: Message, gone: tuple[str, ...] = ()) -> bytes:
    """A batch that says what the device will hold if it applies it rightly."""
    held = dict(made.replica.places[AREA].members)
    held |= {each["id"]: each["v"] for each in rows}
    digest = wire_digest({each: version for each, version in held.items() if each not in gone})
    told: Message = {"t": "batch", "scope": AREA, "gen": 1, "from": start, "to": end, "rows": list(rows)}
    return packed({**told, "gone": list(gone), "digest": digest, "count": len(held) - len(gone)})


def wire_digest(members: dict[str, int]) -> bytes:
    """The digest, from nothing but the page's formula."""
    import hashlib  # noqa: PLC0415  the formula in one place

    terms = (hashlib.sha256(f"{record} {version}".encode()).digest() for record, version in members.items())
    return (sum(int.from_bytes(each, "big") for each in terms) % 2**256).to_bytes(32, "big")


def current() -> tuple[Device, "object"]:
    """A device that holds one record and has proved it."""
    made, ear, _ = device()
    live(made, [snapshot_plan()])
    made.receive(page(row(RECORD, 1, status=["open", 0])))
    made.receive(batch(made, 1, 1))
    made.outgoing()
    assert ear.times_current == 1
    return made, ear


def test_the_whole_session_of_the_page_comes_out_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two implementations that know only the page send the same bytes, signatures included."""
    salts = iter([bytes.fromhex("3261b4a8fbe54b47c0109b1cc71a9cb5"), bytes.fromhex("c3a6a8530dbb478fb70a6ca8c7263a94")])
    monkeypatch.setattr(secrets, "token_bytes", lambda _: next(salts))
    clock = Clock(wall=NOW + 40, mono=5.0)
    made, ear, _ = device(clock)
    sent: list[bytes] = []
    expected: list[bytes] = []
    for side, name, data in paper.session():
        if side == "server":
            made.receive(data)
            continue
        if name == "push":
            clock.wall, clock.mono = clock.wall + 30_000, clock.mono + 30
            made.write(RECORD, "incident", {"status": "attended", "log": [{"text": "On scene, shop closed."}]})
            made.write(OTHER, "incident", {"status": "closed"})
        if name == "ack":
            made.acknowledge()
        expected.append(data)
        sent += made.outgoing()
    assert sent == expected
    assert [own.state for own in ear.results] == ["settled", "withdrawn"]
    assert made.error is not None
    assert made.error["retry_after_ms"] == 3_100


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_golden_bytes_are_read_and_written_alike(name: str) -> None:
    """Every message and part that the schemas have golden bytes of: the other MessagePack gives the same bytes back."""
    data = (FOLDER / f"{name}.bin").read_bytes()
    again = packed(msgpack.unpackb(data))
    if data[0] == MAP_16 and again[0] < MAP_16:
        # Our own encoder spends two bytes more on the head of a map in which it left something out.
        assert again[1:] == data[3:]
    else:
        assert again == data
    if name.startswith("down-"):
        assert wire.decoded(data)["t"] == msgpack.unpackb(data)["t"]


def test_a_gap_ends_the_session_and_changes_nothing() -> None:
    """A batch that does not begin where the device stands is never applied."""
    made, _ = current()
    made.receive(packed({"t": "batch", "scope": AREA, "gen": 1, "from": 3, "to": 4, "rows": [row(OTHER, 4)]}))
    assert made.state == "closed"
    assert opened(made.outgoing())[-1]["code"] == "gap"
    assert made.replica.places[AREA].seq == 1
    assert OTHER not in made.replica.rows


def test_a_differing_digest_is_told_and_repaired() -> None:
    """The client checks what it holds: a row that never came shows, and is asked for."""
    made, ear = current()
    made.receive(
        packed({"t": "batch", "scope": AREA, "gen": 1, "from": 1, "to": 2, "digest": b"\x01" * 32, "count": 2})
    )
    [repair] = [each for each in opened(made.outgoing()) if each["t"] == "repair"]
    assert repair["ranges"] == [{"after": "", "upto": "", "digest": wire_digest({RECORD: 1}), "count": 1}]
    assert getattr(ear, "differing") == [AREA]  # noqa: B009  typed as an object here


def test_it_is_current_only_once_the_digest_has_proved_it() -> None:
    """Catch-up ends with proof, not with the last byte."""
    made, ear, _ = device()
    live(made, [snapshot_plan()])
    made.receive(page(row(RECORD, 1)))
    assert ear.times_current == 0
    made.receive(batch(made, 1, 1))
    assert ear.times_current == 1


def test_only_a_change_to_a_device_that_is_current_is_heard() -> None:
    """What one catches up on is no news: its lag would be that of the absence."""
    made, ear, _ = device()
    live(made, [snapshot_plan()])
    made.receive(page(row(RECORD, 1)))
    made.receive(batch(made, 1, 2, row(RECORD, 2)))
    assert ear.rows == []
    assert made.caught_up
    made.receive(batch(made, 2, 3, row(OTHER, 3)))
    assert [each["id"] for each in ear.rows] == [OTHER]


def test_a_resume_at_the_position_is_compared_at_once() -> None:
    """Who missed nothing is current with WELCOME, if the digest fits."""
    made, _ = current()
    plan = {"scope": AREA, "gen": 1, "action": "resume", "seq": 1, "digest": wire_digest({RECORD: 1}), "count": 1}
    live(made, [plan])
    assert made.caught_up
    live(made, [{**plan, "digest": EMPTY}])
    assert not made.caught_up


def test_offline_edits_count_until_they_are_answered() -> None:
    """A device with something unanswered is not current."""
    made, _ = current()
    made.lost()
    own = made.write(RECORD, "incident", {"log": [{"text": "In the cellar."}]})
    assert not own.live
    plan = {"scope": AREA, "gen": 1, "action": "resume", "seq": 1, "digest": wire_digest({RECORD: 1}), "count": 1}
    chain = first_link("hh-0042")
    live(made, [plan], chain={"n": 0, "link": chain.link})
    assert not made.caught_up
    [push] = [each for each in opened(made.outgoing()) if each["t"] == "push"]
    assert push["ops"] == [own.body]
    made.receive(packed({"t": "results", "results": [{"n": 1, "status": "durable", "seq": 2, "scopes": [AREA]}]}))
    assert made.caught_up


def test_acks_are_gathered_and_give_back_what_came() -> None:
    """Many batches at once make one ACK with all their bytes."""
    made, _, clock = device()
    live(made, [snapshot_plan()])
    frames = [page(row(RECORD, 1))]
    made.receive(frames[0])
    frames.append(batch(made, 1, 1))
    made.receive(frames[1])
    assert opened(made.outgoing()) == []
    assert made.owes_ack()
    clock.mono += 0.06
    [ack] = opened(made.outgoing())
    assert ack == {"t": "ack", "scopes": {AREA: 1}, "credit": sum(map(len, frames))}


def test_no_push_is_larger_than_the_credit() -> None:
    """What the server has not granted waits for RESULTS or CREDIT."""
    made, _, _ = device()
    live(made, credit=600)
    for number in range(3):
        made.write(RECORD, "incident", {"log": [{"text": f"Entry {number}."}]})
    first = made.outgoing()
    assert sum(map(len, first)) <= 600
    assert len(msgpack.unpackb(first[0])["ops"]) < 3
    made.receive(packed({"t": "credit", "bytes": 10_000}))
    assert opened(made.outgoing())[0]["t"] == "push"


def test_a_retracted_scope_is_receipted() -> None:
    """What leaves is removed, counted and signed for."""
    made, _ = current()
    made.receive(packed({"t": "retract", "scope": AREA, "gen": 1}))
    [told] = [each for each in opened(made.outgoing()) if each["t"] == "retracted"]
    assert (told["removed"], len(told["receipt"])) == (1, 64)
    assert made.replica.rows == {}


def test_reads_are_chained_and_sent_until_they_are_kept() -> None:
    """A consultation is told in every session until the server has it."""
    made, _, _ = device()
    live(made)
    made.consult(RECORD, "Sent to it.")
    [told] = opened(made.outgoing())
    assert (told["t"], told["first"]) == ("reads", 1)
    live(made)
    assert opened(made.outgoing()) == [told]
    made.receive(packed({"t": "reads_kept", "upto": 1}))
    live(made)
    assert opened(made.outgoing()) == []
    assert made.reads_next == 2


def test_what_is_no_message_ends_the_session() -> None:
    """Broken bytes, a message out of order and an unknown one each have their code."""
    for data, code in ((b"\xc1", "not_msgpack"), (packed({"t": "pong"}), "out_of_order"), (b"\x01", "unknown_type")):
        made, _, _ = device()
        made.receive(data)
        assert opened(made.outgoing())[-1]["code"] == code
    made, _, _ = device()
    live(made)
    made.receive(packed({"t": "nonsense"}))
    assert opened(made.outgoing())[-1]["code"] == "unknown_type"


def test_a_server_that_was_set_back_is_offered_everything_anew() -> None:
    """In another epoch every op that was ever taken is queued again, and every row counts as old."""
    made, _ = current()
    own = made.write(RECORD, "incident", {"log": [{"text": "Before."}]})
    made.outgoing()
    made.receive(packed({"t": "results", "results": [{"n": 1, "status": "durable", "seq": 2, "scopes": [AREA]}]}))
    made.receive(batch(made, 1, 2, row(RECORD, 2)))
    assert own.state == "settled"
    link = first_link("hh-0042").link
    live(made, [snapshot_plan(seq=1)], epoch="0123456789abcdef", chain={"n": 0, "link": link})
    pushed = [each for each in opened(made.outgoing()) if each["t"] == "push"]
    assert [each["ops"] for each in pushed] == [[own.body]]
    assert made.replica.version(RECORD) == 0


def test_a_seat_goes_on_where_another_program_left_it() -> None:
    """Head and read log are taken up, and told in HELLO."""
    made, _, _ = device()
    made.remember(Link(7, b"\x07" * 32), 3, b"\x03" * 32)
    made.opened()
    made.receive(packed({"t": "challenge", "nonce": EMPTY, "server_time": NOW, "proto_min": 1, "proto_max": 1}))
    body = msgpack.unpackb(opened(made.outgoing())[0]["body"])
    assert (body["next_op"], body["chain"]["n"], body["next_read"]) == (8, 7, 3)
    assert EPOCH not in body.values()
