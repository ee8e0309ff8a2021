"""What a newer program makes of a record that an older server kept is what a newer server would have made of it.

One history of changes is taken in twice: by a server of this version, which keeps in trust what it cannot read, and by
one of the next version, which reads all of it. Officers with programs of both look at what the first server holds.
"""

import contextlib
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_row, encode
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpId, OpNumber, Seq, named_record_id
from schemas.kinds import KINDS
from schemas.ops import Hlc, Op, Row
from sync import check, clock, merge
from sync.merge import RecordState
from sync.policies import Cell
from sync.replica.writing import sight
from tests.evolution.support import INCIDENT
from tests.evolution.versions import declared

RECORD: Final = named_record_id("test", "trust")
DEVICES: Final = ("ours-1", "ours-2", "new-1", "new-2")
GRADES: Final = ("p1", "p2", "scheduled", "no-deployment")
STATES: Final = ("open", "assigned", "attended", "closed")

ours = st.one_of(
    st.tuples(st.just("grade"), st.sampled_from(GRADES)),
    st.tuples(st.just("status"), st.sampled_from(STATES)),
    st.tuples(st.just("category"), st.sampled_from(["crime", "transport"])),
    st.tuples(st.just("log"), st.just([{"text": "x"}])),
    st.tuples(st.just("arrests"), st.just([{"person": "Jo Marsh", "arrested_at": 5}])),
)
"""A change that every program knows."""
theirs = st.one_of(
    ours,
    st.tuples(st.just("grade"), st.just("p0")),
    st.tuples(st.just("status"), st.just("on-hold")),
    st.tuples(st.just("category"), st.just("cyber")),
    st.tuples(st.just("threat"), st.sampled_from(["low", "moderate", "severe"])),
    st.tuples(st.just("witnesses"), st.just([{"text": "y"}])),
)
"""A change that a newer program may make."""
steps = st.lists(
    st.sampled_from(DEVICES).flatmap(
        lambda device: st.tuples(
            st.just(device), theirs if device.startswith("new") else ours, st.integers(0, 3), st.integers(-5, 5)
        )
    ),
    max_size=8,
)
"""(who, what, how many commits they have not heard of, how far their clock is off in ms) ..."""


class Servers:
    """The same history, kept by a server of this version and by one of the next version."""

    def __init__(self) -> None:
        """Begin with a record."""
        self.rows: list[Row] = []
        self.newer: RecordState | None = None
        self._last = dict.fromkeys(DEVICES, (0, 0))
        made = self._op("ours-1", dict(INCIDENT), None, clock.ZERO, create=True)
        self._take("ours-1", made, merge.new_state(made, KINDS["incident"]))

    def write(self, device: str, changes: dict[str, Any], behind: int, skew_ms: int) -> None:
        """Have somebody change what they see, which is what this version's server held some commits ago."""
        seen = max(len(self.rows) - 1 - behind, self._last[device][1], 0)
        with self._program(device):
            state = merge.from_row(self.rows[seen])
            now = clock.next_hlc(Millis(1_000 + 10 * len(self.rows) + skew_ms), state.seen())
            op = self._op(device, changes, state, now)
        self._take(device, op, merge.from_row(self.rows[-1]))

    def _op(
        self, device: str, changes: dict[str, Any], state: RecordState | None, now: Hlc, *, create: bool = False
    ) -> Op:
        fields = {FieldName(name): value for name, value in changes.items()}
        return Op(
            device=DeviceId(device),
            n=OpNumber(self._last[device][0] + 1),
            record=RECORD,
            kind="incident",
            author=OfficerId("WM1"),
            hlc=(now.ms, now.tick),
            occurred_at=Millis(now.ms),
            wall=Millis(now.ms),
            changes=fields,
            create=create,
            base=Seq(0) if state is None else state.version,
            saw=sight(KINDS["incident"], state, fields),
        )

    def _take(self, device: str, op: Op, before: RecordState) -> None:
        seq, at = Seq(len(self.rows) + 1), Millis(5_000 + len(self.rows))
        unread = check.unread(op, KINDS["incident"])
        after = merge.apply(before, op, at, seq, unread=unread)
        with declared("ahead"):
            reference = merge.new_state(op, KINDS["incident"]) if self.newer is None else self.newer
            self.newer = merge.apply(reference, op, at, seq)
        self._last[device] = (op.n, len(self.rows))
        self.rows.append(decode_row(encode(merge.to_row(after))))

    @staticmethod
    def _program(device: str) -> contextlib.AbstractContextManager[None]:
        return declared("ahead") if device.startswith("new") else contextlib.nullcontext()


def standing(cell: Cell) -> tuple[object, ...]:
    """What stands in a cell: by whom, which is named first, and which endings had not seen what they end."""
    return (
        cell.against,
        None if cell.said is None else (cell.said.value, cell.said.stamp),
        [(one.value, one.stamp) for one in cell.beside],
        [(entry.value, entry.name) for entry in cell.entries],
    )


