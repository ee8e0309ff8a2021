"""Records: ops merged into them, whatever the order, whatever the clocks say, and their form as rows."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_row, encode
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpId, OpNumber, Seq
from schemas.kinds import KINDS, Incident
from schemas.ops import Hlc, Op, Row, stamp_of
from schemas.policies import MANY
from sync import merge
from sync.clock import next_hlc
from sync.merge import RecordState
from sync.policies import Cell
from tests.example_rows import ROWS
from tests.examples import INCIDENT, OTHER, T0, op, stamp

KIND = KINDS["incident"]
DEVICES = [DeviceId("hh-0001"), DeviceId("hh-0002"), DeviceId("desk-1")]
CREATE = op(
    1, INCIDENT, "incident", {"opened_at": T0, "area": "birmingham", "category": "crime", "summary": "x"}, create=True
)
T1 = CREATE.hlc[0]
"""The clock reading of the op that made the record."""
BASE = merge.apply(merge.new_state(CREATE, KIND), CREATE, Millis(T0), Seq(1))

WAYS = ("add", "remove")
texts = st.sampled_from(["a", "b", "c"])
changes = st.fixed_dictionaries(
    {},
    optional={
        FieldName("summary"): texts,
        FieldName("location"): texts | st.none(),
        FieldName("grade"): st.sampled_from(["scheduled", "p1", "p2"]),
        FieldName("status"): st.sampled_from(["assigned", "attended", "closed"]),
        FieldName("markers"): st.fixed_dictionaries(
            {}, optional={way: st.lists(texts.map(lambda text: {"warning": text}), min_size=1) for way in WAYS}
        ).filter(bool),
        FieldName("log"): st.lists(texts.map(lambda text: {"text": text}), min_size=1, max_size=2),
    },
).filter(bool)


def edit(device: int, n: int, ms: int, changed: dict[FieldName, Any], tick: int = 0) -> Op:
    """An edit of the incident, made on one of the devices."""
    return Op(
        device=DEVICES[device],
        n=OpNumber(n),
        record=INCIDENT,
        kind="incident",
        author=OfficerId("WM21877"),
        hlc=(ms, tick),
        occurred_at=Millis(ms),
        wall=Millis(ms),
        changes=changed,
    )


def in_order(ops: list[Op]) -> list[Op]:
    """The ops with what one device wrote in its order: so it comes, whatever else comes in between."""
    each = {device: iter(sorted((o for o in ops if o.device == device), key=lambda o: o.n)) for device in DEVICES}
    return [next(each[made.device]) for made in ops]


def as_written(ops: list[Op]) -> list[Op]:
    """The ops with clock readings as devices give them: each later than those of the device's earlier ones."""
    last = dict.fromkeys(DEVICES, (0, 0))
    written = []
    for made in in_order(ops):
        hlc = next_hlc(Millis(made.hlc[0]), Hlc(*last[made.device]))
        last[made.device] = (hlc.ms, hlc.tick)
        written.append(msgspec.structs.replace(made, hlc=last[made.device]))
    return written


edits = st.lists(
    st.builds(
        edit,
        st.integers(0, len(DEVICES) - 1),
        st.integers(1, 6),
        st.integers(T1 - 1, T1 + 2),
        changes,
        st.integers(0, 1),
    ),
    max_size=8,
    unique_by=lambda made: made.id,
).map(as_written)


def arriving(ops: list[Op]) -> st.SearchStrategy[list[Op]]:
    """Every order in which the ops may arrive."""
    return st.permutations(ops).map(in_order)


def committed(ops: Iterable[Op], state: RecordState = BASE) -> RecordState:
    """The record after the server took these ops in, a commit each."""
    for made in ops:
        state = merge.apply(state, made, Millis(state.version + T0), Seq(state.version + 1))
    return state


