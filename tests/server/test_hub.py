"""The hub: frames encoded once, recent ones bounded, who is woken, who is told to come back."""

import itertools
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from schemas.codec import decode_down, encode
from schemas.differences import rebuilt
from schemas.errors import PeerError
from schemas.ids import DeviceId, FieldName, Generation, Millis, RecordId, ScopeName, Seq
from schemas.ops import Row
from schemas.wire import Batch, ShortBatch
from server import hub as module
from server.commits import ScopeChange, Settled
from server.framing import Wire, framed
from server.hub import Hub
from server.logbook import Erased
from server.returning import ReturnPace
from server.turn import Listener, Turn
from sync import digest
from sync.session import Head
from sync.session.following import Follower, Following
from sync.session.short_forms import long_batch
from sync.session.steps import Form, Fresh

AREA = ScopeName("area:birmingham")
OTHER = ScopeName("area:coventry")
GEN = Generation(1)
RECORD = RecordId("01890000-0000-7000-8000-000000000001")


class Session:
    """What the hub asks of a session, remembered."""

    def __init__(self, *scopes: ScopeName) -> None:
        """Subscribed to these."""
        self.scopes = dict.fromkeys(scopes, GEN)
        self.device: DeviceId | None = None
        self.acked: dict[ScopeName, Seq] = {}
        self.ending: PeerError | None = None
        self.moved: list[tuple[ScopeName, Seq]] = []
        self.interested = True
        self.before = False
        self.following: Following[Any, Any] | None = None

    def stands_before(self, fresh: Fresh) -> Form | None:
        """What a test says."""
        assert fresh.frm < fresh.to
        return (GEN, False) if self.before and self.following is None else None

    def join(self, following: Following[Any, Any], member: object, way: object) -> bool:
        """Join, as feeds do."""
        assert way is not None
        following.join(cast("Follower", self), member, self)
        self.following = following
        return True

    def set_aside(self, size: int) -> bool:
        """There is credit enough."""
        return size > 0

    def leave(self, _scope: ScopeName) -> None:
        """Follow alone."""
        self.go_alone()

    def go_alone(self) -> None:
        """Follow alone."""
        following, self.following = self.following, None
        if following is not None:
            following.leave(self)

    def take_due(self) -> list[bytes]:
        """What is to be put."""
        assert self.following is not None
        return self.following.take_due(self)

    def head_moved(self, scope: ScopeName, head: Seq) -> bool:
        """Whether there is something to send for it."""
        self.moved.append((scope, head))
        return self.interested

    def fail(self, error: PeerError) -> None:
        """End."""
        self.ending = error
        self.scopes = {}


class Phone:
    """A connection, as the hub sees it."""

    def __init__(self, hub: Hub, name: str, *scopes: ScopeName) -> None:
        """Open and let in."""
        self.session = Session(*scopes)
        self.wakes = 0
        self.follows = True
        self.outgoing = SimpleNamespace(wire=object())
        self.ticks: list[Millis] = []
        hub.open(self.listener)
        self.session.device = DeviceId(name)
        hub.enter(DeviceId(name), self.listener)

    def wake(self) -> None:
        """Count."""
        self.wakes += 1

    def tick(self, now: Millis) -> None:
        """Remember."""
        self.ticks.append(now)

    @property
    def listener(self) -> Listener:
        """Itself, as a type checker wants to see it."""
        return cast("Listener", self)


def change(seq: int, frm: int, scope: ScopeName = AREA) -> ScopeChange:
    """A scope's part of a commit with one row."""
    row = encode(Row(id=RECORD, kind="incident", v=Seq(seq), stamps=[], cells={}))
    head = Head(Seq(seq), digest.EMPTY, 1)
    return ScopeChange(scope=scope, frm=Seq(frm), rows=(row,), members=(RECORD,), gone=(), head=head)


def settled(*changes: ScopeChange) -> Settled:
    """A commit with these parts."""
    return Settled(changes[0].head.seq, Millis(0), 1, (), (), (), changes)


