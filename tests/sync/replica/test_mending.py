"""Refused ops: held with what waits behind them, mended, withdrawn, and nothing else held up by them."""

from typing import Any, Final

import pytest

from schemas import wire
from schemas.codec import encode, reread_op
from schemas.errors import PeerError, UsageError
from schemas.ids import FieldName, Millis, OpNumber, RecordId, named_record_id
from schemas.limits import OP_BYTES_MAX, REASON_CHARS_MAX
from schemas.ops import Op
from sync.outbox import OpState
from sync.replica import StoredOp
from tests.sync.replica.outposts import CLOSED, LOG, Post, Server

A, B = (RecordId(named_record_id("mending", name)) for name in "ab")
SUMMARY: Final = FieldName("summary")
GRADE: Final = FieldName("grade")


def entry(text: str, **more: Any) -> list[dict[str, Any]]:  # noqa: ANN401  what an entry may hold
    """A log entry to append."""
    return [{"text": text, **more}]


@pytest.fixture
def post(server: Server) -> Post:
    """A device that has made two incidents, which the server holds."""
    made = Post(server)
    made.create(A)
    made.create(B)
    made.sync()
    return made


@pytest.fixture
def held(post: Post) -> list[Op]:
    """Three changes to A, of which the server has refused the first."""
    first = post.write(A, summary="wrong", grade="p2", log=entry("first"))
    rest = [post.write(A, summary="second", log=entry("second")), post.write(A, log=entry("third"))]
    post.hello()
    post.push(most=1, grants=CLOSED)
    while post.push():
        post.pull()
    assert [state.value for state in post.states().values()] == ["settled", "settled", "held", "waiting", "waiting"]
    return [first, *rest]


def kept(post: Post, n: int) -> StoredOp:
    """An op as the device keeps it."""
    found = post.tables.op(OpNumber(n))
    assert found is not None
    return found


def log(server: Server, record: RecordId = A) -> list[str]:
    """The texts of a record's log on the server, in the order in which they were taken in."""
    return [text["text"] for op in server.durable() if op.record == record for text in op.changes.get(LOG, ())]


# --- held ------------------------------------------------------------------------------------------------------------


def test_what_is_held_holds_up_its_own_record_only(server: Server, post: Post, held: list[Op]) -> None:
    """Its successors wait and stay in sight; another record's change goes on, in this session and the next."""
    post.write(B, log=entry("elsewhere"))
    post.sync()
    assert (log(server), log(server, B)) == ([], ["elsewhere"])
    assert post.texts(A) == ["first", "second", "third"]
    assert [op.n for op in post.replica.dependants(held[0].n).ops] == [held[1].n, held[2].n]
    assert kept(post, held[0].n).code == "op_not_permitted"


def test_what_waits_goes_on_when_the_op_before_it_is_durable(post: Post) -> None:
    """In the same session; and the word that it must wait, come after that, is believed."""
    first, second, third = (post.write(A, log=entry(text)) for text in ("first", "second", "third"))
    post.hello()
    waits = [wire.Result(n=op.n, status="waiting") for op in (second, third)]
    post.replica.results(wire.Results(results=tuple(waits)))
    durable = wire.Result(n=first.n, status="durable", seq=kept(post, 1).seq)
    outcome = post.replica.results(wire.Results(results=(durable, waits[1])))
    assert outcome.again == [second.n, third.n]
    assert [post.states()[op.n] for op in (second, third)] == [OpState.QUEUED, OpState.WAITING]
    again = post.replica.results(wire.Results(results=(durable,)))
    assert again.again == [], "the same word again is no reason"


def test_what_waits_behind_a_refused_op_is_not_pushed_for_nothing(server: Server, post: Post, held: list[Op]) -> None:
    """However busy the record is: within the session only mending or withdrawing helps."""
    other = Post(server, "hh-0007", "WM30008")
    other.sync()
    pushes = post.pushes
    for text in ("one", "two", "three"):
        other.write(A, log=entry(text))
        other.sync()
        post.pull()
        assert not post.push()
    assert post.pushes == pushes
    assert post.states()[held[1].n] is OpState.WAITING


def test_what_waits_is_offered_anew_in_the_next_session(post: Post, held: list[Op]) -> None:
    """Whatever the reason was, the server may be another by now; what is held is not asked about again."""
    post.hello()
    assert [post.states()[op.n] for op in held] == [OpState.HELD, OpState.QUEUED, OpState.QUEUED]
    assert [op.n for op in post.replica.queued(post.upto, 10)] == [held[1].n, held[2].n]


