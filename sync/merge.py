"""A record in memory: its cells, an op merged into it, and its form as a `Row`.

There is no merge code per kind: the kind's declaration says which policy each field has, and the policy does the rest.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas import policies
from schemas.ids import DeviceId, FieldName, Millis, OpId, OpNumber, RecordId, ScopeName, Seq
from schemas.kinds import FieldSpec, Kind, KindSpec, kind_named
from schemas.ops import Doubt, Hlc, Op, Row, Stamp, stamp_of
from sync import clock
from sync.beyond import NOTHING, Beyond, Stamps
from sync.needs import lacking, named
from sync.policies import Cell, Change, Entry, policy_of
from sync.policies.base import Place
from sync.policies.state import contest, endings

NO_FIELDS: Final[frozenset[FieldName]] = frozenset()
_RENUMBERED: Final = int(Doubt.RENUMBERED)
"""As a plain number: the operators of a flag cost ten times as much, and this is asked for every value."""
SEEN_IS_SUPERSEDED: Final = (policies.highest, policies.state, policies.judged)
"""The policies under which a change supersedes whatever its author saw."""


class Trusted(msgspec.Struct, frozen=True):
    """A change to a field or with a value that this program cannot read, kept for one that can.

    Attributes:
        value: as it came.
        stamp: who, when.
        saw: what its author saw there; None when the op does not say.
        base: version of the record that the author was looking at.
        correct: whether it corrects what `once` protects.
    """

    value: Any
    stamp: Stamp
    saw: tuple[OpId, ...] | None
    base: Seq
    correct: bool = False

    def change(self, field: FieldSpec) -> Change:
        """As the field's policy takes it."""
        saw = None if self.saw is None else frozenset(self.saw)
        decides = self.correct and field.policy is policies.once
        return Change(value=self.value, stamp=self.stamp, saw=saw, base=self.base, decides=decides)


