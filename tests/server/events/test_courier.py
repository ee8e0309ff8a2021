"""One subscription over a store: what is told of a commit, in which order, and what survives."""

import random
from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import ScopeName
from schemas.kinds import KINDS
from server.events import telling
from server.events.sending import Outcome, Verdict
from tests.server.events.station import (
    BACKOFF,
    FAILED,
    GONE,
    NOBODY,
    TAKEN,
    Station,
    record_id,
    subscription,
)

ONE, TWO = record_id(1), record_id(2)


@pytest.fixture
async def station() -> AsyncIterator[Station]:
    """One that runs."""
    found = Station()
    await found.start()
    yield found
    await found.stop()


async def test_a_commit_leaves_as_an_event_with_what_its_subscriber_may_be_told(station: Station) -> None:
    """Created, then changed: of the record the fields that are named, and nothing else; nothing of who wrote it."""
    await station.make(1, summary="A spill.", location="12 Elm Row")
    await station.write(1, grade="p1")
    await station.rest()
    made, changed = station.subscriber.taken
    assert made["type"] == "uk.police.beatbook.incident.created"
    assert changed["type"] == "uk.police.beatbook.incident.changed"
    assert {one["subject"] for one in (made, changed)} == {ONE}
    assert changed["changedfields"] == "grade"
    assert changed["data"].keys() <= {"grade", "summary", "urn"}
    assert changed["data"]["grade"] == "p1"
    assert changed["data"]["urn"] is not None, "a number that the server gave is told"
    assert made["sequence"] < changed["sequence"]
    assert made["id"] != changed["id"]
    for word in ("WM21877", "hh-0042", "Elm Row"):
        assert word not in str(station.subscriber.taken)


async def test_the_data_is_according_to_its_schema(station: Station) -> None:
    """Of each kind, what is told validates against the schema that `dataschema` names."""
    await station.make(1, grade="p2")
    await station.make(2, "custody-booking")
    await station.rest()
    for one, kind in zip(station.subscriber.taken, ("incident", "custody-booking"), strict=True):
        schema = telling.data_schema(KINDS[kind])
        assert one["dataschema"] == schema["$id"]
        jsonschema.validate(one["data"], schema, cls=jsonschema.Draft202012Validator)


async def test_what_is_not_named_is_not_told(station: Station) -> None:
    """Another area's, another kind, a change to another field."""
    await station.make(1, area="coventry")
    await station.make(2, "suspect")
    await station.make(3)
    await station.write(3, location="12 Elm Row")
    await station.rest()
    assert station.subscriber.told() == [("created", record_id(3))]


async def test_what_is_closed_is_told_where_its_own_scope_is_named_and_nowhere_else() -> None:
    """A compartment, and people's health: the area's and the suite's scopes do not reach them."""
    for scopes, expected in (
        ({"area:birmingham", "suite:perry-barr"}, {record_id(2)}),
        ({"area:birmingham", "suite:perry-barr", "compartment:larch"}, {record_id(2), ONE}),
        ({"suite:perry-barr:medical"}, {record_id(3)}),
    ):
        station = Station(subscription(scopes=frozenset(map(ScopeName, scopes))))
        await station.start()
        await station.make(1, compartment="larch")
        await station.make(2, "custody-booking")
        await station.make(3, "medical", booking=record_id(2))
        await station.rest()
        assert {one["subject"] for one in station.subscriber.taken} == expected
        await station.stop()


async def test_events_of_a_record_keep_their_order_and_others_go_on(station: Station) -> None:
    """While one record's event fails, what is behind it waits, and another record's events arrive."""
    station.subscriber.answers = lambda event: FAILED if event["subject"] == ONE else TAKEN
    for n in (1, 2):
        await station.make(n)
        await station.write(n, grade="p1")
    await station.rest()
    assert station.subscriber.told() == [("created", TWO), ("changed", TWO)]
    station.subscriber.answers = lambda _event: TAKEN
    await station.pass_time(BACKOFF.most_ms)
    assert station.subscriber.told()[2:] == [("created", ONE), ("changed", ONE)]
    assert len({one["id"] for one in station.subscriber.came}) == 4, "an event keeps its id when it is tried again"


async def test_a_subscription_begins_where_it_is_told() -> None:
    """Now, when nothing is said; behind a commit, when one is named."""
    for from_seq, expected in ((None, []), (0, [1, 2, 3]), (2, [3]), (99, [])):
        station = Station(subscription(from_seq=from_seq))
        for n in (1, 2, 3):
            await station.make(n)
        await station.start()
        await station.rest()
        told = [one["subject"] for one in station.subscriber.taken]
        assert sorted(told) == [record_id(n) for n in expected], from_seq
        await station.make(4)
        await station.rest()
        assert station.subscriber.told()[-1] == ("created", record_id(4))
        await station.stop()