def test_an_op_names_the_bytes_of_the_one_that_it_waits_for(post: Post, held: list[Op]) -> None:
    """`after_digest` goes with `after`, and is absent without it."""
    later = post.write(A, log=entry("fourth"))
    assert (held[0].after, held[0].after_digest) == (0, b"")
    assert [op.after for op in (*held[1:], later)] == [held[0].n, held[1].n, held[2].n]
    post.check()


# --- mend ------------------------------------------------------------------------------------------------------------


def test_a_mended_op_takes_the_place_of_the_refused_one(server: Server, post: Post, held: list[Op]) -> None:
    """A new number that points at the old one, the old values but for what was put right, the old time of happening."""
    new = post.mend(held[0].n, {"summary": "right"})
    assert (new.n, new.replaces, new.occurred_at) == (6, held[0].n, held[0].occurred_at)
    assert new.changes == {**held[0].changes, SUMMARY: "right"}
    assert new.hlc > held[0].hlc
    old = kept(post, held[0].n)
    assert (old.state, old.became, old.code) == (OpState.MENDED, new.n, "op_not_permitted")
    assert reread_op(old.body) == held[0]
    post.check()
    post.sync()
    assert log(server) == ["first", "second", "third"]
    assert server.values(A)[GRADE] == "p2"


def test_what_waited_is_issued_again_in_order_and_as_it_was(post: Post, held: list[Op]) -> None:
    """Only number, predecessor and the names of what was seen change; the old numbers point to the new ones."""
    new = post.mend(held[0].n, {"log": entry("put right")})
    again = [reread_op(kept(post, n).body) for n in (7, 8)]
    assert [kept(post, op.n).became for op in held] == [6, 7, 8]
    assert [kept(post, op.n).state for op in held[1:]] == [OpState.REISSUED] * 2
    assert [op.after for op in again] == [new.n, 7]
    for before, after in zip(held[1:], again, strict=True):
        same = ("record", "kind", "author", "create", "base", "hlc", "occurred_at", "wall", "changes", "why", "doubt")
        assert [getattr(after, name) for name in same] == [getattr(before, name) for name in same]
    assert post.texts(A) == ["put right", "second", "third"]
    post.check()


def test_a_later_change_stays_the_later_one(server: Server, post: Post, held: list[Op]) -> None:
    """The refused op is put right after its successor was written, and still comes before it."""
    post.mend(held[0].n, {"summary": "right"})
    shown = post.replica.view(A)
    assert shown is not None
    assert shown.values()[SUMMARY] == "second"
    post.sync()
    assert server.values(A)[SUMMARY] == "second"


def test_what_was_seen_is_named_anew(server: Server, post: Post) -> None:
    """A lowering that saw the refused raising saw the mended one, and so takes effect."""
    raised = post.write(A, grade="p2")
    lowered = post.write(A, grade="no-deployment")
    post.hello()
    post.push(most=1, grants=CLOSED)
    post.push()
    assert lowered.saw[GRADE] == (raised.id,)
    new = post.mend(raised.n, {"grade": "p1"})
    again = reread_op(kept(post, new.n + 1).body)
    assert again.saw[GRADE] == (new.id,)
    post.sync()
    assert server.values(A)[GRADE] == "no-deployment"


def test_what_was_seen_through_a_value_left_out_is_named_instead(server: Server, post: Post) -> None:
    """Mended without the field, or withdrawn: whoever saw its value there had seen what that one overwrote."""
    base = post.write(A, grade="p1")
    post.sync()
    for way in ("mended", "withdrawn"):
        refused = post.write(A, grade="p2", log=entry(way))
        behind = post.write(A, grade="scheduled")
        post.hello()
        post.push(most=1, grants=CLOSED)
        if way == "mended":
            post.mend(refused.n, without=[GRADE])
        else:
            post.replica.withdraw(refused.n, "not so")
        now = post.replica.became(behind.n)
        assert now is not None
        assert reread_op(now.body).saw[GRADE] == (base.id,)
        post.sync()
        assert server.values(A)[GRADE] == "scheduled"
        base = post.write(A, grade="p1")
        post.sync()


def test_a_field_that_the_mended_op_adds_was_seen_by_what_follows(server: Server, post: Post) -> None:
    """The officer's own two changes never stand against each other."""
    refused = post.write(A, log=entry("first"))
    post.write(A, grade="p2")
    post.hello()
    post.push(most=1, grants=CLOSED)
    post.mend(refused.n, {"grade": "p1"})
    post.sync()
    assert server.values(A)[GRADE] == "p2"


