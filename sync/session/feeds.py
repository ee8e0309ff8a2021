"""What a session sends of its scopes: a feed per scope, and the lanes in which their turns come.

A feed holds a position and what is open at it, never a payload. What it wants read is a step; what was read comes back
and becomes a frame, or nothing when the feed has moved on meanwhile. While nothing waits in any lane, a feed that
stands where its scope stands may be in a `Following`, which has its position then.
"""

import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from schemas import scopes, wire
from schemas.codec import encode
from schemas.errors import PeerError
from schemas.ids import Generation, RecordId, ScopeName, Seq
from schemas.limits import MESSAGE_BYTES_MAX
from schemas.scopes import Lane
from sync.session.following import Following
from sync.session.meter import Credit
from sync.session.steps import Fresh, Grant, Want, WantChanges, WantPage, WantRanges


class _Mode(enum.Enum):
    LIVE = enum.auto()
    SNAPSHOT = enum.auto()


class _Feed:
    """What one scope's subscription needs: position, head, and an open snapshot or repair.

    `lane` is the one in which it waits, None while it has nothing to send. `confirm` asks for one more batch from the
    log, empty if need be, whose digest tells the device that a snapshot, a repair or a stretch of the log is whole.
    """

    __slots__ = ("after", "asked", "confirm", "gen", "head", "lane", "mode", "repairs", "sent")

    def __init__(self, gen: Generation, sent: Seq, head: Seq, mode: _Mode, after: str) -> None:
        self.gen = gen
        self.sent = sent
        self.head = head
        self.mode = mode
        self.after = after
        self.lane: Lane | None = None
        self.confirm = False
        self.asked: tuple[wire.Range, ...] = ()
        self.repairs: tuple[tuple[str, str], ...] = ()


