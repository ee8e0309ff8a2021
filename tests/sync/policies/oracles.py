"""What must hold after every step: the server's rows are what the model says, and nothing that was said is lost."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from schemas import scopes
from schemas.codec import encode, reread_op
from schemas.ids import FieldName, OpId, RecordId
from schemas.kinds import KINDS, InboxItem, kind_named
from schemas.ops import Row, stamp_of
from schemas.wire import Result
from sync import history, merge
from sync.policies import policy_of
from tests.sync.policies import model
from tests.sync.policies.drawing import Drawn, Write, fields_of
from tests.sync.policies.model import MANY, Model, Place
from tests.sync.policies.people import People
from tests.sync.policies.world import RECORD, Case, Server, begin, every_order, try_write

FIRST_COMMIT = ("once", "claim")
"""The policies under which the order of arrival decides."""


class Broken(AssertionError):  # noqa: N818  it names what is found
    """A promise does not hold; the text says which, and where."""


def require(holds: object, text: str) -> None:
    """Say what is broken, unless it holds."""
    if not holds:
        raise Broken(text)


def look(server: Server) -> None:
    """Everything that must hold of a server, whatever has arrived so far and in whatever order."""
    rows = {row.id: row for row in server.rows()}
    known = model.of_server(server.kept(), rows.values())
    for place in known.told:
        _as_the_model_says(known, place, rows[place[0]])
    _nothing_lost(server, known, rows)
    _asked(known, rows)


def _as_the_model_says(known: Model, place: Place, row: Row) -> None:
    """The row's values, and whose they are."""
    where = f"{place[1]} of {row.kind}"
    shown = merge.from_row(row).values()[place[1]]
    require(shown == known.shown(place), f"{where}: shows {shown!r}, and should {known.shown(place)!r}")
    policy, cell = known.field(place).policy.name, row.cells[place[1]]
    if policy in MANY:
        found: list[Any] = [model.Entered(value, row.stamps[at].op, k) for value, at, k in cell]
        expected: list[Any] = list(known.entries(place))
        require(found == expected, f"{where}: holds {found}, and should {expected}")
        return
    first, beside = (row.stamps[cell[1]].op, cell[0]), _beside(row, cell)
    stand = {one.op: one.value for one in known.standing(place)}
    require(dict([first, *beside]) == stand, f"{where}: {[first, *beside]} stand, and should {stand}")
    require(len(beside) + 1 == len(stand), f"{where}: something stands twice")
    if policy in FIRST_COMMIT:
        holder, waiting = known.once(place) if policy == "once" else known.claim(place)
        require(holder is not None and holder.op == first[0], f"{where}: {first[0]} stands first")
        require(sorted(op for op, _ in beside) == sorted(one.op for one in waiting), f"{where}: others wait")


def _beside(row: Row, cell: Sequence[Any]) -> list[tuple[OpId, Any]]:
    return [(row.stamps[at].op, value) for value, at in (cell[2] if len(cell) > 2 else ())]


def _nothing_lost(server: Server, known: Model, rows: Mapping[RecordId, Row]) -> None:
    """Promise 3, by the model and by `history.unaccounted`: current, superseded with a link, or in the inbox."""
    kept = {reread_op(one.body).id: one for one in server.kept() if one.result.status == "durable"}
    acts = [(op, act) for op, one in kept.items() for act in one.acts]
    superseded = {(over, act.record, act.field): op for op, act in acts for over in act.over}
    instead = {(op, act.record, act.field): act.stands for op, act in acts if act.stands}
    for (record, name), told in known.told.items():
        many = known.field((record, name)).policy.name in MANY
        stands = known.entries((record, name)) if many else known.standing((record, name))
        left = {one.op for one in stands}
        for one in told:
            if one.op in left or (many and not one.value.get("add")):
                continue
            link = superseded.get((one.op, record, name)) or instead.get((one.op, record, name))
            require(link, f"{one.op} said {one.value!r} in {name}: it does not stand, and nothing tells what does")
            require(link in kept, f"{one.op} in {name} gave way to {link}, which is no op")
    for row in rows.values():
        mine = {
            op: history.acts_on(row.id, reread_op(one.body), one.acts)
            for op, one in kept.items()
            if reread_op(one.body).record == row.id or any(act.record == row.id for act in one.acts)
        }
        lost = history.unaccounted(merge.from_row(row), mine)
        require(not lost, f"{row.kind}: unaccounted {lost}")


