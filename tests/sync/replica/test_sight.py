"""What a device says that its officer saw, and what it does not let them write: asked before the server is."""

from typing import Any

import pytest

from schemas import limits
from schemas.codec import decode_row, encode, reread_op
from schemas.errors import UsageError
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpId, OpNumber, RecordId, Seq, named_record_id
from schemas.kinds import KINDS
from schemas.ops import Op, Stamp
from sync import merge
from sync.policies import Cell, Entry
from sync.replica import MemoryTables, Replica, WriteFacts
from sync.replica.writing import sight
from tests.examples import BOOKING, INCIDENT, T0

MINE = DeviceId("hh-0042")
CELL = named_record_id("sight", "cell")
WHOLE: dict[str, dict[str, Any]] = {
    "incident": {"opened_at": T0, "area": "birmingham", "category": "crime", "summary": "x"},
    "custody-booking": {"suite": "perry-barr", "detainee": "Robin Example", "arrested_at": T0},
    "resource": {"category": "cell", "name": "M1", "home": "suite:perry-barr"},
}


class Post:
    """A device, and the server's rows that reach it."""

    def __init__(self) -> None:
        """Hold nothing."""
        self.tables = MemoryTables()
        self.replica = Replica(self.tables, MINE)
        self._clock = int(T0)

    def write(self, record: RecordId, kind: str, changes: dict[str, Any], **more: Any) -> Op:  # noqa: ANN401
        """Write an op a second after the one before."""
        self._clock += 1_000
        now = Millis(self._clock)
        facts = WriteFacts(author=OfficerId("WM21877"), now=now, wall=now, occurred_at=now, why="what was seen there")
        named = {FieldName(name): value for name, value in changes.items()}
        return self.replica.write(record, KINDS[kind], named, facts, **more)

    def told(self, record: RecordId, kind: str, *ops: Op) -> None:
        """A row comes in which the server has merged what this device pushed, in order, and then these ops."""
        raw = self.tables.row(record)
        state = None if raw is None else merge.from_row(decode_row(raw))
        pending = [reread_op(one.body) for one in self.tables.pending_ops(record)]
        for op in (*pending, *ops):
            if state is not None and state.holds(op):
                continue
            before = merge.new_state(op, KINDS[kind]) if state is None else state
            state = merge.apply(before, op, Millis(self._clock), Seq(before.version + 1))
        assert state is not None
        self.tables.put_row(record, kind, state.version, encode(merge.to_row(state)))


def theirs(n: int, record: RecordId, kind: str, changes: dict[str, Any], saw: dict[str, list[str]], **more: Any) -> Op:  # noqa: ANN401
    """An op of another device."""
    return Op(
        device=DeviceId("desk-1"),
        n=OpNumber(n),
        record=record,
        kind=kind,
        author=OfficerId("WM30012"),
        hlc=(T0 + n, 0),
        occurred_at=T0,
        wall=T0,
        changes={FieldName(name): value for name, value in changes.items()},
        saw={FieldName(name): tuple(map(OpId, ops)) for name, ops in saw.items()},
        **more,
    )


@pytest.fixture
def post() -> Post:
    """A device that has made an incident, a booking and a cell, of which it holds the server's rows."""
    post = Post()
    for record, kind in ((INCIDENT, "incident"), (BOOKING, "custody-booking"), (CELL, "resource")):
        post.write(record, kind, WHOLE[kind], create=True)
        post.told(record, kind)
    return post


# --- what is said ----------------------------------------------------------------------------------------------------


def test_a_new_record_says_nothing() -> None:
    """There was nothing to see."""
    post = Post()
    assert post.write(INCIDENT, "incident", WHOLE["incident"], create=True).saw == {}


