"""The simulated server's shell: what a real one does around the sessions, one step at a time.

Heads are in memory and lag behind the disk until a commit is published; admission takes them at that moment; results go
out before heads move; a read and its delivery are two steps, with anything in between. A crash loses all but the disk.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from schemas.codec import encode
from schemas.errors import PeerError
from schemas.ids import DeviceId, Generation, Millis, RecordId, ScopeName, Seq
from schemas.wire import NONCE_BYTES, Batch, Difference
from server import intake, logbook
from server.commits import ScopeChange, Settled, Submission, extras, flatten
from server.held_rows import Changed, HeldRows
from sync.session import Admission, Grant, Head, ServerSession
from sync.session.following import Following
from sync.session.short_forms import short_batch
from sync.session.steps import (
    CheckHello,
    Commit,
    Form,
    KeepReads,
    KeepSealed,
    Receipt,
    Send,
    WantChanges,
    WantPage,
    WantRanges,
)
from tests.sim.faults import Fuse
from tests.sim.store import NOTHING, SimStore, decide

NODE: Final = "server"


def sign(key: bytes, message: bytes) -> bytes:
    """A stand-in for Ed25519, as long as one: the real one would be most of a simulation's time."""
    return hashlib.blake2b(message, key=key, digest_size=64).digest()


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `sign` gave that."""
    return sign(key, message) == signature


class Link:
    """One TCP connection: frames in order, each way, until one end hangs up or the link is cut."""

    def __init__(self) -> None:
        """Open."""
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()
        self.device_gone = False
        self.server_gone = False


class Conn:
    """The server's end of one link."""

    def __init__(self, link: Link, session: ServerSession) -> None:
        """Begin."""
        self.link = link
        self.session = session
        self.checking: DeviceId | None = None
        self.reading: tuple[WantChanges | WantPage | WantRanges, Any] | None = None


class _Fresh:
    """What a commit did to one scope, to be followed."""

    def __init__(self, change: ScopeChange, changed: Changed) -> None:
        self.scope, self.frm, self.to = change.scope, change.frm, change.head.seq
        self.change = change
        self._changed = changed

    def rows(self, *, diffs: bool) -> tuple[Iterable[bytes], tuple[Difference, ...]]:
        """The changed rows: those that go whole, and the rest as differences, where those may be told."""
        return self._changed.split(self.change) if diffs else (self.change.rows, ())

    def framed(self, gen: Generation, diffs: bool) -> tuple[bytes, bytes]:  # noqa: FBT001  as `Fresh` has it
        """The BATCH, which is here also what is sent."""
        change = self.change
        rows, changed = self.rows(diffs=diffs)
        batch = _batch(self.scope, gen, self.frm, self.to, rows, change.gone, change.head, changed)
        return batch, batch


def _batch(
    scope: ScopeName,
    gen: Generation,
    frm: Seq,
    to: Seq,
    rows: Iterable[bytes],
    gone: tuple[RecordId, ...],
    head: Head | None,
    changed: tuple[Difference, ...] = (),
) -> bytes:
    batch = Batch(
        scope=scope,
        gen=gen,
        frm=frm,
        to=to,
        rows=tuple(map(msgspec.Raw, rows)),
        changed=changed,
        gone=gone,
        digest=None if head is None else head.digest,
        count=None if head is None else head.count,
    )
    return encode(short_batch(batch) or batch)


Arrival = tuple[Conn, Commit | KeepSealed | Receipt, Submission]
"""What was pushed, and by whom."""


def _submission(session: ServerSession, demand: Commit | KeepSealed | Receipt) -> Submission:
    """What a live session wants written."""
    device = session.device
    assert device is not None
    match demand:
        case Commit():
            scopes = frozenset(session.scopes)
            return Submission(device, scopes, demand.ops, session.schema, demand.times, head=demand.head)
        case KeepSealed():
            return intake.sealed_entries(device, session.officer, demand.edits)
        case Receipt():
            return intake.receipt_entry(device, demand.message)


