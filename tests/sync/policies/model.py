"""The reference model: what every field must hold, worked out from the list of accepted ops, slowly and in plain sight.

It shares no code with `sync.policies`, `sync.merge`, `sync.inbox` and `sync.history`: of a field it knows only what the
declaration says, of an op only what is in it. For every policy but `once` and `claim` the order of the list does not
matter: what stands is a function of the set of changes and of what each had seen.
"""

# ruff: noqa: ANN401
# Values are of the types that the fields declare, which only the kinds know.

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from schemas.codec import reread_op
from schemas.ids import FieldName, OpId, RecordId, split_op_id
from schemas.kinds import FieldSpec, kind_named
from schemas.ops import Op, Row
from schemas.policies import Needs
from server.store.port import KeptOp

CANDIDATES: Final = FieldName("candidates")
MANY: Final = ("grow", "tags")
"""The policies of fields that hold many values."""
Place = tuple[RecordId, FieldName]


class Told(NamedTuple):
    """One change to one field.

    Attributes:
        op: whose.
        value: what was said; for `grow` the entries, for `tags` the map of what is added and removed.
        late: sorts by corrected time, ties by op.
        occurred_at: when it happened, as its author says.
        at: when it was recorded.
        seq: its commit.
        saw: field -> what its author saw there.
        knows: the fields of which it says anything.
        base: the version that its author looked at: of the record, or of the item on which they decided.
        decides: whether it is a person's decision or an entitled correction.
    """

    op: OpId
    value: Any
    late: tuple[int, int, str, int]
    occurred_at: int
    at: int
    seq: int
    saw: Mapping[FieldName, frozenset[OpId]]
    knows: frozenset[FieldName]
    base: int
    decides: bool

    @property
    def device(self) -> str:
        """Where it was made."""
        return split_op_id(self.op)[0]


class Entered(NamedTuple):
    """One entry or tag that stands."""

    value: Any
    op: OpId
    k: int


