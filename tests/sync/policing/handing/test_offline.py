"""07:00 with no signal: devices write without sight of each other, and nothing that waits is lost when they meet."""

import itertools
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from schemas import scopes
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpId, OpNumber, RecordId, ScopeName, Seq
from schemas.kinds import Handover, Incident, Kind, spec_of
from schemas.kinds.handover import HandedItem, handover_id
from schemas.kinds.incident import IncidentStatus
from schemas.ops import Op
from schemas.settings import DEFAULTS
from sync import merge
from sync.merge import RecordState
from sync.policing.handover import Matter, Part, handover, nobodys
from tests.sync.policing.incidents.cases import HOUR, LEAST, T0, number

SEVEN: Final = Millis(T0 + HOUR)
TEAMS: Final = ("response-a", "response-b", "investigation-a")
SHIFT: Final = handover_id("team:response-a", SEVEN)
FIRST: Final = DeviceId("desk-1")
MADE: Final = OpId("desk-1/1")


def op(
    device: str, n: int, record: RecordId, kind: type[Kind], changes: dict[str, Any], at: int, *, create: bool = False
) -> Op:
    """An op of a device that has seen how each record was made, and nothing since."""
    seen: dict[FieldName, tuple[OpId, ...]] = {
        FieldName(name): (MADE,) for name in changes if name in {"status", "teams"} and not create
    }
    return Op(
        device=DeviceId(device),
        n=OpNumber(n),
        record=record,
        kind=spec_of(kind).name,
        author=OfficerId("WM21877"),
        create=create,
        base=Seq(0 if create else 1),
        hlc=(T0 + at, 0),
        occurred_at=Millis(T0 + at),
        wall=Millis(T0 + at),
        changes={FieldName(name): value for name, value in changes.items()},
        saw=seen,
    )


def made(n: int, **more: Any) -> Op:  # noqa: ANN401  plain values
    """An incident that the first response team works on, made before the shift ends."""
    values = {**LEAST, "grade": "no-deployment", "teams": {"add": ["response-a"]}, **more}
    return op(FIRST, 1, number(n), Incident, values, 0, create=True)


def passing(step: str, giver: str, to: str, offered_at: int, at: int) -> dict[str, Any]:
    """One step of a passing."""
    return {"step": step, "giver": giver, "to": to, "offered_at": T0 + offered_at, "at": T0 + at, "why": "x"}


CHANGES: Final = st.one_of(
    st.just({"teams": {"remove": ["response-a"]}}),
    st.just({"teams": {"add": ["response-b"]}}),
    st.just({"status": "attended"}),
    st.just({"log": [{"text": "Nobody in."}]}),
    st.builds(
        lambda step, giver, to, offered_at, at: {"passing": [passing(step, giver, to, offered_at, at)]},
        st.sampled_from(["offered", "accepted", "refused", "withdrawn"]),
        st.sampled_from(TEAMS),
        st.sampled_from(TEAMS),
        st.integers(1, 2),
        st.integers(1, 9),
    ),
    st.just({"status": "closed"}),
)
WRITES: Final = st.lists(st.tuples(st.sampled_from(["hh-1", "hh-2"]), st.integers(1, 3), CHANGES), max_size=8)


def merged(ops: list[Op]) -> dict[RecordId, RecordState]:
    """The records once all of it has come, in this order."""
    states: dict[RecordId, RecordState] = {}
    for place, each in enumerate(ops, 1):
        spec = spec_of(Handover if each.kind == "handover" else Incident)
        before = states.get(each.record) or merge.new_state(each, spec)
        states[each.record] = merge.apply(before, each, Millis(SEVEN), Seq(place))
    return states


def view(records: dict[RecordId, Kind], *audiences: ScopeName) -> tuple[Matter, ...]:
    """What waits for whoever these are."""
    return handover(records, audiences, until=SEVEN, settings=DEFAULTS, now=SEVEN, report=_fails)


def _fails(error: Exception, where: str) -> None:
    raise AssertionError(where) from error


@given(writes=WRITES, items=st.lists(st.integers(1, 3), max_size=4), taken=st.sets(st.integers(1, 3)), data=st.data())
def test_nothing_is_lost_at_seven_whoever_merges_what_offline(
    writes: list[tuple[str, int, dict[str, Any]]], items: list[int], taken: set[int], data: st.DataObject
) -> None:
    """Each incident that nobody closed waits for a team that knows it, each item for whoever takes it on; in any order.

    Row: hub handover of response and investigation.
    """
    counts = {device: itertools.count(2) for device in ("hh-1", "hh-2")}
    later = [
        op(device, next(counts[device]), number(n), Incident, changes, at)
        for at, (device, n, changes) in enumerate(writes, 1)
    ]
    named = [{"record": number(n), "kind": "incident", "part": "incident", "words": "x"} for n in items]
    shift = {"audience": "team:response-a", "ends_at": SEVEN}
    for device, part in zip(("hh-1", "hh-2"), (named[::2], named[1::2]), strict=True):
        said = {"items": part} if part else {}
        later.append(op(device, next(counts[device]), SHIFT, Handover, {**shift, **said}, 20, create=True))
    answers = [
        {
            "item": HandedItem(record=number(n), kind="incident", part="incident", words="x").ref(),
            "taken": True,
            "at": T0,
        }
        for n in sorted(taken)
    ]
    if answers:
        later.append(op("hh-2", next(counts["hh-2"]), SHIFT, Handover, {**shift, "answers": answers}, 21, create=True))
    first = [made(n) for n in (1, 2, 3)]
    states = merged([*first, *later])
    again = merged([*first, *data.draw(st.permutations(later))])
    records: dict[RecordId, Kind] = {name: state.build() for name, state in states.items()}
    teams = {team: [scopes.team(team)] for team in TEAMS}
    everybody = [scopes.team(team) for team in TEAMS]
    found = view(records, *everybody)
    assert found == view({name: state.build() for name, state in again.items()}, *everybody)
    for n in (1, 2, 3):
        incident = records[number(n)]
        assert isinstance(incident, Incident)
        kept = incident.kept()
        offered = any(one.record == number(n) and "passing" in one.changes for one in later)
        closed = any(one.record == number(n) and one.changes.get(FieldName("status")) == "closed" for one in later)
        waits = {one.part for one in found if one.record == number(n)}
        assert closed or incident.status is not IncidentStatus.CLOSED
        if incident.status is not IncidentStatus.CLOSED and (kept.keeper is not None or "response-a" in incident.teams):
            assert Part.INCIDENT in waits
        assert (Part.OFFER in waits) is (bool(kept.pending) and incident.status is not IncidentStatus.CLOSED)
        assert offered or kept.keeper is None
        for team in kept.holders if incident.status is not IncidentStatus.CLOSED else ():
            assert (Part.INCIDENT, number(n)) in {(one.part, one.record) for one in view(records, scopes.team(team))}
    lying = {number(n) for n in set(items) - taken}
    handed = records[SHIFT]
    assert isinstance(handed, Handover)
    assert {one.record for one in handed.waiting()} == lying
    assert len([one for one in found if one.part is Part.HANDED]) == len(lying)
    left = nobodys(
        records, teams | {"area": [scopes.area("birmingham")]}, until=SEVEN, settings=DEFAULTS, now=SEVEN, report=_fails
    )
    assert left == ()
