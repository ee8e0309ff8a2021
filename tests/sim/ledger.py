"""The reference model, second half: what every accepted op did to which record, in the order in which they were taken.

An op changes its own record. Where people then differ an inbox item follows, and a decision made on an item changes the
record that it is about. The ledger lives through all of that once more, one op after the other, and remembers every
version of every record.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from schemas.ids import DeviceId, OpNumber, RecordId, ScopeName, Seq, named_record_id
from schemas.ops import Op
from tests.sim import model
from tests.sim.model import ITEM, Cells, Fact, Many, One

MINUTE_MS: Final = 60_000
DAY: Final = 24 * 60
WITHIN: Final = {
    "briefing": {"issued_at": DAY},
    "custody-booking": {
        **dict.fromkeys(("arrested_at", "arrived_at", "relevant_time", "detention_authorised_at"), 30),
        **dict.fromkeys(("appropriate_adult", "disposal"), 30),
        "status": 15,
        "arresting_officer": 60,
    },
    "incident": {"opened_at": DAY, "source": DAY, "status": 60},
    "medical": dict.fromkeys(("booking", "medication", "allergies", "conditions"), 15),
    "resource": {"category": DAY, "hold": 10},
    "suspect": {"claimed": 30},
    ITEM: {"decision": 60},
}
"""Kind -> field that can ask a person -> minutes to decide."""


class Accepted(NamedTuple):
    """An op that the server took.

    Attributes:
        op: the op.
        seq, at: the commit that made it durable, and the server's clock then (ms since 1970).
        told: when it was made, where its device knew better once it met the server; else None.
    """

    op: Op
    seq: Seq
    at: int
    told: int | None


class _Record:
    """One record: the changes to it in order, and of an inbox item what the rules wrote."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.facts: list[Fact] = []
        self.ruled: list[tuple[int, Cells]] = []
        self.touched: list[tuple[int, Op]] = []

    def cells(self, upto: int | None = None, pending: Sequence[Fact] = ()) -> Cells:
        known = [one for one in self.facts if upto is None or one.seq <= upto]
        ruled = [made for seq, made in self.ruled if upto is None or seq <= upto]
        return model.cells(self.kind, [*known, *pending]) | (ruled[-1] if ruled else {})


