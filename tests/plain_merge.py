"""The merge rules and the digest, written from docs/protocol.md alone (see plain_client.py).

What each field declares is read from that page too, from the JSON under the mark `fields`: a kind or field that is
added there needs nothing here.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "protocol.md"


def told_in(page: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Kind -> field -> what it declares, as the page tells it."""
    block = re.search(r"<!-- begin: fields -->\n```json\n(.*?)```", page, re.DOTALL)
    found: dict[str, dict[str, dict[str, Any]]] = {} if block is None else json.loads(block[1])
    return found


FIELDS: Final = told_in(PAGE.read_text(encoding="utf-8"))
"""kind -> field -> what it declares."""
MANY: Final = frozenset({"grow", "tags"})
RENUMBERED: Final = 32

Value = Any
Spec = dict[str, Any]
Stamp = list[Any]
Said = tuple[Value, Stamp]
Order = tuple[int, int, str, int]


@dataclass(frozen=True)
class Cell:
    """A row's cell, with the stamps themselves in place of their indexes.

    Attributes:
        said: the value that stands first, and what stands beside it; empty for many values.
        decided: the decision that last settled the field, or "".
        against: (ending, entry) ops.
        entries: (entry, stamp, k) in order.
    """

    said: tuple[Said, ...] = ()
    decided: str = ""
    against: tuple[tuple[str, str], ...] = ()
    entries: tuple[tuple[Value, Stamp, int], ...] = ()

    @property
    def stamps(self) -> list[Stamp]:
        """Every stamp in it."""
        return [stamp for _, stamp in self.said] + [stamp for _, stamp, _ in self.entries]


@dataclass(frozen=True)
class Change:
    """One field's part of an op."""

    value: Value
    stamp: Stamp
    saw: frozenset[str] | None = None
    base: int = 0
    decides: bool = False

    def has_seen(self, stamp: Stamp) -> bool:
        """Whether its author had what that stamp is on before their eyes."""
        if self.saw is not None:
            return name(stamp) in self.saw
        return bool(0 < stamp[7] <= self.base or (stamp[0] == self.stamp[0] and stamp[1] < self.stamp[1]))


@dataclass
class Record:
    """A record as the device shows it."""

    kind: str
    cells: dict[str, Cell] = field(default_factory=dict)
    upto: dict[str, int] = field(default_factory=dict)

    def values(self) -> dict[str, Value]:
        """Field -> plain value."""
        return {each: shown(FIELDS[self.kind][each], cell) for each, cell in self.cells.items()}


def digest(pairs: Iterable[tuple[str, int]]) -> bytes:
    """A scope's digest over (record, version)."""
    total = sum(int.from_bytes(hashlib.sha256(f"{record} {v}".encode()).digest(), "big") for record, v in pairs)
    return (total % 2**256).to_bytes(32, "big")


def name(stamp: Stamp) -> str:
    """The op that a stamp is of."""
    return f"{stamp[0]}/{stamp[1]}"


def order(stamp: Stamp) -> Order:
    """Sorts stamps by corrected time, ties by op."""
    device, n, ms, tick = stamp[:4]
    return (ms, tick, device, n)


# --- rows ---------------------------------------------------------------------------------------------------------


def record_of(row: dict[str, Any]) -> Record:
    """The record behind a row. Fields that the page does not have are passed over; the row keeps them."""
    known, stamps = FIELDS.get(row["kind"], {}), row["stamps"]
    cells = {each: in_place(known[each], raw, stamps) for each, raw in row["cells"].items() if each in known}
    upto = dict(row.get("upto", {}))
    for stamp in [] if upto or row["kind"] == "inbox-item" else stamps:
        upto[stamp[0]] = max(stamp[1], upto.get(stamp[0], 0))
    record = Record(row["kind"], cells, upto)
    for each, kept in row.get("trust", {}).items():
        for raw in sorted(kept, key=lambda one: (stamps[one[1]][7], order(stamps[one[1]]))):
            value, at, saw, base, *correct = raw
            if each in known and not known[each].get("by_rule") and reads(known[each], value):
                seen = None if saw is None else frozenset(saw)
                decides = known[each]["policy"] == "once" and bool(correct and correct[0])
                change = Change(value, stamps[at], seen, base, decides)
                record.cells[each] = merged(known[each], record.cells.get(each), change)
    return record


