"""The server's own acts: records made, changed or left alone, and never against an officer's word."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from schemas.codec import decode_row, encode, reread_op
from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, FieldName, OfficerId, OpId, OpNumber, RecordId, ScopeName
from schemas.limits import OPS_PER_PUSH_MAX
from schemas.ops import Op
from schemas.roles import Role
from server.commits import Submission
from server.committer import Committer
from server.logbook import OFFICE
from server.office import Draft, Made, Office
from server.own_ops import Standing
from server.roles import Roles
from sync import inbox, merge
from sync.policing import rulebook
from sync.policing.guards import Breach
from sync.policing.rulebook import RuleError
from tests.server.running import NOW, Clock, GatedStore

ID = "01890000-0000-7000-8000-{:012x}"
DESK = OfficerId("WM1")
OTHER = OfficerId("WM2")
BASE: dict[str, Any] = {"opened_at": NOW, "area": "birmingham", "category": "crime", "summary": "Theft"}


class Desk:
    """An office at work over a store."""

    def __init__(self, store: GatedStore | None = None) -> None:
        """Over an empty store, or one that has been used before."""
        self.store = GatedStore() if store is None else store
        self.clock = Clock()
        self.committer = Committer(self.store, self.clock, lambda _: None)
        self.office = Office(self.store, self.committer, self.clock)
        self._n = 0

    async def bring(self, *drafts: Draft, author: OfficerId = DESK) -> list[str]:
        """The outcomes."""
        self.clock.advance(1_000)
        return [made.outcome for made in await self.office.bring(drafts, author)]

    async def values(self, number: int = 1) -> Mapping[FieldName, Any]:
        """A record's values as the store has them."""
        return (await self.state(number)).values()

    async def state(self, number: int = 1) -> merge.RecordState:
        """A record as the store has it."""
        row = await self.store.record(RecordId(ID.format(number)))
        assert row is not None
        return merge.from_row(decode_row(row))

    async def officer_says(self, saw: dict[FieldName, tuple[OpId, ...]] | None = None, **changes: object) -> None:
        """A handheld's edit of record 1; without `saw`, by an older program that says nothing of what it saw."""
        self.clock.advance(1_000)
        self._n += 1
        op = Op(
            device=DeviceId("hh-1"),
            n=OpNumber(self._n),
            record=RecordId(ID.format(1)),
            kind="incident",
            author=OTHER,
            base=(await self.state()).version,
            hlc=(self.clock.now, 0),
            occurred_at=self.clock.now,
            wall=self.clock.now,
            saw=saw or {},
            changes={FieldName(name): value for name, value in changes.items()},
        )
        results = await self.committer.commit(Submission(DeviceId("hh-1"), None, (encode(op),)))
        assert results[0].status == "durable"


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """An office whose committer runs."""
    desk = Desk()
    running = asyncio.create_task(desk.committer.run())
    await desk.office.start()
    yield desk
    desk.committer.close()
    await running


def draft(number: int = 1, kind: str = "incident", **values: object) -> Draft:
    """An incident."""
    given = {FieldName(name): value for name, value in {**BASE, **values}.items()}
    return Draft(record=RecordId(ID.format(number)), kind=kind, values=given)


async def test_a_draft_is_made_once_and_changed_where_it_differs(desk: Desk) -> None:
    """The same again changes nothing; another value becomes one change of one field."""
    assert await desk.bring(draft()) == ["created"]
    assert await desk.bring(draft()) == ["same"]
    assert await desk.bring(draft(summary="Theft, solved", units=("A1", "A2"))) == ["changed"]
    op = reread_op(desk.store.groups[-1][0].ops[0])
    assert dict(op.changes) == {"summary": "Theft, solved", "units": ["A1", "A2"]}
    assert (op.device, op.author, op.create) == (OFFICE, DESK, False)
    assert await desk.bring(draft(summary="Theft, solved", units=("A1", "A2"))) == ["same"]
    assert len(desk.store.groups) == 2