class Feeds:
    """The subscriptions of one session."""

    __slots__ = ("_credit", "_feeds", "_joined", "_ready", "_way")

    def __init__(self, credit: Credit) -> None:
        """Start with none; `credit` is what the session may still send."""
        self._credit = credit
        self._feeds: dict[ScopeName, _Feed] = {}
        self._joined: dict[ScopeName, Following[Any, Any]] = {}
        """Where it follows with others: those know how far it was told, until it leaves."""
        self._way: object = None
        """By which it is then put to."""
        # Lanes in which something waits, and no others: of most devices, most of the time, that is none.
        self._ready: dict[Lane, dict[ScopeName, None]] = {}

    @property
    def generations(self) -> Mapping[ScopeName, Generation]:
        """The scopes subscribed to, with the generations of their grants."""
        return {scope: feed.gen for scope, feed in self._feeds.items()}

    @property
    def names(self) -> frozenset[ScopeName]:
        """The scopes subscribed to."""
        return frozenset(self._feeds)

    @property
    def furthest(self) -> Seq:
        """The last commit of which this session knows that it has changed one of its scopes."""
        return max((head for _, _, _, head in self.places()), default=Seq(0))

    def __contains__(self, scope: ScopeName) -> bool:
        """Whether the scope is subscribed to."""
        return scope in self._feeds

    def places(self) -> Iterator[tuple[ScopeName, Seq, str | None, Seq]]:
        """Of each scope: the commit and the record up to which it was sent, and its head; no record once it is live."""
        for scope, feed in self._feeds.items():
            if (following := self._joined.get(scope)) is not None:
                yield scope, following.at, None, following.at
            else:
                yield scope, feed.sent, None if feed.mode is _Mode.LIVE else feed.after, feed.head

    def subscribe(self, scope: ScopeName, grant: Grant, known: wire.Position | None) -> wire.Plan:
        """Open a scope's feed from where the device stands, and tell the plan."""
        head = grant.head
        usable = known is not None and known.gen == grant.gen and known.seq <= head.seq
        if known is not None and usable and known.after is None:
            feed = _Feed(grant.gen, known.seq, head.seq, _Mode.LIVE, "")
            # The session before may have ended between a snapshot's last page and the batch behind it.
            feed.confirm = known.seq < head.seq
            plan = wire.Plan(
                scope=scope, gen=grant.gen, action="resume", seq=head.seq, digest=head.digest, count=head.count
            )
        else:
            # Of a snapshot without a page yet there is nothing to go on from: it is pinned anew, nearer to the head.
            pinned, after = (known.seq, known.after) if known is not None and usable and known.after else (head.seq, "")
            feed = _Feed(grant.gen, pinned, head.seq, _Mode.SNAPSHOT, after)
            plan = wire.Plan(scope=scope, gen=grant.gen, action="snapshot", seq=pinned, count=head.count)
        self._feeds[scope] = feed
        self._mark(scope, feed)
        return plan

    def drop(self, scope: ScopeName) -> None:
        """Forget a scope's feed."""
        self.leave(scope)
        self._unmark(scope, self._feeds.pop(scope))

    def clear(self) -> None:
        """Forget every feed."""
        self.go_alone()
        self._feeds.clear()
        self._ready.clear()

    def head_moved(self, scope: ScopeName, head: Seq) -> bool:
        """A commit changed the scope. Returns whether this session has something to send for it."""
        following = self._joined.get(scope)
        if following is not None and head <= following.at:
            return False
        self.leave(scope)
        feed = self._feeds.get(scope)
        if feed is None or head <= feed.head:
            return False
        feed.head = head
        self._mark(scope, feed)
        return True

    # --- together with others ----------------------------------------------------------------------------------------

    def stands_before(self, fresh: Fresh) -> Generation | None:
        """The grant under which a scope stands right before a commit, with nothing in any lane; None elsewhere."""
        feed = None if self._ready else self._feeds.get(fresh.scope)
        # In no lane: live, told of all up to its head, and nothing of it is open.
        return None if feed is None or feed.sent != fresh.frm or fresh.scope in self._joined else feed.gen

    def join(self, following: Following[Any, Any], member: object, way: object) -> bool:
        """Follow the scope with others, if it stands as they do and has the credit for it; returns whether it does."""
        scope = following.scope
        takes = following.admits(self._feeds[scope].sent)
        if takes is None or not self.set_aside(takes):
            return False
        self._way = way
        following.join(self, member, way)
        self._joined[scope] = following
        return True

    def set_aside(self, size: int) -> bool:
        """Keep credit for what a following will move; False when there would not be enough left for a message."""
        if self._credit.bytes < size + MESSAGE_BYTES_MAX:
            return False
        self._credit.bytes -= size
        return True

    @property
    def aside(self) -> int:
        """The credit that is set aside for what followings will move."""
        return sum(following.aside for following in self._joined.values())

    def take_due(self) -> list[bytes]:
        """What it is due of what its followings have moved, as the shell sends it: it is put now."""
        return [
            frame for following in self._joined.values() if following.rounds for frame in following.take_due(self._way)
        ]

    def leave(self, scope: ScopeName) -> None:
        """Follow a scope alone from now on, from where it was put to; if that is not the head, it is behind."""
        following = self._joined.pop(scope, None)
        if following is not None:
            feed = self._feeds[scope]
            feed.sent, back = following.leave(self._way)
            feed.head = following.at
            self._credit.bytes += back
            self._mark(scope, feed)

    def go_alone(self) -> None:
        """Follow every scope alone from now on."""
        while self._joined:
            self.leave(next(iter(self._joined)))

    # --- alone -------------------------------------------------------------------------------------------------------

    def compare(self, message: wire.Repair) -> bool:
        """Take up a REPAIR; False when it is about a grant that has changed, or comes inside a snapshot.

        Raises:
            PeerError: its ranges do not follow each other from the first record to the last. They are read one by one,
                so that overlapping ones would be work without end.
        """
        starts = [one.after for one in message.ranges]
        ends = [one.upto for one in message.ranges]
        if ends[-1] != "" or starts != sorted({"", *ends[:-1]}) or starts[1:] != ends[:-1]:
            raise PeerError("wrong_field", "ranges must follow each other, from an empty `after` to an empty `upto`")
        feed = self._feeds[message.scope]
        if feed.gen != message.gen or feed.mode is not _Mode.LIVE:
            return False
        feed.asked = message.ranges
        self._mark(message.scope, feed)
        return True

    def next_want(self) -> Want | None:
        """What to read next, by lane; None when no feed has anything to send."""
        if not self._ready:
            return None
        scope = next(iter(self._ready[min(self._ready)]))
        return self._want_of(scope, self._feeds[scope])

    def _want_of(self, scope: ScopeName, feed: _Feed) -> Want:
        if feed.mode is _Mode.SNAPSHOT:
            return WantPage(scope, feed.after, "", feed.gen)
        if feed.sent < feed.head or feed.confirm:
            return WantChanges(scope, feed.gen, feed.sent, feed.confirm)
        if feed.asked:
            return WantRanges(scope, feed.asked)
        after, upto = feed.repairs[0]
        return WantPage(scope, after, upto, feed.gen)

    def changes_read(self, want: WantChanges, to: Seq, *, ended: bool) -> bool:
        """Move on to where a BATCH leads; False when the feed has moved on meanwhile and the batch is not for it."""
        feed = self._feeds.get(want.scope)
        if feed is None or feed.gen != want.gen or feed.sent != want.after:
            return False
        feed.sent = to
        feed.head = max(feed.head, to)
        # Part of the log shows records as they stand now, so the device is between two positions until the rest is in:
        # a recent commit's frame would not fit.
        feed.confirm = not ended
        self._mark(want.scope, feed)
        return True

    def page_read(
        self, want: WantPage, rows: Sequence[bytes], upto: str, erased: tuple[RecordId, ...] = (), packed: bytes = b""
    ) -> bytes | None:
        """The encoded SNAPSHOT of a page, or None when the feed has moved on meanwhile.

        Args:
            want: what was read.
            rows, upto, erased: what was found.
            packed: the rows once more, where they are to travel so (`schemas.packing`).
        """
        rows = () if packed else rows
        feed = self._feeds.get(want.scope)
        if feed is None or feed.gen != want.gen:
            # A page that was read before the grant changed may be older than the position that its plan pinned.
            return None
        if feed.mode is _Mode.SNAPSHOT:
            if want.after != feed.after:
                return None
            page = self._page(want, feed, rows, upto, erased)
            frame = encode(msgspec.structs.replace(page, packed=packed, last=upto == ""))
            feed.after = upto
            feed.mode = _Mode.LIVE if upto == "" else _Mode.SNAPSHOT
            feed.confirm = feed.mode is _Mode.LIVE
        else:
            if not feed.repairs or feed.repairs[0] != (want.after, want.upto):
                return None
            rest = () if upto in ("", want.upto) else ((upto, want.upto),)
            feed.repairs = (*rest, *feed.repairs[1:])
            stretch_end = upto or want.upto
            feed.confirm = not feed.repairs
            page = self._page(want, feed, rows, stretch_end, erased)
            frame = encode(msgspec.structs.replace(page, packed=packed, last=not feed.repairs, repair=True))
        self._mark(want.scope, feed)
        return frame

    def _page(
        self, want: WantPage, feed: _Feed, rows: Sequence[bytes], upto: str, erased: tuple[RecordId, ...]
    ) -> wire.Snapshot:
        return wire.Snapshot(
            scope=want.scope,
            gen=feed.gen,
            at=feed.sent,
            after=want.after,
            upto=upto,
            rows=tuple(msgspec.Raw(row) for row in rows),
            erased=erased,
        )

    def ranges_read(self, want: WantRanges, ours: list[tuple[bytes, int]]) -> None:
        """Take the (digest, count) of each range that a REPAIR asked about: those that differ will be read."""
        feed = self._feeds.get(want.scope)
        if feed is None or feed.asked is not want.ranges:
            return
        feed.asked = ()
        compared = zip(want.ranges, ours, strict=True)
        feed.repairs += tuple((one.after, one.upto) for one, found in compared if (one.digest, one.count) != found)
        feed.confirm = not feed.repairs
        self._mark(want.scope, feed)

    def _mark(self, scope: ScopeName, feed: _Feed) -> None:
        """Put the scope in the lane of what it needs next, behind the others there, or in none."""
        self._unmark(scope, feed)
        if feed.mode is _Mode.SNAPSHOT:
            feed.lane = scopes.snapshot_lane(scope)
        elif feed.sent < feed.head or feed.confirm:
            feed.lane = scopes.lane(scope)
        elif feed.asked or feed.repairs:
            feed.lane = Lane.BULK
        if feed.lane is not None:
            self._ready.setdefault(feed.lane, {})[scope] = None
            # What it is told of its other scopes has its turn by lane from now on.
            self.go_alone()

    def _unmark(self, scope: ScopeName, feed: _Feed) -> None:
        """Take the scope out of the lane in which it waits."""
        lane, feed.lane = feed.lane, None
        if lane is not None:
            waiting = self._ready[lane]
            del waiting[scope]
            if not waiting:
                del self._ready[lane]