def attributed(state: RecordState) -> dict[FieldName, Any]:
    """What stands in each field and by whom, without the commits, which follow the order of arrival."""
    return {
        name: (
            [(said.value, said.stamp.op) for said in cell.standing()],
            [(entry.value, entry.name) for entry in cell.entries],
            cell.against,
        )
        for name, cell in state.cells.items()
    }


@given(edits, st.data())
def test_the_order_in_which_ops_arrive_does_not_decide(ops: list[Op], data: st.DataObject) -> None:
    """Concurrent ops, in every order of arrival, lead to the same values with the same authors (promise 5)."""
    one, other = committed(data.draw(arriving(ops))), committed(data.draw(arriving(ops)))
    assert attributed(other) == attributed(one)
    assert other.values() == one.values()
    assert other.upto == one.upto


def wholly_in(cell: Cell, made: Op, value: Any) -> bool:  # noqa: ANN401  a change's value
    """Whether all that an op said in a field still stands; of several tags, some may have been removed since."""
    standing = [stamp.op for stamp in cell.stamps()].count(made.id)
    return standing == (len(value.get("add", ())) or -1) if isinstance(value, dict) else standing > 0


@given(edits, st.data())
def test_an_op_applied_again_changes_nothing(ops: list[Op], data: st.DataObject) -> None:
    """A record says which ops it holds, and merging one whose values stand changes none of them (promise 2)."""
    order = data.draw(arriving(ops))
    state = committed(order)
    assert all(state.holds(made) for made in [CREATE, *ops])
    assert not any(committed(order[:at]).holds(made) for at, made in enumerate(order))
    for again in data.draw(st.lists(st.sampled_from([CREATE, *ops]), max_size=6)):
        for more in (merge.apply(state, again), merge.apply(state, again, Millis(T0 + 99), Seq(99))):
            held = [name for name, value in again.changes.items() if wholly_in(state.cells[name], again, value)]
            assert {name: more.cells[name] for name in held} == {name: state.cells[name] for name in held}
            assert more.upto == state.upto


@given(edits)
def test_what_does_not_stand_is_linked_to_what_does(ops: list[Op]) -> None:
    """Every change is in the record, or `displaced` names the op whose value stands there (promise 3)."""
    state = committed(ops)
    for made in ops:
        displaced = merge.displaced(state, made)
        for name in made.changes:
            cell = state.cells[name]
            if KIND.fields[name].policy.name == "grow":
                assert name not in displaced
                assert {entry.stamp.op for entry in cell.entries} >= {made.id}
            elif KIND.fields[name].policy.name == "tags":
                left = {entry.stamp.op for entry in cell.entries if entry.value in made.changes[name].get("remove", ())}
                assert displaced.get(name) in left or left <= {made.id}
            else:
                assert cell.said is not None
                assert displaced.get(name, made.id) == cell.said.stamp.op


class Device:
    """A device as the clock sees it: it writes on top of the ops it knows, with a clock that may say anything."""

    def __init__(self, name: int) -> None:
        """Know nothing but the record's creation."""
        self.name = name
        self.known: dict[OpId, Op] = {}
        self.made = 0

    def write(self, now: int, changed: dict[FieldName, Any]) -> Op:
        """Make an edit as the replica does: later than all that this device can see of the record."""
        state = BASE
        for each in self.known.values():
            state = merge.apply(state, each)
        self.made += 1
        made = edit(self.name, self.made, 0, changed)
        hlc = next_hlc(Millis(now), state.seen())
        made = msgspec.structs.replace(made, hlc=(hlc.ms, hlc.tick))
        self.known[made.id] = made
        return made


steps = st.lists(
    st.tuples(
        st.integers(0, len(DEVICES) - 1),
        # Clocks that are stopped, that are years behind, that jump years ahead.
        st.sampled_from([0, 1, T1, T1 + 1, T1 + 10**12]),
        texts,
        # Whom the device heard from just before, if anyone.
        st.none() | st.integers(0, len(DEVICES) - 1),
    ),
    max_size=12,
)