_CLOSING = ["abuse_victims", "arrests", "assessments", "status"]
"""What a closing must have seen: the work that it ends, and whose risk was assessed."""


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"summary": "y"}, []),
        ({"log": [{"text": "x"}]}, []),
        ({"grade": "p1"}, ["grade"]),
        ({"markers": {"add": [{"warning": "x"}]}}, ["markers"]),
        ({"status": "closed"}, _CLOSING),
        ({"arrests": [{"person": "Robin Example", "arrested_at": T0}]}, ["status"]),
        ({"status": "closed", "arrests": [{"person": "Robin Example", "arrested_at": T0}]}, _CLOSING),
        ({"grade": "p2", "summary": "z", "location": None}, ["grade"]),
    ],
)
def test_an_op_says_what_was_seen_of_the_fields_whose_policy_asks(
    post: Post, changes: dict[str, Any], asked: list[str]
) -> None:
    """And of those that a declaration names beside; an empty list is an answer too, nothing is another."""
    assert sorted(post.write(INCIDENT, "incident", changes).saw) == asked


def test_it_names_everything_that_stands_and_nothing_that_does_not(post: Post) -> None:
    """Values that stand beside each other are all before the officer's eyes; what was superseded no longer is."""
    post.write(BOOKING, "custody-booking", {"risk": "medium"})
    first = post.write(BOOKING, "custody-booking", {"risk": "high"})
    post.told(BOOKING, "custody-booking", theirs(1, BOOKING, "custody-booking", {"risk": "standard"}, {"risk": []}))
    assert dict(post.write(BOOKING, "custody-booking", {"risk": "standard"}).saw) == {
        "risk": tuple(sorted((first.id, "desk-1/1")))
    }


def test_it_names_what_only_this_device_holds_yet(post: Post) -> None:
    """Own pending ops are seen as well: the next one supersedes them when both arrive."""
    first = post.write(INCIDENT, "incident", {"grade": "p1"})
    second = post.write(INCIDENT, "incident", {"grade": "p2"})
    assert dict(second.saw) == {"grade": (first.id,)}


def test_a_removed_warning_is_named_by_who_put_it_there(post: Post) -> None:
    """Two officers added it, one of them unseen: only what this one saw is taken away."""
    dog = {"warning": "dog at address"}
    own = post.write(INCIDENT, "incident", {"markers": {"add": [dog]}})
    removal = post.write(INCIDENT, "incident", {"markers": {"remove": [dog]}})
    assert dict(removal.saw) == {"markers": (own.id,)}
    meanwhile = theirs(1, INCIDENT, "incident", {"markers": {"add": [dog]}}, {"markers": []})
    post.told(INCIDENT, "incident", meanwhile)
    view = post.replica.view(INCIDENT)
    assert view is not None
    assert view.values()[FieldName("markers")] == [dog]
    assert [entry.stamp.op for entry in view.cells[FieldName("markers")].entries] == [meanwhile.id]


@pytest.mark.parametrize("over", [0, 1])
def test_more_than_an_op_may_name_is_said_before_it_is_written(over: int) -> None:
    """SEEN_OPS_MAX fit; one more is refused with the field and what to do."""
    spec = KINDS["incident"]
    create = Op(
        device=MINE, n=OpNumber(1), record=INCIDENT, kind="incident", author=OfficerId("a"), create=True,
        hlc=(T0, 0), occurred_at=T0, wall=T0, changes={FieldName(k): v for k, v in WHOLE["incident"].items()},
    )  # fmt: skip
    state = merge.apply(merge.new_state(create, spec), create)
    count = limits.SEEN_OPS_MAX + over
    stamps = [Stamp(DeviceId("desk-1"), OpNumber(n), T0, 0, OfficerId("a"), T0) for n in range(1, count + 1)]
    entries = tuple(Entry({"warning": f"{at}"}, stamp, 0) for at, stamp in enumerate(stamps))
    markers = FieldName("markers")
    cells = {**state.cells, markers: Cell(entries=entries)}
    full = merge.RecordState(id=state.id, spec=spec, version=Seq(9), cells=cells)
    if over:
        with pytest.raises(UsageError, match=f"markers holds the work of {count} changes, at most {count - 1}"):
            sight(spec, full, [markers])
    else:
        assert len(sight(spec, full, [markers])[markers]) == count


