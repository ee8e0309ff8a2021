"""Devices made from docs/protocol.md alone disagree, decide, copy each other, differ in version: as the page says."""

import hashlib
from typing import Any

import msgpack
import pytest

from schemas.ids import DeviceId, Generation, Millis, RecordId, ScopeName
from schemas.wire import SCHEMA
from server.store.memory import MemoryStore
from tests import plain_merge
from tests.plain_client import PlainDevice
from tests.plain_evidence import link_behind
from tests.protocol_examples import AREA, DEVICE, EPOCH, KEY, NOON, OFFICER, OTHER, RECORD, Server, Ticking

SUITE = ScopeName("suite:perry-barr")
INBOX = ScopeName("suite:perry-barr:inbox")
AREA_INBOX = ScopeName("area:birmingham:inbox")
CUSTODY = ScopeName("custody")
BOOKING = {"suite": "perry-barr", "detainee": "Robin Example", "arrested_at": 5, "risk": "medium"}
CELL = {"category": "cell", "name": "M1", "home": SUITE}
OTHER_DEVICE = DeviceId("hh-0117")


def record(n: int) -> RecordId:
    """The n-th of many ids."""
    return RecordId(f"019b796c-eba0-7000-8000-{n:012x}")


class Suite:
    """Two devices of one custody suite and a server; each goes on its own until it connects."""

    def __init__(self, *scopes: ScopeName) -> None:
        """Begin with empty replicas of the suite, or of other scopes."""
        self.scopes = scopes or (SUITE, INBOX, CUSTODY)
        self.store = MemoryStore(EPOCH)
        self.wall = Ticking(NOON)
        self.a, self.b = self.device(DEVICE), self.device(OTHER_DEVICE)
        self.up: list[dict[str, Any]] = []

    def device(self, name: DeviceId) -> PlainDevice:
        """One more device, with a clock of its own."""
        return PlainDevice(name, KEY, Ticking(NOON), Ticking(1_000))

    async def session(self, device: PlainDevice, *, lost: bool = False) -> None:
        """Connect and carry everything; or lose every answer to what is pushed."""
        server = Server(store=self.store, device=DeviceId(device.name))
        server.now = Millis(self.wall())
        server.grants = dict.fromkeys(self.scopes, Generation(1))
        device.opened()
        while frames := await server.frames():
            for frame in frames:
                device.receive(frame)
            for frame in device.outgoing():
                self.up.append(msgpack.unpackb(frame))
                await server.receive(frame)
                if lost and self.up[-1]["t"] == "push":
                    return
        assert server.session.ending is None

    async def settle(self) -> None:
        """Let both connect until neither has anything new."""
        for device in (self.a, self.b, self.a, self.b):
            await self.session(device)


async def suite() -> Suite:
    """A booking and a cell that both devices hold."""
    made = Suite()
    made.a.create(RECORD, "custody-booking", OFFICER, BOOKING)
    made.a.create(OTHER, "resource", OFFICER, CELL)
    await made.settle()
    assert made.a.values(RECORD) == made.b.values(RECORD) == BOOKING
    return made


def both(made: Suite, record_id: str, field: str, one: object, other: object) -> None:
    """Each writes, without sight of the other."""
    made.a.edit(record_id, "WM1", {field: one})
    made.b.edit(record_id, "WM2", {field: other})


@pytest.mark.parametrize("first", ["a", "b"])
@pytest.mark.parametrize(
    ("field", "one", "other", "shown"),
    [
        ("risk", "standard", "high", "high"),
        ("appropriate_adult", "not-needed", "needed", "needed"),
        ("allergies", ["nuts"], ["latex"], {"nuts", "latex"}),
        ("disposal", "bail", "caution", None),
        ("status", "released", "hospital", "hospital"),
        ("markers", {"add": [{"warning": "violent"}]}, {"add": [{"warning": "ill"}]}, 2),
    ],
)
async def test_two_who_differ_see_the_same_whoever_connects_first(
    field: str,
    one: object,
    other: object,
    shown: object,
    first: str,
) -> None:
    """What is shown while people differ follows from what they said and saw, not from the order of arrival."""
    made = await suite()
    both(made, RECORD, field, one, other)
    await made.session(made.a if first == "a" else made.b)
    await made.settle()
    told = made.a.values(RECORD)[field]
    assert made.b.values(RECORD)[field] == told
    if isinstance(shown, set):
        assert set(told) == shown
    else:
        assert (len(told) if isinstance(shown, int) else told) == shown


