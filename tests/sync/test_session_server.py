"""The server's end of a session: its table, its proof, its credit and pace, its clockwork, its lanes."""

from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from schemas.codec import decode_down, encode
from schemas.errors import ERRORS, PeerError
from schemas.ids import DeviceId, Epoch, Generation, Millis, OpNumber, RecordId, ScopeName, Seq
from schemas.limits import (
    CLOCK_SKEW_NOTICE_MS,
    CREDIT_BYTES,
    CREDIT_BYTES_TOTAL_MAX,
    FRAMES_BURST_MAX,
    FRAMES_PER_S_MAX,
    HELLO_TIMEOUT_MS,
    IDLE_TIMEOUT_MS,
    MESSAGE_BYTES_MAX,
)
from sync import digest
from sync.session import Admission, Grant, Head, ServerSession
from sync.session.steps import CheckHello, Commit, Send, WantChanges, WantPage, WantRanges
from sync.session.table import SERVER_TABLE, ServerState
from tests.examples import AREA, DOWN, EPOCH, HANDHELD, HELLO_BODY, OPS, OTHER, SUITE, T0, UP, noise
from tests.sim.server import sign, verify

NONCE: Final = noise("nonce", wire.NONCE_BYTES)
KEY: Final = b"the device's key"
BRIEFING_SCOPE: Final = ScopeName("area:birmingham:briefing")
GEN: Final = Generation(1)
EMPTY: Final = Head(Seq(0), digest.EMPTY, 0)
ERROR: Final = wire.Error(code="gap", recovery="retry")


def receipted(message: wire.Up) -> wire.Up:
    """The message, with the signature of the tests' device where it bears a receipt."""
    match message:
        case wire.Retracted(scope=scope, gen=gen, removed=removed, at=when, receipt=receipt) if receipt:
            said = wire.RECEIPT_CONTEXT + msgspec.msgpack.encode([HANDHELD, scope, gen, removed, when])
        case wire.Wiped(at=when):
            said = wire.WIPED_CONTEXT + msgspec.msgpack.encode([HANDHELD, when])
        case _:
            return message
    return msgspec.structs.replace(message, receipt=sign(KEY, said))


UP_MESSAGES: Final = (*map(receipted, UP.values()), ERROR)


def hello(*, key: bytes = KEY, nonce: bytes = NONCE, **body: Any) -> bytes:  # noqa: ANN401  fields of HelloBody
    """A HELLO as a device with that key would say it."""
    raw = encode(msgspec.structs.replace(HELLO_BODY, **({"scopes": ()} | body)))
    return encode(wire.Hello(body=raw, proof=sign(key, wire.PROOF_CONTEXT + nonce + raw)))


def admission(**heads: Head) -> Admission:
    """Grants of three scopes of generation 1, in the order in which a session learns of them."""
    grants = {
        AREA: Grant(GEN, heads.get("area", EMPTY)),
        BRIEFING_SCOPE: Grant(GEN, heads.get("briefing", EMPTY)),
        SUITE: Grant(GEN, heads.get("suite", EMPTY)),
    }
    return Admission(public_key=KEY, grants=grants, epoch=EPOCH, last_op=OpNumber(6))


def at(seq: int) -> Head:
    """A head at a commit, with some digest."""
    return Head(Seq(seq), noise(f"head {seq}", 32), seq)


def challenged() -> ServerSession:
    """A session on an open socket."""
    return ServerSession(NONCE, verify, T0)


def live(admitted: Admission | None = None, **body: Any) -> ServerSession:  # noqa: ANN401  fields of HelloBody
    """A session that has let its device in, with nothing of its own left to send."""
    one = challenged()
    one.receive(hello(**body), T0)
    one.admit(admission() if admitted is None else admitted, T0)
    own(one)
    return one


def in_state(state: ServerState) -> ServerSession:
    """A session that has come to a state in the usual way."""
    one = live() if state in {ServerState.LIVE, ServerState.CLOSED} else challenged()
    if state is ServerState.CHECKING:
        one.receive(hello(), T0)
    if state is ServerState.CLOSED:
        one.fail(PeerError("silent"))
    own(one)
    return one