def test_a_recent_commit_s_frame_names_what_was_erased() -> None:
    """In each scope that the record left, and not what only moved away in the same commit."""
    hub, moved = Hub(), RecordId("01890000-0000-7000-8000-000000000002")
    head = Head(Seq(5), digest.EMPTY, 0)
    parts = [
        ScopeChange(AREA, Seq(3), (), (), (RECORD, moved), head),
        ScopeChange(OTHER, Seq(4), (), (), (moved,), head),
    ]
    gone = Erased(RECORD, RECORD, Millis(0), Seq(5), "its time was over")
    hub.publish(msgspec.structs.replace(settled(*parts), erased=(gone,)))
    told = []
    for scope, after in ((AREA, Seq(3)), (OTHER, Seq(4))):
        found = hub.frame(scope, GEN, after)
        assert found is not None
        batch = decode_down(found[1])
        assert isinstance(batch, Batch)
        told.append((batch.gone, batch.erased))
    assert told == [((RECORD, moved), (RECORD,)), ((moved,), ())]


def test_a_frame_is_encoded_once_and_the_same_bytes_go_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """One encoding per scope, generation and position, however many ask."""
    encodings: list[tuple[ScopeName, Generation]] = []

    def counting(scope: ScopeName, gen: Generation, *parts: Any) -> bytes:  # noqa: ANN401  passed on as they come
        encodings.append((scope, gen))
        return original(scope, gen, *parts)

    original = module.batch_frame
    monkeypatch.setattr(module, "batch_frame", counting)
    hub = Hub()
    hub.publish(settled(change(5, 3)))
    frames = [hub.frame(AREA, GEN, Seq(3)) for _ in range(100)]
    assert len(encodings) == 1
    first = frames[0]
    assert first is not None
    assert all(each is not None and each[1] is first[1] and each[2] is first[2] for each in frames)
    assert first[2] == framed(first[1])
    other = hub.frame(AREA, Generation(2), Seq(3))
    assert other is not None
    assert other[1] is not first[1]
    assert len(encodings) == 2
    batch = decode_down(first[1])
    assert isinstance(batch, Batch)
    assert (batch.scope, batch.gen, batch.frm, batch.to, batch.count) == (AREA, GEN, 3, 5, 1)


def test_whoever_takes_differences_gets_them_and_nobody_else() -> None:
    """Both forms are made once each, say the same, and are one where no row before is at hand."""
    hub = Hub()
    wide, wider = (
        encode(Row(id=RECORD, kind="incident", v=Seq(seq), stamps=[], cells={FieldName("summary"): ["glass " * 9, 0]}))
        for seq in (5, 6)
    )
    first = msgspec.structs.replace(change(5, 3), rows=(wide,), stood=(Seq(0),))
    hub.publish(settled(first))
    hub.publish(settled(msgspec.structs.replace(change(6, 5), rows=(wider,), stood=(Seq(5),))))
    assert hub.frame(AREA, GEN, Seq(3), diffs=True) is not None
    assert hub.frame(AREA, GEN, Seq(3), diffs=True) == hub.frame(AREA, GEN, Seq(3))
    short, whole = hub.frame(AREA, GEN, Seq(5), diffs=True), hub.frame(AREA, GEN, Seq(5))
    assert short is not None
    assert whole is not None
    assert short[1] is hub.frame(AREA, GEN, Seq(5), diffs=True)[1]  # type: ignore[index]
    assert short[2] == framed(short[1])
    said, plain = decode_down(short[1]), decode_down(whole[1])
    assert isinstance(said, ShortBatch)
    assert isinstance(plain, Batch)
    told = long_batch(said)
    assert (len(told.rows), len(plain.rows), len(plain.changed)) == (0, 1, 0)
    assert rebuilt(wide, told.changed[0].edits, 1_000) == wider
    assert plain.digest is not None
    assert msgspec.structs.replace(plain, rows=(), changed=told.changed, digest=plain.digest[-8:]) == told
    assert hub._recent_bytes == sum(recent.size for recent in hub._recent.values())


def test_only_the_commit_behind_the_position_has_a_frame() -> None:
    """Whoever stands elsewhere reads the log."""
    hub = Hub()
    hub.publish(settled(change(5, 3), change(5, 4, OTHER)))
    hub.publish(settled(change(6, 5)))
    assert hub.frame(AREA, GEN, Seq(2)) is None
    assert hub.frame(AREA, GEN, Seq(4)) is None
    assert hub.frame(AREA, GEN, Seq(6)) is None
    found = hub.frame(AREA, GEN, Seq(5))
    assert found is not None
    assert found[0] == 6
    assert hub.frame(OTHER, GEN, Seq(4)) is not None