class RecordState(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One record with the attribution of every value.

    Attributes:
        id: the record.
        spec: its kind.
        version: seq of the commit that changed it last; 0 while only this device has it.
        cells: field -> cell; a field never set has none.
        upto: device -> number of its last op in the record.
        trust: field -> what newer programs wrote there and this one cannot read.
        beyond: what the row holds of fields that this program does not know.
    """

    id: RecordId
    spec: KindSpec
    version: Seq
    cells: Mapping[FieldName, Cell]
    upto: Mapping[DeviceId, OpNumber] = {}
    trust: Mapping[FieldName, tuple[Trusted, ...]] = {}
    beyond: Beyond = NOTHING

    def values(self) -> dict[FieldName, Any]:
        """Field -> plain value."""
        fields = self.spec.fields
        return {name: policy_of(fields[name]).value(fields[name], cell) for name, cell in self.cells.items()}

    # What follows is asked for several times while one op is settled, and is kept beside the fields. Not with
    # functools.cached_property: up to Python 3.11 it takes a lock for each look.

    def build(self) -> Kind:
        """The typed record."""
        built: Kind | None = self.__dict__.get("_built")
        if built is None:
            built = self.__dict__["_built"] = self.spec.build(self.values())
        return built

    def scopes(self) -> frozenset[ScopeName]:
        """The scopes that the record is in."""
        scopes: frozenset[ScopeName] | None = self.__dict__.get("_scopes")
        if scopes is None:
            scopes = self.__dict__["_scopes"] = self.build().scopes()
        return scopes

    def writing_scopes(self) -> frozenset[ScopeName]:
        """The scopes of which whoever writes to the record must hold one."""
        if self.spec.struct.writing_scopes is Kind.writing_scopes:
            return self.scopes()
        return self.build().writing_scopes()

    def seen(self) -> Hlc:
        """The latest clock reading among its values."""
        return clock.latest_seen(stamp for cell in self.cells.values() for stamp in cell.stamps())

    def holds(self, op: Op) -> bool:
        """Whether the op has been taken in: ops of one device on one record are, in their order."""
        return op.n <= self.upto.get(op.device, 0)


def new_state(op: Op, spec: KindSpec) -> RecordState:
    """An empty record, before the op that makes it is merged."""
    return RecordState(id=op.record, spec=spec, version=Seq(0), cells={})


def reading(state: RecordState | None, op: Op, told: Millis | None = None) -> Hlc:
    """The clock reading that the values of an op bear in a record.

    Its own, or the better one that its device told since. A device's ops on one record keep their order, when the times
    of some are told better: who wrote the later one saw the earlier.

    Args:
        state: the record before it; None when there is none.
        op: the op.
        told: when it was made, if its device has told so (ms since 1970).
    """
    names = {name for saw in op.saw.values() for name in saw}
    seen = [
        stamp
        for name, cell in ({} if state is None else state.cells).items()
        for stamp in cell.stamps()
        # What the rules wrote in an inbox item bears the stamps of ops on its subject, which may have come since.
        if (
            stamp.device == op.device
            and _came_before(stamp, op)
            and state is not None
            and not state.spec.fields[name].by_rule
        )
        or (told is not None and (0 < stamp.seq <= op.base or stamp.op in names))
    ]
    own, latest = Hlc(*op.hlc) if told is None else Hlc(told, 0), clock.latest_seen(seen)
    return own if own > latest else Hlc(latest.ms, latest.tick + 1)


def _came_before(stamp: Stamp, op: Op) -> bool:
    """Whether a value is of an op that the same hands made before this one.

    Not so of every lower number, when the op had to be issued again: a copy of the device was at work as well, and its
    newer change must not give way to an older one of this device.
    """
    if stamp.device != op.device or stamp.n >= op.n:
        return False
    return not op.doubt & _RENUMBERED or bool(stamp.doubt & _RENUMBERED) or stamp.n == op.after


def change_of(op: Op, name: FieldName, stamp: Stamp, field: FieldSpec) -> Change:
    """One field's part of an op, as its policy takes it."""
    saw = op.saw.get(name)
    return Change(
        value=op.changes[name],
        stamp=stamp,
        saw=None if saw is None else frozenset(saw),
        base=op.base,
        decides=op.correct and field.policy is policies.once,
        create=op.create,
    )


def apply(
    state: RecordState,
    op: Op,
    recorded_at: Millis = Millis(0),
    seq: Seq = Seq(0),
    *,
    stamp: Stamp | None = None,
    unread: frozenset[FieldName] = NO_FIELDS,
) -> RecordState:
    """The record after an op.

    Args:
        state: the record before.
        op: a checked op (`sync.check`) on that record.
        recorded_at, seq: of the commit; zero when the op is only pending on a device.
        stamp: what its values bear, when it is more than the op itself says.
        unread: fields that cannot be merged here (`sync.check.unread`) and are kept in trust.
    """
    stamp = stamp_of(op, recorded_at, seq, reading(state, op)) if stamp is None else stamp
    fields = state.spec.fields
    cells = dict(state.cells)
    trust = dict(state.trust)
    for name, value in op.changes.items():
        if name in unread:
            kept = Trusted(value, stamp, op.saw.get(name), op.base, op.correct)
            trust[name] = (*(one for one in trust.get(name, ()) if one.stamp.op != op.id), kept)
            continue
        change = change_of(op, name, stamp, fields[name])
        if name in trust and (change.decides or fields[name].policy in SEEN_IS_SUPERSEDED):
            change, left = _over_trust(fields[name], change, trust.pop(name), cells.get(name, Cell()))
            if left:
                trust[name] = left
        cells[name] = policy_of(fields[name]).merge(fields[name], cells.get(name), change)
    _contest_endings(state.spec, cells, op)
    upto = {**state.upto, op.device: max(op.n, state.upto.get(op.device, op.n))}
    return msgspec.structs.replace(state, version=max(state.version, seq), cells=cells, upto=upto, trust=trust)


def _over_trust(
    field: FieldSpec, change: Change, kept: tuple[Trusted, ...], cell: Cell
) -> tuple[Change, tuple[Trusted, ...]]:
    """A change by someone who saw values that are kept in trust, and what is left of those.

    It supersedes them: left where they are, they would come back on the day they can be read. And it comes after
    whatever their authors saw. Only an op that names them has seen them: a base says nothing of what is not shown.
    """
    seen: list[Trusted] = []
    names = set(change.saw or ())
    for one in sorted(kept, key=lambda one: one.stamp.seq, reverse=True):
        if one.stamp.op in names:
            seen.append(one)
            names |= set(one.saw or ())
    names |= {stamp.op for stamp in cell.stamps() for one in seen if one.change(field).has_seen(stamp)}
    if not seen:
        return change, kept
    return msgspec.structs.replace(change, saw=frozenset(names)), tuple(one for one in kept if one not in seen)


def decide(state: RecordState, name: FieldName, change: Change, seq: Seq) -> RecordState:
    """The record after a person's decision on one field, made on the inbox item about it.

    The question is answered, also where the answer came too late to take effect: who decided had not seen what stands
    now. What is open then is asked anew, in an item of its own. So is an ending with work that was recorded after the
    item that its author looked at, and one that lacks what it needs: no decision ends what may not end.
    """
    field = state.spec.fields[name]
    cell = policy_of(field).merge(field, state.cells.get(name), change)
    cell = msgspec.structs.replace(cell, decided=change.stamp.op)
    if field.flow is not None and field.flow.ending is not None:
        mine = [one for one in endings(field, cell) if one.stamp.op == change.stamp.op]
        work = [entry for one in field.flow.ending.unless for entry in _entries(state, one)]
        against = [entry.stamp.op for entry in work if entry.stamp.seq > change.base]
        for needs in field.flow.ending.needs:
            # By what its author saw: all else contests it anyway, and would miss or not by the order of arrival.
            entries = _entries_upto(state, needs.each, change.base)
            has = [entry.value for entry in _entries_upto(state, needs.has, change.base)]
            missing = lacking([entry.value for entry in entries], has, needs)
            against += [entry.stamp.op for entry in entries if named(entry.value, needs) in missing]
        cell = contest(field, cell, [(one.stamp.op, entry) for one in mine for entry in against])
    return msgspec.structs.replace(state, cells={**state.cells, name: cell}, version=max(state.version, seq))


def _entries(state: RecordState, name: str) -> tuple[Entry, ...]:
    return state.cells.get(FieldName(name), Cell()).entries


def _entries_upto(state: RecordState, name: str, base: Seq) -> list[Entry]:
    return [entry for entry in _entries(state, name) if entry.stamp.seq <= base]


def _contest_endings(spec: KindSpec, cells: dict[FieldName, Cell], op: Op) -> None:
    """Note each ending and each entry of the fields that it must have seen, of which neither author saw the other's.

    Of such a pair one comes second, and then both are here: the outcome does not depend on which.
    """
    for field, ending in spec.ending():
        name = field.name
        if name not in cells:
            continue
        pairs: list[tuple[OpId, OpId]] = []
        watched = [FieldName(one) for one in ending.unless]
        if name in op.changes:
            mine = [one for one in endings(field, cells[name]) if one.stamp.op == op.id]
            others = {entry.stamp for one in watched if one in cells for entry in cells[one].entries}
            # Who says nothing of the entries has a program that knows no such field: whatever its base held, its
            # officer ended the work without sight of them.
            knows = any(one in op.saw or one in op.changes for one in watched)
            pairs += [
                (op.id, stamp.op)
                for _ in mine
                for stamp in others
                if stamp.op != op.id and not (knows and _saw(op, stamp, watched))
            ]
        if any(one in op.changes for one in watched):
            standing = [one for one in endings(field, cells[name]) if one.stamp.op != op.id]
            pairs += [(one.stamp.op, op.id) for one in standing if not _saw(op, one.stamp, [name])]
        if pairs:
            cells[name] = contest(field, cells[name], pairs)


def _saw(op: Op, stamp: Stamp, fields: Sequence[FieldName]) -> bool:
    """Whether the author of `op` had that stamp's value before their eyes, in one of the fields."""
    told = [op.saw[name] for name in fields if name in op.saw]
    if told:
        return any(stamp.op in names for names in told)
    return 0 < stamp.seq <= op.base or (stamp.device == op.device and stamp.n < op.n)


def displaced(state: RecordState, op: Op) -> dict[FieldName, OpId]:
    """Field -> the op whose value stands there, for every field of `op` that did not take effect in `state`."""
    found = {}
    for name in op.changes:
        field, cell = state.spec.fields.get(name), state.cells.get(name)
        if field is None or cell is None or any(one.stamp.op == op.id for one in state.trust.get(name, ())):
            continue
        if cell.said is not None and cell.said.stamp.n == op.n and cell.said.stamp.device == op.device:
            # Shown is what it said itself.
            continue
        stands = policy_of(field).stands(field, cell, change_of(op, name, stamp_of(op), field))
        if stands is not None:
            found[name] = stands.op
    return found


def to_row(state: RecordState) -> Row:
    """The record's form on the wire and in stores."""
    stamps = Stamps(state.beyond)
    place, fields = stamps.place, state.spec.fields
    cells = {name: policy_of(fields[name]).pack(cell, place) for name, cell in state.cells.items()}
    trust = {name: [_pack_trusted(one, place) for one in kept] for name, kept in state.trust.items()}
    return Row(
        id=state.id,
        kind=state.spec.name,
        v=state.version,
        stamps=stamps.listed(),
        cells={**cells, **state.beyond.cells},
        upto=dict(state.upto),
        trust=trust,
    )


def _pack_trusted(one: Trusted, place: Place) -> list[Any]:
    """[value, stamp, [op ...] or nil, base], and true behind them when it is a correction."""
    raw: list[Any] = [one.value, place(one.stamp), None if one.saw is None else list(one.saw), one.base]
    return [*raw, True] if one.correct else raw


def _unpack_trusted(raw: list[Any], stamps: Sequence[Stamp]) -> Trusted:
    """See `_pack_trusted`."""
    value, at, saw, base, *rest = raw
    return Trusted(value, stamps[at], None if saw is None else tuple(saw), base, bool(rest and rest[0]))


def unknown(row: Row) -> RecordState:
    """A record of a kind that only a newer program knows: it is there, nothing of it can be read, and none changed."""
    spec = KindSpec(name=row.kind, struct=Kind, fields={})
    return RecordState(id=row.id, spec=spec, version=row.v, cells={}, beyond=Beyond(row.cells, tuple(row.stamps)))


def counts(row: Row, spec: KindSpec) -> dict[DeviceId, OpNumber]:
    """Device -> number of its last op that a row of this kind holds."""
    # Rows of version 1 say nothing of what they hold; their stamps do. In a record that the rules made they say nothing
    # of it: they name ops on other records, and it holds no op until a person decides.
    upto = dict(row.upto)
    for stamp in row.stamps if not (upto or spec.by_rule) else ():
        upto[stamp.device] = max(stamp.n, upto.get(stamp.device, stamp.n))
    return upto


def from_row(row: Row) -> RecordState:
    """The record behind a row. Of fields that this program does not know it shows nothing, and carries them along.

    What was kept in trust and can be read here is merged by its policy.

    Raises:
        ValueError: the row's kind is not known here, or its cells do not have the form of their policy.
    """
    spec = kind_named(row.kind)
    if spec is None:
        raise ValueError(f"record {row.id} is of the unknown kind {row.kind!r}")
    cells: dict[FieldName, Cell] = {}
    trust: dict[FieldName, tuple[Trusted, ...]] = {}
    for name, cell in row.cells.items():
        field = spec.fields.get(name)
        if field is None:
            continue
        try:
            cells[name] = policy_of(field).unpack(cell, row.stamps)
        except (IndexError, TypeError, ValueError):
            raise ValueError(f"record {row.id}: the cell of {name!r} has not the form of {field.policy.name}") from None
    try:
        for name, kept in row.trust.items():
            trust[name] = tuple(_unpack_trusted(one, row.stamps) for one in kept)
    except (IndexError, TypeError, ValueError):
        raise ValueError(f"record {row.id}: what is kept in trust has not its form") from None
    upto = counts(row, spec)
    carried = {name: cell for name, cell in row.cells.items() if name not in spec.fields}
    beyond = Beyond(carried, tuple(row.stamps)) if carried else NOTHING
    state = RecordState(id=row.id, spec=spec, version=row.v, cells=cells, upto=upto, trust=trust, beyond=beyond)
    return _read_trust(state) if trust else state


def _read_trust(state: RecordState) -> RecordState:
    """Merge what was kept in trust and can be read now, in the order in which it was recorded."""
    cells, left = dict(state.cells), {}
    for name, kept in state.trust.items():
        field = state.spec.fields.get(name)
        unread = []
        for one in sorted(kept, key=lambda one: (one.stamp.seq, one.stamp.order)):
            if field is None or field.by_rule or not field.reads(one.value):
                unread.append(one)
            else:
                cells[name] = policy_of(field).merge(field, cells.get(name), one.change(field))
        if unread:
            left[name] = tuple(unread)
    return msgspec.structs.replace(state, cells=cells, trust=left)