def own(one: ServerSession) -> list[wire.Down]:
    """What it has to say of its own, without any read."""
    said = []
    while one.waiting:
        step = one.next_step()
        assert isinstance(step, Send)
        said.append(decode_down(step.frame))
    return said


def ended_with(one: ServerSession) -> str | None:
    """The code it ended with, if it did."""
    return None if one.ending is None else one.ending.spec.code


def page(one: ServerSession, *rows: bytes, upto: str = "") -> wire.Down | None:
    """Answer the page it wants next."""
    step = one.next_step()
    assert isinstance(step, WantPage)
    frame = one.page_read(step, list(rows), upto)
    return None if frame is None else decode_down(frame)


def batch(one: ServerSession, to: int, *, ended: bool = True) -> wire.Batch:
    """Answer the changes it wants next."""
    step = one.next_step()
    assert isinstance(step, WantChanges)
    message = wire.Batch(scope=step.scope, gen=step.gen, frm=step.after, to=Seq(to))
    frame = one.changes_read(step, Seq(to), encode(message), ended=ended)
    assert frame is not None
    return message


def past_snapshots(one: ServerSession) -> None:
    """Let every scope's snapshot, of nothing, and the batch behind it go out."""
    while (step := one.next_step()) is not None:
        if isinstance(step, WantPage):
            one.page_read(step, [], "")
        elif isinstance(step, WantChanges):
            batch(one, step.after)


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


# --- who it is -------------------------------------------------------------------------------------------------------


def test_the_challenge_comes_first() -> None:
    """Nonce, clock, versions."""
    assert own(challenged()) == [wire.Challenge(nonce=NONCE, server_time=T0, proto_min=1, proto_max=wire.PROTO)]


def test_a_device_is_looked_up_and_let_in() -> None:
    """WELCOME tells the epoch, the clock, the last op, the credit and a plan per scope."""
    one = challenged()
    own(one)
    body = msgspec.structs.replace(HELLO_BODY, scopes=())
    assert one.receive(hello(), T0) == CheckHello(HANDHELD, body)
    assert (one.device, one.state) == (None, ServerState.CHECKING)
    one.admit(admission(area=at(3)), T0)
    assert one.device == HANDHELD
    (welcome,) = own(one)
    assert isinstance(welcome, wire.Welcome)
    assert (welcome.epoch, welcome.server_time, welcome.last_op) == (EPOCH, T0, 6)
    assert welcome.credit == CREDIT_BYTES
    assert [(plan.scope, plan.action, plan.seq) for plan in welcome.scopes] == [
        (AREA, "snapshot", 3),
        (BRIEFING_SCOPE, "snapshot", 0),
        (SUITE, "snapshot", 0),
    ]


@pytest.mark.parametrize(
    "forged",
    [hello(key=b"another key"), hello(nonce=noise("old nonce", 32)), encode(UP["hello"])],
    ids=["another key", "another nonce", "no signature"],
)
def test_a_wrong_proof_is_refused(forged: bytes) -> None:
    """A recorded HELLO is worth nothing under another nonce; no device is known then."""
    one = challenged()
    one.receive(forged, T0)
    one.admit(admission(), T0)
    assert (ended_with(one), one.device) == ("bad_proof", None)


@pytest.mark.parametrize("schema", range(wire.SCHEMA_MIN, wire.SCHEMA_MAX + 1))
def test_a_device_one_version_behind_or_ahead_is_let_in(schema: int) -> None:
    """The session knows its version, so that its ops are judged by it, and WELCOME tells the window."""
    one = challenged()
    assert one.schema == wire.SCHEMA
    assert one.receive(hello(schema=schema), T0) is not None
    one.admit(admission(), T0)
    assert one.schema == schema
    (welcome,) = [said for said in own(one) if isinstance(said, wire.Welcome)]
    assert (welcome.schema_min, welcome.schema_max) == (wire.SCHEMA_MIN, wire.SCHEMA_MAX)