async def test_what_someone_else_has_written_since_stands(desk: Desk) -> None:
    """A file that is loaded again never undoes an officer's work; the fields nobody touched still follow it."""
    await desk.bring(draft(location="Aston"))
    await desk.officer_says(summary="Robbery, one hurt")
    assert await desk.bring(draft(location="Aston")) == ["same"]
    assert await desk.bring(draft(summary="Theft again", location="Aston, High Street")) == ["changed"]
    values = await desk.values()
    assert (values[FieldName("summary")], values[FieldName("location")]) == ("Robbery, one hurt", "Aston, High Street")
    # Not even when the officer emptied the field.
    await desk.officer_says(location=None)
    assert await desk.bring(draft(location="Aston")) == ["same"]
    assert (await desk.values())[FieldName("location")] is None


async def test_a_field_that_nobody_has_written_is_filled_in(desk: Desk) -> None:
    """Only what someone said is theirs."""
    await desk.bring(draft())
    await desk.officer_says(summary="Robbery")
    assert await desk.bring(draft(location="Aston")) == ["changed"]
    assert (await desk.values())[FieldName("location")] == "Aston"


async def test_another_author_of_the_office_is_someone_else(desk: Desk) -> None:
    """It is the person that counts, not the device."""
    await desk.bring(draft(), author=OTHER)
    assert await desk.bring(draft(summary="Changed")) == ["same"]
    assert await desk.bring(draft(summary="Changed"), author=OTHER) == ["changed"]


async def test_entries_are_given_when_the_record_is_made_and_never_again(desk: Desk) -> None:
    """Bringing a record again does not repeat its log."""
    entry = {"text": "Seen."}
    await desk.bring(draft(log=[entry]))
    assert await desk.bring(draft(log=[entry, {"text": "More."}])) == ["same"]
    assert (await desk.values())[FieldName("log")] == [entry]


async def test_a_change_is_later_than_what_it_changes(desk: Desk) -> None:
    """Also when the officer's clock was ahead of the server's."""
    await desk.bring(draft())
    ahead = desk.clock.now + 60_000
    desk.clock.now, back = ahead, desk.clock.now  # type: ignore[assignment]  # a reading is a number
    await desk.officer_says(location="Aston")
    desk.clock.now = back
    assert await desk.bring(draft(grade="p1")) == ["changed"]
    op = reread_op(desk.store.groups[-1][0].ops[0])
    assert tuple(op.hlc) > (ahead, 0)


async def test_a_change_says_what_the_office_saw(desk: Desk) -> None:
    """It lowers what it names, and what came meanwhile stands: the office is one writer among others."""
    await desk.bring(draft(grade="p1"))
    made = reread_op(desk.store.groups[-1][0].ops[0])
    assert await desk.bring(draft(grade="scheduled", status="assigned")) == ["changed"]
    op = reread_op(desk.store.groups[-1][0].ops[0])
    beside = dict.fromkeys(("status", "arrests", "abuse_victims", "assessments"), ())
    assert dict(op.saw) == {"grade": (made.id,), **beside}
    assert (await desk.values())[FieldName("grade")] == "scheduled"


async def test_what_an_officer_said_beside_the_office_is_not_superseded_by_a_file(desk: Desk) -> None:
    """An officer's grade that is kept beside a higher one of the office's is an officer's work all the same."""
    await desk.bring(draft(grade="p1"))
    await desk.officer_says(grade="p2", saw={FieldName("grade"): ()})
    assert (await desk.values())[FieldName("grade")] == "p1"
    assert await desk.bring(draft(grade="no-deployment")) == ["same"]
    cell = (await desk.state()).cells[FieldName("grade")]
    assert sorted(one.value for one in cell.standing()) == ["p1", "p2"]


async def test_tags_are_given_when_the_record_is_made_and_never_again(desk: Desk) -> None:
    """Bringing a record again neither repeats a warning nor brings back one that an officer has removed."""
    dog = {"warning": "dog at address"}
    tagged = draft(markers={"add": [dog]})
    assert await desk.bring(tagged) == ["created"]
    made = reread_op(desk.store.groups[-1][0].ops[0])
    assert (await desk.values())[FieldName("markers")] == [dog]
    assert await desk.bring(tagged) == ["same"]
    await desk.officer_says(markers={"remove": [dog]}, saw={FieldName("markers"): (made.id,)})
    assert await desk.bring(tagged) == ["same"]
    assert (await desk.values())[FieldName("markers")] == []