@given(steps, st.data())
def test_what_saw_a_value_is_later_than_it_whatever_the_clocks_say(
    story: Sequence[tuple[int, int, str, int | None]], data: st.DataObject
) -> None:
    """A causally later change never loses to an earlier one, in any order of arrival (DESIGN, Time)."""
    devices = [Device(at) for at in range(len(DEVICES))]
    saw: dict[OpId, set[OpId]] = {}
    ops: list[Op] = []
    for writer, now, text, heard in story:
        device = devices[writer]
        if heard is not None:
            device.known |= devices[heard].known
        before = set(device.known)
        made = device.write(now, {FieldName("summary"): text})
        saw[made.id] = before
        ops.append(made)
    for made in ops:
        for earlier in ops:
            if earlier.id in saw[made.id]:
                assert stamp_of(made).order > stamp_of(earlier).order
    state = committed(data.draw(st.permutations(ops)))
    said = state.cells[FieldName("summary")].said
    assert said is not None
    assert not any(said.stamp.op in seen for seen in saw.values()), "an op that saw what stands did not displace it"


def test_a_clock_far_ahead_lifts_only_what_it_touches() -> None:
    """A device years ahead does not drag the clock of another record, and what follows it on this one still wins."""
    ahead = edit(0, 1, T1 + 10**12, {FieldName("summary"): "from the future"})
    state = committed([ahead])
    after = next_hlc(Millis(T1 + 5), state.seen())
    answer = edit(1, 1, after.ms, {FieldName("summary"): "corrected"}, tick=after.tick)
    assert committed([answer], state).values()[FieldName("summary")] == "corrected"
    assert BASE.seen() == (T1, 0)


@given(edits, st.data())
def test_a_row_is_the_whole_record(ops: list[Op], data: st.DataObject) -> None:
    """Written as a row, sent, read: the record is what it was, and goes on as if nothing had been between."""
    state = committed(ops)
    row = decode_row(encode(merge.to_row(state)))
    again = merge.from_row(row)
    assert again == state
    assert merge.to_row(again) == row
    more = data.draw(edits)
    assert committed(more, again) == committed(more, state)


@given(st.lists(st.tuples(st.sampled_from([None, 1, 2, 3]), st.integers(0, 2)), max_size=6))
def test_a_row_keeps_what_differs(said: list[tuple[int | None, int]]) -> None:
    """A contested `once` field survives the row with all that was said."""
    ops = [edit(at % 3, at + 1, T1 + ms, {FieldName("opened_at"): value}) for at, (value, ms) in enumerate(said)]
    state = committed(ops)
    assert merge.from_row(decode_row(encode(merge.to_row(state)))) == state
    assert state.values()[FieldName("opened_at")] == T0
    contested = {made.id for made, (value, _) in zip(ops, said, strict=True) if value is not None}
    assert {made.id for made in ops if merge.displaced(state, made)} == contested


@given(edits)
def test_a_row_holds_each_stamp_once_and_none_for_nothing(ops: list[Op]) -> None:
    """A row is as small as it can be: only stamps of values that still stand, each at one place."""
    row = merge.to_row(committed(ops))
    names = [each.op for each in row.stamps]
    assert len(names) == len(set(names))
    used = set()
    for name, cell in row.cells.items():
        if KIND.fields[name].policy in MANY:
            used |= {entry[1] for entry in cell}
        else:
            used |= {cell[1], *(index for _, index in (cell[2] if len(cell) > 2 else []))}
    assert used == set(range(len(row.stamps)))


@pytest.mark.parametrize("name", sorted(ROWS))
def test_golden_rows_are_what_the_merge_makes(name: str) -> None:
    """The documented form of each cell is read and written here; those of version 1 are in test_golden_earlier.py."""
    written = ROWS[name]
    assert merge.to_row(merge.from_row(written)) == written