@given(steps)
def test_a_newer_reader_finds_what_a_newer_server_would_have_kept(history: list[tuple[str, Any, int, int]]) -> None:
    """Field by field: the same values stand by the same ops, and nothing is left unread."""
    servers = Servers()
    for device, (name, value), behind, skew_ms in history:
        servers.write(device, {name: value}, behind, skew_ms)
    assert servers.newer is not None
    with declared("ahead"):
        read = merge.from_row(servers.rows[-1])
        assert dict(read.trust) == {}
        assert {name: standing(cell) for name, cell in read.cells.items()} == {
            name: standing(cell) for name, cell in servers.newer.cells.items()
        }
        again = merge.from_row(decode_row(encode(merge.to_row(read))))
    assert {name: standing(cell) for name, cell in again.cells.items()} == {
        name: standing(cell) for name, cell in read.cells.items()
    }


@given(steps)
def test_a_server_that_goes_back_and_forth_loses_nothing(history: list[tuple[str, Any, int, int]]) -> None:
    """Kept by the newer server, carried by this one over an edit, and read by the newer again: all of it is there."""
    servers = Servers()
    for device, (name, value), behind, skew_ms in history:
        servers.write(device, {name: value}, behind, skew_ms)
    assert servers.newer is not None
    with declared("ahead"):
        kept = decode_row(encode(merge.to_row(servers.newer)))
    state = merge.from_row(kept)
    edit = Op(
        device=DeviceId("ours-1"), n=OpNumber(99), record=RECORD, kind="incident", author=OfficerId("WM1"),
        hlc=(99_000, 0), occurred_at=Millis(99_000), wall=Millis(99_000), changes={FieldName("summary"): "Quiet now"},
    )  # fmt: skip
    carried = decode_row(encode(merge.to_row(merge.apply(state, edit, Millis(99_000), Seq(99)))))
    with declared("ahead"):
        read = merge.from_row(carried)
    before = {name: standing(cell) for name, cell in servers.newer.cells.items() if name != "summary"}
    assert {name: standing(cell) for name, cell in read.cells.items() if name != "summary"} == before
    assert read.values()[FieldName("summary")] == "Quiet now"


def told(n: int, grade: str, base: int, saw: tuple[str, ...] | None) -> Op:
    """Op `n`, by a handheld of its own, sets the grade, made on the version `base`."""
    name = FieldName("grade")
    return Op(
        device=DeviceId(f"hh-{n}"), n=OpNumber(1), record=RECORD, kind="incident", author=OfficerId("WM1"),
        hlc=(9_000 + n, 0), occurred_at=Millis(9_000), wall=Millis(9_000), changes={name: grade}, base=Seq(base),
        saw={} if saw is None else {name: tuple(map(OpId, saw))},
    )  # fmt: skip


def after(*ops: Op) -> RecordState:
    """An incident with the grade p1, and then these changes; its first commit was 1."""
    servers = Servers()
    state = merge.from_row(servers.rows[-1])
    for seq, op in enumerate((told(1, "p1", 1, ()), *ops), 2):
        state = merge.apply(state, op, Millis(seq), Seq(seq), unread=check.unread(op, KINDS["incident"]))
        state = merge.from_row(decode_row(encode(merge.to_row(state))))
    return state


def test_what_the_author_of_a_trusted_value_had_seen_does_not_come_back() -> None:
    """Whether the raise says what it saw or, by its base, does not: who lowers it has lowered what it stood on."""
    for saw in (("hh-1/1",), None):
        state = after(told(2, "p0", 2, saw), told(3, "scheduled", 3, ("hh-2/1",)))
        assert state.values()[FieldName("grade")] == "scheduled"
        assert dict(state.trust) == {}


def test_a_trusted_value_that_another_superseded_goes_with_it() -> None:
    """Of two raises, the second made with sight of the first, both are gone when the second is lowered."""
    first, second = told(2, "p0", 2, ("hh-1/1",)), told(3, "p00", 3, ("hh-2/1",))
    state = after(first, second, told(4, "p2", 4, ("hh-3/1",)))
    assert state.values()[FieldName("grade")] == "p2"
    assert dict(state.trust) == {}


def test_a_trusted_value_is_read_with_what_its_author_said_to_have_seen() -> None:
    """Not with what its base held: what it names as seen it superseded, and nothing else."""
    for saw, beside in ((("hh-1/1",), []), ((), ["p1"])):
        row = merge.to_row(after(told(2, "p0", 2, saw)))
        with declared("ahead"):
            cell = merge.from_row(row).cells[FieldName("grade")]
        assert cell.said is not None
        assert (cell.said.value, [one.value for one in cell.beside if one.stamp.device == "hh-1"]) == ("p0", beside)


def test_who_names_no_trusted_value_supersedes_none() -> None:
    """Neither a base that held it nor sight of what stands beside it is sight of what could not be shown."""
    for saw in (("hh-1/1",), None):
        state = after(told(2, "p0", 2, ("hh-1/1",)), told(3, "scheduled", 3, saw))
        assert state.values()[FieldName("grade")] == "scheduled"
        assert [one.value for one in state.trust[FieldName("grade")]] == ["p0"]