@pytest.mark.parametrize("body", [{"proto": wire.PROTO + 1}, {"schema": wire.SCHEMA_MAX + 1}])
def test_another_version_is_told_to_upgrade(body: dict[str, Any]) -> None:
    """Before the device is even looked up."""
    one = challenged()
    assert one.receive(hello(**body), T0) is None
    assert ended_with(one) == "upgrade_required"


@pytest.mark.parametrize("ahead", [CLOCK_SKEW_NOTICE_MS, CLOCK_SKEW_NOTICE_MS + 1, -CLOCK_SKEW_NOTICE_MS - 1])
def test_a_clock_that_is_far_off_is_told_so_and_let_in(ahead: int) -> None:
    """Evidence is never refused for skew."""
    one = challenged()
    one.receive(hello(wall=Millis(T0 + ahead)), T0)
    one.admit(admission(), T0)
    notices = [said.value for said in own(one) if isinstance(said, wire.Notice)]
    assert notices == ([ahead] if abs(ahead) > CLOCK_SKEW_NOTICE_MS else [])
    assert ended_with(one) is None


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


# --- pushing ---------------------------------------------------------------------------------------------------------


def test_a_push_is_handed_on_as_it_came() -> None:
    """The bytes of the ops, untouched, and the payload's size to be given back."""
    one = live()
    frame = encode(UP["push"])
    push = UP["push"]
    assert isinstance(push, wire.Push)
    assert one.receive(frame, T0) == Commit(push.ops, len(frame))


def test_better_times_are_handed_on_with_the_ops_they_are_about() -> None:
    """What a device tells of when its ops were made goes to whoever commits them, number by number."""
    one = live()
    times = ((OpNumber(1), Millis(T0 - 5)), (OpNumber(2), Millis(T0 + 5)))
    push = msgspec.structs.replace(UP["push"], times=times)
    assert isinstance(push, wire.Push)
    frame = encode(push)
    assert one.receive(frame, T0) == Commit(push.ops, len(frame), dict(times))


def test_an_op_of_another_device_ends_the_session() -> None:
    """Nobody writes under another's name, not even among ops of their own."""
    one = live()
    foreign = encode(msgspec.structs.replace(OPS["op-incident-log"], device=OTHER))
    own_op = encode(OPS["op-incident-create"])
    assert one.receive(encode(wire.Push(ops=(own_op, foreign))), T0) is None
    assert ended_with(one) == "foreign_op"


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x80", encode(OPS["op-incident-log"]) + b"\x00"])
def test_a_push_of_what_is_no_op_ends_the_session(raw: bytes) -> None:
    """Each op is decoded before anything is handed on."""
    one = live()
    assert one.receive(encode(wire.Push(ops=(encode(OPS["op-incident-create"]), raw))), T0) is None
    assert ended_with(one) in {"not_msgpack", "bad_value", "wrong_field"}


def test_credit_is_counted_and_given_back_with_the_results() -> None:
    """A device that pushes more than it was granted has stopped counting."""
    one = live()
    frame = encode(wire.Push(ops=(encode(OPS["op-incident-create"]),) * 100))
    whole = CREDIT_BYTES // len(frame)
    for _ in range(whole):
        assert isinstance(one.receive(frame, T0), Commit)
    one.committed((), len(frame))
    assert own(one) == [wire.Results(results=(), credit=len(frame))]
    assert isinstance(one.receive(frame, T0), Commit)
    assert one.receive(frame, T0) is None
    assert ended_with(one) == "credit_exceeded"


@pytest.mark.parametrize(
    "message", [wire.AddCredit(bytes=CREDIT_BYTES_TOTAL_MAX), wire.Ack(credit=CREDIT_BYTES_TOTAL_MAX)]
)
def test_credit_beyond_all_bounds_is_not_believed(message: wire.Up) -> None:
    """A device that could be sent 16 MiB at once is not one of ours."""
    one = live()
    one.receive(encode(message), T0)
    assert ended_with(one) == "credit_overflow"


def test_results_tell_only_scopes_that_this_session_holds() -> None:
    """A device learns of no scope to which it has no right."""
    one = live()
    one.committed((wire.Result(n=OpNumber(1), status="durable", seq=Seq(4), scopes=(AREA, ScopeName("area:x"))),), 10)
    (results,) = own(one)
    assert isinstance(results, wire.Results)
    assert results.results[0].scopes == (AREA,)