class Ledger:
    """Every record at every version."""

    def __init__(self, history: Sequence[Accepted] = ()) -> None:
        """Live through a history."""
        self.records: dict[RecordId, _Record] = {}
        self.taken: list[Accepted] = []
        self._stamps: dict[str, tuple[int, int, int]] = {}
        for one in history:
            self.take(one)

    # --- what it tells -----------------------------------------------------------------------------------------------

    def cells(self, record: RecordId) -> Cells:
        """What a record holds."""
        return self.records[record].cells()

    def scopes(self, record: RecordId) -> frozenset[ScopeName]:
        """The scopes that a record is in."""
        return model.scopes(self.records[record].kind, self.cells(record))

    def version(self, record: RecordId) -> int:
        """The commit that changed it last."""
        return max(seq for seq, _ in self.records[record].touched)

    def held_by(self, record: RecordId, version: int | None) -> set[str]:
        """The ops that a version of a record holds."""
        return {op.id for op in self.between(record, 0, version or 0) if op.record == record}

    def is_told_better(self, op: Op) -> bool:
        """Whether its device told, with the op, a better time than the one in it."""
        return any(one.told is not None for one in self.taken if one.op.id == op.id)

    def between(self, record: RecordId, after: int, upto: int) -> list[Op]:
        """The ops that changed a record in the commits after < seq <= upto."""
        known = self.records.get(record)
        return [] if known is None else [op for seq, op in known.touched if after < seq <= upto]

    def view(self, record: RecordId, version: int | None, pending: Sequence[Op]) -> dict[str, Any] | None:
        """What a device must show that holds a version of a record, or none, and has these ops of its own.

        Those that the version holds are left out.
        """
        known = self.records.get(record) if version is not None else None
        taken = set() if known is None else {op.id for seq, op in known.touched if seq <= (version or 0)}
        begun = known is not None
        shown = _Record(pending[0].kind) if known is None and pending else known
        if shown is None:
            return None
        facts: list[Fact] = []
        readings = {name: stamp[:2] for name, stamp in self._stamps.items()}
        for op in pending:
            begun = begun or op.create
            if begun and op.id not in taken:
                # What was told better may have moved an earlier op behind the reading of a later one.
                held = _by_people(shown.kind, shown.cells(version or 0, facts))
                mine = [name for name in named(held) if _is_before(name, op)]
                latest = max((readings[name] for name in mine), default=(0, 0))
                when = readings[op.id] = op.hlc if op.hlc > latest else (latest[0], latest[1] + 1)
                facts += [model.fact(op, field, when, when[0], 0) for field in op.changes]
        return model.values(shown.kind, shown.cells(version or 0, facts)) if begun else None

    def open_items(self) -> set[tuple[RecordId, str]]:
        """(record, field) of every question that waits for a person."""
        found = set()
        for one in self.records.values():
            if one.kind == ITEM:
                held = model.values(ITEM, one.cells())
                found |= {(held["subject"], held["field"])} if model.is_open(held) else set()
        return found

    # --- what it lives through ---------------------------------------------------------------------------------------

    def take(self, one: Accepted) -> None:
        """Live through one more op."""
        op = one.op
        self.taken.append(one)
        record = self.records.setdefault(op.record, _Record(op.kind))
        when = self._reading(one, record)
        self._stamps[op.id] = (*when, one.seq)
        self._change(op.record, [model.fact(op, field, when, one.at, one.seq) for field in op.changes], one)

    def _reading(self, one: Accepted, record: _Record) -> tuple[int, int]:
        """The op's clock reading, or the better one that its device told: later than what its author had seen."""
        op = one.op
        own = op.hlc if one.told is None else (one.told, 0)
        names = {name for seen in op.saw.values() for name in seen}
        latest = (0, 0)
        here = named(_by_people(record.kind, record.cells()))
        for name in named(record.cells()):
            ms, tick, seq = self._stamps[name]
            if (_is_before(name, op) and name in here) or (
                one.told is not None and (0 < seq <= op.base or name in names)
            ):
                latest = max(latest, (ms, tick))
        return own if own > latest else (latest[0], latest[1] + 1)

    def _change(self, name: RecordId, facts: Sequence[Fact], one: Accepted) -> None:
        record = self.records[name]
        before = record.cells()
        places = model.scopes(record.kind, before) if before else None
        record.facts += facts
        self._touch(name, one)
        after = record.cells()
        moved = places != model.scopes(record.kind, after)
        for field in WITHIN[record.kind]:
            if field in after and (moved or before.get(field) != after[field]):
                self._ask(name, field, before.get(field), one)
        if moved:
            self._move(name, one)
        if record.kind == ITEM:
            self._decided(name, before, one)

    def _move(self, subject: RecordId, one: Accepted) -> None:
        """What is and was asked about a record goes along with it, and what is asked about that."""
        record = self.records[subject]
        places = model.scopes(record.kind, record.cells())
        audiences = sorted({place.removesuffix(":briefing").removesuffix(":inbox") for place in places})
        for item, about in list(self.records.items()):
            held = model.values(ITEM, about.cells()) if about.kind == ITEM and about.cells() else {}
            if held.get("subject") == subject and held["places"] != audiences:
                self._rule(item, {"places": audiences}, [], one)
                self._move(item, one)

    def _touch(self, name: RecordId, one: Accepted) -> None:
        self.records[name].touched.append((one.seq, one.op))

    def _decided(self, name: RecordId, before: Cells, one: Accepted) -> None:
        """A decision that stands settles the field that the item is about."""
        after = self.cells(name)
        decision = after.get("decision")
        if not isinstance(decision, One) or decision.op != one.op.id or decision.value is None:
            return
        earlier = before.get("decision")
        names = {op for _, op in earlier.standing} if isinstance(earlier, One) else set()
        # Of a decision on the item about this item's decision, the candidates are the decisions that differ.
        names |= set(model.saw(one.op, "candidates"))
        held = model.values(ITEM, after)
        stamp = self._stamps[one.op.id]
        fact = Fact(
            field=held["field"],
            value=decision.value["value"],
            op=one.op,
            when=stamp[:2],
            at=one.at,
            saw=frozenset(names),
            decides=True,
            answers=True,
            seq=one.seq,
        )
        self._change(held["subject"], [fact], one)

    # --- the items ---------------------------------------------------------------------------------------------------

    def _ask(self, subject: RecordId, field: str, was: One | Many | None, one: Accepted) -> None:
        """Begin, keep up or end the items about a field that has changed, or whose record has moved."""
        kind = self.records[subject].kind
        cell = self.cells(subject)[field]
        decided = cell.decided if isinstance(cell, One) else ""
        was_open = was is not None and bool(model.unsettled(kind, field, was))
        was_decided = was.decided if isinstance(was, One) else ""
        open_now = model.unsettled(kind, field, cell)
        if was_open and was_decided != decided:
            old = item_id(subject, field, was_decided)
            if model.is_open(model.values(ITEM, self.cells(old))):
                self._rule(old, {"ended_by": one.op.id}, [], one)
        item = item_id(subject, field, decided)
        if open_now:
            self._keep_up(item, subject, field, open_now, one)
        elif was_open and was_decided == decided:
            self._rule(item, {"ended_by": one.op.id}, [], one)

    def _keep_up(self, item: RecordId, subject: RecordId, field: str, open_now: set[str], one: Accepted) -> None:
        record = self.records[subject]
        held = record.cells()
        cell = held[field]
        told: dict[str, Any] = {}
        if item not in self.records:
            self.records[item] = _Record(ITEM)
            told = {
                "subject": subject,
                "subject_kind": record.kind,
                "field": field,
                "policy": model.policy(record.kind, field),
                "opened_at": one.at,
                "due_at": one.at + WITHIN[record.kind][field] * MINUTE_MS,
            }
        places = model.scopes(record.kind, held)
        told |= {
            "ended_by": None,
            "places": sorted({place.removesuffix(":briefing").removesuffix(":inbox") for place in places}),
            "shown": model.value(record.kind, field, cell),
        }
        said = [fact for fact in record.facts if fact.field == field and fact.op.id in open_now]
        self._rule(item, told, said, one)

    def _rule(self, item: RecordId, told: dict[str, Any], said: Sequence[Fact], one: Accepted) -> None:
        """The rules write in an item what is not there yet."""
        record = self.records[item]
        before: Cells = dict(record.ruled[-1][1]) if record.ruled else {}
        after: Cells = dict(before)
        for field, value in told.items():
            kept = after.get(field)
            if not isinstance(kept, One) or kept.value != value:
                after[field] = One(value, one.op.id)
        known = {op for _, op, _ in _entries(after, "candidates")}
        fresh = [(fact, _candidate(fact)) for fact in said if fact.op.id not in known]
        if fresh:
            kept_facts = [(self._fact_of(op), value) for value, op, _ in _entries(after, "candidates")]
            entries = sorted([*kept_facts, *fresh], key=lambda pair: (pair[0].op.occurred_at, pair[0].order))
            after["candidates"] = Many(tuple((value, fact.op.id, 0) for fact, value in entries))
        if after != before:
            record.ruled.append((one.seq, after))
            self._touch(item, one)

    def _fact_of(self, op: str) -> Fact:
        """Any change of an op: who and when are the same in all."""
        return next(fact for record in self.records.values() for fact in record.facts if fact.op.id == op)