@pytest.mark.parametrize(
    ("cells", "wrong"),
    [
        ({"area": []}, "the cell of 'area' has not the form of latest"),
        ({"area": ["birmingham"]}, "the cell of 'area' has not the form of latest"),
        ({"area": ["birmingham", 1]}, "the cell of 'area' has not the form of latest"),
        ({"area": ["birmingham", "0"]}, "the cell of 'area' has not the form of latest"),
        ({"opened_at": [1, 0, 5]}, "the cell of 'opened_at' has not the form of once"),
        ({"opened_at": [1, 0, [[2]]]}, "the cell of 'opened_at' has not the form of once"),
        ({"opened_at": [1, 0, [[2, 9]]]}, "the cell of 'opened_at' has not the form of once"),
        ({"log": [{"text": "x"}]}, "the cell of 'log' has not the form of grow"),
        ({"log": [[{"text": "x"}, 0]]}, "the cell of 'log' has not the form of grow"),
        ({"log": [[{"text": "x"}, 7, 0]]}, "the cell of 'log' has not the form of grow"),
        ({"grade": ["p1"]}, "the cell of 'grade' has not the form of highest"),
        ({"grade": ["p1", 0, [["p2"]]]}, "the cell of 'grade' has not the form of highest"),
        ({"status": ["open", 0, [], "", [["x"]]]}, "the cell of 'status' has not the form of state"),
        ({"markers": [{"warning": "x"}]}, "the cell of 'markers' has not the form of tags"),
    ],
    ids=str,
)
def test_a_damaged_row_is_told(cells: dict[FieldName, list[Any]], wrong: str) -> None:
    """Record, field and form are named; nothing but ValueError leaves."""
    row = Row(id=INCIDENT, kind="incident", v=Seq(1), stamps=[stamp(OTHER, 1, 1)], cells=cells)
    with pytest.raises(ValueError, match=f"record {INCIDENT}") as caught:
        merge.from_row(row)
    assert wrong in str(caught.value)


def test_a_row_of_an_unknown_kind_is_told() -> None:
    """A kind that this version does not know is named."""
    with pytest.raises(ValueError, match="is of the unknown kind 'horse'"):
        merge.from_row(Row(id=INCIDENT, kind="horse", v=Seq(1), stamps=[], cells={}))


def test_a_record_knows_its_values_scopes_and_version() -> None:
    """Values are plain, the build is typed, scopes follow the fields, the version is the last commit."""
    moved = edit(0, 1, T1 + 1, {FieldName("area"): "solihull", FieldName("grade"): "p1"})
    state = committed([moved])
    built = state.build()
    assert isinstance(built, Incident)
    assert (built.area, built.grade.value, built.opened_at) == ("solihull", "p1", T0)
    assert state.scopes() == {"area:solihull"}
    assert (BASE.version, state.version) == (1, 2)
    assert merge.apply(state, moved).version == 2


def test_a_committed_value_tells_when_and_in_which_commit() -> None:
    """A value's stamp bears the commit's moment and seq; a pending one bears zeros."""
    made = edit(0, 1, T1 + 1, {FieldName("summary"): "y"})
    durable = merge.apply(BASE, made, Millis(T0 + 7), Seq(5)).cells[FieldName("summary")].said
    pending = merge.apply(BASE, made).cells[FieldName("summary")].said
    assert durable is not None
    assert pending is not None
    assert (durable.stamp.recorded_at, durable.stamp.seq) == (T0 + 7, 5)
    assert (pending.stamp.recorded_at, pending.stamp.seq) == (0, 0)


def test_the_record_before_is_left_alone() -> None:
    """A merge makes a new state; whoever holds the old one keeps it."""
    before = merge.to_row(BASE)
    committed([edit(0, 1, T1 + 9, {FieldName("summary"): "new", FieldName("log"): [{"text": "x"}]})])
    assert merge.to_row(BASE) == before