def _asked(known: Model, rows: Mapping[RecordId, Row]) -> None:
    """Each open question is one open inbox item that tells all of it, and nothing else is asked."""
    items: dict[Place, list[tuple[InboxItem, Row]]] = {}
    for row in rows.values():
        built = merge.from_row(row).build()
        if isinstance(built, InboxItem) and built.open:
            items.setdefault((built.subject, FieldName(built.field)), []).append((built, row))
    for place in known.told:
        asked, about = known.asked(place), items.pop(place, [])
        where = f"{place[1]} of {rows[place[0]].kind}"
        require(len(about) == bool(asked), f"{where}: {len(about)} open items, and {len(asked)} values to decide on")
        for item, row in about:
            _item_tells(known, place, item, rows)
            told = {row.stamps[at].op: one["value"] for one, at, _ in row.cells[FieldName("candidates")]}
            for one in asked:
                require(told.get(one.op, ...) == one.value, f"{where}: {one.op} said {one.value!r}, the item not so")
    require(not items, f"items about nothing: {list(items)}")


def _item_tells(known: Model, place: Place, item: InboxItem, rows: Mapping[RecordId, Row]) -> None:
    """What an open item says beside its candidates."""
    field, where = known.field(place), f"the item about {place[1]}"
    assert field.asks is not None
    subject = merge.from_row(rows[place[0]])
    places = sorted({scopes.audience(scope) for scope in subject.scopes()})
    require(item.shown == known.shown(place), f"{where} says that {item.shown!r} is shown")
    require(item.roles == field.asks.roles, f"{where} asks {item.roles}")
    require(item.due_at == item.opened_at + field.asks.within_ms, f"{where} is due at {item.due_at}")
    require(item.safe_because == field.asks.safe_because, f"{where} gives another reason")
    require(item.policy == field.policy.name, f"{where} names {item.policy}")
    require(sorted(item.places) == places, f"{where} is at {item.places}, its subject at {places}")
    require({scopes.inbox(one) for one in item.places} <= item.scopes(), f"{where} is in no inbox")


# --- the order of arrival --------------------------------------------------------------------------------------------


class End(NamedTuple):
    """Where an order of arrival led.

    Attributes:
        accepted: the ops that were taken.
        cells: (record, field) -> the cell, with the ops' names in place of their stamps; the inbox left out.
        asked: (record, field) of the open questions.
    """

    accepted: frozenset[OpId]
    cells: dict[tuple[RecordId, str], Any]
    asked: frozenset[tuple[str, str]]


NUMBERED = frozenset(name for name, field in KINDS["incident"].fields.items() if field.by_rule)
"""What the server numbers in the commit."""


def end_of(server: Server) -> End:
    """What a server holds, without the numbers that only say when something came."""
    cells: dict[tuple[RecordId, str], Any] = {}
    asked = set()
    for row in server.rows():
        if row.kind == "inbox-item":
            built = merge.from_row(row).build()
            asked |= {(built.subject, built.field)} if isinstance(built, InboxItem) and built.open else set()
            continue
        spec = kind_named(row.kind)
        assert spec is not None
        if row.kind == "number-series":
            # Numbers go by the first commit: who comes first gets the first one.
            continue
        cells[row.id, "upto"] = row.upto
        for name, cell in row.cells.items():
            policy = spec.fields[name].policy.name
            if policy in FIRST_COMMIT or name in NUMBERED:
                continue
            if policy in MANY:
                cells[row.id, name] = [(value, row.stamps[at].op, k) for value, at, k in cell]
            else:
                first = (row.stamps[cell[1]].op, cell[0])
                cells[row.id, name] = [first, _beside(row, cell), *cell[3:]]
    accepted = frozenset(reread_op(one.body).id for one in server.kept() if one.result.status == "durable")
    return End(accepted, cells, frozenset(asked))


def check_every_order(case: Case) -> None:
    """Every order of arrival keeps the promises at every step, and but for first commits leads to the same end.

    Raises:
        Broken, Stuck: one does not.
    """
    claims = any(_claims(reread_op(op).kind, reread_op(op).changes) for _, op in case.ops)
    ends: dict[frozenset[OpId], tuple[End, list[OpId]]] = {}
    for server, order in every_order(case, look):
        end, names = end_of(server), [reread_op(op).id for op in order]
        if _decided_twice(case):
            continue
        other, its_order = ends.setdefault(end.accepted, (end, names))
        for place in other.cells.keys() | end.cells.keys():
            one, two = other.cells.get(place), end.cells.get(place)
            require(one == two, f"{place[1]}: {one} after {its_order}, {two} after {names}")
        require(claims or len(ends) == 1, f"which ops are refused hangs on the order: {list(ends)}")
        if not _first_commit_matters(case):
            require(end.asked == other.asked, f"asked: {other.asked} after {its_order}, {end.asked} after {names}")
    check_again(case, timed=claims)


