"""The reference model: what every field of a record must hold, computed from scratch out of the changes made to it.

It is slow and obvious on purpose and shares no code with the merge: lists, loops, sorts. Which policy a field has, its
ranks and its precedence are written out here, not read from the kinds. What the store, the replicas and the views hold
must equal it. `tests.sim.ledger` tells which changes there were.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from schemas.ids import FieldName, ScopeName
from schemas.ops import Op, Row

ITEM: Final = "inbox-item"
POLICIES: Final[dict[str, dict[str, str]]] = {
    "briefing": {"issued_at": "once", "receipts": "grow"},
    "custody-booking": {
        **dict.fromkeys(
            ("arrested_at", "arrived_at", "relevant_time", "detention_authorised_at", "arresting_officer"), "once"
        ),
        **dict.fromkeys(("checks", "property_items", "log", "release_assessments"), "grow"),
        **dict.fromkeys(("risk", "observation"), "highest"),
        **dict.fromkeys(("appropriate_adult", "disposal"), "judged"),
        "status": "state",
        "markers": "tags",
    },
    "incident": {
        "opened_at": "once",
        "source": "once",
        "grade": "highest",
        "status": "state",
        "log": "grow",
        "arrests": "grow",
        "markers": "tags",
    },
    "medical": {
        "booking": "once",
        **dict.fromkeys(("medication", "allergies", "conditions"), "judged"),
        **dict.fromkeys(("injuries", "visits", "given", "log"), "grow"),
    },
    "resource": {"category": "once", "hold": "claim", "log": "grow"},
    "suspect": {"claimed": "claim", "markers": "tags", "log": "grow"},
    ITEM: {"decision": "once", "candidates": "grow", "escalations": "grow"},
}
"""Kind -> field -> policy; every other field is `latest`."""
NUMBERS: Final = ("urn", "crime_numbers")
"""What the server numbers in the order in which things came: no change says it, so it is looked at apart."""
SERIES: Final = "number-series"
RANKS: Final = {
    "grade": ("no-deployment", "scheduled", "p2", "p1"),
    "risk": ("standard", "medium", "high"),
    "observation": ("l1", "l2", "l3", "l4"),
}
PRECEDENCE: Final = {
    "incident": ("closed", "open", "assigned", "attended"),
    "custody-booking": ("released", "arrived", "detained", "court", "hospital"),
}
ADULT: Final = ("needed", None, "not-needed")
"""What is shown while people differ about an appropriate adult: the first of these that was said."""


class Fact(NamedTuple):
    """One change to one field of one record.

    Attributes:
        field, value: what was said.
        op: the op that said it, or the decision behind it.
        when: its corrected clock reading.
        at: when it takes effect (ms since 1970).
        saw: the ops whose values its author had seen there.
        decides: whether it settles what stands open: a correction, or a decision.
        answers: whether it is a decision, made on the inbox item about the field.
        seq: its commit; 0 while it is only on a device.
    """

    field: str
    value: Any
    op: Op
    when: tuple[int, int]
    at: int
    saw: frozenset[str]
    decides: bool
    answers: bool
    seq: int

    @property
    def order(self) -> tuple[int, int, str, int]:
        """Which of two is the later one."""
        return (*self.when, self.op.device, self.op.n)


class One(NamedTuple):
    """A field with one value: what stands, who said it, and what stands beside it, each with its op."""

    value: Any
    op: str
    beside: tuple[tuple[Any, str], ...] = ()
    decided: str = ""
    against: tuple[tuple[str, str], ...] = ()

    @property
    def standing(self) -> list[tuple[Any, str]]:
        """All that was said and is not superseded."""
        return [(self.value, self.op), *self.beside]


class Many(NamedTuple):
    """A field with any number of values: (value, op, place in the op), in order."""

    entries: tuple[tuple[Any, str, int], ...]


Cells = dict[str, One | Many]


def policy(kind: str, field: str) -> str:
    """The declared policy of a field."""
    return POLICIES[kind].get(field, "latest")


def saw(op: Op, field: str) -> tuple[str, ...]:
    """The ops whose values an author had seen in a field."""
    return op.saw.get(FieldName(field), ())


def fact(op: Op, field: str, when: tuple[int, int], at: int, seq: int) -> Fact:
    """A field's part of an op."""
    decides = op.correct and policy(op.kind, field) == "once"
    return Fact(
        field, op.changes[FieldName(field)], op, when, at, frozenset(saw(op, field)), decides, answers=False, seq=seq
    )


# --- each policy -----------------------------------------------------------------------------------------------------