def test_an_entry_that_corrects_one_of_the_refused_op_corrects_the_mended_one(post: Post) -> None:
    """Otherwise it would point to an entry that never was."""
    refused = post.write(A, log=entry("first"))
    other = post.write(A, log=entry("second", corrects=["hh-0007/3", 0]))
    post.write(A, log=entry("third", corrects=[refused.id, 0]))
    post.hello()
    post.push(most=1, grants=CLOSED)
    new = post.mend(refused.n)
    entries = [reread_op(kept(post, new.n + at).body).changes[LOG][0] for at in (1, 2)]
    assert entries == [other.changes[LOG][0], {"text": "third", "corrects": [new.id, 0]}]


def test_a_mended_op_may_be_refused_and_mended_again(server: Server, post: Post, held: list[Op]) -> None:
    """Each time what waits moves on with it, and in the end every change is there once."""
    first = post.mend(held[0].n, {"summary": "right"})
    post.hello()
    post.push(most=1, grants=CLOSED)
    post.push()
    assert kept(post, first.n).state is OpState.HELD
    post.write(A, log=entry("fourth"))
    second = post.mend(first.n, {"summary": "quite right"}, occurred_at=Millis(5))
    assert (second.replaces, second.occurred_at) == (first.n, 5)
    became = post.replica.became(held[0].n)
    assert became is not None
    assert became.n == second.n
    post.check()
    post.sync()
    assert log(server) == ["first", "second", "third", "fourth"]


def test_the_server_s_checks_are_asked_before_a_mended_op_is_written(post: Post, held: list[Op]) -> None:
    """A mending that would be refused leaves everything as it was."""
    before = post.states()
    with pytest.raises(UsageError, match="op_value_wrong"):
        post.mend(held[0].n, {"grade": "p9"})
    with pytest.raises(UsageError, match="op_field_unknown"):
        post.mend(held[0].n, {"nonsense": 1})
    assert (post.states(), post.replica.next_op) == (before, 6)


@pytest.mark.parametrize(
    ("changes", "without", "wrong"),
    [
        ({}, ["outcome"], "changes no outcome; it changes summary, grade, log"),
        ({"grade": "p1"}, ["grade"], "grade cannot be left out of op 3 and changed at once"),
        ({}, ["summary", "grade", "log"], "nothing is left of op 3: withdraw it instead"),
    ],
)
def test_what_cannot_be_mended_is_said(
    post: Post, held: list[Op], changes: dict[str, Any], without: list[FieldName], wrong: str
) -> None:
    """What the officer asked for, and what to do instead."""
    with pytest.raises(UsageError, match=wrong):
        post.mend(held[0].n, changes, without=without)


def test_only_a_refused_op_is_mended_or_withdrawn(post: Post, held: list[Op]) -> None:
    """Any other is the server's, or on its way there, or has its successor, which is named."""
    post.mend(held[0].n)
    for n, wrong in [
        (1, "op 1 is settled; only a refused op"),
        (6, "op 6 is queued; only a refused op"),
        (3, "op 3 is mended: op 6 stands in its place; only a refused op"),
        (99, "this device has made no op 99"),
    ]:
        with pytest.raises(UsageError, match=wrong):
            post.mend(OpNumber(n))
        with pytest.raises(UsageError, match=wrong):
            post.replica.withdraw(OpNumber(n), "why not")
        with pytest.raises(UsageError, match=wrong):
            post.replica.dependants(OpNumber(n))


def test_a_creation_whose_record_was_made_by_another_becomes_a_change(server: Server, post: Post) -> None:
    """What both made is one record: the mended op says what differs, and the rest goes on behind it."""
    other = Post(server, "hh-0007", "WM30008")
    other.create(record := named_record_id("mending", "twice"), summary="theirs")
    other.sync()
    refused = post.create(record, summary="mine")
    post.write(record, log=entry("mine"))
    post.sync()
    assert kept(post, refused.n).code == "op_record_exists"
    new = post.mend(refused.n, without=[FieldName("opened_at")])
    assert not new.create
    post.sync()
    assert (server.values(record)[SUMMARY], log(server, record)) == ("mine", ["mine"])


# --- withdraw --------------------------------------------------------------------------------------------------------


def test_a_withdrawn_op_leaves_the_view_and_is_kept_with_the_reason(server: Server, post: Post, held: list[Op]) -> None:
    """What waited behind it is issued again and goes on without it."""
    assert not post.replica.dependants(held[0].n).go_with_it
    outcome = post.replica.withdraw(held[0].n, "the wrong incident")
    old = kept(post, held[0].n)
    assert (old.state, old.why, old.code) == (OpState.WITHDRAWN, "the wrong incident", "op_not_permitted")
    assert (outcome.withdrawn, outcome.reissued, outcome.touched) == ([3], {4: 6, 5: 7}, {A})
    assert [reread_op(kept(post, n).body).after for n in (6, 7)] == [0, 6]
    assert post.texts(A) == ["second", "third"]
    post.check()
    post.sync()
    assert log(server) == ["second", "third"]