def in_place(spec: Spec, raw: list[Any], stamps: list[Stamp]) -> Cell:
    """A row's cell."""
    if spec["policy"] in MANY:
        return Cell(entries=tuple((value, stamps[at], k) for value, at, k in raw))
    value, at, *rest = raw
    beside, decided, against = [*rest, *[[], "", []][len(rest) :]][:3]
    said = ((value, stamps[at]), *((other, stamps[index]) for other, index in beside))
    return Cell(said, decided, tuple((ending, entry) for ending, entry in against))


def reads(spec: Spec, value: Value) -> bool:
    """Whether every enumerated word in a change is known here. A whole program checks the value's form as well."""
    match spec["policy"]:
        case "grow":
            parts = value
        case "tags":
            parts = [*value.get("add", []), *value.get("remove", [])]
        case _:
            parts = value if isinstance(value, list) else [value]
    words = spec.get("values")
    inner = spec.get("parts", {})
    return all(
        part is None
        or ((words is None or part in words) and all(part.get(each) in [None, *some] for each, some in inner.items()))
        for part in parts
    )


# --- the policies -------------------------------------------------------------------------------------------------


def merged(spec: Spec, cell: Cell | None, change: Change) -> Cell:
    """The cell after a change."""
    before = cell or Cell()
    if spec["policy"] not in MANY and any(name(stamp) == name(change.stamp) for stamp in before.stamps):
        return before
    match spec["policy"]:
        case "grow":
            return _sorted(before.entries, change, change.value)
        case "tags":
            gone = change.value.get("remove", [])
            kept = [one for one in before.entries if not (one[0] in gone and change.has_seen(one[1]))]
            return _sorted(kept, change, change.value.get("add", []))
        case "latest":
            earlier = before.said and order(before.said[0][1]) >= order(change.stamp)
            return before if earlier else Cell((_said(change),))
        case "once":
            return _once(spec, before, change)
        case "claim":
            return _claim(before, change)
        case _:
            left = [one for one in before.said if not change.has_seen(one[1])]
            return _chosen(spec, before, [*left, _said(change)])


def _said(change: Change) -> Said:
    return (change.value, change.stamp)


def _sorted(kept: Iterable[tuple[Value, Stamp, int]], change: Change, added: list[Value]) -> Cell:
    entries = list(kept)
    known = {(name(stamp), k) for _, stamp, k in entries}
    fresh = [(each, change.stamp, k) for k, each in enumerate(added) if (name(change.stamp), k) not in known]
    return Cell(entries=tuple(sorted([*entries, *fresh], key=lambda one: (one[1][5], *order(one[1]), one[2]))))


def _by_time(said: Iterable[Said]) -> tuple[Said, ...]:
    return tuple(sorted(said, key=lambda one: order(one[1])))


def same(spec: Spec, one: Value, other: Value) -> bool:
    """Whether two values of a field say the same."""
    if "means" not in spec or one is None or other is None:
        return bool(one == other)
    return all(one.get(part) == other.get(part) for part in spec["means"])


def _once(spec: Spec, before: Cell, change: Change) -> Cell:
    if not before.said:
        return Cell((_said(change),))
    (value, stamp), *beside = before.said
    if change.decides and change.has_seen(stamp):
        left = [one for one in beside if not change.has_seen(one[1]) and not same(spec, one[0], change.value)]
        return Cell((_said(change), *left), name(change.stamp))
    if value is None and not before.decided and change.value is not None:
        return replace(before, said=(_said(change), *beside))
    if change.value is None or same(spec, change.value, value):
        return before
    return replace(before, said=(before.said[0], *_by_time([*beside, _said(change)])))


