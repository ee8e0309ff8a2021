"""The server's end of a session: its table, its plans, grants that change meanwhile, and bytes from anybody."""

from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from schemas.codec import decode_down, encode
from schemas.errors import ERRORS, PeerError
from schemas.ids import DeviceId, Epoch, Generation, OpNumber, RecordId, ScopeName, Seq
from sync.session import Grant
from sync.session.steps import CheckHello, WantChanges, WantPage, WantRanges
from sync.session.table import SERVER_TABLE, ServerState
from tests.example_messages import DOWN, UP
from tests.examples import AREA, EPOCH, HANDHELD, SUITE, T0
from tests.sync.session.server_end import (
    EMPTY,
    GEN,
    UP_MESSAGES,
    admission,
    asked,
    at,
    batch,
    challenged,
    ended_with,
    hello,
    in_state,
    live,
    own,
    page,
    past_snapshots,
)

# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ServerState)
@pytest.mark.parametrize("message", UP_MESSAGES, ids=lambda message: type(message).__name__.lower())
def test_every_message_in_every_state_does_what_the_table_says(state: ServerState, message: wire.Up) -> None:
    """A pair in the table moves the session; any other ends it with out_of_order; a closed one hears nothing."""
    one = in_state(state)
    demand = one.receive(encode(message), T0)
    target = SERVER_TABLE.get((state, type(message)))
    said = own(one)
    if state is ServerState.CLOSED:
        assert (demand, one.state, said) == (None, ServerState.CLOSED, [])
    elif target is None:
        assert (demand, one.state, ended_with(one)) == (None, ServerState.CLOSED, "out_of_order")
        assert [(one.code, one.recovery) for one in said if isinstance(one, wire.Error)] == [("out_of_order", "stop")]
    else:
        assert one.state is target
        assert (one.ending is not None) == isinstance(message, wire.Error)


def test_a_closed_session_wants_nothing_and_tells_nothing_more() -> None:
    """Whatever the shell still calls, the device gets the one ERROR."""
    one = live(admission(area=at(3)))
    step = one.next_step()
    assert isinstance(step, WantPage)
    one.fail(PeerError("server_stopping", retry_after_ms=7))
    one.committed((wire.Result(n=OpNumber(1), status="durable", seq=Seq(4)),), 10)
    one.regrant(AREA, None)
    one.admit(admission(), T0)
    assert one.page_read(step, [], "") is None
    assert one.head_moved(AREA, Seq(9)) is False
    (said,) = own(one)
    assert isinstance(said, wire.Error)
    assert (said.code, said.recovery, said.retry_after_ms) == ("server_stopping", "retry", 7)
    assert one.next_step() is None


# --- plans -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "epoch", "plan"),
    [
        ({"gen": 1, "seq": 3}, EPOCH, ("resume", 5)),
        ({"gen": 1, "seq": 5}, EPOCH, ("resume", 5)),
        ({"gen": 1, "seq": 3, "after": "0199c8a1-7c00-7a11-8b22-0000000000a1"}, EPOCH, ("snapshot", 3)),
        ({"gen": 1, "seq": 3, "after": ""}, EPOCH, ("snapshot", 5)),
        ({"gen": 1, "seq": 6}, EPOCH, ("snapshot", 5)),
        ({"gen": 2, "seq": 3}, EPOCH, ("snapshot", 5)),
        ({"gen": 1, "seq": 3}, Epoch("1" * 16), ("snapshot", 5)),
        ({"gen": 1, "seq": 3}, None, ("snapshot", 5)),
    ],
    ids=[
        "behind",
        "level",
        "open snapshot",
        "no page yet",
        "ahead of us",
        "other grant",
        "other history",
        "no history",
    ],
)
def test_a_position_is_resumed_only_when_it_is_one_of_ours(
    known: dict[str, Any], epoch: Epoch | None, plan: tuple[str, int]
) -> None:
    """Of the same history and grant and not ahead of the head; anything else is sent anew."""
    one = challenged()
    own(one)
    one.receive(hello(epoch=epoch, scopes=(wire.Position(scope=AREA, **known),)), T0)
    one.admit(admission(area=at(5)), T0)
    (welcome,) = own(one)
    assert isinstance(welcome, wire.Welcome)
    assert (welcome.scopes[0].action, welcome.scopes[0].seq) == plan
    if plan[0] == "resume":
        assert (welcome.scopes[0].digest, welcome.scopes[0].count) == (at(5).digest, 5)