def test_what_follows_a_withdrawn_op_waits_for_what_that_one_waited_for(post: Post) -> None:
    """First in, first out, without the one that is gone."""
    ops = [post.write(A, log=entry(text)) for text in ("first", "second", "third")]
    post.hello()
    # The first's result is lost; the second was, for the test, refused by hand.
    told = wire.Result(n=ops[1].n, status="refused", code="op_not_permitted")
    post.replica.results(wire.Results(results=(told,)))
    post.replica.withdraw(ops[1].n, "no")
    now = post.replica.became(ops[2].n)
    assert now is not None
    assert reread_op(now.body).after == ops[0].n
    post.check()


def test_withdrawing_a_creation_withdraws_what_builds_on_it(server: Server, post: Post) -> None:
    """The officer is told before; nothing of it is sent again, and nobody else's work is touched."""
    record = named_record_id("mending", "never made")
    first = post.create(record)
    behind = [post.write(record, log=entry(text)) for text in ("one", "two")]
    post.hello()
    told = wire.Result(n=first.n, status="refused", code="op_scopes_too_many")
    post.replica.results(wire.Results(results=(told,)))
    found = post.replica.dependants(first.n)
    assert ([op.n for op in found.ops], found.go_with_it) == ([op.n for op in behind], True)
    outcome = post.replica.withdraw(first.n, "made by mistake")
    assert outcome.withdrawn == [first.n, *(op.n for op in behind)]
    assert {kept(post, op.n).why for op in (first, *behind)} == {"made by mistake"}
    assert post.replica.view(record) is None
    post.write(B, log=entry("other"))
    post.sync()
    assert server.store.state(record) is None
    assert log(server, B) == ["other"]


@pytest.mark.parametrize("why", ["", "   ", "x" * (REASON_CHARS_MAX + 1)])
def test_a_withdrawal_needs_a_reason(post: Post, held: list[Op], why: str) -> None:
    """It is kept for whoever asks later why an officer's entry is not in the record."""
    with pytest.raises(UsageError, match="say why op 3 is withdrawn"):
        post.replica.withdraw(held[0].n, why)
    assert kept(post, held[0].n).state is OpState.HELD


# --- what comes late -------------------------------------------------------------------------------------------------


def test_late_results_for_old_numbers_are_taken_in_silence(post: Post, held: list[Op]) -> None:
    """They were on their way; what stands in the place of the old op is not touched by them."""
    post.mend(held[0].n)
    before = post.states()
    late = (
        wire.Result(n=held[0].n, status="refused", code="op_not_permitted"),
        wire.Result(n=held[1].n, status="waiting", code="op_not_permitted"),
        wire.Result(n=held[2].n, status="refused", code="op_reused"),
    )
    outcome = post.replica.results(wire.Results(results=late))
    assert (post.states(), outcome.held, outcome.reissued, outcome.touched) == (before, [], {}, set())


def test_a_server_that_takes_in_what_it_has_refused_has_broken_the_protocol(post: Post, held: list[Op]) -> None:
    """The change would be made twice: that is told, not passed over."""
    post.mend(held[0].n)
    told = wire.Result(n=held[1].n, status="durable", seq=kept(post, 1).seq)
    with pytest.raises(PeerError, match="op 4 is reissued, yet the server says durable"):
        post.replica.results(wire.Results(results=(told,)))


def test_an_op_that_no_server_could_read_any_more_is_held(post: Post) -> None:
    """It was as long as an op may be, and new names make it longer: its author can shorten it, the session goes on."""
    refused = post.write(A, grade="p1")
    texts = [{"text": "x" * 4_000}] * 11
    tail = {"text": "x" * 2_000}
    short = len(encode(post.copied().write(A, grade="p2", log=[*texts, tail, tail])))
    last = {"text": "x" * (2_000 + OP_BYTES_MAX - short)}
    behind = post.write(A, grade="p2", log=[*texts, tail, last])
    assert len(encode(behind)) == OP_BYTES_MAX
    post.hello()
    post.push(most=1, grants=CLOSED)
    post.push()
    post.replica._own.number_above(OpNumber(2**40))
    post.mend(refused.n)
    now = post.replica.became(behind.n)
    assert now is not None
    assert (now.state, now.code) == (OpState.HELD, "too_long")
