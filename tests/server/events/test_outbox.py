"""What is sent next: never out of order within a record, never lost, whatever fails and whenever it is killed."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from schemas.ids import Millis, RecordId
from server.events.outbox import AHEAD_MAX, HELD_MAX, Backoff, Changes, Held, Item, Log, Outbox

BACKOFF: Final = Backoff(tries_max=3, first_ms=1_000, most_ms=8_000)
RECORDS: Final = tuple(RecordId(f"0199c8a1-7c00-7a11-8b22-00000000000{n}") for n in range(4))
ONE, TWO, THREE, FOUR = RECORDS
NOW: Final = Millis(1_700_000_000_000)


def item(place: int) -> Item:
    """An op's event."""
    return Item(Log.OPS, place)


def outbox(*read: tuple[RecordId, int], backoff: Backoff = BACKOFF) -> Outbox:
    """An outbox that has read these ops."""
    found = Outbox(backoff, (0, 0), {})
    for record, place in read:
        found.take(record, item(place))
        found.read_to(Log.OPS, place)
    return found


def fail(box: Outbox, record: RecordId, times: int = 1) -> None:
    """Let the first event of a record fail so often, each time when it is due."""
    now = NOW
    for _ in range(times):
        now = Millis(now + BACKOFF.most_ms)
        assert record in dict(box.ready(now, 99))
        box.failed(record, "answered 500", now, 0.5)


def test_one_event_of_a_record_is_under_way_at_a_time() -> None:
    """The second event of a record waits for the first; another record's does not."""
    box = outbox((ONE, 1), (ONE, 2), (TWO, 3))
    assert box.ready(NOW, 99) == [(ONE, item(1)), (TWO, item(3))]
    assert box.ready(NOW, 99) == []
    box.sent(ONE)
    assert box.ready(NOW, 99) == [(ONE, item(2))]


def test_a_record_with_much_to_tell_keeps_nobody_from_their_turn() -> None:
    """With room for one call, every record comes to it in turn."""
    box = outbox((ONE, 1), (ONE, 2), (ONE, 3), (TWO, 4), (THREE, 5))
    sent = []
    while found := box.ready(NOW, 1):
        sent.append(found[0][1].place)
        box.sent(found[0][0])
    assert sent == [1, 4, 5, 2, 3]


def test_a_failed_event_waits_and_holds_only_its_own_record() -> None:
    """It is due after its wait, what is behind it too, and the others go on."""
    box = outbox((ONE, 1), (ONE, 2), (TWO, 3))
    box.ready(NOW, 99)
    assert not box.failed(ONE, "answered 500", NOW, 0.0)
    box.sent(TWO)
    assert box.next_due() == NOW + 500
    assert box.ready(Millis(NOW + 499), 99) == []
    assert box.ready(Millis(NOW + 500), 99) == [(ONE, item(1))]


def test_what_was_put_back_is_ready_at_once_and_that_is_no_try() -> None:
    """Nobody was there: that is no fault of the event."""
    box = outbox((ONE, 1))
    for _ in range(9):
        assert box.ready(NOW, 99) == [(ONE, item(1))]
        box.put_back(ONE)
    assert box.held() == {}


@given(failures=st.integers(1, 200), share=st.floats(0, 1, exclude_max=True))
def test_waits_double_up_to_a_bound_and_half_is_chance(failures: int, share: float) -> None:
    """A wait is between half and all of the doubled one, however often it failed."""
    whole = min(1_000 * 2 ** (failures - 1), 8_000)
    assert whole / 2 - 1 <= BACKOFF.wait_ms(failures, share) <= whole


def test_after_its_tries_an_event_is_a_dead_letter_and_what_is_behind_it_waits() -> None:
    """It is tried no more; another record goes on; what comes later of the record waits as well."""
    box = outbox((ONE, 1), (ONE, 2))
    fail(box, ONE, BACKOFF.tries_max)
    box.take(ONE, item(3))
    box.take(TWO, item(4))
    assert box.ready(Millis(NOW + 10**9), 99) == [(TWO, item(4))]
    (held,) = box.held().values()
    assert (held.items, held.tries, held.why) == ((item(1), item(2), item(3)), 3, "answered 500")
    assert held.dead_at is not None
    assert box.count() == (4, 1)


def test_a_dead_letter_that_is_retried_goes_first_and_the_rest_follows() -> None:
    """All its tries are before it again, and nothing has overtaken it."""
    box = outbox((ONE, 1), (ONE, 2))
    fail(box, ONE, BACKOFF.tries_max)
    assert box.retry([ONE, TWO], NOW) == 1
    assert box.ready(NOW, 99) == [(ONE, item(1))]
    assert not box.failed(ONE, "answered 500", NOW, 0.5)