def test_what_is_no_longer_granted_is_dropped_first() -> None:
    """DROP plans stand before all others, so that the device removes before it takes in (promise 7)."""
    one = challenged()
    own(one)
    gone = wire.Position(scope=ScopeName("team:operations"), gen=Generation(4), seq=Seq(2))
    one.receive(hello(scopes=(gone,)), T0)
    one.admit(admission(), T0)
    (welcome,) = own(one)
    assert isinstance(welcome, wire.Welcome)
    first = welcome.scopes[0]
    assert (first.scope, first.gen, first.action) == ("team:operations", 4, "drop")
    assert first.scope not in one.scopes


def test_a_snapshot_goes_on_where_it_stopped() -> None:
    """Page after page by key; an open one from the last record that the device has, at the seq it was pinned."""
    last = RecordId("0199c8a1-7c00-7a11-8b22-0000000000a1")
    one = live(admission(area=at(5)), scopes=(wire.Position(scope=AREA, gen=GEN, seq=Seq(3), after=last),))
    one.page_read(one.next_step(), [], "")  # type: ignore[arg-type]  # the briefing scope's page comes first
    batch(one, 0)
    step = one.next_step()
    assert step == WantPage(AREA, last, "", GEN)
    more = RecordId("0199c8a1-7c00-7a11-8b22-0000000000a2")
    assert isinstance(step, WantPage)
    first = decode_down(one.page_read(step, [], more) or b"")
    assert isinstance(first, wire.Snapshot)
    assert (first.at, first.after, first.upto, first.last) == (3, last, more, False)
    one.page_read(one.next_step(), [], "")  # type: ignore[arg-type]  # the suite's turn
    batch(one, 0)
    final = page(one)
    assert isinstance(final, wire.Snapshot)
    assert (final.at, final.after, final.upto, final.last) == (3, more, "", True)
    assert one.next_step() == WantChanges(AREA, GEN, Seq(3), log=True)


# --- grants that change meanwhile ------------------------------------------------------------------------------------


def test_a_grant_that_ends_is_retracted_before_anything_else() -> None:
    """Even when pages of it were being read: what comes of that read is not sent."""
    one = live(admission(area=at(9)))
    page(one)
    batch(one, 0)
    step = one.next_step()
    assert isinstance(step, WantPage)
    assert step.scope == AREA
    one.regrant(AREA, None)
    assert one.page_read(step, [b"\x80"], "") is None
    assert own(one) == [wire.Retract(scope=AREA, gen=GEN)]
    assert AREA not in one.scopes
    one.receive(encode(wire.Retracted(scope=AREA, gen=GEN, removed=4)), T0)
    assert ended_with(one) is None


def test_a_new_generation_is_taken_away_and_given_anew() -> None:
    """RETRACT of the old one, then SCOPE_ADD with a snapshot at this moment's head."""
    one = live()
    past_snapshots(one)
    one.regrant(AREA, Grant(Generation(2), at(7)))
    retract, add = own(one)
    assert retract == wire.Retract(scope=AREA, gen=GEN)
    assert isinstance(add, wire.ScopeAdd)
    assert (add.plan.gen, add.plan.action, add.plan.seq) == (2, "snapshot", 7)
    assert one.next_step() == WantPage(AREA, "", "", Generation(2))


def test_the_same_grant_again_changes_nothing() -> None:
    """The control room may say it as often as it likes."""
    one = live()
    past_snapshots(one)
    one.regrant(AREA, Grant(GEN, at(7)))
    assert own(one) == []
    assert one.next_step() is None


def test_a_read_for_an_older_generation_is_not_passed_on() -> None:
    """It was made before the new plan's position: what changed in between would be lost."""
    one = live(admission(area=at(3)))
    page(one)
    batch(one, 0)
    step = one.next_step()
    assert isinstance(step, WantPage)
    one.head_moved(AREA, Seq(4))
    one.regrant(AREA, Grant(Generation(2), at(4)))
    own(one)
    assert one.page_read(step, [b"\x80"], "") is None
    assert one.next_step() == WantPage(SUITE, "", "", GEN)


def test_a_batch_for_an_older_position_is_not_passed_on() -> None:
    """Two answers to one question, or one to a subscription that began anew."""
    one = live()
    past_snapshots(one)
    one.head_moved(AREA, Seq(4))
    step = one.next_step()
    assert isinstance(step, WantChanges)
    assert one.changes_read(step, Seq(4), b"\x80") is not None
    assert one.changes_read(step, Seq(4), b"\x80") is None
    one.regrant(AREA, Grant(Generation(2), at(4)))
    assert one.changes_read(step, Seq(4), b"\x80") is None


def test_a_batch_for_an_older_generation_is_not_passed_on() -> None:
    """Even when the new one happens to stand at the same position."""
    one = live()
    past_snapshots(one)
    one.head_moved(AREA, Seq(4))
    step = one.next_step()
    assert isinstance(step, WantChanges)
    one.regrant(AREA, Grant(Generation(2), EMPTY))
    assert one.changes_read(step, Seq(4), b"\x80") is None


