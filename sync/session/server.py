"""The server's end of a session. It knows where the device stands and which scopes are dirty; it queues no payloads.

The shell feeds it what the socket brought, asks it for the next step whenever the socket can take more, and reads what
the step wants:

    demand = session.receive(data, now)            # CheckHello | Commit | KeepReads | KeepSealed | Receipt | None
    step = session.next_step()                     # Send | WantChanges | WantPage | WantRanges | None
    frame = session.changes_read(...)              # after a Want: the frame to send, or None when it no longer fits

Steps come in lanes (`schemas.scopes.Lane`): control, officer safety, briefings, normal, bulk. A live briefing therefore
overtakes a snapshot between two of its pages.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from schemas import wire
from schemas.codec import decode_hello_body, decode_op, decode_up, encode, error_message
from schemas.differences import DIFFERENCES
from schemas.errors import ERRORS, FrameError, PeerError
from schemas.ids import DeviceId, Generation, Millis, OfficerId, OpNumber, RecordId, ScopeName, Seq
from schemas.limits import (
    CLOCK_SKEW_NOTICE_MS,
    CREDIT_BYTES,
    HELLO_TIMEOUT_MS,
    IDLE_TIMEOUT_MS,
    MESSAGE_BYTES_MAX,
)
from schemas.ops import Op
from schemas.packing import ZSTD
from sync.evidence.chain import ChainHead, genesis
from sync.session.chaining import ChainWalk
from sync.session.feeds import Feeds
from sync.session.following import Following
from sync.session.meter import Credit, Pace
from sync.session.op_differences import OpsBefore
from sync.session.short_forms import short_results
from sync.session.steps import (
    Admission,
    CheckHello,
    Commit,
    Demand,
    Form,
    Fresh,
    Grant,
    KeepReads,
    KeepSealed,
    Receipt,
    Send,
    Step,
    WantChanges,
    WantPage,
    WantRanges,
)
from sync.session.table import SERVER_TABLE, Local, Machine, ServerState


class ServerSession:
    """One connection, from the open socket to its end."""

    __slots__ = (
        "_before", "_chain", "_credit", "_feeds", "_given", "_heard_ms", "_hello", "_keeping", "_key", "_leaving",
        "_lent", "_machine", "_nonce", "_out", "_pace", "_sealed", "_verify", "acked", "device", "diffs", "ending",
        "officer", "repairs", "schema", "set_back", "unpacks",
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
        # What the device lent at first: once it is all back, the device has dealt with all that was sent.
        self._lent = 0
        self._pace = Pace(now)
        self._heard_ms = int(now)
        self._feeds = Feeds(self._credit)
        # Scopes whose RETRACT is out and not answered: what the device says of them crossed it on the way.
        self._leaving: dict[ScopeName, Generation] = {}
        # Edits that the device said it will hand over, and those that came and are not on disk yet.
        self._sealed = 0
        self._keeping = 0
        self._key = b""
        self._chain: ChainWalk | None = None
        # What ops that come as differences differ from; None in a session that has none such.
        self._before: OpsBefore | None = None
        self.device: DeviceId | None = None
        """Who it is, once admitted."""
        self.officer: OfficerId | None = None
        """Whose seat it is, where that is known: no op of another officer is taken from it."""
        self.set_back = False
        """Whether the device says that its chain ends before, or differs from, what the server holds of it: its replica
        was set back or copied."""
        self.schema: int = wire.SCHEMA
        """The schema version that the device knows; this program's own until HELLO has come."""
        self.unpacks = False
        """Whether the device takes the rows of a page packed (`schemas.packing`)."""
        self.diffs = False
        """Whether the device takes changed rows as differences (`schemas.differences`)."""
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
        return self._feeds.generations

    @property
    def scope_names(self) -> frozenset[ScopeName]:
        """The scopes it is subscribed to."""
        return self._feeds.names

    def behind(self) -> Iterator[tuple[ScopeName, int, tuple[Seq, str]]]:
        """The scopes that the device does not hold up to their heads.

        Yields:
            (scope, by how many commits of the server, where it stands: something else once it has moved on). What was
            sent counts where the device has said nothing yet: one that comes back current has nothing to say.
        """
        for scope, sent, after, head in self._feeds.places():
            at = self.acked.get(scope, sent)
            if at < head or after is not None:
                yield scope, max(head - at, 1), (at, after or "")

    @property
    def leaving(self) -> bool:
        """Whether the device has not yet said that it removed every scope it must."""
        return bool(self._leaving)

    @property
    def handing_over(self) -> bool:
        """Whether edits that the device sealed are still to come, or came and are not on disk."""
        return self._sealed > 0 or self._keeping > 0

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
            case wire.Push() | wire.Reads() | wire.Quarantine():
                self._given.spend(size)
                return self._take_work(message, size)
            case wire.Ack():
                self._credit.add(message.credit, self._feeds.aside)
                self._note(message.scopes)
            case wire.ShortAck():
                self._credit.add(message.c, self._feeds.aside)
                self._note_all()
            case wire.AddCredit():
                self._credit.add(message.bytes, self._feeds.aside)
            case wire.Ping():
                self._send(wire.Pong(id=message.id, server_time=now))
            case wire.Repair():
                self._compare(message)
            case wire.Retracted() | wire.Wiped():
                return self._take_receipt(message)
            case wire.Error():
                self.ending = PeerError(message.code if message.code in ERRORS else "not_welcome", "said by the device")
        return None

    def _take_hello(self, message: wire.Hello) -> CheckHello:
        body = decode_hello_body(message.body)
        if body.proto != wire.PROTO:
            raise PeerError("upgrade_required", f"protocol {body.proto}; this server speaks {wire.PROTO}")
        if not wire.SCHEMA_MIN <= body.schema <= wire.SCHEMA_MAX:
            raise PeerError(
                "upgrade_required",
                f"schema {body.schema}; this server takes {wire.SCHEMA_MIN} to {wire.SCHEMA_MAX}",
            )
        self._hello = (message, body)
        self.schema = body.schema
        self.unpacks = ZSTD in message.packs
        self.diffs = DIFFERENCES in message.packs
        self._before = OpsBefore() if self.diffs else None
        return CheckHello(body.device, body)

    def _take_work(
        self, message: wire.Push | wire.Reads | wire.Quarantine, size: int
    ) -> Commit | KeepReads | KeepSealed:
        match message:
            case wire.Push():
                return self._take_push(message, size)
            case wire.Reads():
                return KeepReads(message.first, message.entries, size)
            case wire.Quarantine():
                self._sealed = max(0, self._sealed - len(message.edits))
                self._keeping += len(message.edits)
                return KeepSealed(message.edits, size)

    def _take_push(self, message: wire.Push, size: int) -> Commit:
        """The pushed ops, after a look at whether each is an op, this device's, its officer's, and in its chain."""
        raws = message.ops
        if message.edits:
            raws = self._rebuilt(message)
            size += sum(map(len, raws))
        elif self._before is not None:
            self._before.sent(raws)
        ops = [(self._own_op(raw), raw) for raw in raws]
        times = dict(message.times)
        since = Millis(min(op.hlc[0] for op, _ in ops)) if ops else None
        if self._chain is None:
            return Commit(raws, size, times, since=since)
        new = [(op, raw) for op, raw in ops if op.n > self._chain.head.n]
        unsent: dict[OpNumber, bytes] = dict(message.unsent)
        if not new and not unsent:
            return Commit(raws, size, times, since=since)
        if len(unsent) != len(message.unsent):
            raise PeerError("chain_broken", "an op is told twice")
        head = self._chain.take(new, unsent, message.head)
        return Commit(raws, size, times, head, unsent, since)

    def _rebuilt(self, message: wire.Push) -> tuple[bytes, ...]:
        """The ops that came as differences. They count as much as if they had come whole, beside the message itself.

        Else a few bytes, said again and again, would have this server keep a thousand times as many.
        """
        if message.ops or self._before is None:
            raise FrameError("wrong_field", "edits beside ops, or in a session that was not told to take them")
        ops = self._before.rebuilt(message.edits)
        self._given.spend(sum(map(len, ops)))
        return ops

    def _own_op(self, raw: bytes) -> Op:
        op = decode_op(raw)
        if op.device != self.device:
            raise PeerError("foreign_op", f"op {op.id} pushed by {self.device}")
        if self.officer is not None and op.author != self.officer:
            raise PeerError("foreign_op", f"op {op.id} is by another officer than the one whose seat this is")
        return op

    def _take_receipt(self, message: wire.Retracted | wire.Wiped) -> Receipt:
        """What the device signed of having removed a scope, or everything."""
        said: list[object]
        if isinstance(message, wire.Wiped):
            context, said = wire.WIPED_CONTEXT, [self.device, message.at]
        else:
            context = wire.RECEIPT_CONTEXT
            said = [self.device, message.scope, message.gen, message.removed, message.at]
            self.acked.pop(message.scope, None)
            self._sealed = message.sealed
            # A grant that came back since keeps its feed.
            if self._leaving.get(message.scope) == message.gen:
                del self._leaving[message.scope]
        if message.receipt and not self._verify(self._key, context + msgspec.msgpack.encode(said), message.receipt):
            raise PeerError("bad_receipt")
        return Receipt(message)

    def _note(self, reached: Mapping[ScopeName, Seq]) -> None:
        for scope, seq in reached.items():
            if self._is_held(scope):
                self.acked[scope] = seq

    def _note_all(self) -> None:
        """All that came is on the device's disk; where all that went has come, that is where each scope was sent to."""
        if self._credit.bytes + self._feeds.aside >= self._lent:
            for scope, sent, after, _ in self._feeds.places():
                if after is None and scope not in self._leaving:
                    self.acked[scope] = sent

    def _compare(self, message: wire.Repair) -> None:
        if self._is_held(message.scope) and self._feeds.compare(message):
            self.repairs += 1

    def _is_held(self, scope: ScopeName) -> bool:
        """Whether a scope that the device names is its own; False while its RETRACT is on the way.

        Raises:
            PeerError: `not_granted` when it never was.
        """
        if scope in self._feeds:
            return scope not in self._leaving
        if scope in self._leaving:
            return False
        raise PeerError("not_granted", str(scope))

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
        self.officer = admission.officer
        self._key = admission.public_key
        self._sealed = body.sealed
        if admission.chain is not None:
            self._chain = ChainWalk(body.device, admission.chain, admission.public_key, self._verify)
            said = genesis(body.device) if body.chain is None else body.chain
            at_same = said.n == admission.chain.n
            self.set_back = said.n < admission.chain.n or (at_same and said.link != admission.chain.link)
        self._credit.bytes = body.credit
        self._lent = body.credit
        self._machine.move(Local.ADMITTED)
        dropped = {position.scope: position.gen for position in body.scopes if position.scope not in admission.grants}
        self._leaving.update(dropped)
        plans = [wire.Plan(scope=scope, gen=gen, action="drop") for scope, gen in dropped.items()]
        known = {position.scope: position for position in body.scopes} if body.epoch == admission.epoch else {}
        plans += [self._feeds.subscribe(scope, grant, known.get(scope)) for scope, grant in admission.grants.items()]
        self._send(
            wire.Welcome(
                proto=wire.PROTO,
                schema_min=wire.SCHEMA_MIN,
                schema_max=wire.SCHEMA_MAX,
                epoch=admission.epoch,
                server_time=now,
                last_op=admission.last_op,
                credit=self._given.bytes,
                scopes=tuple(plans),
                chain=None if admission.chain is None else _place(admission.chain),
                lease=admission.lease,
                checkpoint=admission.checkpoint,
                consistency=admission.consistency,
                reads_kept=admission.reads_kept,
                packs=(DIFFERENCES,) if self.diffs else (),
            )
        )
        if admission.wipe is not None:
            self._send(wire.Wipe(reason=admission.wipe))
        if admission.reads_missing or body.next_read <= admission.reads_kept:
            self.reads_missing(admission.reads_kept)
        skew = body.wall - now
        if abs(skew) > CLOCK_SKEW_NOTICE_MS:
            self._send(wire.Notice(code="clock_skew", value=skew))

    def reads_missing(self, kept: int, size: int = 0) -> None:
        """Tell that the device's read log is not the one that is held: nothing of it is taken, and no lease given.

        Args:
            kept: how many entries are held.
            size: payload bytes of the message that showed it, given back as credit.
        """
        if self.state is ServerState.LIVE:
            if size:
                self._give_back(size)
            self._send(wire.Notice(code="reads_missing", value=kept))

    def reads_kept(self, upto: int, size: int) -> None:
        """Tell that entries of the read log are durable, and give the credit of their message back."""
        if self.state is ServerState.LIVE:
            self._give_back(size)
            self._send(wire.ReadsKept(upto=upto))

    def quarantined(self, ids: tuple[int, ...], size: int) -> None:
        """Tell that sealed edits are durable, and give the credit of their message back."""
        self._keeping -= len(ids)
        if self.state is ServerState.LIVE:
            self._give_back(size)
            self._send(wire.Quarantined(ids=ids))

    def _give_back(self, size: int) -> None:
        self._given.add(size)
        self._send(wire.AddCredit(bytes=size))

    def renew(self, lease: wire.Lease, checkpoint: bytes = b"", consistency: tuple[bytes, ...] = ()) -> None:
        """Give the device a new lease."""
        if self.state is ServerState.LIVE:
            self._send(wire.NewLease(lease=lease, checkpoint=checkpoint, consistency=consistency))

    def wipe(self, reason: str) -> None:
        """Have the device destroy what it holds."""
        if self.state is ServerState.LIVE:
            self._send(wire.Wipe(reason=reason))

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
        told = wire.Results(results=results, credit=credit)
        frame = encode((short_results(told) if self.diffs else None) or told)
        if len(frame) <= MESSAGE_BYTES_MAX:
            self._out.append(frame)
            return
        middle = len(results) // 2
        self._send_results(results[:middle], 0)
        self._send_results(results[middle:], credit)

    def regrant(self, scope: ScopeName, grant: Grant | None) -> None:
        """A grant began, changed or ended (None) while the session runs."""
        if self.state is not ServerState.LIVE:
            return
        held = self._feeds.generations.get(scope)
        if held is not None and (grant is None or grant.gen != held):
            self._feeds.drop(scope)
            self._leaving[scope] = held
            self._send(wire.Retract(scope=scope, gen=held))
            held = None
        if grant is not None and held is None:
            self._send(wire.ScopeAdd(plan=self._feeds.subscribe(scope, grant, None)))

    def head_moved(self, scope: ScopeName, head: Seq) -> bool:
        """A commit changed the scope. Returns whether this session has something to send for it."""
        return self._feeds.head_moved(scope, head)

    # Nearly every session nearly always stands where its scopes stand, and is then moved with all who stand there.

    def stands_before(self, fresh: Fresh) -> Form | None:
        """How it is told of a commit that it stands right before, with nothing else of its scopes to say; else None."""
        gen = self._feeds.stands_before(fresh)
        return None if gen is None else (gen, self.diffs)

    def join(self, following: Following[Any, Any], member: object, way: object) -> bool:
        """Follow a scope with others, one that `stands_before` what they were moved by last; returns whether it does.

        Where it does not, `head_moved` must be told.

        Args:
            following: those others.
            member, way: as what the shell knows it, and by which it puts to it: the same for every scope.
        """
        return self._feeds.join(following, member, way)

    def take_due(self) -> list[bytes]:
        """What it is due where it follows with others, as the shell sends it: counted as sent, answers go before it."""
        return self._feeds.take_due()

    def go_alone(self) -> None:
        """Follow with nobody: what it was due, and what comes, it says in steps."""
        self._feeds.go_alone()

    # --- what to send next -------------------------------------------------------------------------------------------

    def next_step(self) -> Step | None:
        """What to do now that the socket can take more; None when there is nothing, or no credit for it."""
        if self._out:
            return Send(self._out.popleft())
        if self.state is not ServerState.LIVE or self._credit.bytes < MESSAGE_BYTES_MAX:
            return None
        return self._feeds.next_want()

    def changes_read(self, want: WantChanges, to: Seq, frame: bytes, *, ended: bool = True) -> bytes | None:
        """The frame to send for a read of the log, or None when the subscription changed meanwhile.

        Args:
            want: the step that asked.
            to: the position that the frame leads to.
            frame: the encoded BATCH, shared by all who stand at the same position.
            ended: whether it leads to the scope's head, and so bears a digest.
        """
        return self._counted(frame if self._feeds.changes_read(want, to, ended=ended) else None)

    @property
    def furthest(self) -> Seq:
        """The last commit of which this session knows that it has changed one of its scopes."""
        return self._feeds.furthest

    def page_read(
        self, want: WantPage, rows: Sequence[bytes], upto: str, erased: tuple[RecordId, ...] = (), packed: bytes = b""
    ) -> bytes | None:
        """The frame to send for a page, or None when the subscription changed meanwhile.

        Args:
            want: the step that asked.
            rows: encoded rows of the stretch.
            upto: where the stretch ends: an id, or "" when it goes to the end of what was wanted.
            erased: ids of the stretch that were in the scope and were erased.
            packed: the rows once more, packed; only for a device that `unpacks`, b"" for not at all.
        """
        return self._counted(self._feeds.page_read(want, rows, upto, erased, packed))

    def ranges_read(self, want: WantRanges, ours: list[tuple[bytes, int]]) -> None:
        """Take the digests of the ranges the device asked about: those that differ will be sent.

        Args:
            want: the step that asked.
            ours: (digest, count) of each range, as the store has it.
        """
        self._feeds.ranges_read(want, ours)

    def _counted(self, frame: bytes | None) -> bytes | None:
        """The frame, counted against the device's credit."""
        if frame is not None:
            self._credit.spend(len(frame))
        return frame

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
        self._send(error_message(error))

    def _send(self, message: wire.Down) -> None:
        self._out.append(encode(message))


def _place(head: ChainHead) -> wire.ChainPlace:
    return wire.ChainPlace(n=head.n, link=head.link)