async def test_what_is_left_open_is_decided_with_no_signal() -> None:
    """The item comes to both; one decides it offline; then both show the decision and nothing is open."""
    made = await suite()
    both(made, RECORD, "relevant_time", 100, 200)
    await made.settle()
    (item,) = made.a.open_items()
    assert made.b.open_items() == [item]
    told = made.a.values(item)
    assert (told["subject"], told["field"], told["shown"]) == (RECORD, "relevant_time", 100)
    assert {each["value"] for each in told["candidates"]} == {100, 200}
    n = made.b.decide(item, "WM2", 200, "The film shows it.")
    assert set(made.b.ops[n].op["saw"]) == {"decision", "candidates"}
    assert made.b.open_items() == []
    assert made.b.values(RECORD)["relevant_time"] == 100
    await made.settle()
    for device in (made.a, made.b):
        assert device.open_items() == []
        assert device.values(RECORD)["relevant_time"] == 200
        assert device.shown(RECORD).cells["relevant_time"].decided == f"{OTHER_DEVICE}/{n}"  # type: ignore[union-attr]


async def test_two_decisions_ask_again() -> None:
    """The first stands and is applied; the item about the item is decided by a decision inside a decision."""
    made = await suite()
    both(made, RECORD, "relevant_time", 100, 200)
    await made.settle()
    (item,) = made.a.open_items()
    made.a.decide(item, "WM1", 100, "The log.")
    made.b.decide(item, "WM2", 200, "The film.")
    await made.settle()
    (second,) = made.a.open_items()
    told = made.a.values(second)
    assert (told["subject"], told["field"]) == (item, "decision")
    assert made.a.values(RECORD)["relevant_time"] == 100
    made.a.decide(second, "WM1", {"value": 200, "reason": "The film."}, "Both looked.")
    await made.settle()
    assert made.a.open_items() == made.b.open_items() == []
    assert made.a.values(RECORD)["relevant_time"] == made.b.values(RECORD)["relevant_time"] == 200


async def test_the_same_decision_twice_asks_nobody() -> None:
    """Whatever the reasons."""
    made = await suite()
    both(made, RECORD, "relevant_time", 100, 200)
    await made.settle()
    (item,) = made.a.open_items()
    made.a.decide(item, "WM1", 200, "The log.")
    made.b.decide(item, "WM2", 200, "The film.")
    await made.settle()
    assert made.a.open_items() == []
    assert made.a.values(RECORD)["relevant_time"] == 200


async def test_a_claim_is_provisional_until_it_is_confirmed_and_the_displaced_one_is_asked_about() -> None:
    """Both book the last cell offline; the first to connect holds it, and nobody is moved."""
    made = await suite()
    both(made, OTHER, "hold", {"holder": "A"}, {"holder": "B"})
    assert made.a.provisional(OTHER, "hold")
    assert made.b.provisional(OTHER, "hold")
    await made.session(made.b)
    assert not made.b.provisional(OTHER, "hold")
    await made.settle()
    assert not made.a.provisional(OTHER, "hold")
    assert made.a.values(OTHER)["hold"] == made.b.values(OTHER)["hold"] == {"holder": "B"}
    mine = max(made.a.ops)
    assert made.a.ops[mine].result["stands"] == {"hold": f"{OTHER_DEVICE}/{max(made.b.ops)}"}
    (item,) = made.a.open_items()
    assert made.a.values(item)["policy"] == "claim"


async def test_a_correction_takes_the_place_of_what_its_author_saw() -> None:
    """It needs the inbox, and then it stands for both."""
    made = await suite()
    made.b.edit(RECORD, "WM2", {"arrested_at": 7}, correct=True)
    await made.settle()
    assert made.a.values(RECORD)["arrested_at"] == 7
    assert made.a.open_items() == []


@pytest.mark.parametrize("first", ["a", "b"])
async def test_an_incident_closed_without_sight_of_an_arrest_is_not_shown_as_closed(first: str) -> None:
    """Whichever came first, it stays in sight, and a person is asked."""
    made = Suite(AREA, AREA_INBOX)
    created = {"opened_at": NOON, "area": "birmingham", "category": "crime", "summary": "Bag found"}
    made.a.create(RECORD, "incident", "WM1", created)
    await made.settle()
    made.a.edit(RECORD, "WM1", {"status": "closed"})
    made.b.edit(RECORD, "WM2", {"arrests": [{"person": "Robin Example", "arrested_at": NOON}]})
    assert made.a.values(RECORD)["status"] == "closed"
    await made.session(made.a if first == "a" else made.b)
    await made.settle()
    assert [device.values(RECORD)["status"] for device in (made.a, made.b)] == ["attended", "attended"]
    assert len(made.a.open_items()) == 1