def _covers(hold: Value, other: Value) -> bool:
    """Whether a hold is all that another asks for."""
    if hold is None or other is None or hold["holder"] != other["holder"]:
        return False
    ends, until = hold.get("until"), other.get("until")
    return bool(ends is None or (until is not None and until <= ends))


def is_free(said: Said, at: int) -> bool:
    """Whether nobody holds it at that moment."""
    value = said[0]
    return value is None or (value.get("until") is not None and value["until"] <= at)


def _claim(before: Cell, change: Change) -> Cell:
    if not before.said:
        return Cell((_said(change),))
    (first, *beside), value = before.said, change.value
    taken = replace(before, said=(_said(change), *(one for one in beside if not _covers(value, one[0]))))
    free = is_free(first, change.stamp[6] or change.stamp[2])
    reserved = not free and first[0].get("until") is not None
    if value is None:
        if first[0] is None or not change.has_seen(first[1]):
            return replace(before, said=(first, *(one for one in beside if not change.has_seen(one[1]))))
        return before if reserved and first[1][0] != change.stamp[0] else taken
    if free or (reserved and first[1][0] == change.stamp[0]):
        return taken
    if _covers(first[0], value):
        return before
    return replace(before, said=(first, *_by_time([*beside, _said(change)])))


def _chosen(spec: Spec, before: Cell, said: Iterable[Said]) -> Cell:
    """Of values that stand side by side, which stands first."""
    listed = list(said)
    here = {name(stamp) for _, stamp in listed}
    against = tuple(pair for pair in before.against if pair[0] in here)
    first = _first(spec, listed, against)
    return Cell((first, *_by_time(one for one in listed if one is not first)), before.decided, against)


def _first(spec: Spec, said: list[Said], against: Iterable[tuple[str, str]]) -> Said:
    contested = {ending for ending, _ in against}

    def rank(value: Value, order_of: list[Value]) -> int:
        return order_of.index(value) if value in order_of else len(order_of)

    def key(one: Said) -> tuple[Any, ...]:
        match spec["policy"]:
            case "highest":
                return (-1 if one[0] is None else rank(one[0], spec["ranks"]), order(one[1]))
            case "state":
                return (rank(one[0], spec["precedence"]), name(one[1]) not in contested, order(one[1]))
            case _:
                return order(one[1])

    return max(said, key=key)


def _distinct(values: Iterable[Value]) -> list[Value]:
    found: list[Value] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _contested(cell: Cell) -> bool:
    return any(ending == name(cell.said[0][1]) for ending, _ in cell.against)


def shown(spec: Spec, cell: Cell) -> Value:
    """What the officer sees."""
    if spec["policy"] in MANY:
        values = [value for value, _, _ in cell.entries]
        return _distinct(values) if spec["policy"] == "tags" else values
    first = cell.said[0][0]
    if spec["policy"] == "state":
        return spec["ending"]["shown"] if _contested(cell) else first
    values = _distinct(value for value, _ in _by_time(cell.said))
    if spec["policy"] != "judged" or len(values) == 1:
        return first
    match spec["safe"]["way"]:
        case "nothing":
            return None
        case "together":
            return _distinct(part for value in values for part in value or [])
        case _:
            safe = spec["safe"]["order"]
            return min(values, key=lambda value: safe.index(value) if value in safe else -1)


def left_open(spec: Spec, cell: Cell) -> list[Said]:
    """What waits for a person, in order of time; empty when nothing does."""
    values = _distinct(value for value, _ in cell.said)
    match spec["policy"]:
        case "once" | "claim":
            return list(cell.said) if len(cell.said) > 1 else []
        case "judged":
            return list(_by_time(cell.said)) if len(values) > 1 else []
        case "state":
            asks = len(values) > 1 and any(value in spec.get("asks_when", []) for value in values)
            return list(_by_time(cell.said)) if asks or _contested(cell) else []
        case _:
            return []


