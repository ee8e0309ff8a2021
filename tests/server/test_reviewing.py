"""Retention as it runs: from what is due over a proposal to an erasure by somebody else, with the acts as evidence."""

from typing import Final

import pytest

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, OfficerId
from schemas.roles import Role
from server.authority.ledger import Ledger
from server.commits import Submission
from server.logbook import ACT
from server.registry.acts import (
    OfficerAdded,
    RecordErased,
    RecordErasedAt,
    RetentionReviewed,
    RetentionReviewedAt,
    RoleGiven,
    decode,
    seat_of,
)
from server.retention import DAY_MS, Schedule
from server.reviewing import Actor, Reviewing
from server.store.memory import MemoryStore
from tests.server.store.support import HANDSET, NOW, Device, commit, record_id

ONE, TWO = record_id("one"), record_id("two")
ANN, BOB, EVE = (Actor(OfficerId(f"WM4000{n}"), DeviceId(f"desk-{n}")) for n in (1, 2, 3))
LATER: Final = Millis(NOW + 40 * DAY_MS)


class Force:
    """A force with two registrars and a constable, two incidents, and a clock that a test moves."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.now = NOW
        self.device = Device(HANDSET)
        self.ledger = self.unstarted()
        schedule = Schedule.of({"other-offence": 30})
        self.reviewing = Reviewing(self.store, self.ledger, lambda: self.now, schedule)

    def unstarted(self) -> Ledger:
        """A ledger that has read nothing of the store yet."""
        return Ledger(self.store, self, lambda: self.now, lambda _seat, _scopes: None, lambda _act: None)

    async def commit(self, submission: Submission) -> object:
        """See `server.authority.ledger.Commits`."""
        return await self.store.commit([submission], self.now)

    async def begin(self) -> None:
        """Everybody joins; two incidents are made."""
        await self.ledger.start()
        for actor, role in ((ANN, Role.REGISTRAR), (BOB, Role.REGISTRAR), (EVE, Role.OFFICER)):
            officer = actor.officer
            start, span = Millis(NOW - DAY_MS), f"role-{officer.lower()}"
            await self.ledger.perform(
                OfficerAdded(officer=officer, name=f"Officer {officer}", start=start, by="server", at=start),
                RoleGiven(officer=officer, role=role, span=span, start=start, by="server", at=start),
            )
        await commit(self.store, self.device.push(self.device.incident(ONE), self.device.incident(TWO)))
        self.now = LATER

    async def acts(self) -> list[RetentionReviewed | RecordErased]:
        """What the journal holds about retention."""
        kept = [decode(one.body) for one in await self.store.journal(ACT, 0, 100) if one.body is not None]
        return [act for act in kept if isinstance(act, RetentionReviewed | RecordErased)]


@pytest.fixture
async def force() -> Force:
    """The force, forty days after its incidents."""
    force = Force()
    await force.begin()
    return force


async def test_what_is_due_is_reviewed_and_erased_by_two(force: Force) -> None:
    """The list tells it, the acts are in the journal, the record says by whom and under what it went."""
    assert {one.record for one in await force.reviewing.due()} == {ONE, TWO}
    await force.reviewing.review(ANN, ONE, "erase", "no longer needed")
    (proposed,) = [one for one in await force.reviewing.due() if one.proposed_by]
    assert (proposed.record, proposed.proposed_by) == (ONE, ANN.officer)
    await force.reviewing.erase(BOB, ONE, "MoPI group 3")
    assert await force.store.record(ONE) is None
    told = await force.store.erased(ONE)
    assert told is not None
    assert told.note == "erased on 2025-07-25T15:06:40Z by WM40002 under: MoPI group 3"
    assert [type(act) for act in await force.acts()] == [RetentionReviewedAt, RecordErasedAt]
    assert [seat_of(act) for act in await force.acts()] == [ANN.seat, BOB.seat]
    assert [one.record for one in await force.reviewing.due()] == [TWO]


async def test_a_record_that_is_kept_is_due_at_its_date(force: Force) -> None:
    """Not before, and then again."""
    until = Millis(LATER + 5 * DAY_MS)
    await force.reviewing.review(ANN, ONE, "keep", "a witness is still looked for", until=until)
    assert [one.record for one in await force.reviewing.due()] == [TWO]
    force.now = until
    assert {one.record for one in await force.reviewing.due()} == {ONE, TWO}


async def test_nobody_erases_alone_and_nobody_without_the_role_at_all(force: Force) -> None:
    """Nothing is recorded of what may not be, and nothing is erased."""
    with pytest.raises(UsageError, match="may not do this: it takes one of the roles"):
        await force.reviewing.review(EVE, ONE, "erase", "let it go")
    with pytest.raises(UsageError, match="nobody has proposed"):
        await force.reviewing.erase(BOB, ONE, "MoPI group 3")
    await force.reviewing.review(ANN, ONE, "erase", "no longer needed")
    for officer, words in ((ANN, "another officer must carry it out"), (EVE, "may not do this")):
        with pytest.raises(UsageError, match=words):
            await force.reviewing.erase(officer, ONE, "MoPI group 3")
    assert len(await force.acts()) == 1
    assert await force.store.record(ONE) is not None


async def test_an_edit_since_the_proposal_keeps_it(force: Force) -> None:
    """Seen in time it is told before anything is tried; withdrawn and proposed anew, it may go."""
    await force.reviewing.review(ANN, ONE, "erase", "no longer needed")
    force.now = Millis(LATER + 1)
    await force.store.commit([force.device.push(force.device.note(ONE, "A witness came."))], force.now)
    with pytest.raises(UsageError, match="changed since its erasure was proposed"):
        await force.reviewing.erase(BOB, ONE, "MoPI group 3")
    await force.reviewing.review(ANN, ONE, "keep", "changed", until=Millis(force.now + 1))
    with pytest.raises(UsageError, match="kept until then by WM40001"):
        await force.reviewing.review(ANN, ONE, "erase", "looked at again")
    force.now = Millis(LATER + 31 * DAY_MS)
    await force.reviewing.review(ANN, ONE, "erase", "looked at again")
    await force.reviewing.erase(BOB, ONE, "MoPI group 3")
    assert await force.store.record(ONE) is None


async def test_an_edit_that_comes_at_the_last_moment_keeps_it_too(force: Force) -> None:
    """Between the look and the commit only the commit can see it: then nothing is erased, and no act says otherwise."""
    await force.reviewing.review(ANN, ONE, "erase", "no longer needed")
    whole = force.commit

    async def overtaken(submission: Submission) -> object:
        if submission.erasure is not None:
            await commit(force.store, force.device.push(force.device.note(ONE, "A witness came.")))
        return await whole(submission)

    force.commit = overtaken  # type: ignore[method-assign]  # for this one call
    with pytest.raises(UsageError, match=r"somebody has written into it since.*not erased"):
        await force.reviewing.erase(BOB, ONE, "MoPI group 3")
    assert await force.store.record(ONE) is not None
    assert len(await force.acts()) == 1
    # The registry has taken it back as well: nothing says that the record is gone.
    assert ONE not in force.ledger.registry.erased


async def test_after_a_restart_a_proposal_is_still_one(force: Force) -> None:
    """What was recorded is all that counts."""
    await force.reviewing.review(ANN, ONE, "erase", "no longer needed")
    ledger = force.unstarted()
    await ledger.start()
    again = Reviewing(force.store, ledger, lambda: force.now, Schedule.of())
    with pytest.raises(UsageError, match="another officer must carry it out"):
        await again.erase(ANN, ONE, "MoPI group 3")
    await again.erase(BOB, ONE, "MoPI group 3")
    assert await force.store.erased(ONE) is not None


async def test_what_is_no_sentence_or_no_record_is_refused(force: Force) -> None:
    """A reason is asked for; so is a record that there is."""
    with pytest.raises(UsageError, match="why"):
        await force.reviewing.review(ANN, ONE, "erase", "")
    with pytest.raises(UsageError, match="there is no record"):
        await force.reviewing.review(ANN, record_id("nobody"), "erase", "no longer needed")