def test_results_too_long_for_a_message_come_in_several() -> None:
    """128 ops on a record of many scopes: all results, in order, the credit once, each message inside the bound."""
    names = [ScopeName(f"area:{'x' * 36}-{number:02}:briefing") for number in range(32)]
    one = live(
        Admission(public_key=KEY, grants={name: Grant(GEN, EMPTY) for name in names}, epoch=EPOCH, last_op=OpNumber(0))
    )
    stands = {f"field_{number:034}": "x" * 40 + "/1000000000000000" for number in range(6)}
    results = tuple(
        wire.Result(n=OpNumber(n), status="durable", seq=Seq(1), scopes=tuple(names), stands=stands)  # type: ignore[arg-type]
        for n in range(1, 129)
    )
    assert len(encode(wire.Results(results=results))) > MESSAGE_BYTES_MAX
    one.committed(results, 99)
    frames = []
    while one.waiting:
        step = one.next_step()
        assert isinstance(step, Send)
        frames.append(step.frame)
    assert all(len(frame) <= MESSAGE_BYTES_MAX for frame in frames)
    told = [said for said in map(decode_down, frames) if isinstance(said, wire.Results)]
    assert [result.n for said in told for result in said.results] == list(range(1, 129))
    assert [said.credit for said in told] == [0] * (len(told) - 1) + [99]


# --- credit, lanes, order of what goes down --------------------------------------------------------------------------


def test_nothing_is_read_without_credit_for_a_whole_message() -> None:
    """A device that acknowledges nothing costs no reads; its own answers still come."""
    one = live(credit=MESSAGE_BYTES_MAX)
    step = one.next_step()
    assert isinstance(step, WantPage)
    frame = one.page_read(step, [], "")
    assert frame is not None
    assert one.next_step() is None
    one.receive(encode(wire.Ping(id=5)), T0)
    assert own(one) == [wire.Pong(id=5, server_time=T0)]
    one.receive(encode(wire.Ack(scopes={BRIEFING_SCOPE: Seq(0)}, credit=len(frame))), T0)
    assert isinstance(one.next_step(), WantChanges)
    assert one.acked == {BRIEFING_SCOPE: 0}


def test_a_briefing_overtakes_the_pages_of_a_snapshot() -> None:
    """Between any two pages of an area, what came in the briefing lane meanwhile goes first; live changes next."""
    one = live(admission(area=at(9)), scopes=(wire.Position(scope=SUITE, gen=GEN, seq=Seq(0)),))
    page(one)
    batch(one, 0)
    first = page(one, upto="00000000-0000-8000-8000-000000000001")
    assert isinstance(first, wire.Snapshot)
    assert first.scope == AREA
    one.head_moved(SUITE, Seq(10))
    one.head_moved(BRIEFING_SCOPE, Seq(11))
    assert batch(one, 11).scope == BRIEFING_SCOPE
    assert batch(one, 10).scope == SUITE
    rest = page(one)
    assert isinstance(rest, wire.Snapshot)
    assert (rest.scope, rest.last) == (AREA, True)


def test_scopes_of_one_lane_take_turns() -> None:
    """A scope that changes all the time does not keep another of its lane waiting."""
    one = live()
    past_snapshots(one)
    one.head_moved(AREA, Seq(1))
    one.head_moved(SUITE, Seq(2))
    assert batch(one, 1).scope == AREA
    one.head_moved(AREA, Seq(3))
    assert batch(one, 2).scope == SUITE
    assert batch(one, 3).scope == AREA


def test_results_go_out_before_the_batch_that_holds_them() -> None:
    """What the shell tells first is sent first, ahead of every read."""
    one = live()
    past_snapshots(one)
    one.committed((wire.Result(n=OpNumber(1), status="durable", seq=Seq(4), scopes=(AREA,)),), 10)
    one.head_moved(AREA, Seq(4))
    step = one.next_step()
    assert isinstance(step, Send)
    assert isinstance(decode_down(step.frame), wire.Results)
    assert batch(one, 4).scope == AREA