# --- numbers, times, refusals -------------------------------------------------------------------------------------


async def test_a_number_that_a_copy_used_is_taken_in_silence() -> None:
    """The change and what was built on it go up again under new numbers, and say so."""
    made = await suite()
    copy = made.device(DEVICE)
    await made.session(copy)
    made.a.edit(RECORD, "WM1", {"offence": "theft"})
    await made.session(made.a)
    taken = max(made.a.ops)
    copy.next_op = taken
    copy.edit(RECORD, "WM9", {"risk": "high"})
    copy.edit(RECORD, "WM9", {"log": [{"text": "Risk raised."}]})
    copy.edit(RECORD, "WM9", {"log": [{"text": "Doctor.", "corrects": [f"{DEVICE}/{taken + 1}", 0]}]})
    await made.session(copy)
    await made.session(made.a)
    assert [copy.ops[taken + each].state for each in (0, 1, 2)] == ["reissued"] * 3
    again = [copy.ops[n].op for n in sorted(copy.ops)[-3:]]
    assert [op["doubt"] & 32 for op in again] == [32, 32, 32]
    assert [op.get("after", 0) for op in again] == [0, again[0]["n"], again[1]["n"]]
    assert [copy.ops[op["n"]].state for op in again] == ["settled"] * 3
    shown = made.a.values(RECORD)
    assert (shown["offence"], shown["risk"]) == ("theft", "high")
    assert shown["log"][1]["corrects"] == [f"{DEVICE}/{again[1]['n']}", 0]


async def test_a_refused_op_is_mended_and_what_waits_behind_it_goes_on() -> None:
    """The mended change names the refused one; the op behind it follows under a new number."""
    made = await suite()
    n = made.a.edit(RECORD, "WM1", {"risk": "extreme"})
    behind = made.a.edit(RECORD, "WM1", {"log": [{"text": "Risk raised."}]})
    await made.session(made.a)
    assert (made.a.ops[n].state, made.a.ops[n].result["code"]) == ("held", "op_value_wrong")
    assert made.a.ops[behind].state == "waiting"
    new = made.a.mend(n, {"risk": "high"})
    await made.session(made.a)
    assert made.a.ops[new].op["replaces"] == n
    assert [made.a.ops[each].state for each in (n, behind, new, new + 1)] == [
        "mended",
        "reissued",
        "settled",
        "settled",
    ]
    assert made.a.values(RECORD)["risk"] == "high"
    assert [entry["text"] for entry in made.a.values(RECORD)["log"]] == ["Risk raised."]


async def test_a_time_that_was_doubtful_is_told_better() -> None:
    """Written before the first meeting with a server by a clock two days ahead; stamped with the true moment."""
    made = await suite()
    mono = Ticking(1_000)
    late = PlainDevice(DeviceId("hh-0500"), KEY, Ticking(NOON + 172_800_000), mono)
    late.create(record(9), "resource", "WM5", CELL | {"name": "M2"})
    assert late.ops[1].op["doubt"] == 2
    mono.ms += 60_000
    await made.session(late)
    (*_, push) = [message for message in made.up if message["t"] == "push"]
    assert push["times"] == [[1, NOON - 60_000]]
    (stamp,) = late.rows[record(9)]["stamps"]
    assert (stamp[2], stamp[8]) == (NOON - 60_000, 2 | 8)


def test_doubts_are_told_as_they_are() -> None:
    """An offset kept from an earlier run, and a wall clock that was set back."""
    wall = Ticking(NOON)
    device = PlainDevice(DEVICE, KEY, wall, Ticking(0), kept_offset=-5_000)
    device.create(RECORD, "resource", "WM5", CELL)
    wall.ms -= 10_000
    device.edit(RECORD, "WM5", {"note": "x"})
    assert [device.ops[n].op["doubt"] for n in (1, 2)] == [1, 1 | 4]
    assert device.ops[1].op["hlc"] == [NOON - 5_000, 0]