def test_recent_commits_are_bounded_with_their_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first, and a frame made late counts as well."""
    monkeypatch.setattr(module, "RECENT_BYTES_MAX", 20_000)
    hub = Hub()
    for seq in range(1, 200):
        hub.publish(settled(change(seq, seq - 1)))
        assert held(hub) <= 20_000
    assert hub.frame(AREA, GEN, Seq(0)) is None
    assert hub.frame(AREA, GEN, Seq(198)) is not None
    for seq in range(199):
        hub.frame(AREA, GEN, Seq(seq))
        assert held(hub) <= 20_000
    assert hub._recent_bytes == held(hub)


def held(hub: Hub) -> int:
    """Bytes of what the hub keeps, counted afresh."""
    return sum(
        module.RECENT_ENTRY_BYTES + sum(map(len, [*recent.change.rows, *itertools.chain(*recent.frames.values())]))
        for recent in hub._recent.values()
    )


def test_nothing_is_kept_of_those_who_have_left() -> None:
    """A force has a scope for every officer: what they listened to goes with them, whatever changed meanwhile."""
    hub = Hub()
    phones = [Phone(hub, f"hh-{n}", AREA, ScopeName(f"officer:wm{n}")) for n in range(3)]
    phones[1].session.scopes = {}
    hub.publish(settled(change(1, 0)))
    for phone in phones:
        hub.leave(phone.listener)
        hub.leave(phone.listener)
    assert (hub._audiences, hub._heard, len(hub)) == ({}, {}, 0)
    hub.publish(settled(change(2, 1)))
    assert [len(phone.session.moved) for phone in phones] == [1, 1, 1]


def test_small_commits_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that holds almost nothing still costs its entry."""
    monkeypatch.setattr(module, "RECENT_BYTES_MAX", 100 * module.RECENT_ENTRY_BYTES)
    hub = Hub()
    for seq in range(1, 1_000):
        empty = ScopeChange(AREA, Seq(seq - 1), (), (), (RECORD,), Head(Seq(seq), digest.EMPTY, 0))
        hub.publish(settled(empty))
    assert len(hub._recent) == 100


def test_a_commit_wakes_those_who_have_something_to_send() -> None:
    """Listeners of the scope are asked; only those who say so are woken; others are left asleep."""
    hub = Hub()
    near, far, sated = Phone(hub, "a", AREA), Phone(hub, "b", OTHER), Phone(hub, "c", AREA)
    sated.session.interested = False
    hub.publish(settled(change(5, 0)))
    assert near.session.moved == sated.session.moved == [(AREA, 5)]
    assert far.session.moved == []
    assert (near.wakes, far.wakes, sated.wakes) == (1, 0, 0)
    hub.leave(near.listener)
    hub.publish(settled(change(6, 5)))
    assert near.wakes == 1
    assert hub.head(AREA).seq == 6
    assert hub.grants({AREA: GEN, OTHER: GEN})[OTHER].head == Head(Seq(0), digest.EMPTY, 0)


class Told(Turn):
    """What is to be put at the end of the turn, remembered."""

    def __init__(self) -> None:
        """Nothing yet."""
        super().__init__()
        self.told: list[Following[Listener, Wire]] = []

    def follows(self, following: Following[Listener, Wire]) -> None:
        """Remember."""
        self.told.append(following)


def test_those_who_stand_there_are_moved_together_and_not_woken() -> None:
    """They are due the same bytes as it happens; whoever stands elsewhere is told that the head has moved."""
    turn = Told()
    hub = Hub(turn)
    one, other, behind, deaf = (Phone(hub, name, AREA) for name in "abcd")
    one.session.before = other.session.before = deaf.session.before = True
    deaf.follows = False
    hub.publish(settled(change(5, 3)))
    assert [(phone.wakes, phone.session.moved) for phone in (one, other)] == [(0, [])] * 2
    assert [(phone.wakes, phone.session.moved) for phone in (behind, deaf)] == [(1, [(AREA, 5)])] * 2
    (first,), (same,) = one.session.take_due(), other.session.take_due()
    assert first is same
    found = hub.frame(AREA, GEN, Seq(3))
    assert found is not None
    assert found[2] is first
    assert hub._recent_bytes == held(hub)
    hub.publish(settled(change(6, 5)))
    assert len(set(turn.told)) == 1
    assert len(one.session.take_due()) == len(other.session.take_due()) == 1
    assert (one.session.moved, behind.wakes) == ([], 2)