# --- what is not let through -----------------------------------------------------------------------------------------


def refused(post: Post, record: RecordId, kind: str, changes: dict[str, Any], words: str, **more: Any) -> None:  # noqa: ANN401
    """See that a change is refused with these words, and that nothing of it is kept."""
    number, pending = post.replica.next_op, len(post.tables.pending_ops(record))
    with pytest.raises(UsageError, match=words):
        post.write(record, kind, changes, **more)
    assert (post.replica.next_op, len(post.tables.pending_ops(record))) == (number, pending)


def test_a_retired_field_is_no_longer_written(post: Post) -> None:
    """The officer is told what to do instead; what an older program wrote there is shown."""
    refused(
        post, BOOKING, "custody-booking", {"cell": "M7"}, "cell of a custody-booking is no longer written: claim the"
    )
    whole = WHOLE["custody-booking"] | {"cell": "M7"}
    other = named_record_id("sight", "other booking")
    refused(post, other, "custody-booking", whole, "no longer written", create=True)
    post.told(BOOKING, "custody-booking", theirs(1, BOOKING, "custody-booking", {"cell": "M7"}, {}))
    view = post.replica.view(BOOKING)
    assert view is not None
    assert view.values()[FieldName("cell")] == "M7"


def test_what_only_the_rules_write_is_told_at_once(post: Post) -> None:
    """No inbox item is made by hand."""
    refused(post, named_record_id("sight", "item"), "inbox-item", {}, "op_by_rule_only", create=True)


def test_a_step_that_does_not_exist_is_told_with_those_that_do(post: Post) -> None:
    """From what the officer sees, pending changes included."""
    assessed = {"at": T0, "level": "standard", "plan": "Home by bus."}
    post.write(BOOKING, "custody-booking", {"status": "released", "release_assessments": [assessed]})
    refused(post, BOOKING, "custody-booking", {"status": "detained"}, "what may follow released: nothing: it is final")


def test_a_cell_that_is_seen_to_be_held_is_not_claimed(post: Post) -> None:
    """The holder is named; on a device that does not know of the hold, the claim is written."""
    hold = {"hold": {"holder": "booking-7"}}
    post.told(CELL, "resource", theirs(1, CELL, "resource", hold, {"hold": []}))
    refused(post, CELL, "resource", {"hold": {"holder": "booking-8"}}, "booking-7")
    unaware = Post()
    unaware.write(CELL, "resource", WHOLE["resource"], create=True)
    assert unaware.write(CELL, "resource", {"hold": {"holder": "booking-8"}}).saw == {"hold": ()}


def test_a_question_that_is_seen_open_is_not_answered_on_the_record(post: Post) -> None:
    """Who differs without seeing it may; who sees that people differ decides in the inbox."""
    adult = FieldName("appropriate_adult")
    post.write(BOOKING, "custody-booking", {adult: "not-needed"})
    post.told(BOOKING, "custody-booking", theirs(1, BOOKING, "custody-booking", {adult: "needed"}, {adult: []}))
    refused(post, BOOKING, "custody-booking", {adult: "not-needed"}, "Decide it in the inbox")


def test_what_is_recorded_once_is_corrected_with_a_word_and_not_without(post: Post) -> None:
    """The correction names what it saw; whether its author is entitled, the server asks."""
    refused(post, BOOKING, "custody-booking", {"arrested_at": T0 + 1}, "already recorded and stands")
    correction = post.write(BOOKING, "custody-booking", {"arrested_at": T0 + 1}, correct=True)
    assert (correction.correct, dict(correction.saw)) == (True, {"arrested_at": ("hh-0042/2",)})
    view = post.replica.view(BOOKING)
    assert view is not None
    assert view.values()[FieldName("arrested_at")] == T0 + 1
    assert view.cells[FieldName("arrested_at")].decided == correction.id