class Model:
    """Every field of every record after a list of ops."""

    def __init__(self, kept: Sequence[KeptOp], items: Mapping[RecordId, Place]) -> None:
        """Work it out.

        Args:
            kept: the ops in the order in which they were decided; refused ones count for nothing.
            items: inbox item -> the record and the field that it is about.
        """
        self.told: dict[Place, list[Told]] = {}
        self.kind_of: dict[RecordId, str] = dict.fromkeys(items, "inbox-item")
        self._items = items
        for one in kept:
            if one.result.status == "durable":
                self._take(reread_op(one.body), one)

    def field(self, place: Place) -> FieldSpec:
        """The declaration of a field."""
        spec = kind_named(self.kind_of[place[0]])
        assert spec is not None
        return spec.fields[place[1]]

    def _take(self, op: Op, kept: KeptOp) -> None:
        self.kind_of.setdefault(op.record, op.kind)
        saw = {name: self._saw(op, name) for name in self._names(op.kind)}
        late = self._late(op)
        for name, value in op.changes.items():
            told = Told(
                op=op.id,
                value=value,
                late=late,
                occurred_at=op.occurred_at,
                at=kept.recorded_at,
                seq=kept.seq,
                saw=saw,
                knows=frozenset({*op.saw, *op.changes}),
                base=op.base,
                decides=op.correct and self.field((op.record, name)).policy.name == "once",
            )
            self._tell((op.record, name), told)

    def _late(self, op: Op) -> tuple[int, int, str, int]:
        """When it was made: later than all that stands in the record and that the same hands wrote before.

        Its own clock says so of what was written on this record. What they decided on an item stands here too, once
        their decision is taken, and the clock is kept per record.
        """
        if op.record in self._items:
            return (*op.hlc, op.device, op.n)
        stands = [
            one.late
            for place in self.told
            if place[0] == op.record
            for one in (self._entered(place) if self.field(place).policy.name in MANY else self.standing(place))
            if one.device == op.device and split_op_id(one.op)[1] < op.n
        ]
        ms, tick = max([(one[0], one[1]) for one in stands], default=(0, 0))
        return (*max(op.hlc, (ms, tick + 1) if stands else (0, 0)), op.device, op.n)

    def _entered(self, place: Place) -> list[Told]:
        """What wrote the entries that stand in a field of many; whoever only took something out left nothing there."""
        ops = {entry.op for entry in self.entries(place)}
        return [one for one in self.told[place] if one.op in ops]

    def _tell(self, place: Place, told: Told) -> None:
        self.told.setdefault(place, []).append(told)
        if place[0] not in self._items or place[1] != "decision":
            return
        first, _ = self.once(place)
        if first is None or first.op != told.op or first.value is None:
            return
        # The decision is taken: it changes what it was made about, and supersedes what its author was shown.
        subject, field = self._items[place[0]]
        names = told.saw.get(CANDIDATES, frozenset())
        settles = told._replace(value=first.value["value"], saw={field: names, CANDIDATES: names}, decides=True)
        self._tell((subject, field), settles)

    def _names(self, kind: str) -> Iterable[FieldName]:
        spec = kind_named(kind)
        assert spec is not None
        return spec.fields

    def _saw(self, op: Op, name: FieldName) -> frozenset[OpId]:
        if name in op.saw:
            return frozenset(op.saw[name])
        earlier = self.told.get((op.record, name), [])
        return frozenset(
            one.op
            for one in earlier
            if 0 < one.seq <= op.base or (one.device == op.device and split_op_id(one.op)[1] < op.n)
        )

    # --- what stands, policy by policy -------------------------------------------------------------------------------

    def standing(self, place: Place) -> list[Told]:
        """The changes whose values are not superseded, by corrected time; of a field with one value for each."""
        told, name = self.told.get(place, []), place[1]
        match self.field(place).policy.name:
            case "latest":
                found = [max(told, key=lambda one: one.late)]
            case "highest" | "state" | "judged":
                found = [one for one in told if not any(one.op in other.saw.get(name, ()) for other in told)]
            case "once":
                found = self._first_and_waiting(self.once(place))
            case "claim":
                found = self._first_and_waiting(self.claim(place))
            case other:
                raise AssertionError(f"{name} holds many values, by {other}")
        return sorted(found, key=lambda one: one.late)

    def entries(self, place: Place) -> list[Entered]:
        """The entries or tags that stand, in order."""
        told, name = self.told.get(place, []), place[1]
        in_order = sorted(told, key=lambda one: (one.occurred_at, one.late))
        if self.field(place).policy.name == "grow":
            return [Entered(value, one.op, k) for one in in_order for k, value in enumerate(one.value)]
        return [
            Entered(tag, one.op, k)
            for one in in_order
            for k, tag in enumerate(one.value.get("add", ()))
            if not any(tag in other.value.get("remove", ()) and one.op in other.saw[name] for other in told)
        ]

    @staticmethod
    def _first_and_waiting(pair: tuple[Told | None, list[Told]]) -> list[Told]:
        first, waiting = pair
        return waiting if first is None else [first, *waiting]

    def once(self, place: Place) -> tuple[Told | None, list[Told]]:
        """(what stands, what was said differently since): here the order of arrival counts."""
        name, field = place[1], self.field(place)
        first: Told | None = None
        waiting: list[Told] = []
        settled = False
        for one in self.told.get(place, []):
            if first is None:
                first = one
            elif one.decides and first.op in one.saw[name]:
                first, settled = one, True
                waiting = [each for each in waiting if each.op not in one.saw[name] and not _same(field, each, one)]
            elif first.value is None and not settled and one.value is not None:
                first = one
            elif one.value is not None and not _same(field, one, first):
                waiting.append(one)
        return first, waiting

    def claim(self, place: Place) -> tuple[Told | None, list[Told]]:
        """(who holds it, who was displaced): here the order of arrival counts."""
        name = place[1]
        first: Told | None = None
        waiting: list[Told] = []
        for one in self.told.get(place, []):
            holds = first is not None and first.value is not None and not _over(first.value, one.at)
            if first is None or (one.decides and first.op in one.saw[name]):
                waiting = [each for each in waiting if each.op not in one.saw[name] and not _enough(one, each)]
                first = one
            elif one.value is None:
                seen = first.value is not None and first.op in one.saw[name]
                if seen and not (holds and first.value.get("until") is not None and first.device != one.device):
                    first = one
                elif not seen:
                    waiting = [each for each in waiting if each.op not in one.saw[name]]
            elif not holds or (first.value.get("until") is not None and first.device == one.device):
                waiting = [each for each in waiting if not _enough(one, each)]
                first = one
            elif not _enough(first, one):
                waiting.append(one)
        return first, waiting

    # --- what is shown, and what is asked ----------------------------------------------------------------------------

    def shown(self, place: Place) -> Any:
        """What an application must see."""
        field = self.field(place)
        match field.policy.name:
            case "grow":
                return [entry.value for entry in self.entries(place)]
            case "tags":
                tags: list[Any] = []
                for entry in self.entries(place):
                    tags += [entry.value] if entry.value not in tags else []
                return tags
            case "highest":
                assert field.ranks is not None
                order = (None, *field.ranks.order)
                return max((one.value for one in self.standing(place)), key=order.index)
            case "state":
                return self._shown_state(place, field)
            case "judged":
                return self._shown_safe(place, field)
            case "latest":
                return self.standing(place)[0].value
            case "once":
                first, _ = self.once(place)
            case _:
                first, _ = self.claim(place)
        assert first is not None
        return first.value

    def _shown_state(self, place: Place, field: FieldSpec) -> Any:
        assert field.flow is not None
        state = max((one.value for one in self.standing(place)), key=field.flow.precedence.index)
        if field.flow.ending is not None and self._contested(place, field, state):
            return field.flow.ending.shown
        return state

    def _contested(self, place: Place, field: FieldSpec, state: str) -> bool:
        """Whether everyone who says this ending missed an entry whose author had not seen them say it."""
        assert field.flow is not None
        ending = field.flow.ending
        if ending is None or state not in ending.states:
            return False
        watched = [FieldName(name) for name in ending.unless]
        entries = [(name, one) for name in watched for one in self.told.get((place[0], name), [])]
        return all(
            any(
                entry.op != one.op and not self._knew(one, name, entry, watched) and one.op not in entry.saw[place[1]]
                for name, entry in entries
            )
            or (one.decides and any(self._lacked(place[0], needs, one) for needs in ending.needs))
            for one in self.standing(place)
            if one.value == state
        )

    @staticmethod
    def _knew(ending: Told, name: FieldName, entry: Told, watched: Sequence[FieldName]) -> bool:
        """Whether the author of an ending knew of an entry."""
        if ending.decides:
            return entry.seq <= ending.base
        # Whose program says nothing of such work knows of none.
        return bool(ending.knows.intersection(watched)) and entry.op in ending.saw[name]

    def _lacked(self, record: RecordId, needs: Needs, ending: Told) -> bool:
        """Whether something was missing that the ending needs, of all that whoever decided it had seen."""

        def named(value: Mapping[str, Any]) -> tuple[str, ...]:
            return tuple(" ".join((value.get(part) or "").casefold().split()) for part in needs.same)

        def there(name: str) -> list[Mapping[str, Any]]:
            place = (record, FieldName(name))
            seen = {one.op for one in self.told.get(place, []) if one.seq <= ending.base}
            return [entry.value for entry in self.entries(place) if entry.op in seen]

        last = {named(value): value for value in there(needs.each)}
        has = {named(value) for value in there(needs.has)}
        return any(who not in has and value.get(needs.void) is None for who, value in last.items())

    def _shown_safe(self, place: Place, field: FieldSpec) -> Any:
        assert field.safe is not None
        said = [one.value for one in self.standing(place)]
        if all(value == said[0] for value in said):
            return said[0]
        if field.safe.way == "first":
            return min(said, key=field.safe.order.index)
        if field.safe.way == "nothing":
            return None
        together: list[Any] = []
        for part in [part for value in said for part in value or ()]:
            together += [part] if part not in together else []
        return together

    def asked(self, place: Place) -> list[Told]:
        """What a person must decide between; empty when nothing is open."""
        field = self.field(place)
        if field.asks is None:
            return []
        standing = self.standing(place)
        differ = any(one.value != standing[0].value for one in standing)
        match field.policy.name:
            case "judged":
                return standing if differ else []
            case "state":
                assert field.flow is not None
                state = max((one.value for one in standing), key=field.flow.precedence.index)
                named = any(one.value in field.flow.asks for one in standing)
                return standing if (differ and named) or self._contested(place, field, state) else []
            case _:
                # Of `once` and `claim` everything beside what stands waits for a person.
                return standing if len(standing) > 1 else []


def _same(field: FieldSpec, one: Told, other: Told) -> bool:
    if not field.means or one.value is None or other.value is None:
        return bool(one.value == other.value)
    return all(one.value[part] == other.value[part] for part in field.means)


def _holder(told: Told) -> str | None:
    return None if told.value is None else str(told.value["holder"])


def _enough(hold: Told, wanted: Told) -> bool:
    """Whether who has this hold needs nothing more of what the other one asks for."""
    return _holder(hold) == _holder(wanted) and (wanted.value is None or _ends(hold) >= _ends(wanted))


def _ends(told: Told) -> float:
    until = told.value.get("until")
    return float("inf") if until is None else float(until)


def _over(hold: Mapping[str, Any], at: int) -> bool:
    until = hold.get("until")
    return until is not None and until <= at


def of_server(kept: Sequence[KeptOp], rows: Iterable[Row]) -> Model:
    """The model of what a server has accepted; of its rows it reads only what each inbox item is about."""
    items = {
        row.id: (RecordId(row.cells[FieldName("subject")][0]), FieldName(row.cells[FieldName("field")][0]))
        for row in rows
        if row.kind == "inbox-item"
    }
    return Model(kept, items)