async def test_an_op_waits_for_what_its_author_saw() -> None:
    """A restored server lacks the op that another saw: it waits, and is taken in once that one has come again."""
    made = await suite()
    made.a.edit(RECORD, "WM1", {"risk": "high"})
    await made.settle()
    made.b.edit(RECORD, "WM2", {"risk": "standard"})
    lost = MemoryStore(EPOCH.replace("c0", "d1"))  # type: ignore[arg-type]  # an epoch all the same
    made.store = lost
    first = made.device(DEVICE)
    first.ops = {n: own for n, own in made.a.ops.items() if n <= 2}
    for own in first.ops.values():
        own.state = "queued"
    first.links = {n: link for n, link in made.a.links.items() if n <= 2}
    first.next_op = 3
    await made.session(first)
    await made.session(made.b)
    waiting = made.b.ops[max(made.b.ops)]
    assert (waiting.state, waiting.result["code"]) == ("waiting", "op_saw_unknown")
    await made.session(made.a)
    await made.session(made.b)
    assert waiting.state == "settled"
    assert made.b.values(RECORD)["risk"] == "standard"


async def test_a_lost_answer_changes_nothing_of_a_disagreement() -> None:
    """Pushed twice, merged once: the row holds the op, which is no longer laid over it."""
    made = await suite()
    made.a.edit(RECORD, "WM1", {"markers": {"add": [{"warning": "violent"}]}})
    await made.session(made.a, lost=True)
    await made.session(made.b)
    made.b.edit(RECORD, "WM2", {"markers": {"remove": [{"warning": "violent"}]}})
    await made.session(made.b)
    await made.session(made.a)
    assert made.a.values(RECORD)["markers"] == made.b.values(RECORD)["markers"] == []


# --- versions -----------------------------------------------------------------------------------------------------


def said_otherwise(device: PlainDevice, n: int, op: dict[str, Any]) -> None:
    """Let a device's last op be another one: as another program would have made it."""
    own = device.ops[n]
    own.body = msgpack.packb(op)
    own.sha = hashlib.sha256(own.body).digest()
    del device.links[n]
    device.links[n] = link_behind(device.links[max(device.links)], n, own.sha)


async def test_a_device_of_version_1_is_understood() -> None:
    """It says nothing of its sight, reads the first two of a cell, and does not erase what it does not know."""
    made = await suite()
    await made.session(made.b)
    n = made.b.edit(RECORD, "WM2", {"risk": "high"})
    old = {name: value for name, value in made.b.ops[n].op.items() if name not in {"saw", "after_digest"}}
    said_otherwise(made.b, n, old | {"changes": {"risk": "high", "cell": "M7"}})
    await made.settle()
    assert (made.a.values(RECORD)["risk"], made.a.values(RECORD)["cell"]) == ("high", "M7")
    assert made.a.open_items() == []


async def test_a_newer_device_s_words_are_kept_in_trust() -> None:
    """A field and a word that this server does not know come to whoever can read them, and are shown nowhere else."""
    made = await suite()
    made.a.schema = SCHEMA + 1
    n = made.a.edit(RECORD, "WM1", {"offence": "theft"})
    newer = made.a.ops[n].op
    newer["changes"] = {"offence": "theft", "diet": "vegan", "risk": "extreme"}
    said_otherwise(made.a, n, newer)
    await made.settle()
    trust = made.b.rows[RECORD]["trust"]
    assert {field: kept[0][0] for field, kept in trust.items()} == {"diet": "vegan", "risk": "extreme"}
    assert made.b.values(RECORD)["offence"] == "theft"
    assert made.b.values(RECORD)["risk"] == "medium"
    told = plain_merge.FIELDS["custody-booking"]
    known, told["risk"] = told["risk"], told["risk"] | {"values": [*told["risk"]["values"], "extreme"]}
    try:
        assert made.b.values(RECORD)["risk"] == "extreme"
    finally:
        told["risk"] = known


async def test_a_whole_kind_that_the_server_does_not_know_waits_for_a_newer_server() -> None:
    """It is neither refused nor lost."""
    made = await suite()
    made.a.schema = SCHEMA + 1
    n = made.a.create(record(8), "drone", "WM1", {"name": "D1"})
    await made.session(made.a)
    assert (made.a.ops[n].state, made.a.ops[n].result["code"]) == ("waiting", "op_kind_unknown")


def test_an_unknown_kind_or_field_is_kept_and_not_shown() -> None:
    """A row of a newer server stays as it came."""
    device = PlainDevice(DEVICE, KEY, Ticking(NOON), Ticking(0))
    row = {"id": RECORD, "kind": "drone", "v": 3, "stamps": [], "cells": {"name": ["D1", 0]}}
    device.rows[RECORD] = row
    assert device.values(RECORD) == {}
    assert device.rows[RECORD] is row