class SimServer:
    """Everything between the links and the disk."""

    def __init__(self, store: SimStore, fuse: Fuse, now: Callable[[], Millis], keep: Callable[[Settled], None]) -> None:
        """Start.

        Args:
            store: the disk.
            fuse: where it may crash.
            now: the server's clock.
            keep: told of each commit once it is on the disk.
        """
        self.store = store
        self._fuse = fuse
        self._now = now
        self._kept = keep
        self.grants: dict[DeviceId, dict[ScopeName, Generation]] = {}
        self._generation = 0
        self._nonces = 0
        self.endings: list[str] = []
        self._boot()

    def _boot(self) -> None:
        self.conns: list[Conn] = []
        self.heads: dict[ScopeName, Head] = dict(self.store.heads)
        self.arrivals: deque[Arrival] = deque()
        self.unpublished: deque[tuple[list[Arrival], list[Settled]]] = deque()
        self._recent: dict[tuple[ScopeName, Seq], _Fresh] = {}
        self._held = HeldRows()
        self._alone: dict[ScopeName, set[Conn]] = {}
        self._together: dict[ScopeName, dict[Form, Following[Conn, Conn]]] = {}

    def crash(self, store: SimStore | None = None) -> None:
        """Lose everything but the disk, or come back with another one, and start again."""
        for conn in self.conns:
            conn.link.server_gone = True
            conn.link.up.clear()
        self.store = self.store if store is None else store
        self._boot()

    # --- links and sessions ------------------------------------------------------------------------------------------

    def accept(self, link: Link) -> None:
        """A device has opened a link."""
        self._nonces += 1
        nonce = self._nonces.to_bytes(NONCE_BYTES, "big")
        self.conns.append(Conn(link, ServerSession(nonce, verify, self._now())))
        for alone in self._alone.values():
            alone.add(self.conns[-1])

    def receive(self, conn: Conn) -> bool:
        """Take in one frame; False when there is none."""
        if not conn.link.up:
            if conn.link.device_gone:
                self._leave(conn)
                return True
            return False
        demand = conn.session.receive(conn.link.up.popleft(), self._now())
        match demand:
            case CheckHello(device):
                conn.checking = device
            case Commit() | KeepSealed() | Receipt():
                self.arrivals.append((conn, demand, _submission(conn.session, demand)))
            case KeepReads() | None:
                pass  # Nobody reads anything in the simulation.
        return True

    def admit(self, conn: Conn) -> bool:
        """Answer a HELLO, if there is one to answer."""
        device, conn.checking = conn.checking, None
        if device is None:
            return False
        grants = {scope: Grant(gen, self.head(scope)) for scope, gen in self.grants.get(device, {}).items()}
        conn.session.admit(
            Admission(
                public_key=device.encode(),
                grants=grants,
                epoch=self.store.epoch,
                last_op=self.store.last_op(device),
                chain=self.store.chain(device),
            ),
            self._now(),
        )
        for other in self.conns:
            if other is not conn and other.session.device == device:
                other.session.fail(PeerError("replaced"))
        return True

    def head(self, scope: ScopeName) -> Head:
        """Where a scope stands, as far as memory knows."""
        return self.heads.get(scope, NOTHING)

    def pump(self, conn: Conn) -> bool:
        """One step of what a connection has to send; False when there is none."""
        if conn.reading is not None:
            self._deliver(conn, *conn.reading)
            conn.reading = None
            return True
        match conn.session.next_step():
            case Send(frame):
                self._put(conn, frame)
            case WantChanges() as step:
                conn.reading = step, self._changes(step, diffs=conn.session.diffs)
            case WantPage(scope=scope, after=after, upto=upto) as step:
                conn.reading = step, self.store.page(scope, after, upto)
            case WantRanges(scope=scope, ranges=ranges) as step:
                conn.reading = step, self.store.ranges(scope, ranges)
            case None:
                if conn.session.ending is not None:
                    self._leave(conn)
                    return True
                # What it is due where it follows with others may stay so for as long as it pleases the driver.
                due = conn.session.take_due()
                for frame in due:
                    self._put(conn, frame)
                return bool(due)
        return True

    def _deliver(self, conn: Conn, step: WantChanges | WantPage | WantRanges, found: Any) -> None:  # noqa: ANN401  of each step another
        frame = None
        match step:
            case WantChanges():
                to, batch, ended = found
                frame = conn.session.changes_read(step, to, batch, ended=ended)
            case WantPage():
                frame = conn.session.page_read(step, list(found.rows), found.upto)
            case WantRanges():
                conn.session.ranges_read(step, found)
        if frame is not None:
            self._put(conn, frame)

    def _changes(self, step: WantChanges, *, diffs: bool) -> tuple[Seq, bytes, bool]:
        """A recent commit's frame where there is one, else the log."""
        recent = None if step.log else self._recent.get((step.scope, step.after))
        if recent is not None:
            to, gone = recent.to, recent.change.gone
            rows, changed = recent.rows(diffs=diffs)
            head: Head | None = recent.change.head
        else:
            found = self.store.changes(step.scope, step.after)
            to, rows, gone, head = found.to, found.rows, found.gone, found.head
            changed = ()
        return to, _batch(step.scope, step.gen, step.after, to, rows, gone, head, changed), head is not None

    def _put(self, conn: Conn, frame: bytes) -> None:
        if not conn.link.device_gone:
            conn.link.down.append(frame)

    def _leave(self, conn: Conn) -> None:
        conn.link.server_gone = True
        conn.link.up.clear()
        if conn.session.ending is not None:
            self.endings.append(conn.session.ending.spec.code)
        conn.session.go_alone()
        for alone in self._alone.values():
            alone.discard(conn)
        self.conns.remove(conn)

    def tick(self) -> None:
        """Let time pass in every session."""
        for conn in self.conns:
            conn.session.tick(self._now())

    # --- commits -----------------------------------------------------------------------------------------------------

    def commit(self, most: int) -> bool:
        """Make what has arrived durable, as one group; it is not published yet."""
        group = [self.arrivals.popleft() for _ in range(min(most, len(self.arrivals)))]
        if not group:
            return False
        commits = []
        submissions = [submission for _, _, submission in group]
        ops, beside = flatten(submissions), extras(submissions)
        while ops or beside:
            settled = decide(self.store, ops, self._now(), beside)
            self._fuse.point(NODE, "before commit")
            self._write(settled, group)
            commits.append(settled)
            ops = ops[settled.taken :]
            beside = beside if ops else logbook.NOTHING
            self._fuse.point(NODE, "after commit")
        self.unpublished.append((group, commits))
        return True

    def _write(self, settled: Settled, group: Iterable[Arrival]) -> None:
        times = {(one.device, n): told for _, _, one in group for n, told in one.times.items()}
        self.store.keep(settled, times)
        self._kept(settled)

    def publish(self) -> bool:
        """Tell the results of the oldest unpublished group, then move the heads."""
        if not self.unpublished:
            return False
        group, commits = self.unpublished.popleft()
        results = [result for settled in commits for result in settled.results]
        at = 0
        for conn, demand, submission in group:
            match demand:
                case Commit():
                    conn.session.committed(tuple(results[at : at + len(submission.ops)]), demand.size)
                case KeepSealed():
                    conn.session.quarantined(tuple(n for n, _ in demand.edits), demand.size)
                case Receipt():
                    pass
            at += len(submission.ops)
        for settled in commits:
            changed = self._held.took(settled)
            for change in settled.scopes:
                self.heads[change.scope] = change.head
                fresh = self._recent[change.scope, change.frm] = _Fresh(change, changed)
                self._tell(fresh)
        return True

    def _tell(self, commit: _Fresh) -> None:
        """Most commits move those who follow together; now and then one does not, and then they all follow alone."""
        scope = commit.scope
        fresh = commit if commit.to % 4 and commit.frm < commit.to else None
        together = self._together.setdefault(scope, {})
        alone = self._alone.setdefault(scope, set(self.conns))
        for following in together.values():
            if fresh is None or not following.move(fresh):
                following.dissolve()
        # In the order of the list: that of a set is another in every run.
        for conn in [conn for conn in self.conns if conn in alone]:
            if fresh is None or not self._joins(conn, fresh, together, alone):
                conn.session.head_moved(scope, commit.to)

    @staticmethod
    def _joins(conn: Conn, fresh: _Fresh, together: dict[Form, Following[Conn, Conn]], alone: set[Conn]) -> bool:
        """Have a session follow with the others, unless it waits for a read; returns whether it does."""
        form = conn.session.stands_before(fresh) if conn.reading is None else None
        if form is None:
            return False
        if form not in together:
            together[form] = Following(fresh.scope, form, fresh.frm, alone)
            together[form].move(fresh)
        return conn.session.join(together[form], conn, conn)

    # --- grants ------------------------------------------------------------------------------------------------------

    def grant(self, device: DeviceId, scope: ScopeName, *, held: bool) -> None:
        """Begin or change (a new generation) a device's grant of a scope, or end it."""
        grants = self.grants.setdefault(device, {})
        if held:
            self._generation += 1
            grants[scope] = Generation(self._generation)
        else:
            grants.pop(scope, None)
        for conn in self.conns:
            if conn.session.device == device:
                gen = grants.get(scope)
                conn.session.regrant(scope, None if gen is None else Grant(gen, self.head(scope)))
