"""The server's end of a session. It knows where the device stands and which scopes are dirty; it queues no payloads.

The shell feeds it what the socket brought, asks it for the next step whenever the socket can take more, and reads what
the step wants:

    demand = session.receive(data, now)            # CheckHello | Commit | None
    step = session.next_step()                     # Send | WantChanges | WantPage | WantRanges | None
    frame = session.changes_read(...)              # after a Want: the frame to send, or None when it no longer fits

Steps come in lanes (`schemas.scopes.Lane`): control, briefings, normal, bulk. A live briefing therefore overtakes a
snapshot between two of its pages.
"""

import enum
from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from schemas import scopes, wire
from schemas.codec import decode_hello_body, decode_op, decode_up, encode, error_message
from schemas.errors import ERRORS, PeerError
from schemas.ids import DeviceId, Epoch, Generation, Millis, OpNumber, ScopeName, Seq
from schemas.limits import (
    CLOCK_SKEW_NOTICE_MS,
    CREDIT_BYTES,
    HELLO_TIMEOUT_MS,
    IDLE_TIMEOUT_MS,
    MESSAGE_BYTES_MAX,
)
from schemas.scopes import Lane
from sync.session.meter import Credit, Pace
from sync.session.table import SERVER_TABLE, Local, Machine, ServerState


class Head(msgspec.Struct, frozen=True):
    """Where a scope's log stands.

    Attributes:
        seq: its last commit; 0 for none.
        digest, count: over its members at that commit.
    """

    seq: Seq
    digest: bytes
    count: int


class Grant(msgspec.Struct, frozen=True):
    """A right to one scope.

    Attributes:
        gen: rises with every change of the grant.
        head: where the scope's log stands at this moment.
    """

    gen: Generation
    head: Head


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What the shell found out about the device that said HELLO.

    Attributes:
        public_key: its Ed25519 key, 32 bytes.
        grants: its scopes.
        epoch: the server's history.
        last_op: highest number of its ops that the store holds.
    """

    public_key: bytes
    grants: Mapping[ScopeName, Grant]
    epoch: Epoch
    last_op: OpNumber


class CheckHello(msgspec.Struct, frozen=True):
    """Demand: look the device up, then call `admit` or `fail`."""

    device: DeviceId


class Commit(msgspec.Struct, frozen=True):
    """Demand: make these ops durable, then call `committed`.

    Attributes:
        ops: their bytes, in order.
        size: payload bytes of the PUSH, to be given back as credit.
    """

    ops: tuple[bytes, ...]
    size: int


class Send(msgspec.Struct, frozen=True):
    """Step: send this frame."""

    frame: bytes


class WantChanges(msgspec.Struct, frozen=True):
    """Step: read the scope's changes behind `after`, then call `changes_read`.

    Attributes:
        scope, gen, after: whose, and from where.
        log: whether the log itself must be read. A frame of a recent commit may be older than what went out just
            before, and its digest would then look like damage.
    """

    scope: ScopeName
    gen: Generation
    after: Seq
    log: bool


class WantPage(msgspec.Struct, frozen=True):
    """Step: read the scope's records in (after, upto] in order of id, then call `page_read`."""

    scope: ScopeName
    after: str
    upto: str
    gen: Generation


class WantRanges(msgspec.Struct, frozen=True):
    """Step: compute the digests of these ranges, then call `ranges_read`."""

    scope: ScopeName
    ranges: tuple[wire.Range, ...]


Demand = CheckHello | Commit
Step = Send | WantChanges | WantPage | WantRanges


class _Mode(enum.Enum):
    LIVE = enum.auto()
    SNAPSHOT = enum.auto()