def cells(kind: str, facts: Sequence[Fact]) -> Cells:
    """The cells of a record after these changes, given in the order in which they were taken in."""
    found: Cells = {}
    for field in sorted({one.field for one in facts}):
        mine = [one for one in facts if one.field == field]
        match policy(kind, field):
            case "latest":
                last = max(mine, key=lambda one: one.order)
                found[field] = One(last.value, last.op.id)
            case "once":
                found[field] = _once(mine)
            case "claim":
                found[field] = _claim(mine)
            case "grow":
                found[field] = _many([(one, k, each) for one in mine for k, each in enumerate(one.value)])
            case "tags":
                found[field] = _many(_tags(mine))
            case _:
                found[field] = _frontier(kind, field, facts)
    return found


def _many(entries: Iterable[tuple[Fact, int, Any]]) -> Many:
    """By when it happened, then by corrected time, then by name."""
    ordered = sorted(entries, key=lambda entry: (entry[0].op.occurred_at, entry[0].order, entry[1]))
    return Many(tuple((value, one.op.id, k) for one, k, value in ordered))


def _tags(facts: Sequence[Fact]) -> list[tuple[Fact, int, Any]]:
    """Every tag that was ever added, but for those that somebody who had seen them removed."""

    def removed(one: Fact, tag: Any) -> bool:  # noqa: ANN401  whatever a tag is
        return any(one.op.id in other.saw and tag in other.value.get("remove", ()) for other in facts)

    added = [(one, k, tag) for one in facts for k, tag in enumerate(one.value.get("add", ()))]
    return [(one, k, tag) for one, k, tag in added if not removed(one, tag)]


def _frontier(kind: str, field: str, facts: Sequence[Fact]) -> One:
    """`highest`, `state`, `judged`: what nobody has overwritten with sight of it."""
    mine = [one for one in facts if one.field == field]
    standing = [one for one in mine if not any(one.op.id in other.saw for other in mine)]
    pairs = _contested(facts, standing) if (kind, field) == ("incident", "status") else []
    contested = {ending for ending, _ in pairs}

    def rank(one: Fact) -> tuple[Any, ...]:
        match policy(kind, field):
            case "highest":
                return (-1 if one.value is None else RANKS[field].index(one.value), one.order)
            case "state":
                return (PRECEDENCE[kind].index(one.value), one.op.id not in contested, one.order)
            case _:
                return one.order

    first = max(standing, key=rank)
    decided = [one.op.id for one in mine if one.decides]
    return _one(first, [one for one in standing if one is not first], decided[-1] if decided else "", pairs)


def _contested(facts: Sequence[Fact], standing: Sequence[Fact]) -> list[tuple[str, str]]:
    """Closings and arrests of which neither author had seen the other's.

    A person who decides to close knows of what was recorded up to the version of the item that they looked at.
    """

    def known(at: int, closing: Fact, then: int, arrest: Fact) -> bool:
        if closing.answers:
            return then < at and arrest.seq <= closing.op.base
        return arrest.op.id in saw(closing.op, "arrests")

    return sorted(
        (closing.op.id, arrest.op.id)
        for at, closing in enumerate(facts)
        for then, arrest in enumerate(facts)
        if closing in standing and closing.value == "closed" and arrest.field == "arrests"
        if closing.op.id != arrest.op.id
        if closing.op.id not in saw(arrest.op, "status")
        if not known(at, closing, then, arrest)
    )


def _once(facts: Sequence[Fact]) -> One:
    """The first stands; a correction or a decision by somebody who saw what stands takes its place."""
    stands, beside, decided = facts[0], list[Fact](), ""
    for one in facts[1:]:
        settled = bool(decided)  # Nothing that was decided is a decision too.
        if one.answers or (one.decides and stands.op.id in one.saw):
            decided = one.op.id
        if one.decides and stands.op.id in one.saw:
            stands, beside = one, [two for two in beside if two.op.id not in one.saw and not _same(two, one)]
        elif stands.value is None and one.value is not None and not settled:
            stands = one
        elif one.value is not None and not _same(one, stands):
            beside.append(one)
    return _one(stands, beside, decided)


def _same(one: Fact, two: Fact) -> bool:
    """Whether they say the same; of a decision, the reason does not matter."""
    if one.field == "decision" and one.value is not None and two.value is not None:
        return bool(one.value["value"] == two.value["value"])
    return bool(one.value == two.value)


def _claim(facts: Sequence[Fact]) -> One:
    """The first that comes holds, until it is given up by someone who saw it, or a reservation has ended."""
    stands, beside, decided = facts[0], list[Fact](), ""
    for one in facts[1:]:
        until = None if stands.value is None else stands.value.get("until")
        over = until is not None and until <= one.at
        own = until is not None and stands.op.device == one.op.device
        if one.answers or (one.decides and stands.op.id in one.saw):
            decided = one.op.id
        if one.decides and stands.op.id in one.saw:
            beside = [two for two in beside if two.op.id not in one.saw and not _enough(one, two)]
            stands = one
        elif one.value is None:
            seen = stands.value is not None and stands.op.id in one.saw
            if seen and (until is None or over or own):
                stands = one
            elif not seen:
                # Who gives up what they had seen need not be asked about it.
                beside = [two for two in beside if two.op.id not in one.saw]
        elif stands.value is None or over or own:
            stands, beside = one, [two for two in beside if not _enough(one, two)]
        elif not _enough(stands, one):
            beside.append(one)
    return _one(stands, beside, decided)