@pytest.mark.parametrize(("every", "count", "left"), [(False, 1, [(ONE, item(2))]), (True, 2, [])])
def test_a_dead_letter_is_dropped_alone_or_with_all_behind_it(
    *, every: bool, count: int, left: list[tuple[RecordId, Item]]
) -> None:
    """Dropped alone, what is behind it goes on."""
    box = outbox((ONE, 1), (ONE, 2))
    fail(box, ONE, BACKOFF.tries_max)
    assert box.drop(ONE, every=every) == count
    assert box.ready(NOW, 99) == left
    assert box.drop(ONE, every=every) == 0


def test_what_is_void_is_never_sent_and_what_follows_is() -> None:
    """An erasure takes along what waits, of a dead letter too; what tells of it goes out."""
    for failures in (0, 1, BACKOFF.tries_max):
        box = outbox((ONE, 1), (ONE, 2))
        fail(box, ONE, failures)
        box.void(ONE)
        box.take(ONE, Item(Log.ACTS, 1))
        assert box.ready(NOW, 99) == [(ONE, Item(Log.ACTS, 1))], failures


def test_what_is_under_way_when_it_becomes_void_is_not_mixed_up_with_what_follows() -> None:
    """The call that is out ends first; then comes what tells of the erasure."""
    box = outbox((ONE, 1), (ONE, 2))
    box.ready(NOW, 99)
    box.void(ONE)
    box.take(ONE, Item(Log.ACTS, 1))
    assert box.ready(NOW, 99) == []
    box.sent(ONE)
    assert box.ready(NOW, 99) == [(ONE, Item(Log.ACTS, 1))]


def test_it_reads_no_further_than_it_can_hold() -> None:
    """Reading stops at a bound for what waits, and at one for what is dead."""
    box = outbox(*((ONE, place) for place in range(1, AHEAD_MAX)))
    room = [box.has_room]
    box.take(ONE, item(AHEAD_MAX))
    room.append(box.has_room)
    fail(box, ONE, BACKOFF.tries_max)
    room.append(box.has_room)
    held = Held(items=tuple(map(item, range(HELD_MAX))), tries=3, due_at=NOW, dead_at=NOW, why="")
    room.append(Outbox(BACKOFF, (0, 0), {ONE: held}).has_room)
    assert room == [True, False, True, False]


def test_while_all_goes_well_nothing_but_places_is_kept() -> None:
    """Keeping costs one small row, however many records there are."""
    box = outbox((ONE, 1), (TWO, 2), (ONE, 3))
    assert box.unkept() == Changes((0, 0), {})
    for record, _ in box.ready(NOW, 99):
        box.sent(record)
    assert box.unkept() == Changes((2, 0), {})
    for record, _ in box.ready(NOW, 99):
        box.sent(record)
    changes = box.unkept()
    assert (changes, box.behind(changes)) == (Changes((3, 0), {}), 3)
    box.keep(changes)
    assert box.behind(box.unkept()) == 0


def test_a_queue_that_met_a_failure_is_kept_until_it_is_empty() -> None:
    """So the place in the log never has to go back for what is behind it."""
    box = outbox((ONE, 1), (ONE, 2), (TWO, 3))
    fail(box, ONE)
    box.sent(TWO)
    changes = box.unkept()
    assert changes.places == (3, 0)
    box.keep(changes)
    assert box.unkept().held == {}
    for left in ((item(2),), None):
        box.ready(Millis(NOW + 10**6), 99)
        box.sent(ONE)
        changes = box.unkept()
        assert changes.places == (3, 0)
        kept = changes.held[ONE]
        assert (kept and kept.items) == left
        box.keep(changes)


def test_what_comes_behind_a_failure_that_is_kept_is_kept_as_well() -> None:
    """The place in the log has gone past it, so nothing else would bring it back."""
    box = outbox((ONE, 1))
    fail(box, ONE)
    box.keep(box.unkept())
    box.take(ONE, item(2))
    box.read_to(Log.OPS, 2)
    changes = box.unkept()
    assert changes.places == (2, 0)
    kept = changes.held[ONE]
    assert kept is not None
    assert kept.items == (item(1), item(2))


def test_what_changes_while_it_is_kept_is_kept_the_next_time() -> None:
    """Writing takes a while; what came meanwhile is not taken for written."""
    box = outbox((ONE, 1))
    fail(box, ONE)
    changes = box.unkept()
    box.take(ONE, item(2))
    box.keep(changes)
    kept = box.unkept().held[ONE]
    assert kept is not None
    assert kept.items == (item(1), item(2))