class _Feed:
    """What one scope's subscription needs: position, head, and an open snapshot or repair.

    `confirm` asks for one more batch from the log, empty if need be, whose digest tells the device that a snapshot, a
    repair or a stretch of the log is whole.
    """

    __slots__ = ("after", "asked", "confirm", "gen", "head", "mode", "repairs", "sent")

    def __init__(self, gen: Generation, sent: Seq, head: Seq, mode: _Mode, after: str) -> None:
        self.gen = gen
        self.sent = sent
        self.head = head
        self.mode = mode
        self.after = after
        self.confirm = False
        self.asked: tuple[wire.Range, ...] = ()
        self.repairs: deque[tuple[str, str]] = deque()


class ServerSession:
    """One connection, from the open socket to its end."""

    __slots__ = (
        "_credit", "_feeds", "_given", "_heard_ms", "_hello", "_leaving", "_machine", "_nonce", "_out", "_pace",
        "_ready", "_verify", "acked", "device", "ending", "repairs",
    )  # fmt: skip

    def __init__(self, nonce: bytes, verify: Callable[[bytes, bytes, bytes], bool], now: Millis) -> None:
        """Begin: CHALLENGE goes out.

        Args:
            nonce: 32 random bytes, never used before.
            verify: (public key, signed bytes, signature) -> whether the Ed25519 signature fits.
            now: the server's clock (ms since 1970).
        """
        self._machine = Machine(SERVER_TABLE, ServerState.CHALLENGED)
        self._nonce = nonce
        self._verify = verify
        self._hello: tuple[wire.Hello, wire.HelloBody] | None = None
        self._out: deque[bytes] = deque()
        self._credit = Credit(0)
        self._given = Credit(CREDIT_BYTES)
        self._pace = Pace(now)
        self._heard_ms = int(now)
        self._feeds: dict[ScopeName, _Feed] = {}
        # Scopes whose RETRACT is out and not answered: what the device says of them crossed it on the way.
        self._leaving: dict[ScopeName, Generation] = {}
        self._ready: dict[Lane, dict[ScopeName, None]] = {Lane.BRIEFING: {}, Lane.NORMAL: {}, Lane.BULK: {}}
        self.device: DeviceId | None = None
        """Who it is, once admitted."""
        self.acked: dict[ScopeName, Seq] = {}
        """What the device says is on its disk."""
        self.repairs = 0
        """How often the device's digest was not ours."""
        self.ending: PeerError | None = None
        """Why the session ends, once it does; the shell sends what is out and closes with its code."""
        self._send(wire.Challenge(nonce=nonce, server_time=now, proto_min=wire.PROTO, proto_max=wire.PROTO))

    @property
    def state(self) -> ServerState:
        """Where the session stands."""
        return self._machine.state

    @property
    def scopes(self) -> Mapping[ScopeName, Generation]:
        """The scopes it is subscribed to, with their generations."""
        return {scope: feed.gen for scope, feed in self._feeds.items()}

    @property
    def waiting(self) -> int:
        """How many messages of its own wait to be sent; BATCH and SNAPSHOT never do."""
        return len(self._out)

    # --- what the socket brought -------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: Millis) -> Demand | None:
        """Take in one message; what the shell must do about it comes back.

        A faulty message ends the session: see `ending`.
        """
        if self.state is ServerState.CLOSED:
            return None
        try:
            self._pace.count(now)
            message = decode_up(data)
            self._machine.take(message)
            self._heard_ms = int(now)
            return self._handle(message, len(data), now)
        except PeerError as error:
            self.fail(error)
            return None

    def _handle(self, message: wire.Up, size: int, now: Millis) -> Demand | None:
        match message:
            case wire.Hello():
                return self._take_hello(message)
            case wire.Push():
                self._given.spend(size)
                return Commit(self._own_ops(message), size)
            case wire.Ack():
                self._credit.add(message.credit)
                self._note(message.scopes)
            case wire.AddCredit():
                self._credit.add(message.bytes)
            case wire.Ping():
                self._send(wire.Pong(id=message.id, server_time=now))
            case wire.Repair():
                self._compare(message)
            case wire.Retracted():
                # The receipt: the scope has left the device. A grant that came back since keeps its feed.
                self.acked.pop(message.scope, None)
                if self._leaving.get(message.scope) == message.gen:
                    del self._leaving[message.scope]
            case wire.Error():
                self.ending = PeerError(message.code if message.code in ERRORS else "not_welcome", "said by the device")
        return None

    def _take_hello(self, message: wire.Hello) -> CheckHello:
        body = decode_hello_body(message.body)
        if body.proto != wire.PROTO:
            raise PeerError("upgrade_required", f"protocol {body.proto}; this server speaks {wire.PROTO}")
        if body.schema != wire.SCHEMA:
            raise PeerError("upgrade_required", f"schema {body.schema}; this server takes {wire.SCHEMA}")
        self._hello = (message, body)
        return CheckHello(body.device)

    def _own_ops(self, message: wire.Push) -> tuple[bytes, ...]:
        """The pushed ops, after a look at whether each is an op and this device's."""
        for raw in message.ops:
            op = decode_op(raw)
            if op.device != self.device:
                raise PeerError("foreign_op", f"op {op.id} pushed by {self.device}")
        return message.ops

    def _note(self, reached: Mapping[ScopeName, Seq]) -> None:
        for scope, seq in reached.items():
            if scope not in self._leaving:
                self._feed(scope)
                self.acked[scope] = seq

    def _compare(self, message: wire.Repair) -> None:
        if message.scope in self._leaving:
            return
        feed = self._feed(message.scope)
        if feed.gen == message.gen and feed.mode is _Mode.LIVE:
            self.repairs += 1
            feed.asked = message.ranges
            self._mark(message.scope, feed)

    def _feed(self, scope: ScopeName) -> _Feed:
        feed = self._feeds.get(scope)
        if feed is None:
            raise PeerError("not_granted", str(scope))
        return feed

    # --- what the shell found out ------------------------------------------------------------------------------------

    def admit(self, admission: Admission, now: Millis) -> None:
        """Let the device in, if its proof fits; WELCOME goes out."""
        if self._hello is None or self.state is not ServerState.CHECKING:
            return
        hello, body = self._hello
        self._hello = None
        if not self._verify(admission.public_key, wire.PROOF_CONTEXT + self._nonce + hello.body, hello.proof):
            self.fail(PeerError("bad_proof"))
            return
        self.device = body.device
        self._credit = Credit(body.credit)
        self._machine.move(Local.ADMITTED)
        plans = [
            wire.Plan(scope=position.scope, gen=position.gen, action="drop")
            for position in body.scopes
            if position.scope not in admission.grants
        ]
        known = {position.scope: position for position in body.scopes} if body.epoch == admission.epoch else {}
        plans += [self._subscribe(scope, grant, known.get(scope)) for scope, grant in admission.grants.items()]
        self._send(
            wire.Welcome(
                proto=wire.PROTO,
                schema_min=wire.SCHEMA,
                schema_max=wire.SCHEMA,
                epoch=admission.epoch,
                server_time=now,
                last_op=admission.last_op,
                credit=self._given.bytes,
                scopes=tuple(plans),
            )
        )
        skew = body.wall - now
        if abs(skew) > CLOCK_SKEW_NOTICE_MS:
            self._send(wire.Notice(code="clock_skew", value=skew))

    def _subscribe(self, scope: ScopeName, grant: Grant, known: wire.Position | None) -> wire.Plan:
        """Open a scope's feed from where the device stands."""
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

    def committed(self, results: tuple[wire.Result, ...], size: int) -> None:
        """Tell what became of a PUSH, and give its credit back. Call it before `head_moved` for the same commit."""
        if self.state is not ServerState.LIVE:
            return
        mine = tuple(
            msgspec.structs.replace(result, scopes=tuple(scope for scope in result.scopes if scope in self._feeds))
            for result in results
        )
        self._given.add(size)
        self._send_results(mine, size)

    def _send_results(self, results: tuple[wire.Result, ...], credit: int) -> None:
        """One RESULTS; or several, where many ops on records of many scopes make one too long. Credit comes last."""
        frame = encode(wire.Results(results=results, credit=credit))
        if len(frame) <= MESSAGE_BYTES_MAX:
            self._out.append(frame)
            return
        middle = len(results) // 2
        self._send_results(results[:middle], 0)
        self._send_results(results[middle:], credit)

    def head_moved(self, scope: ScopeName, head: Seq) -> bool:
        """A commit changed the scope. Returns whether this session has something to send for it."""
        feed = self._feeds.get(scope)
        if feed is None or head <= feed.head:
            return False
        feed.head = head
        self._mark(scope, feed)
        return True

    def regrant(self, scope: ScopeName, grant: Grant | None) -> None:
        """A grant began, changed or ended (None) while the session runs."""
        if self.state is not ServerState.LIVE:
            return
        old = self._feeds.get(scope)
        if old is not None and (grant is None or grant.gen != old.gen):
            del self._feeds[scope]
            for waiting in self._ready.values():
                waiting.pop(scope, None)
            self._leaving[scope] = old.gen
            self._send(wire.Retract(scope=scope, gen=old.gen))
            old = None
        if grant is not None and old is None:
            self._send(wire.ScopeAdd(plan=self._subscribe(scope, grant, None)))

    # --- what to send next -------------------------------------------------------------------------------------------

    def next_step(self) -> Step | None:
        """What to do now that the socket can take more; None when there is nothing, or no credit for it."""
        if self._out:
            return Send(self._out.popleft())
        if self.state is not ServerState.LIVE or self._credit.bytes < MESSAGE_BYTES_MAX:
            return None
        for lane in (Lane.BRIEFING, Lane.NORMAL, Lane.BULK):
            waiting = self._ready[lane]
            if waiting:
                scope = next(iter(waiting))
                return self._step_for(scope, self._feeds[scope])
        return None

    def _step_for(self, scope: ScopeName, feed: _Feed) -> Step:
        if feed.mode is _Mode.SNAPSHOT:
            return WantPage(scope, feed.after, "", feed.gen)
        if feed.sent < feed.head or feed.confirm:
            return WantChanges(scope, feed.gen, feed.sent, feed.confirm)
        if feed.asked:
            return WantRanges(scope, feed.asked)
        after, upto = feed.repairs[0]
        return WantPage(scope, after, upto, feed.gen)

    def changes_read(self, want: WantChanges, to: Seq, frame: bytes, *, ended: bool = True) -> bytes | None:
        """The frame to send for a read of the log, or None when the subscription changed meanwhile.

        Args:
            want: the step that asked.
            to: the position that the frame leads to.
            frame: the encoded BATCH, shared by all who stand at the same position.
            ended: whether it leads to the scope's head, and so bears a digest.
        """
        feed = self._feeds.get(want.scope)
        if feed is None or feed.gen != want.gen or feed.sent != want.after or not self._may_send(frame):
            return None
        feed.sent = to
        feed.head = max(feed.head, to)
        # Part of the log shows records as they stand now, so the device is between two positions until the rest is in:
        # a recent commit's frame would not fit.
        feed.confirm = not ended
        self._mark(want.scope, feed)
        return frame

    def page_read(self, want: WantPage, rows: list[bytes], upto: str) -> bytes | None:
        """The frame to send for a page, or None when the subscription changed meanwhile.

        Args:
            want: the step that asked.
            rows: encoded rows of the stretch.
            upto: where the stretch ends: an id, or "" when it goes to the end of what was wanted.
        """
        feed = self._feeds.get(want.scope)
        if feed is None or feed.gen != want.gen:
            # A page that was read before the grant changed may be older than the position that its plan pinned.
            return None
        if feed.mode is _Mode.SNAPSHOT:
            if want.after != feed.after:
                return None
            frame = self._page_frame(want, feed, rows, upto, last=upto == "", repair=False)
            feed.after = upto
            feed.mode = _Mode.LIVE if upto == "" else _Mode.SNAPSHOT
            feed.confirm = feed.mode is _Mode.LIVE
        else:
            if not feed.repairs or feed.repairs[0] != (want.after, want.upto):
                return None
            feed.repairs.popleft()
            if upto not in ("", want.upto):
                feed.repairs.appendleft((upto, want.upto))
            stretch_end = upto or want.upto
            feed.confirm = not feed.repairs
            frame = self._page_frame(want, feed, rows, stretch_end, last=not feed.repairs, repair=True)
        self._mark(want.scope, feed)
        return frame if self._may_send(frame) else None

    def _page_frame(
        self, want: WantPage, feed: _Feed, rows: list[bytes], upto: str, *, last: bool, repair: bool
    ) -> bytes:
        return encode(
            wire.Snapshot(
                scope=want.scope,
                gen=feed.gen,
                at=feed.sent,
                after=want.after,
                upto=upto,
                rows=tuple(msgspec.Raw(row) for row in rows),
                last=last,
                repair=repair,
            )
        )

    def ranges_read(self, want: WantRanges, ours: list[tuple[bytes, int]]) -> None:
        """Take the digests of the ranges the device asked about: those that differ will be sent.

        Args:
            want: the step that asked.
            ours: (digest, count) of each range, as the store has it.
        """
        feed = self._feeds.get(want.scope)
        if feed is None or feed.asked is not want.ranges:
            return
        feed.asked = ()
        for theirs, (digest, count) in zip(want.ranges, ours, strict=True):
            if (theirs.digest, theirs.count) != (digest, count):
                feed.repairs.append((theirs.after, theirs.upto))
        feed.confirm = not feed.repairs
        self._mark(want.scope, feed)

    def _may_send(self, frame: bytes) -> bool:
        if self.state is not ServerState.LIVE:
            return False
        self._credit.spend(len(frame))
        return True

    def _mark(self, scope: ScopeName, feed: _Feed) -> None:
        """Put the scope in the lane of what it needs next, behind the others there, or in none."""
        for waiting in self._ready.values():
            waiting.pop(scope, None)
        if feed.mode is _Mode.SNAPSHOT:
            self._ready[Lane.BULK if scopes.lane(scope) is Lane.NORMAL else Lane.BRIEFING][scope] = None
        elif feed.sent < feed.head or feed.confirm:
            self._ready[scopes.lane(scope)][scope] = None
        elif feed.asked or feed.repairs:
            self._ready[Lane.BULK][scope] = None

    # --- time and the end --------------------------------------------------------------------------------------------

    def deadline(self) -> int | None:
        """The clock reading (ms since 1970) at which `tick` must be called, if nothing comes before."""
        match self.state:
            case ServerState.CLOSED:
                return None
            case ServerState.LIVE:
                return self._heard_ms + IDLE_TIMEOUT_MS
            case _:
                return self._heard_ms + HELLO_TIMEOUT_MS

    def tick(self, now: Millis) -> None:
        """Let time pass: end a session whose device is silent."""
        due = self.deadline()
        if due is not None and now >= due:
            self.fail(PeerError("silent" if self.state is ServerState.LIVE else "hello_late"))

    def fail(self, error: PeerError) -> None:
        """End the session from this side: ERROR, then the shell closes. What was waiting to be sent is dropped."""
        if self.state is ServerState.CLOSED:
            return
        self._machine.move(Local.FAULT)
        self.ending = error
        self._feeds.clear()
        for waiting in self._ready.values():
            waiting.clear()
        self._send(error_message(error))

    def _send(self, message: wire.Down) -> None:
        self._out.append(encode(message))
