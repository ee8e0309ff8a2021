"""What the server refused: shown with the reason in an officer's words, put right or given up, over real sockets."""

import pytest

from schemas.errors import ERRORS, UsageError
from schemas.ids import OpId
from schemas.kinds import Incident
from schemas.kinds.common import LogEntry
from schemas.kinds.incident import Grade
from schemas.ops import Op
from sync import check
from sync.device import Handheld, OpDurable, OpHeld, OpReissued, RecordChanged, Written
from sync.device.reasons import REASONS, reason
from sync.refusal import Refusal
from tests.sync.device.support import NOON, caught_up, change_of, incident, unnumbered
from tests.toy_server import ToyServer

BAD = "Not for the server"


async def refuse(handheld: Handheld, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on an op that says BAD is refused; then have what waits sent."""
    sound = check.op_on

    def strict(state: object, op: Op, *rest: object, **more: object) -> Refusal | None:
        if op.changes.get("summary") == BAD:  # type: ignore[call-overload]  # a field's name
            return Refusal("op_value_wrong", "summary: not this one")
        return sound(state, op, *rest, **more)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(check, "op_on", strict)
    stream = handheld.changes()
    await handheld.go_online()
    await change_of(stream, OpHeld)


async def refused_edit(handheld: Handheld, monkeypatch: pytest.MonkeyPatch) -> tuple[Written, Written]:
    """A refused edit, and one that waits behind it."""
    made = await handheld.create(incident())
    await handheld.wait_until(caught_up)
    await handheld.go_offline()
    bad = await handheld.edit(made.record, summary=BAD, grade=Grade.P1, why="seen it", occurred_at=NOON)
    behind = await handheld.append(made.record, "log", LogEntry(text="On scene"))
    await refuse(handheld, monkeypatch)
    return bad, behind


async def test_a_refused_op_is_shown_in_words_with_what_waits_behind(
    handheld: Handheld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why, what to do, what it says, when; and which own ops wait for it. It stays in its author's sight."""
    bad, behind = await refused_edit(handheld, monkeypatch)
    (held,) = await handheld.held()
    assert (held.op, held.record, held.code) == (bad.op, bad.record, "op_value_wrong")
    assert held.reason == "a value does not fit (summary: not this one)"
    assert held.action == ERRORS["op_value_wrong"].action
    assert held.changes == {"summary": BAD, "grade": "p1"}
    assert (held.occurred_at, held.behind, held.go_with_it) == (NOON, (behind.op,), False)
    value = await handheld.get(Incident, bad.record)
    assert value is not None
    assert value.summary == BAD


async def test_a_mended_op_takes_the_place_and_what_waits_goes_on(
    handheld: Handheld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of it stays as it was, the ops behind get new names, which are told, and all reach the server."""
    bad, behind = await refused_edit(handheld, monkeypatch)
    stream = handheld.changes()
    mended = await handheld.mend(bad.op, summary="Shed door forced")
    assert mended.record == bad.record
    reissued = await change_of(stream, OpReissued)
    assert reissued.op == behind.op
    assert (await change_of(stream, RecordChanged)).record == bad.record
    durable = {(await change_of(stream, OpDurable)).op, (await change_of(stream, OpDurable)).op}
    assert durable == {mended.op, reissued.now}
    while (view := await handheld.inspect(bad.record)) is not None and view.pending:
        await change_of(stream, RecordChanged)
    assert view is not None
    assert unnumbered(view.value) == incident("Shed door forced", grade=Grade.P1, log=(LogEntry(text="On scene"),))
    assert (await handheld.held(), view.held, view.pending) == ([], (), ())


async def test_a_field_can_be_left_out_and_a_bad_mending_writes_nothing(
    handheld: Handheld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would be refused again is refused here, with the op as it was; without the field it goes."""
    bad, _ = await refused_edit(handheld, monkeypatch)
    for changes, says in (
        ({"summary": ""}, "length >= 1"),
        ({"summary": BAD}, "not this one"),
        ({"grade": "p9"}, "grade cannot be 'p9'"),
        ({"colour": "red"}, "no field 'colour'"),
        ({"without": ["summary", "grade"]}, "nothing is left"),
        ({"without": ["log"]}, "changes no log"),
    ):
        with pytest.raises(UsageError, match=says):
            await handheld.mend(bad.op, **changes)
    assert [each.op for each in await handheld.held()] == [bad.op]
    await handheld.mend(bad.op, without=["summary"], why="a slip")
    await handheld.wait_until(caught_up)
    value = await handheld.get(Incident, bad.record)
    assert value is not None
    assert (value.summary, value.grade) == (incident().summary, Grade.P1)


async def test_a_withdrawn_op_leaves_the_view_and_the_rest_goes_on(
    handheld: Handheld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits behind it reaches the server under a new name; the record shows what the server has."""
    bad, behind = await refused_edit(handheld, monkeypatch)
    stream = handheld.changes()
    with pytest.raises(UsageError, match="say why"):
        await handheld.withdraw(bad.op, "  ")
    assert await handheld.withdraw(bad.op, "entered twice") == (bad.op,)
    assert (await change_of(stream, OpReissued)).op == behind.op
    await handheld.wait_until(caught_up)
    value = await handheld.get(Incident, bad.record)
    assert unnumbered(value) == incident(log=(LogEntry(text="On scene"),))
    with pytest.raises(UsageError, match="only a refused op is mended or withdrawn"):
        await handheld.withdraw(bad.op, "again")


async def test_what_builds_on_a_refused_making_goes_with_it(
    handheld: Handheld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told before; then record and all are gone from this device's view, and nothing waits."""
    await handheld.go_offline()
    made = await handheld.create(incident(BAD))
    noted = await handheld.append(made.record, "log", LogEntry(text="On scene"))
    await refuse(handheld, monkeypatch)
    (held,) = await handheld.held()
    assert (held.behind, held.go_with_it) == ((noted.op,), True)
    assert await handheld.withdraw(made.op, "entered twice") == (made.op, noted.op)
    assert await handheld.get(Incident, made.record) is None
    assert (handheld.status.waiting, handheld.status.held) == (0, 0)


async def test_a_right_that_was_lost_is_said_as_such(handheld: Handheld, toy: ToyServer) -> None:
    """The record went to another area while its officer had no signal: the edit is held and can be given up."""
    made = await handheld.create(incident())
    await handheld.wait_until(caught_up)
    await handheld.go_offline()
    edited = await handheld.edit(made.record, grade=Grade.P1)
    await toy.act(made.record, "incident", {"area": "walsall"})
    stream = handheld.changes()
    await handheld.go_online()
    await change_of(stream, OpHeld)
    (held,) = await handheld.held()
    assert held.reason == "this device no longer has a right to the record"
    await handheld.withdraw(edited.op, "not ours any more")
    assert handheld.status.held == 0


@pytest.mark.parametrize("op", ["hh-0042/99", "hh-0099/1", "hh-0042/x", "12", ""])
async def test_an_op_that_is_none_is_told(handheld: Handheld, op: str) -> None:
    """Another device's, a number never given, no number at all: nothing is written."""
    for act in (lambda: handheld.mend(OpId(op), summary="x"), lambda: handheld.withdraw(OpId(op), "because")):
        with pytest.raises(UsageError, match=r"no op of this device|has made no op 99"):
            await act()


def test_every_refusal_has_words_for_the_officer() -> None:
    """Each code that an op can be refused with is told without its code; one of a newer server is told with it."""
    codes = {code for code in ERRORS if code.startswith("op_")}
    assert codes == REASONS.keys()
    for code in codes:
        assert "op_" not in reason(code, "")
        assert reason(code, "the cell").endswith("(the cell)")
    assert reason("op_from_the_future", "") == "for a reason that this program does not know, op_from_the_future"