def check_again(case: Case, *, timed: bool = False) -> None:
    """Ops that arrive again change nothing and get the same answers; ops that arrive in one group lead to the same.

    Args:
        case: the ops.
        timed: whether the moment of arrival counts, so that one group may lead elsewhere.
    """
    one_by_one, at_once = case.server.fork(), case.server.fork()
    answers = [one_by_one.push(device, op) for device, op in _in_a_possible_order(case)]
    before, kept = one_by_one.rows(), len(one_by_one.kept())
    again = [one_by_one.push(device, op) for device, op in _in_a_possible_order(case)]
    require(one_by_one.rows() == before, "an op that arrives again changes a record")
    require(len(one_by_one.kept()) == kept, "an op that arrives again is kept twice")
    _merged_again(one_by_one)
    require(_without_scopes(again) == _without_scopes(answers), "an op that arrives again gets another answer")
    at_once.together(_in_a_possible_order(case))
    look(at_once)
    require(timed or _told(at_once) == _told(one_by_one), "ops that arrive in one group lead elsewhere")


def _merged_again(server: Server) -> None:
    """A change that is merged into a cell that holds it leaves the cell as it was."""
    states = {row.id: merge.from_row(row) for row in server.rows()}
    for kept in server.kept():
        op = reread_op(kept.body)
        state, stamp = states[op.record], stamp_of(op, kept.recorded_at, kept.seq)
        for name in op.changes if kept.result.status == "durable" else ():
            cell, field = state.cells[name], state.spec.fields[name]
            if any(one.op == op.id for one in cell.stamps()):
                after = policy_of(field).merge(field, cell, merge.change_of(op, name, stamp, field))
                require(after == cell or field.policy.name == "tags", f"{name}: {op.id} merged again changes the cell")


def _in_a_possible_order(case: Case) -> list[tuple[Any, bytes]]:
    """One order in which no op waits, but for those that would wait for ever in every order."""
    found: list[tuple[Any, bytes]] = []
    server, left = case.server.fork(), case.ops
    while left:
        taken = [pair for pair in left if server.push(*pair)[0].status != "waiting"]
        if not taken:
            break
        found += taken
        left = [pair for pair in left if pair not in taken]
    return found


def _told(server: Server) -> tuple[End, dict[RecordId, Any]]:
    return end_of(server), {row.id: merge.from_row(row).values() for row in server.rows() if row.kind != "inbox-item"}


def _first_commit_matters(case: Case) -> bool:
    return any(
        spec.fields[name].policy.name in FIRST_COMMIT
        for op in (reread_op(body) for _, body in case.ops)
        for spec in [kind_named(op.kind)]
        if spec is not None
        for name in op.changes
    )


def _decided_twice(case: Case) -> bool:
    """Whether two people decide the same question: then the first commit decides."""
    items = [op.record for op in (reread_op(body) for _, body in case.ops) if op.kind == "inbox-item"]
    return len(items) > len(set(items))


def _claims(kind: str, changes: Iterable[FieldName]) -> bool:
    spec = kind_named(kind)
    return spec is not None and any(spec.fields[name].policy.name == "claim" for name in changes)


def _without_scopes(answers: Sequence[Sequence[Result]]) -> list[Result]:
    """What was answered, but for where the record is now."""
    return [msgspec.structs.replace(result, scopes=()) for results in answers for result in results]


def check_chain(what: Drawn, name: FieldName) -> None:
    """Each change by someone who saw everything takes effect, whatever the clocks say, and asks nobody.

    Raises:
        Broken: one does not.
    """
    people = People(what)
    for write in what.before:
        assert isinstance(write, Write)
        desk = people.desks[write.desk]
        number = desk.replica.next_op
        people.do(write)
        made = desk.tables.op(number)
        people.touch(write)
        if made is None:
            continue
        value, shown = reread_op(made.body).changes[name], people.server.shows(name)
        if isinstance(value, dict) and value.keys() <= {"add", "remove"}:
            gone = [tag for tag in value.get("remove", ()) if tag not in value.get("add", ())]
            require(all(tag in shown for tag in value.get("add", ())), f"{name}: what was added last is not shown")
            require(not any(tag in shown for tag in gone), f"{name}: what was removed with sight of it is shown")
        else:
            require(shown == value, f"{name}: {value!r} was said with sight of everything, and {shown!r} is shown")
        require(not people.server.questions(), f"{name}: who saw everything asks somebody")
        look(people.server)


def check_transitions() -> None:
    """Every step of every state field is taken exactly when it is declared, by the device and by the server.

    Raises:
        Broken: one is not.
    """
    for kind, name in fields_of("state"):
        flow = KINDS[kind].fields[name].flow
        assert flow is not None
        for start, step in itertools.permutations(flow.moves, 2):
            server, (desk, other) = begin(kind, 2, {name: start})
            declared = step in flow.moves[start]
            op = try_write(desk, RECORD, desk.spec, {name: step})
            require((op is not None) == declared, f"{name}: the device thinks wrongly of {start} to {step}")
            # One that the device would have, made into the other on its way.
            like = other.say({name: start})
            [result] = server.push(other.name, encode(msgspec.structs.replace(like, changes={FieldName(name): step})))
            require((result.status == "durable") == declared, f"{name}: the server thinks wrongly of {start} to {step}")