async def test_that_it_has_begun_is_kept_before_anything_is_sent() -> None:
    """Killed right after its first start, a new subscription does not begin at a later moment."""
    station = Station()
    await station.start()
    await station.kill()
    await station.make(1)
    await station.kill()
    await station.rest()
    assert station.subscriber.told() == [("created", ONE)]
    await station.stop()


async def test_what_was_under_way_at_a_kill_is_sent_again(station: Station) -> None:
    """At least once: with the same id, so that its receiver sees that it has it."""
    station.subscriber.gate.clear()
    await station.make(1)
    await station.rest()
    station.subscriber.gate.set()
    await station.kill()
    await station.rest()
    assert len(station.subscriber.came) == 2
    assert station.subscriber.came[0]["id"] == station.subscriber.came[1]["id"]


async def test_a_stop_in_order_sends_nothing_twice(station: Station) -> None:
    """What was taken is kept as taken when the server goes down."""
    await station.make(1)
    await station.rest()
    await station.stop()
    station.courier = station._made()
    await station.start()
    await station.make(2)
    await station.rest()
    assert station.subscriber.told() == [("created", ONE), ("created", TWO)]
    assert station.subscriber.closed


async def test_it_costs_few_commits_of_its_own(station: Station) -> None:
    """A record is noted once before it is first told; how far it has come is kept now and then."""
    await station.make(1)
    await station.rest()
    before = station.commits
    for _ in range(20):
        await station.write(1, grade="p1")
        await station.rest()
    assert station.commits == before
    await station.pass_time(2_000)
    assert station.commits == before + 1


async def test_a_dead_letter_survives_and_waits(station: Station) -> None:
    """After its tries an event waits for a person, also through a kill; another record's goes on."""
    station.subscriber.answers = lambda event: FAILED if event["subject"] == ONE else TAKEN
    await station.make(1)
    for _ in range(BACKOFF.tries_max + 2):
        await station.pass_time(BACKOFF.most_ms)
    await station.write(1, grade="p1")
    await station.make(2)
    await station.rest()
    assert len([one for one in station.subscriber.came if one["subject"] == ONE]) == BACKOFF.tries_max
    await station.kill()
    await station.pass_time(10**7)
    assert len([one for one in station.subscriber.came if one["subject"] == ONE]) == BACKOFF.tries_max
    (held,) = station.courier.outbox.held().values()
    assert (len(held.items), held.why) == (2, "answered 500")


async def test_nobody_there_is_no_try_and_all_wait(station: Station) -> None:
    """A receiver that is down for long costs no event its tries; when it is back, all arrive in order."""
    station.subscriber.answers = lambda _event: NOBODY
    await station.make(1)
    await station.write(1, grade="p1")
    for _ in range(20):
        await station.pass_time(BACKOFF.most_ms)
    assert station.courier.outbox.count() == (2, 0)
    assert station.courier.trouble == "cannot be reached"
    calls = len(station.subscriber.came)
    await station.pass_time(1)
    assert len(station.subscriber.came) == calls, "it is not called without a pause"
    station.subscriber.answers = lambda _event: TAKEN
    await station.pass_time(BACKOFF.most_ms)
    assert station.subscriber.told() == [("created", ONE), ("changed", ONE)]
    assert station.courier.trouble == ""


async def test_who_asks_for_time_is_given_it(station: Station) -> None:
    """Nothing is sent to them before, of no record, and that counts as no try."""
    station.subscriber.answers = lambda _event: Outcome(Verdict.LATER, "answered 429", 60_000)
    await station.make(1)
    await station.rest()
    await station.make(2)
    await station.pass_time(59_999)
    assert len(station.subscriber.came) == 1
    station.subscriber.answers = lambda _event: TAKEN
    await station.pass_time(1)
    assert sorted(station.subscriber.told()) == [("created", ONE), ("created", TWO)]
    assert station.courier.outbox.held() == {}


async def test_who_is_gone_is_sent_nothing_any_more(station: Station) -> None:
    """Through a kill as well; what came meanwhile is there when somebody turns it on again."""
    station.subscriber.answers = lambda _event: GONE
    await station.make(1)
    await station.rest()
    await station.kill()
    await station.make(2)
    await station.pass_time(10**8)
    assert len(station.subscriber.came) == 1
    assert station.courier.off == "answered 410"
    station.subscriber.answers = lambda _event: TAKEN


async def test_what_waits_of_an_erased_record_goes_with_it(station: Station) -> None:
    """Nothing of its content leaves any more; whoever was told of it is told that it was erased."""
    await station.make(1, summary="Quillfeather")
    await station.rest()
    station.subscriber.answers = lambda _event: FAILED
    await station.write(1, summary="Marmalade")
    await station.rest()
    await station.erase(1)
    station.subscriber.came.clear()
    station.subscriber.answers = lambda _event: TAKEN
    await station.pass_time(BACKOFF.most_ms)
    (event,) = station.subscriber.came
    assert event["type"] == "uk.police.beatbook.incident.erased"
    assert event["subject"] == ONE
    assert "data" not in event
    assert await station.store.secrets("event-told/") == {}