def item_id(record: RecordId, field: str, decided: str) -> RecordId:
    """The inbox item about a field since a decision on it."""
    return named_record_id("inbox", record, field, decided)


def of(op: Op) -> tuple[DeviceId, OpNumber]:
    """What names an op."""
    return op.device, op.n


def _entries(held: Cells, field: str) -> tuple[tuple[Any, str, int], ...]:
    cell = held.get(field)
    return cell.entries if isinstance(cell, Many) else ()


def named(held: Mapping[str, One | Many]) -> set[str]:
    """The ops whose values stand in a record."""
    one = {op for cell in held.values() if isinstance(cell, One) for _, op in cell.standing}
    return one | {op for cell in held.values() if isinstance(cell, Many) for _, op, _ in cell.entries}


def _by_people(kind: str, cells: dict[str, Any]) -> dict[str, Any]:
    """What people wrote in a record: of an inbox item the decision, for the rest names ops on its subject."""
    return {field: cell for field, cell in cells.items() if kind != ITEM or field == "decision"}


def _is_before(name: str, op: Op) -> bool:
    """Whether an op is an earlier one of the same device."""
    device, _, n = name.rpartition("/")
    return device == op.device and int(n) < op.n


def _candidate(fact: Fact) -> dict[str, Any]:
    """What the item tells of a value; what is nothing is left out."""
    op = fact.op
    told = {
        "value": fact.value,
        "base": op.base,
        "saw": list(model.saw(op, fact.field)),
        "why": op.why,
        "wall": op.wall,
    }
    return {name: value for name, value in told.items() if name == "value" or value}