@pytest.mark.parametrize(
    "message",
    [
        wire.Ack(scopes={AREA: Seq(3)}),
        wire.Repair(scope=AREA, gen=GEN, ranges=(wire.Range(after="", upto="", digest=bytes(32), count=0),)),
    ],
    ids=["ack", "repair"],
)
def test_what_the_device_said_before_it_knew_is_no_fault(message: wire.Up) -> None:
    """An ACK or REPAIR that crosses a RETRACT on the way is passed over, until the receipt; then it is a fault."""
    one = live()
    past_snapshots(one)
    one.regrant(AREA, None)
    one.receive(encode(message), T0)
    assert ended_with(one) is None
    one.regrant(AREA, Grant(Generation(2), EMPTY))
    one.regrant(AREA, None)
    one.receive(encode(wire.Retracted(scope=AREA, gen=GEN, removed=0)), T0)
    one.receive(encode(message), T0)
    assert ended_with(one) is None
    one.receive(encode(wire.Retracted(scope=AREA, gen=Generation(2), removed=0)), T0)
    one.receive(encode(message), T0)
    assert ended_with(one) == "not_granted"


@pytest.mark.parametrize("name", ["ack", "repair"])
def test_a_scope_that_was_never_held_is_a_fault(name: str) -> None:
    """A device cannot ask about what it has no right to, and learns nothing from the answer."""
    one = live()
    one.receive(
        encode(
            msgspec.structs.replace(
                UP[name],
                **({"scopes": {ScopeName("area:x"): Seq(1)}} if name == "ack" else {"scope": ScopeName("area:x")}),
            )
        ),
        T0,
    )
    assert ended_with(one) == "not_granted"


def test_a_page_names_what_was_erased() -> None:
    """Of a snapshot, and of a repair: a device that comes by either is told by nothing else."""
    gone = RecordId("0199c8a1-7c00-7a11-8b22-0000000000a1")
    one = live()
    step = one.next_step()
    assert isinstance(step, WantPage)
    sent = decode_down(one.page_read(step, [], "", (gone,)) or b"")
    assert isinstance(sent, wire.Snapshot)
    assert (sent.erased, sent.last, sent.repair) == ((gone,), True, False)
    past_snapshots(one)
    repair, ours = asked(spoilt=0)
    one.receive(encode(repair), T0)
    ranges = one.next_step()
    assert isinstance(ranges, WantRanges)
    one.ranges_read(ranges, ours)
    page_of_it = one.next_step()
    assert isinstance(page_of_it, WantPage)
    again = decode_down(one.page_read(page_of_it, [], "", (gone,)) or b"")
    assert isinstance(again, wire.Snapshot)
    assert (again.erased, again.repair) == ((gone,), True)


# --- hostile bytes ---------------------------------------------------------------------------------------------------

_FRAMES: Final = [encode(message) for message in (*UP_MESSAGES, *DOWN.values())] + [hello()]


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A real message with some of its bytes changed, cut off or doubled."""
    frame = bytearray(draw(st.sampled_from(_FRAMES)))
    for place, byte in draw(st.lists(st.tuples(st.integers(0, len(frame) - 1), st.integers(0, 255)), max_size=4)):
        frame[place] = byte
    start = draw(st.integers(0, len(frame)))
    return draw(st.sampled_from([bytes(frame), bytes(frame[:start]), bytes(frame) + bytes(frame[start:])]))


@given(state=st.sampled_from(ServerState), frames=st.lists(st.binary(max_size=80) | mangled(), max_size=4))
def test_no_bytes_raise_out_of_the_session_nor_reach_another(state: ServerState, frames: list[bytes]) -> None:
    """Whatever comes, it ends with a coded ERROR at the most, and a neighbour's session goes on as if alone."""
    one, neighbour, alone = in_state(state), live(), live()
    for frame in frames:
        demand = one.receive(frame, T0)
        if isinstance(demand, CheckHello):
            one.admit(admission(), T0)
        neighbour.head_moved(AREA, Seq(1))
    alone.head_moved(AREA, Seq(1)) if frames else None
    for said in own(one):
        if isinstance(said, wire.Error):
            assert ERRORS[said.code].close is not None
    if one.state is ServerState.CLOSED:
        assert one.ending is not None
    assert [neighbour.next_step(), neighbour.deadline(), neighbour.ending] == [
        alone.next_step(),
        alone.deadline(),
        None,
    ]
    assert neighbour.device == DeviceId(HANDHELD)