def test_a_head_that_does_not_move_makes_no_work() -> None:
    """The same commit told twice, an older one, a scope that is not held."""
    one = live(admission(area=at(5)), scopes=(wire.Position(scope=AREA, gen=GEN, seq=Seq(5)),))
    assert one.head_moved(AREA, Seq(5)) is False
    assert one.head_moved(AREA, Seq(4)) is False
    assert one.head_moved(ScopeName("area:elsewhere"), Seq(9)) is False
    assert one.head_moved(AREA, Seq(6)) is True


def test_many_commits_are_one_batch() -> None:
    """While a device is slow its position is all that is kept: what it missed is read once."""
    one = live(credit=MESSAGE_BYTES_MAX)
    past_snapshots(one)
    one.receive(encode(wire.Ack(credit=MESSAGE_BYTES_MAX)), T0)
    past_snapshots(one)
    one.receive(encode(wire.Ack(credit=MESSAGE_BYTES_MAX)), T0)
    past_snapshots(one)
    for seq in range(1, 200):
        one.head_moved(AREA, Seq(seq))
    assert one.waiting == 0
    one.receive(encode(wire.Ack(credit=MESSAGE_BYTES_MAX)), T0)
    assert batch(one, 199).frm == 0
    past_snapshots(one)


def test_a_log_that_was_begun_is_read_to_its_end() -> None:
    """A recent commit's frame does not fit a device that is between two positions."""
    one = live(admission(area=at(9)), scopes=(wire.Position(scope=AREA, gen=GEN, seq=Seq(3)),))
    page(one)
    batch(one, 0)
    assert one.next_step() == WantChanges(AREA, GEN, Seq(3), log=True)
    batch(one, 9, ended=False)
    assert one.next_step() == WantChanges(AREA, GEN, Seq(9), log=True)
    batch(one, 12, ended=True)
    one.head_moved(AREA, Seq(13))
    assert one.next_step() == WantChanges(AREA, GEN, Seq(12), log=False)


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


# --- repair ----------------------------------------------------------------------------------------------------------


def asked(*cuts: str, spoilt: int) -> tuple[wire.Repair, list[tuple[bytes, int]]]:
    """A REPAIR of ranges between cuts, one of them not as the server has it, and the server's answers."""
    ends = ["", *cuts, ""]
    ours = [(noise(f"range {number}", 32), number) for number in range(len(ends) - 1)]
    theirs = [(bytes(32), 0) if number == spoilt else one for number, one in enumerate(ours)]
    ranges = tuple(
        wire.Range(after=ends[number], upto=ends[number + 1], digest=one, count=count)
        for number, (one, count) in enumerate(theirs)
    )
    return wire.Repair(scope=AREA, gen=GEN, ranges=ranges), ours


def test_only_the_ranges_that_differ_are_sent_and_then_confirmed() -> None:
    """The others are not read at all; an empty batch with the digest ends the repair; it is counted."""
    one = live()
    past_snapshots(one)
    cuts = [f"00000000-0000-8000-8000-00000000000{number}" for number in (1, 2)]
    repair, ours = asked(*cuts, spoilt=1)
    one.receive(encode(repair), T0)
    step = one.next_step()
    assert step == WantRanges(AREA, repair.ranges)
    assert isinstance(step, WantRanges)
    one.ranges_read(step, ours)
    assert one.next_step() == WantPage(AREA, cuts[0], cuts[1], GEN)
    sent = page(one)
    assert isinstance(sent, wire.Snapshot)
    assert (sent.after, sent.upto, sent.last, sent.repair, sent.at) == (cuts[0], cuts[1], True, True, 0)
    assert one.next_step() == WantChanges(AREA, GEN, Seq(0), log=True)
    batch(one, 0)
    assert one.next_step() is None
    assert one.repairs == 1