# --- ops ----------------------------------------------------------------------------------------------------------


def sight(record: Record | None, kind: str, changes: Iterable[str]) -> dict[str, list[str]]:
    """`saw` of an op: what its author sees of the fields that it must tell of."""
    if record is None:
        return {}
    found: dict[str, list[str]] = {}
    for each in changes:
        spec = FIELDS[kind][each]
        asked = [] if spec["policy"] in {"latest", "grow"} else [each]
        for one in [*asked, *spec.get("sees", [])]:
            found[one] = sorted({name(stamp) for stamp in record.cells.get(one, Cell()).stamps})
    return found


def apply(record: Record, op: dict[str, Any], *, not_taken: bool = False) -> None:
    """Lay an op over a record, unless the row holds it; the server does not have one that it has `not_taken`."""
    if op["n"] <= record.upto.get(op["device"], 0) and not not_taken:
        return
    stamps = [stamp for cell in record.cells.values() for stamp in cell.stamps]
    own = [one for one in stamps if one[0] == op["device"] and one[1] < op["n"]]
    if op.get("doubt", 0) & RENUMBERED:
        own = [one for one in own if (one[8] if len(one) > 8 else 0) & RENUMBERED or one[1] == op.get("after", 0)]
    ms, tick = max([(one[2], one[3]) for one in own], default=(0, 0))
    reading = op["hlc"] if tuple(op["hlc"]) > (ms, tick) else [ms, tick + 1]
    stamp = [op["device"], op["n"], *reading, op["author"], op["occurred_at"], 0, 0, op.get("doubt", 0)]
    known = {each: spec for each, spec in FIELDS[record.kind].items() if each in op["changes"]}
    for each, spec in known.items():
        saw = op.get("saw", {}).get(each)
        decides = spec["policy"] == "once" and op.get("correct", False)
        seen = None if saw is None else frozenset(saw)
        change = Change(op["changes"][each], stamp, seen, op.get("base", 0), decides)
        record.cells[each] = merged(spec, record.cells.get(each), change)
    _contest(record, op, stamp)
    record.upto[op["device"]] = max(op["n"], record.upto.get(op["device"], 0))


def _contest(record: Record, op: dict[str, Any], stamp: Stamp) -> None:
    """Note each ending, and each entry of the fields that it watches, of which neither author saw the other's."""

    def saw(other: Stamp, fields: list[str]) -> bool:
        told = [op["saw"][each] for each in fields if each in op.get("saw", {})]
        if told:
            return any(name(other) in names for names in told)
        return Change(None, stamp, None, op.get("base", 0)).has_seen(other)

    for each, spec in FIELDS[record.kind].items():
        ending, cell = spec.get("ending"), record.cells.get(each)
        if ending is None or cell is None:
            continue
        ends = [one for value, one in cell.said if value in ending["states"]]
        pairs: list[tuple[str, str]] = []
        if each in op["changes"] and any(name(one) == name(stamp) for one in ends):
            entries = [one for watched in ending["unless"] for one in record.cells.get(watched, Cell()).stamps]
            knows = any(one in op.get("saw", {}) or one in op["changes"] for one in ending["unless"])
            unseen = [one for one in entries if name(one) != name(stamp) and not (knows and saw(one, ending["unless"]))]
            pairs += [(name(stamp), name(one)) for one in unseen]
        if any(watched in op["changes"] for watched in ending["unless"]):
            pairs += [(name(one), name(stamp)) for one in ends if name(one) != name(stamp) and not saw(one, [each])]
        if pairs:
            against = tuple(sorted({*cell.against, *pairs}))
            record.cells[each] = _chosen(spec, replace(cell, against=against), cell.said)