async def test_an_erasure_takes_a_dead_letter_along(station: Station) -> None:
    """Nobody has to decide about an event of which nothing is left."""
    station.subscriber.answers = lambda _event: FAILED
    await station.make(1)
    for _ in range(BACKOFF.tries_max + 1):
        await station.pass_time(BACKOFF.most_ms)
    assert station.courier.outbox.count() == (1, 1)
    station.subscriber.answers = lambda _event: TAKEN
    await station.erase(1)
    await station.rest()
    assert station.subscriber.told() == [("erased", ONE)]
    assert station.courier.outbox.count() == (0, 0)


async def test_an_erasure_is_told_of_the_parts_too_and_to_nobody_who_knew_of_nothing() -> None:
    """What is medical goes with its booking, and who was told of it hears that."""
    everything = frozenset({ScopeName("suite:perry-barr"), ScopeName("suite:perry-barr:medical")})
    for scopes, expected in ((everything, {record_id(2), record_id(3)}), (frozenset({ScopeName("force")}), set())):
        station = Station(subscription(scopes=scopes))
        await station.start()
        await station.make(2, "custody-booking")
        await station.make(3, "medical", booking=record_id(2))
        await station.rest()
        station.subscriber.taken.clear()
        await station.erase(2)
        await station.rest()
        assert set(station.subscriber.told()) == {("erased", one) for one in expected}
        await station.stop()


async def test_an_erasure_while_the_server_was_down_is_told_when_it_is_back(station: Station) -> None:
    """The acts are a log like the ops."""
    await station.make(1)
    await station.rest()
    await station.stop()
    await station.erase(1)
    station.courier = station._made()
    await station.start()
    await station.rest()
    assert station.subscriber.told() == [("created", ONE), ("erased", ONE)]


async def test_what_leaves_the_subscribers_sight_is_withdrawn(station: Station) -> None:
    """They are told that it has gone, once, and nothing more of it, until it is back."""
    await station.make(1, summary="Quillfeather")
    await station.rest()
    await station.write(1, compartment="larch", summary="Marmalade")
    await station.write(1, summary="Oddsocks")
    await station.rest()
    assert station.subscriber.told() == [("created", ONE), ("withdrawn", ONE)]
    assert "data" not in station.subscriber.taken[-1]
    assert "Marmalade" not in str(station.subscriber.came)


async def test_what_comes_into_the_subscribers_sight_is_told_whatever_has_changed(station: Station) -> None:
    """A record that moves here from another area, by a change to a field that is not told."""
    await station.make(1, area="coventry", summary="Quillfeather")
    await station.write(1, area="birmingham")
    await station.rest()
    # What there is at the time of reading counts: both ops are of a record that is here.
    assert {one["subject"] for one in station.subscriber.taken} == {ONE}
    assert station.subscriber.taken[-1]["data"]["summary"] == "Quillfeather"


@given(seed=st.integers(0, 2**32))
async def test_in_any_course_everything_arrives_in_order(seed: int) -> None:
    """Commits, failures, receivers that are away, kills: in the end each record's events have arrived in order."""
    dice = random.Random(seed)
    station = Station()
    await station.start()
    expected: dict[str, list[int]] = {}
    outcomes = [TAKEN, TAKEN, FAILED, NOBODY, Outcome(Verdict.LATER, "answered 503", 3_000)]
    station.subscriber.answers = lambda _event: dice.choice(outcomes)
    for _ in range(25):
        match dice.randrange(5):
            case 0 | 1:
                n = dice.randrange(1, 4)
                created = record_id(n) in expected
                change: dict[str, Any] = {"grade": dice.choice(["p1", "p2"])}
                settled = await (station.write(n, **change) if created else station.make(n, **change))
                expected.setdefault(record_id(n), []).append(settled.seq)
            case 2:
                await station.pass_time(dice.choice([100, 2_000, 9_000]))
            case 3:
                await station.rest()
            case _:
                await station.kill()
    station.subscriber.answers = lambda _event: TAKEN
    for _ in range(4):
        await station.pass_time(10**6)
        station.courier.outbox.retry(list(station.courier.outbox.held()), station.clock.now)
    places: dict[str, list[str]] = {}
    for one in station.subscriber.taken:
        told = places.setdefault(one["subject"], [])
        if one["sequence"] not in told:
            assert not told or one["sequence"] > max(told), "an event overtook another one of its record"
            told.append(one["sequence"])
    assert {record: len(told) for record, told in places.items()} == {
        record: len(seqs) for record, seqs in expected.items()
    }
    await station.stop()