async def test_another_time_of_a_file_is_a_question_and_no_correction(desk: Desk) -> None:
    """What is recorded once stays, also when it was the office that recorded it: a person decides which is right."""
    await desk.bring(draft())
    assert await desk.bring(draft(opened_at=NOW - 60_000)) == ["changed"]
    assert (await desk.values())[FieldName("opened_at")] == NOW
    item = await desk.store.record(inbox.item_id(RecordId(ID.format(1)), FieldName("opened_at"), ""))
    assert item is not None
    assert inbox.is_open(merge.from_row(decode_row(item)))


async def test_more_than_a_push_goes_in_parts_and_is_told_in_order(desk: Desk) -> None:
    """Any number of drafts up to the bound; each one's outcome is where the draft was."""
    await desk.bring(draft(3))
    drafts = [draft(n) for n in range(1, OPS_PER_PUSH_MAX + 30)]
    made = await desk.office.bring(drafts, DESK)
    assert [each.record for each in made] == [each.record for each in drafts]
    assert [each.outcome for each in made].count("created") == len(drafts) - 1
    assert made[2] == Made(drafts[2].record, "same", 0)
    assert max(len(group[0].ops) for group in desk.store.groups) == OPS_PER_PUSH_MAX


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (draft(kind="spaceship"), "no record kind 'spaceship'"),
        (draft(colour="red"), "op_field_unknown"),
        (draft(summary=""), "op_value_wrong: summary"),
        (draft(opened_at=2**70), "op_value_wrong: opened_at"),
        (draft(area="Not a slug"), "op_value_wrong: area"),
        (draft(log=[{"text": "x", "deep": [[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]}]), ID.format(1)),
        (draft(log=[{"text": "x", "wide": 2**70}]), ID.format(1)),
        (draft(log=[{"text": "é" * 4_000}] * 8), ID.format(1)),
    ],
)
async def test_a_draft_that_cannot_be_is_refused_before_anything_is_committed(
    desk: Desk, wrong: Draft, words: str
) -> None:
    """The error names the record and what is wrong; the drafts beside it are not made either."""
    with pytest.raises(UsageError) as raised:
        await desk.bring(draft(2), wrong)
    assert words in str(raised.value)
    assert desk.store.groups == []
    assert await desk.bring(draft(2)) == ["created"]


async def test_a_missing_field_is_named(desk: Desk) -> None:
    """A new record must have what its kind requires."""
    with pytest.raises(UsageError, match="op_field_missing: area, category, summary"):
        await desk.bring(Draft(record=RecordId(ID.format(1)), kind="incident", values={FieldName("opened_at"): NOW}))


async def test_what_the_merge_refuses_is_told(desk: Desk) -> None:
    """A record of another kind under the same id is not taken over."""
    await desk.bring(draft())
    values = {FieldName("title"): "T", FieldName("body"): "B", FieldName("audience"): ["force"]}
    with pytest.raises(UsageError, match="op_kind_differs"):
        await desk.bring(Draft(record=RecordId(ID.format(1)), kind="briefing", values=values))


async def test_the_same_call_after_a_failure_is_safe(desk: Desk) -> None:
    """Nothing was made, the caller hears of it, and asking again makes it once."""
    desk.store.failing = StoreError("disk is full")
    with pytest.raises(StoreError, match="disk is full"):
        await desk.bring(draft())
    desk.store.failing = None
    assert await desk.bring(draft()) == ["created"]
    assert await desk.bring(draft()) == ["same"]


async def test_a_person_is_held_to_the_rules_and_an_import_tells_what_was(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a rule of police work is against is refused with its words; the server's own acts ask no rule."""
    breach = Breach(rule="no-theft", why="Theft is not recorded here.", remedy="Ask.", source="invented s.1")
    monkeypatch.setattr(rulebook, "GUARDS", {"incident": (lambda _: [breach],)})
    standing = Standing(scopes=frozenset({ScopeName("area:birmingham")}), roles=Roles(frozenset({Role.CONTROL_ROOM})))
    with pytest.raises(RuleError, match="Theft is not recorded here"):
        await desk.office.bring([draft()], DESK, standing)
    assert await desk.store.record(RecordId(ID.format(1))) is None
    assert await desk.bring(draft()) == ["created"]
