"""Who listens to which scope, where each scope stands, and the frames of the latest commits.

The hub queues nothing per connection. Those who stand where a scope stands are moved together by a commit, and the turn
of the loop puts its frame to each of them (`sync.session.following`, `server.turn`). In every other session that
listens the commit marks the scope dirty, and wakes it; the session asks for the frame behind its own position when its
socket can take more. A frame is encoded once per scope, generation and position, and the same bytes go to all.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from schemas.codec import encode
from schemas.errors import PeerError
from schemas.ids import DeviceId, Generation, Millis, RecordId, ScopeName, Seq
from schemas.wire import Batch, Difference
from server.commits import ScopeChange, Settled
from server.framing import Wire, framed
from server.held_rows import Changed, HeldRows
from server.pages import Pages, SharedPage
from server.returning import ReturnPace, rank
from server.store import Store
from server.turn import Listener, Turn
from sync import digest
from sync.session import Grant, Head, ServerSession
from sync.session.following import Following
from sync.session.short_forms import short_batch
from sync.session.steps import Form, Fresh, WantPage

RECENT_BYTES_MAX: Final = 32 * 1024 * 1024
"""Rows of recent commits kept for sessions that are at most a few commits behind; older ones read the log."""
RECENT_ENTRY_BYTES: Final = 1_024
"""What a kept commit costs in memory beside its rows and frames: ids, digest, dictionaries."""


class _Recent:
    """One scope's part of one commit, with its frames by generation; as a session sees it, a `Fresh` one."""

    __slots__ = ("_hub", "change", "changed", "erased", "frames", "frm", "scope", "size", "to")

    def __init__(self, hub: "Hub", change: ScopeChange, erased: tuple[RecordId, ...], changed: Changed) -> None:
        self._hub = hub
        self.scope = change.scope
        self.frm = change.frm
        self.to = change.head.seq
        self.change = change
        self.erased = erased
        self.changed = changed if changed.among(change) else None
        """Which of its rows may be told as differences; None for none."""
        self.frames: dict[tuple[Generation, bool], tuple[bytes, bytes]] = {}
        self.size = RECENT_ENTRY_BYTES + sum(map(len, change.rows)) + (self.changed.size if self.changed else 0)

    def framed(self, gen: Generation, diffs: bool) -> tuple[bytes, bytes]:  # noqa: FBT001  one of two forms, each call
        """The BATCH for those who hold this grant, and the same as a WebSocket frame; `diffs`: as `Fresh` tells."""
        form = (gen, diffs and self.changed is not None)
        return self.frames.get(form) or self._hub.make_frame(self, *form)


class _Audience:
    """Those who listen to one scope."""

    __slots__ = ("alone", "together")

    def __init__(self) -> None:
        self.alone: set[Listener] = set()
        """Those who follow it each alone: they are behind, have other things to say, or have only come."""
        self.together: dict[Form, Following[Listener, Wire]] | None = None
        """All others. None as long as nothing has happened: most scopes are those of one officer each."""

    def begins(self, fresh: Fresh, form: Form) -> Following[Listener, Wire]:
        """The following of those who are told so, moved by a commit; a new one, where there is none."""
        if self.together is None:
            self.together = {}
        following = self.together.get(form)
        if following is None:
            following = self.together[form] = Following(fresh.scope, form, fresh.frm, self.alone)
            following.move(fresh)
        return following

    def move(self, fresh: Fresh | None) -> list[Following[Listener, Wire]]:
        """Move those who follow together; the followings that were. With None, or at a gap, they all follow alone."""
        moved = []
        for form, following in list((self.together or {}).items()):
            if not following or fresh is None or not following.move(fresh):
                following.dissolve()
            if following:
                moved.append(following)
            elif self.together is not None:
                del self.together[form]
        return moved


def batch_frame(  # noqa: PLR0913, PLR0917  the fields of one message, in its order
    scope: ScopeName,
    gen: Generation,
    frm: Seq,
    to: Seq,
    rows: Iterable[bytes],
    gone: tuple[RecordId, ...],
    end: Head | None,
    erased: tuple[RecordId, ...] = (),
    changed: tuple[Difference, ...] = (),
) -> bytes:
    """The encoded BATCH, short where it can be; `end` tells digest and count at `to`, where they are known.

    `erased` is a part of `gone`; `changed` are rows beside `rows`, for devices that take differences.
    """
    batch = Batch(
        scope=scope,
        gen=gen,
        frm=frm,
        to=to,
        rows=tuple(msgspec.Raw(row) for row in rows),
        changed=changed,
        gone=gone,
        erased=erased,
        digest=None if end is None else end.digest,
        count=None if end is None else end.count,
    )
    return encode(short_batch(batch) or batch)