def test_a_commit_whose_answer_was_lost_moves_nobody() -> None:
    """What it changed is not known here: all are told that the head has moved, and read the log."""
    hub = Hub(Told())
    phone = Phone(hub, "a", AREA)
    phone.session.before = True
    hub.publish(settled(change(5, 3)))
    hub.publish(settled(change(6, 6)))
    assert (phone.session.moved, phone.wakes) == ([(AREA, 6)], 1)
    assert phone.session.following is None


def test_whoever_leaves_is_told_by_itself_again() -> None:
    """From the next commit on; and nothing is kept of a following without members, or of those who went."""
    hub = Hub(Told())
    one, other = Phone(hub, "a", AREA), Phone(hub, "b", AREA)
    one.session.before = other.session.before = True
    hub.publish(settled(change(5, 3)))
    one.session.go_alone()
    one.session.before = False
    hub.publish(settled(change(6, 5)))
    assert (one.session.moved, one.wakes, other.session.moved) == ([(AREA, 6)], 1, [])
    hub.leave(other.listener)
    hub.publish(settled(change(7, 6)))
    assert hub._audiences[AREA].together == {}
    assert one.wakes == 2
    hub.leave(one.listener)
    assert (hub._audiences, hub._heard) == ({}, {})


def test_a_grant_that_goes_on_leaves_a_member_where_it_is() -> None:
    """What else was granted changes nothing for those who follow this scope together."""
    hub = Hub(Told())
    one = Phone(hub, "a", AREA)
    one.session.before = True
    hub.publish(settled(change(5, 3)))
    one.session.regrant = lambda *_: None  # type: ignore[attr-defined]
    assert hub.regrant(DeviceId("a"), {AREA: GEN, OTHER: GEN})
    hub.publish(settled(change(6, 5)))
    assert one.session.moved == []
    assert len(one.session.take_due()) == 1


def test_the_newer_connection_of_a_device_replaces_the_older() -> None:
    """The older one is told and woken; that it leaves later does not take the newer one's place away."""
    hub = Hub()
    older = Phone(hub, "a", AREA)
    newer = Phone(hub, "a", AREA)
    assert older.session.ending is not None
    assert older.session.ending.spec.code == "replaced"
    assert older.wakes == 1
    hub.leave(older.listener)
    assert newer.session.ending is None
    assert list(hub.connected()) == [DeviceId("a")]
    assert len(hub) == 1
    hub.leave(newer.listener)
    assert hub.connected() == {}


def test_time_passes_in_every_connection() -> None:
    """What that means for it, each knows for itself."""
    hub = Hub()
    one, other = Phone(hub, "a"), Phone(hub, "b")
    hub.tick(Millis(7))
    assert one.ticks == other.ticks == [7]


async def test_everyone_is_told_to_come_back_in_a_slot_of_their_own() -> None:
    """Who others wait for first; and `empty` waits until the last has gone."""
    hub = Hub()
    handhelds = [Phone(hub, f"d{at}", AREA) for at in range(4)]
    stranger = Phone(hub, "?")
    desk, control = Phone(hub, "desk", ScopeName("suite:perry-barr")), Phone(hub, "control", ScopeName("control"))
    pace = ReturnPace(per_s=1.0, window_min_ms=0, window_max_ms=60_000)
    hub.stop(pace, itertools.cycle([0.5, 0.25, 0.75]).__next__)

    def wait(phone: Phone) -> int:
        ending = phone.session.ending
        assert ending is not None
        assert ending.spec.code == "server_stopping"
        assert ending.retry_after_ms is not None
        return ending.retry_after_ms

    phones = [control, desk, *sorted(handhelds, key=wait), stranger]
    assert [wait(phone) // 1_000 for phone in phones] == list(range(7))
    assert [phone.wakes for phone in phones] == [1] * 7
    for phone in phones:
        hub.leave(phone.listener)
    await hub.empty()


async def test_a_hub_without_sockets_is_empty_at_once() -> None:
    """A server that nobody uses stops without waiting."""
    await Hub().empty()


def test_a_regrant_of_a_device_that_is_not_there_is_told() -> None:
    """The caller learns that nobody heard it."""
    assert Hub().regrant(DeviceId("a"), {AREA: GEN}) is False