def test_a_long_range_is_repaired_in_pages() -> None:
    """Each page says which stretch it covers, and only the last of all says so."""
    one = live()
    past_snapshots(one)
    middle = "00000000-0000-8000-8000-000000000001"
    repair, ours = asked(spoilt=0)
    one.receive(encode(repair), T0)
    step = one.next_step()
    assert isinstance(step, WantRanges)
    one.ranges_read(step, ours)
    first, second = page(one, upto=middle), page(one)
    assert isinstance(first, wire.Snapshot)
    assert isinstance(second, wire.Snapshot)
    assert [(each.after, each.upto, each.last) for each in (first, second)] == [("", middle, False), (middle, "", True)]


def test_a_repair_where_nothing_differs_is_confirmed_at_once() -> None:
    """The device then knows that its records were right and its digest was not."""
    one = live()
    past_snapshots(one)
    repair, ours = asked(spoilt=9)
    one.receive(encode(repair), T0)
    step = one.next_step()
    assert isinstance(step, WantRanges)
    one.ranges_read(step, ours)
    assert isinstance(one.next_step(), WantChanges)


def test_live_changes_go_before_a_repair() -> None:
    """A repair is bulk: it compares, and sends, when nothing else waits."""
    one = live()
    past_snapshots(one)
    one.receive(encode(asked(spoilt=0)[0]), T0)
    one.head_moved(AREA, Seq(1))
    one.head_moved(SUITE, Seq(2))
    assert {batch(one, 1).scope, batch(one, 2).scope} == {AREA, SUITE}
    assert isinstance(one.next_step(), WantRanges)


@pytest.mark.parametrize("when", ["inside a snapshot", "of another generation"])
def test_a_repair_that_makes_no_sense_is_passed_over(when: str) -> None:
    """What it would compare is on its way anyway."""
    one = live()
    repair, _ = asked(spoilt=0)
    if when == "of another generation":
        past_snapshots(one)
        repair = msgspec.structs.replace(repair, gen=Generation(9))
    one.receive(encode(repair), T0)
    past_snapshots(one)
    assert (one.next_step(), one.repairs, ended_with(one)) == (None, 0, None)


# --- pace and clockwork ----------------------------------------------------------------------------------------------


def test_a_device_that_sends_too_fast_is_told_to_come_back() -> None:
    """A burst is taken, then the average counts; a device at the average is never cut."""
    one = live()
    ping = encode(wire.Ping(id=1))
    now = int(T0)
    for _ in range(FRAMES_BURST_MAX - 1):
        one.receive(ping, Millis(now))
    assert ended_with(one) is None
    for _ in range(FRAMES_PER_S_MAX):
        now += 1_000 // FRAMES_PER_S_MAX
        one.receive(ping, Millis(now))
    assert ended_with(one) is None
    one.receive(ping, Millis(now))
    assert ended_with(one) == "too_fast"
    assert one.ending is not None
    assert one.ending.retry_after_ms == 1_000


@pytest.mark.parametrize("state", [ServerState.CHALLENGED, ServerState.CHECKING])
def test_a_hello_must_come_in_time(state: ServerState) -> None:
    """A socket that says nothing is given up."""
    one = in_state(state)
    assert one.deadline() == T0 + HELLO_TIMEOUT_MS
    one.tick(Millis(T0 + HELLO_TIMEOUT_MS - 1))
    assert ended_with(one) is None
    one.tick(Millis(T0 + HELLO_TIMEOUT_MS))
    assert ended_with(one) == "hello_late"
    assert one.deadline() is None


def test_a_silent_device_is_given_up_and_any_word_puts_it_off() -> None:
    """Three heartbeats and one late answer."""
    one = live()
    one.receive(encode(wire.Ping(id=1)), Millis(T0 + 1_000))
    assert one.deadline() == T0 + 1_000 + IDLE_TIMEOUT_MS
    one.tick(Millis(T0 + IDLE_TIMEOUT_MS))
    assert ended_with(one) is None
    one.tick(Millis(T0 + 1_000 + IDLE_TIMEOUT_MS))
    assert ended_with(one) == "silent"


def test_an_error_of_the_device_is_the_end_and_is_not_answered() -> None:
    """Whatever it says, a known code or not."""
    for code in ("gap", "something new"):
        one = live()
        one.receive(encode(wire.Error(code=code, recovery="retry")), T0)
        assert one.state is ServerState.CLOSED
        assert own(one) == []


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