class Hub:
    """The meeting place of the committer and the connections."""

    def __init__(self, turn: Turn | None = None) -> None:
        """Start empty; `stand_at` follows before the first connection. `turn` puts what happens."""
        self.turn = turn or Turn()
        self._heads: dict[ScopeName, Head] = {}
        self._audiences: dict[ScopeName, _Audience] = {}
        self._heard: dict[Listener, set[ScopeName]] = {}
        """The same the other way round."""
        self._devices: dict[DeviceId, Listener] = {}
        self._all: set[Listener] = set()
        self._recent: OrderedDict[tuple[ScopeName, Seq], _Recent] = OrderedDict()
        self._recent_bytes = 0
        self._held = HeldRows()
        self._emptied = asyncio.Event()
        self._last = Seq(0)
        """The last commit that was published."""
        self.pages = Pages()
        """Of snapshots, shared between those who take them at the same time."""
        self.stopping = False
        """Whether the server is going down and takes no new session."""

    def stand_at(self, heads: Mapping[ScopeName, Head]) -> None:
        """Start where the store stands."""
        self._heads = dict(heads)
        self._last = max((head.seq for head in heads.values()), default=Seq(0))

    # --- connections -------------------------------------------------------------------------------------------------

    def open(self, listener: Listener) -> None:
        """A socket has opened; it is not let in yet."""
        self._all.add(listener)
        self._emptied.clear()

    def enter(self, device: DeviceId, listener: Listener) -> None:
        """A device was let in. An older connection of the same device ends."""
        older = self._devices.get(device)
        self._devices[device] = listener
        if older is not None:
            older.session.fail(PeerError("replaced"))
            older.wake()
        for scope in listener.session.scopes:
            self._listen(listener, scope)

    def _listen(self, listener: Listener, scope: ScopeName) -> None:
        heard = self._heard.setdefault(listener, set())
        if scope not in heard:
            heard.add(scope)
            self._audiences.setdefault(scope, _Audience()).alone.add(listener)

    def _ignore(self, listener: Listener, scope: ScopeName) -> None:
        """It has left whom it followed the scope with."""
        self._heard[listener].discard(scope)
        audience = self._audiences[scope]
        audience.alone.discard(listener)
        if not audience.alone and not any((audience.together or {}).values()):
            del self._audiences[scope]

    def leave(self, listener: Listener) -> None:
        """A socket has gone."""
        self._all.discard(listener)
        if not self._all:
            self._emptied.set()
        device = listener.session.device
        if device is not None and self._devices.get(device) is listener:
            del self._devices[device]
        listener.session.go_alone()
        # Only its own: a force has a scope for every officer, and all of it may go at once.
        for scope in list(self._heard.get(listener, ())):
            self._ignore(listener, scope)
        self._heard.pop(listener, None)

    def grants(self, generations: Mapping[ScopeName, Generation]) -> dict[ScopeName, Grant]:
        """Grants with the heads of this moment."""
        return {scope: Grant(gen, self.head(scope)) for scope, gen in generations.items()}

    def regrant(self, device: DeviceId, generations: Mapping[ScopeName, Generation]) -> bool:
        """A device's grants have changed: tell its session, if there is one. Returns whether there is."""
        listener = self._devices.get(device)
        if listener is None:
            return False
        before = set(listener.session.scopes)
        grants = self.grants(generations)
        for scope in sorted(before - grants.keys()):
            listener.session.regrant(scope, None)
            if scope in self._heard.get(listener, ()):
                self._ignore(listener, scope)
        for scope, grant in sorted(grants.items()):
            listener.session.regrant(scope, grant)
            self._listen(listener, scope)
        listener.wake()
        return True

    def part(self, device: DeviceId, code: str) -> None:
        """End a device's session with that error, once it has removed what it must."""
        listener = self._devices.get(device)
        if listener is not None:
            listener.part(code)

    def wipe(self, device: DeviceId, reason: str) -> None:
        """Have a device that is connected destroy what it holds; the others hear of it when they come."""
        listener = self._devices.get(device)
        if listener is not None:
            listener.session.wipe(reason)
            listener.wake()

    def connected(self) -> dict[DeviceId, dict[ScopeName, Seq]]:
        """Devices with a session, and what each says is on its disk."""
        return {device: dict(listener.session.acked) for device, listener in self._devices.items()}

    def sessions(self) -> list[tuple[DeviceId, ServerSession]]:
        """The sessions of devices that were let in."""
        return [(device, listener.session) for device, listener in self._devices.items()]

    @property
    def devices(self) -> int:
        """How many devices have a session."""
        return len(self._devices)

    async def empty(self) -> None:
        """Wait until no socket is open."""
        if self._all:
            await self._emptied.wait()

    def __len__(self) -> int:
        """How many sockets are open."""
        return len(self._all)

    # --- commits -----------------------------------------------------------------------------------------------------

    def head(self, scope: ScopeName) -> Head:
        """Where a scope stands."""
        return self._heads.get(scope, Head(Seq(0), digest.EMPTY, 0))

    def publish(self, settled: Settled) -> None:
        """A commit is durable: keep its frames at hand, mark its scopes dirty, wake who listens."""
        erased = {one.record for one in settled.erased}
        changed = self._held.took(settled)
        for change in settled.scopes:
            scope, head = change.scope, change.head.seq
            self._heads[scope] = change.head
            self.pages.forget(scope)
            self._last = max(self._last, head)
            fresh = self._keep(change, tuple(record for record in change.gone if record in erased), changed)
            audience = self._audiences.get(scope)
            if audience is not None:
                self._tell(audience, scope, head, fresh)

    def _tell(self, audience: _Audience, scope: ScopeName, head: Seq, fresh: Fresh | None) -> None:
        for following in audience.move(fresh):
            self.turn.follows(following)
        for listener in tuple(audience.alone):
            if (fresh is None or not self._joins(listener, audience, fresh)) and listener.session.head_moved(
                scope, head
            ):
                listener.wake()

    def _joins(self, listener: Listener, audience: _Audience, fresh: Fresh) -> bool:
        """Have one follow with the others from this commit on, if nothing stands between; returns whether it does."""
        wire = listener.outgoing.wire
        form = listener.session.stands_before(fresh) if wire is not None and listener.follows else None
        if form is None:
            return False
        following = audience.begins(fresh, form)
        joins = listener.session.join(following, listener, wire)
        if joins:
            self.turn.follows(following)
        return joins

    async def page(self, store: Store, session: ServerSession, want: WantPage) -> SharedPage:
        """A page of a snapshot, or of a repair, for one session.

        Raises:
            StoreError: it cannot be read.
        """
        if session.furthest > self._last:
            # It was told of a commit that is durable and not published yet: a page that is kept may be from before.
            return SharedPage(await store.page(want.scope, want.after, want.upto))
        return await self.pages.page(store, want.scope, want.after, want.upto)

    def frame(
        self, scope: ScopeName, gen: Generation, after: Seq, *, diffs: bool = False
    ) -> tuple[Seq, bytes, bytes] | None:
        """The recent commit behind a position, encoded once for all who stand there; None when the log must be read.

        Args:
            scope, gen, after: where the session stands.
            diffs: whether its device takes changed rows as differences.

        Returns:
            (to, the BATCH, the same as a WebSocket frame).
        """
        recent = self._recent.get((scope, after))
        if recent is None:
            return None
        return recent.to, *recent.framed(gen, diffs)

    def make_frame(
        self,
        recent: _Recent,
        gen: Generation,
        diffs: bool,  # noqa: FBT001  as it stands in the key
    ) -> tuple[bytes, bytes]:
        """Encode and frame a recent commit for those who hold this grant; kept with it, and counted."""
        change = recent.change
        rows: Sequence[bytes] = change.rows
        changed: tuple[Difference, ...] = ()
        if diffs and recent.changed is not None:
            rows, changed = recent.changed.split(change)
        batch = batch_frame(
            change.scope, gen, change.frm, recent.to, rows, change.gone, change.head, recent.erased, changed
        )
        found = recent.frames[gen, diffs] = (batch, framed(batch))
        size = sum(map(len, found))
        self._recent_bytes += size
        recent.size += size
        self._forget()
        return found

    def _keep(self, change: ScopeChange, erased: tuple[RecordId, ...], changed: Changed) -> _Recent | None:
        if change.frm == change.head.seq:
            # The scope moved in a commit whose answer was lost: whoever is behind reads the log.
            return None
        recent = _Recent(self, change, erased, changed)
        self._recent[(change.scope, change.frm)] = recent
        self._recent_bytes += recent.size
        self._forget()
        return recent

    def _forget(self) -> None:
        while self._recent_bytes > RECENT_BYTES_MAX:
            _, dropped = self._recent.popitem(last=False)
            self._recent_bytes -= dropped.size

    # --- time and the end --------------------------------------------------------------------------------------------

    def tick(self, now: Millis) -> None:
        """Let time pass in every session."""
        for listener in self._all:
            listener.tick(now)

    def stop(self, pace: ReturnPace, draw: Callable[[], float]) -> None:
        """Tell every device when to come back: those whom others wait for first, the rest in no order.

        Args:
            pace: over how long they are spread.
            draw: a random number in [0, 1).
        """
        self.stopping = True
        drawn = [(rank(listener.session.scopes), draw(), listener) for listener in self._all]
        drawn.sort(key=lambda one: one[:2])
        for (_, _, listener), wait in zip(drawn, pace.waits(len(drawn), draw), strict=True):
            listener.session.fail(PeerError("server_stopping", retry_after_ms=wait))
            listener.wake()