class AnyCourse(RuleBasedStateMachine):
    """Commits, calls that fail, kills, and administrators, in any order, against what must hold of every record."""

    def __init__(self) -> None:
        """Begin with an empty log."""
        super().__init__()
        self.log: list[RecordId] = []
        self.now = NOW
        self.box = Outbox(BACKOFF, (0, 0), {})
        self.places = (0, 0)
        self.held: dict[RecordId, Held] = {}
        self.out: dict[RecordId, Item] = {}
        self.arrived: dict[RecordId, list[int]] = {record: [] for record in RECORDS}
        self.dropped: set[int] = set()

    def _arrive(self, record: RecordId, place: int) -> None:
        """What was never told before comes in the order of commits, with nothing left out."""
        told = self.arrived[record]
        if place not in told:
            before = [at for at, one in enumerate(self.log, 1) if one == record and at < place]
            assert set(before) <= set(told) | self.dropped, (place, told)
        told.append(place)

    @rule(record=st.sampled_from(RECORDS))
    def commit(self, record: RecordId) -> None:
        """A record changes."""
        self.log.append(record)

    @rule(most=st.integers(1, 3))
    def read(self, most: int) -> None:
        """Read a part of the log."""
        reached = self.box.reached(Log.OPS)
        for place in range(reached + 1, min(reached + most, len(self.log)) + 1):
            self.box.take(self.log[place - 1], item(place))
            self.box.read_to(Log.OPS, place)

    @rule(most=st.integers(1, 3))
    def send(self, most: int) -> None:
        """Calls go out."""
        for record, one in self.box.ready(self.now, most):
            assert record not in self.out, "two events of one record at once"
            self.out[record] = one

    @precondition(lambda self: self.out)
    @rule(data=st.data(), how=st.sampled_from(["taken", "failed", "taken, and the answer lost", "nobody there"]))
    def answer(self, data: st.DataObject, how: str) -> None:
        """One of the calls ends."""
        record = data.draw(st.sampled_from(sorted(self.out)))
        one = self.out.pop(record)
        if how.startswith("taken"):
            self._arrive(record, one.place)
        if how == "taken":
            self.box.sent(record)
        elif how == "nobody there":
            self.box.put_back(record)
        else:
            self.box.failed(record, how, self.now, 0.5)

    @rule(ms=st.sampled_from([400, 5_000, 60_000]))
    def wait(self, ms: int) -> None:
        """Time passes."""
        self.now = Millis(self.now + ms)

    @rule()
    def keep(self) -> None:
        """What is to be kept is durable, all of it at once."""
        changes = self.box.unkept()
        self.places = changes.places
        for record, held in changes.held.items():
            if held is None:
                self.held.pop(record, None)
            else:
                self.held[record] = held
        self.box.keep(changes)

    @rule()
    def kill(self) -> None:
        """Everything that was not kept is gone; calls that were out may have arrived."""
        for record, one in self.out.items():
            self._arrive(record, one.place)
        self.out = {}
        self.box = Outbox(BACKOFF, self.places, self.held)

    @rule(record=st.sampled_from(RECORDS))
    def retry(self, record: RecordId) -> None:
        """An administrator has a dead letter tried again."""
        self.box.retry([record], self.now)

    @rule(record=st.sampled_from(RECORDS))
    def drop(self, record: RecordId) -> None:
        """An administrator drops a dead letter."""
        held = self.box.held().get(record)
        if self.box.drop(record, every=False):
            assert held is not None
            self.dropped.add(held.items[0].place)

    @invariant()
    def nothing_waits_before_what_is_kept(self) -> None:
        """A start finds everything that has not arrived."""
        held = {one.place for queue in self.held.values() for one in queue.items}
        done = {place for told in self.arrived.values() for place in told} | self.dropped | held
        assert set(range(1, self.places[0] + 1)) <= done

    def teardown(self) -> None:
        """Once nothing fails any more, everything that was committed has arrived, but what was dropped."""
        for record in list(self.out):
            self._arrive(record, self.out.pop(record).place)
            self.box.sent(record)
        self.box.retry(RECORDS, self.now)
        self.read(len(self.log) or 1)
        self.now = Millis(self.now + 10**9)
        while found := self.box.ready(self.now, 9):
            for record, one in found:
                self._arrive(record, one.place)
                self.box.sent(record)
        told = {place for places in self.arrived.values() for place in places}
        assert told | self.dropped >= set(range(1, len(self.log) + 1))


TestAnyCourse = AnyCourse.TestCase