def _enough(hold: Fact, wanted: Fact) -> bool:
    """Whether who holds has, or nobody is to have, all that another asks for: the same holder, for as long."""
    if hold.value is None or wanted.value is None:
        return hold.value is wanted.value
    ends, until = hold.value.get("until"), wanted.value.get("until")
    long_enough = ends is None or (until is not None and until <= ends)
    return bool(hold.value["holder"] == wanted.value["holder"] and long_enough)


def _one(first: Fact, beside: Sequence[Fact], decided: str, against: Sequence[tuple[str, str]] = ()) -> One:
    others = sorted(beside, key=lambda one: one.order)
    return One(first.value, first.op.id, tuple((one.value, one.op.id) for one in others), decided, tuple(against))


# --- what follows from the cells -------------------------------------------------------------------------------------


def value(kind: str, field: str, cell: One | Many) -> Any:  # noqa: ANN401  of each field another
    """What an application sees of a cell."""
    if isinstance(cell, Many):
        entries = [entry[0] for entry in cell.entries]
        return entries if policy(kind, field) == "grow" else _distinct(entries)
    if policy(kind, field) == "state" and any(ending == cell.op for ending, _ in cell.against):
        return "attended"
    said = _distinct([one for one, _ in cell.standing])
    if policy(kind, field) != "judged" or len(said) == 1:
        return cell.value
    match field:
        case "appropriate_adult":
            return min(said, key=ADULT.index)
        case "disposal":
            return None
        case _:
            return _distinct([part for _, one in _by_time(cell) for part in one or ()])


def _by_time(cell: One) -> list[tuple[str, Any]]:
    """`judged` names first what came last, and the others by time before it."""
    return [(op, said) for said, op in (*cell.beside, (cell.value, cell.op))]


def values(kind: str, of: Cells) -> dict[str, Any]:
    """What an application sees of those cells."""
    return {field: value(kind, field, cell) for field, cell in of.items()}


def unsettled(kind: str, field: str, cell: One | Many) -> set[str]:
    """The ops between which a person must decide."""
    if isinstance(cell, Many):
        return set()
    said = _distinct([one for one, _ in cell.standing])
    match policy(kind, field):
        case "once" | "claim":
            asked = bool(cell.beside)
        case "judged":
            asked = len(said) > 1
        case "state":
            contested = any(ending == cell.op for ending, _ in cell.against)
            asked = contested or (kind == "custody-booking" and len(said) > 1 and "released" in said)
        case _:
            asked = False
    return {op for _, op in cell.standing} if asked else set()


def is_open(held: dict[str, Any]) -> bool:
    """Whether an inbox item with those values waits for a person."""
    return held.get("decision") is None and held.get("ended_by") is None


def scopes(kind: str, of: Cells) -> frozenset[ScopeName]:
    """The scopes of a record with those cells."""
    held = values(kind, of)
    match kind:
        case "incident" | "suspect":
            found = {f"area:{held['area']}"}
        case "custody-booking":
            found = {f"suite:{held['suite']}"}
        case "medical":
            found = {f"suite:{held['suite']}:medical"}
        case "resource":
            found = {held["home"], *(["custody"] if held["category"] == "cell" else [])}
        case "briefing":
            found = {f"{audience}:briefing" for audience in held["audience"]}
        case _:
            shut = any(place.endswith(":medical") for place in held["places"])
            asked = [*held["places"], *(["force"] if held.get("escalations") and not shut else [])]
            found = {*held["places"], *([f"{place}:inbox" for place in asked] if is_open(held) else [])}
    return frozenset(map(ScopeName, found))


def _distinct(said: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for one in said:
        if one not in found:
            found.append(one)
    return found


def of_row(row: Row) -> Cells:
    """The cells that a row tells of, in the model's form, without its numbers."""
    found: Cells = {}
    for field, raw in row.cells.items():
        if field in NUMBERS:
            continue
        if policy(row.kind, field) in {"grow", "tags"}:
            found[field] = Many(tuple((one, row.stamps[at].op, k) for one, at, k in raw))
            continue
        whole: list[Any] = [*raw, *([], "", [])[len(raw) - 2 :]]
        said, at, beside, decided, against = whole
        found[field] = One(
            said,
            row.stamps[at].op,
            tuple((other, row.stamps[index].op) for other, index in beside),
            decided,
            tuple((ending, entry) for ending, entry in against),
        )
    return found
