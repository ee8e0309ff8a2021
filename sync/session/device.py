"""The device's end of a session. Knows the wire; what a batch does to the replica is `sync.replica`'s.

The shell feeds it what the socket brought and what the replica holds, and sends what it puts out:

    session = DeviceSession(facts, sign)
    for event in session.receive(data, mono_ms, wall_ms): ...
    for frame in session.outgoing(): await socket.send(frame)
    if session.ending is not None: await socket.close(session.ending.spec.close)
"""

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType

import msgspec

from schemas import wire
from schemas.codec import decode_down, encode, error_message
from schemas.differences import DIFFERENCES
from schemas.errors import ERRORS, FrameError, PeerError, Recovery
from schemas.ids import DeviceId, Epoch, Generation, Millis, OpNumber, ScopeName, Seq
from schemas.limits import (
    CREDIT_BYTES,
    HELLO_TIMEOUT_MS,
    MESSAGE_BYTES_MAX,
    OPS_PER_PUSH_MAX,
    PING_INTERVAL_MS,
    PONG_TIMEOUT_MS,
    UNSENT_LEN_MAX,
)
from schemas.packing import ZSTD, unpack
from sync.clock import Offset
from sync.evidence.chain import ChainHead, behind, head_words
from sync.session.meter import Credit
from sync.session.op_differences import OpsBefore
from sync.session.short_forms import long_batch, long_results
from sync.session.table import DEVICE_TABLE, DeviceState, Local, Machine

PUSH_OVERHEAD_BYTES = 64
"""Of a PUSH around its ops, at most: map, keys, array heads."""
OP_OVERHEAD_BYTES = 5
"""Of each op in it: the `bin` head."""
EDITS_OVERHEAD_BYTES = 4
"""Of each op that is told as a difference and differs in everything: what says so."""
ITEM_OVERHEAD_BYTES = 16
"""Of an entry or a sealed edit: the `bin` head, its array and its id."""
HEAD_BYTES = 80
"""Of a signed head in it, with its keys."""
UNSENT_BYTES = 48
"""Of each op in it of which only the hash is told."""
NO_DIGESTS: Mapping[OpNumber, bytes] = MappingProxyType({})
TIME_BYTES = 19
"""Of each better time in it: an array of two integers."""
NO_TIMES: Mapping[OpNumber, Millis] = MappingProxyType({})

DownEvent = (
    wire.Welcome
    | wire.Batch
    | wire.Snapshot
    | wire.Results
    | wire.Retract
    | wire.ScopeAdd
    | wire.Notice
    | wire.NewLease
    | wire.Wipe
    | wire.ReadsKept
    | wire.Quarantined
    | wire.Error
)
"""What the shell acts on; the session has dealt with the rest itself."""


class HelloFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the replica says of itself when a connection begins.

    Attributes:
        device: its id.
        epoch: the server history it last saw.
        positions: where it stands.
        next_op: number of its next op.
        chain: where it holds its chain of ops.
        token: the session token; "" for a server that asks for none.
        pinned: size of the log in the last checkpoint that it checked; 0 for none.
        next_read: number of the next entry of its read log.
        share_no: number of the server's share under which its keys are wrapped; 0 for none.
        sealed: how many sealed edits and drafts are to be handed over.
    """

    device: DeviceId
    epoch: Epoch | None
    positions: tuple[wire.Position, ...]
    next_op: OpNumber
    chain: ChainHead | None = None
    token: str = ""
    pinned: int = 0
    next_read: int = 1
    share_no: int = 0
    sealed: int = 0


class DeviceSession:
    """One connection, from the open socket to its end."""

    def __init__(self, facts: HelloFacts, sign: Callable[[bytes], bytes], mono_ms: int) -> None:
        """Begin.

        Args:
            facts: what the replica holds.
            sign: Ed25519 signature by the device's key over the bytes given.
            mono_ms: a clock that only runs forward.
        """
        self._facts = facts
        self._sign = sign
        self._machine = Machine(DEVICE_TABLE, DeviceState.CONNECTED)
        self._out: deque[bytes] = deque()
        self._credit = Credit(0)
        self._given = Credit(CREDIT_BYTES)
        self._heard_ms = mono_ms
        self._pinged_ms: int | None = None
        self._ping_id = 0
        self._pushed_upto = OpNumber(0)
        self._unanswered: set[OpNumber] = set()
        self._chain: ChainHead | None = None
        self._before: OpsBefore | None = None
        """What ops are told as differences from; None where the server takes them whole only."""
        self.offset: Offset | None = None
        """The server's clock against ours, once learned."""
        self.ending: PeerError | None = None
        """Why this end closes, once it does."""

    @property
    def state(self) -> DeviceState:
        """Where the session stands."""
        return self._machine.state

    @property
    def pushed_upto(self) -> OpNumber:
        """Up to this number the ops of this session have been pushed; those above are next."""
        return self._pushed_upto

    @property
    def chained_upto(self) -> OpNumber | None:
        """Number of the last op whose head the server has; None where it keeps no chains."""
        return None if self._chain is None else self._chain.n

    def outgoing(self) -> list[bytes]:
        """Frames to send now, in order."""
        frames = list(self._out)
        self._out.clear()
        return frames

    # --- what the socket brought -------------------------------------------------------------------------------------

    def receive(self, data: bytes, mono_ms: int, wall_ms: int) -> DownEvent | None:
        """Take in one message; what the shell must act on comes back.

        A faulty message ends the session: see `ending`.
        """
        if self.state is DeviceState.CLOSED:
            return None
        try:
            message = decode_down(data)
            if isinstance(message, wire.Snapshot) and message.packed:
                message = _unpacked(message)
            self._machine.take(message)
            return self._handle(message, len(data), mono_ms, wall_ms)
        except PeerError as error:
            self.fail(error)
            return None

    def _handle(  # noqa: PLR0911  a case for each message
        self, message: wire.Down, size: int, mono_ms: int, wall_ms: int
    ) -> DownEvent | None:
        self._heard_ms = mono_ms
        match message:
            case wire.Challenge():
                self._greet(message, mono_ms, wall_ms)
                return None
            case wire.Welcome():
                self._credit = Credit(message.credit)
                self.offset = Offset(message.server_time, mono_ms)
                if message.chain is not None:
                    self._chain = ChainHead(message.chain.n, message.chain.link)
                self._before = OpsBefore() if DIFFERENCES in message.packs else None
                return message
            case wire.Batch() | wire.Snapshot():
                self._given.spend(size)
                return message
            case wire.Results():
                self._credit.add(message.credit)
                self._unanswered.difference_update(result.n for result in message.results)
                return message
            case wire.ShortBatch():
                return self._handle(long_batch(message), size, mono_ms, wall_ms)
            case wire.ShortResults():
                return self._handle(long_results(message), size, mono_ms, wall_ms)
            case wire.AddCredit():
                self._credit.add(message.bytes)
                return None
            case wire.Pong():
                self._pinged_ms = None
                self.offset = Offset(message.server_time, mono_ms)
                return None
            case wire.Error():
                self.ending = _as_error(message)
                return message
            case (
                wire.Retract()
                | wire.ScopeAdd()
                | wire.Notice()
                | wire.NewLease()
                | wire.Wipe()
                | wire.ReadsKept()
                | wire.Quarantined()
            ):
                return message

    def _greet(self, challenge: wire.Challenge, mono_ms: int, wall_ms: int) -> None:
        if not challenge.proto_min <= wire.PROTO <= challenge.proto_max:
            raise PeerError(
                "upgrade_required",
                f"server speaks {challenge.proto_min} to {challenge.proto_max}, this device {wire.PROTO}",
            )
        body = encode(
            wire.HelloBody(
                proto=wire.PROTO,
                schema=wire.SCHEMA,
                device=self._facts.device,
                epoch=self._facts.epoch,
                scopes=self._facts.positions,
                next_op=self._facts.next_op,
                wall=wall_ms,  # type: ignore[arg-type]  # a reading of a clock
                mono=mono_ms,
                credit=CREDIT_BYTES,
                token=self._facts.token,
                chain=None if self._facts.chain is None else _place(self._facts.chain),
                pinned=self._facts.pinned,
                next_read=self._facts.next_read,
                share_no=self._facts.share_no,
                sealed=self._facts.sealed,
            )
        )
        proof = self._sign(wire.PROOF_CONTEXT + challenge.nonce + body)
        self._send(wire.Hello(body=body, proof=proof, packs=(ZSTD, DIFFERENCES)))

    # --- what the replica did ----------------------------------------------------------------------------------------

    def push(
        self,
        ops: Sequence[tuple[OpNumber, bytes]],
        times: Mapping[OpNumber, Millis] = NO_TIMES,
        digests: Mapping[OpNumber, bytes] = NO_DIGESTS,
    ) -> int:
        """Send as many of these ops as one message and the credit hold, and sign for them.

        Args:
            ops: (number, bytes) in order of number, all above `pushed_upto`.
            times: when some of them were made, where that is known better by now (ms since 1970).
            digests: number -> SHA-256 of every own op beyond `chained_upto` and up to the last of these, rising.

        Returns:
            How many were dealt with. Of these, what is on its way already is not sent twice.
        """
        if self.state is not DeviceState.LIVE:
            return 0
        while self._bring_head_on(ops, digests):
            pass
        gaps = self._gaps(ops, digests)
        unsent = 0
        taken: list[bytes] = []
        size = PUSH_OVERHEAD_BYTES + HEAD_BYTES
        # Told as differences, ops cost what they are as well as what they take on the wire.
        room = min(MESSAGE_BYTES_MAX, self._credit.bytes if self._before is None else self._credit.bytes // 2)
        told: list[tuple[OpNumber, Millis]] = []
        dealt_with = 0
        last = OpNumber(0)
        for n, body in ops[:OPS_PER_PUSH_MAX]:
            if n in self._unanswered:
                dealt_with += 1
                continue
            more = sum(last < gap < n for gap in gaps)
            cost = len(body) + OP_OVERHEAD_BYTES + (0 if self._before is None else EDITS_OVERHEAD_BYTES)
            cost += (TIME_BYTES if n in times else 0) + more * UNSENT_BYTES
            unsent += more
            if size + cost > room or unsent > UNSENT_LEN_MAX:
                break
            size += cost
            dealt_with += 1
            last = n
            taken.append(body)
            if n in times:
                told.append((n, times[n]))
        if taken:
            between = tuple((n, digests[n]) for n in gaps if n < last)
            head = self._sign_head(digests, last)
            push = wire.Push(ops=tuple(taken), times=tuple(told), head=head, unsent=between)
            if self._before is not None:
                push = msgspec.structs.replace(push, ops=(), edits=self._before.edits(taken))
                self._credit.spend(sum(map(len, taken)))
            self._credit.spend(self._send(push))
            self._unanswered.update(n for n, _ in ops[:dealt_with])
        if dealt_with:
            self._pushed_upto = ops[dealt_with - 1][0]
        return dealt_with

    def _gaps(self, ops: Sequence[tuple[OpNumber, bytes]], digests: Mapping[OpNumber, bytes]) -> list[OpNumber]:
        """Numbers of own ops beyond the server's head that are not among these, rising."""
        if self._chain is None:
            return []
        sent = {n for n, _ in ops[:OPS_PER_PUSH_MAX]} - self._unanswered
        return [n for n in digests if n > self._chain.n and n not in sent]

    def _bring_head_on(self, ops: Sequence[tuple[OpNumber, bytes]], digests: Mapping[OpNumber, bytes]) -> bool:
        """Where more ops were given up before the first of these than one PUSH tells: tell a part of them first."""
        first = next((n for n, _ in ops if n not in self._unanswered), None)
        before = [n for n in self._gaps(ops, digests) if first is not None and n < first]
        part = before[:UNSENT_LEN_MAX]
        if (
            len(before) < UNSENT_LEN_MAX
            or self._credit.bytes < PUSH_OVERHEAD_BYTES + HEAD_BYTES + len(part) * UNSENT_BYTES
        ):
            return False
        push = wire.Push(ops=(), unsent=tuple((n, digests[n]) for n in part), head=self._sign_head(digests, part[-1]))
        self._credit.spend(self._send(push))
        return True

    def _sign_head(self, digests: Mapping[OpNumber, bytes], last: OpNumber) -> bytes:
        """The signature over the head behind op `last`; b"" when the server has it."""
        if self._chain is None or last <= self._chain.n:
            return b""
        self._chain = behind(self._chain, ((n, digest) for n, digest in digests.items() if n <= last))
        return self._sign(head_words(self._facts.device, self._chain))

    def offer_again(self, ops: Collection[OpNumber]) -> None:
        """Let ops that were pushed and sent to wait be pushed once more: `pushed_upto` falls below them.

        Args:
            ops: their numbers (`sync.replica.Outcome.again`).
        """
        if ops:
            self._pushed_upto = min(self._pushed_upto, OpNumber(min(ops) - 1))

    def applied(self, positions: dict[ScopeName, Seq], size: int) -> None:
        """Tell that what came is on disk, and give its credit back.

        Args:
            positions: scope -> seq that the replica now holds.
            size: payload bytes of the BATCH and SNAPSHOT messages dealt with.
        """
        if self.state is DeviceState.LIVE and (positions or size):
            self._given.add(size)
            # Once all credit is back, everything that came is dealt with: no scope needs to be named.
            all_back = self._before is not None and self._given.bytes == CREDIT_BYTES
            self._send(wire.ShortAck(c=size) if all_back and positions else wire.Ack(scopes=positions, credit=size))

    def retracted(self, scope: ScopeName, gen: Generation, removed: int, at: Millis, sealed: int = 0) -> None:
        """Tell that a scope has left the replica, and sign for it.

        Args:
            scope, gen: as in RETRACT or the plan `drop`.
            removed: how many records left with it.
            at: the corrected clock (ms since 1970).
            sealed: how many sealed edits and drafts were not sent in this session yet.
        """
        if self.state is DeviceState.LIVE:
            said = [self._facts.device, scope, gen, removed, at]
            receipt = self._sign(wire.RECEIPT_CONTEXT + msgspec.msgpack.encode(said))
            self._send(wire.Retracted(scope=scope, gen=gen, removed=removed, at=at, receipt=receipt, sealed=sealed))

    def wiped(self, at: Millis) -> None:
        """Tell that keys and replica are gone, and sign for it; `at` is the corrected clock (ms since 1970)."""
        if self.state is DeviceState.LIVE:
            receipt = self._sign(wire.WIPED_CONTEXT + msgspec.msgpack.encode([self._facts.device, at]))
            self._send(wire.Wiped(at=at, receipt=receipt))

    def reads(self, first: int, entries: Sequence[bytes]) -> int:
        """Send as many of these entries of the read log as one message and the credit hold.

        Args:
            first: number of the first.
            entries: their bytes, in order.

        Returns:
            How many were taken.
        """
        taken = self._fitting(entries)
        if taken:
            self._credit.spend(self._send(wire.Reads(first=first, entries=tuple(entries[:taken]))))
        return taken

    def quarantine(self, edits: Sequence[tuple[int, bytes]]) -> int:
        """Send as many of these sealed edits as one message and the credit hold.

        Args:
            edits: (own id, sealed bytes).

        Returns:
            How many were taken.
        """
        taken = self._fitting([sealed for _, sealed in edits])
        if taken:
            self._credit.spend(self._send(wire.Quarantine(edits=tuple(edits[:taken]))))
        return taken

    def _fitting(self, bodies: Sequence[bytes]) -> int:
        if self.state is not DeviceState.LIVE:
            return 0
        room = min(MESSAGE_BYTES_MAX, self._credit.bytes) - PUSH_OVERHEAD_BYTES
        for taken, body in enumerate(bodies[:OPS_PER_PUSH_MAX]):
            room -= len(body) + ITEM_OVERHEAD_BYTES
            if room < 0:
                return taken
        return min(len(bodies), OPS_PER_PUSH_MAX)

    def repair(self, scope: ScopeName, gen: Generation, ranges: tuple[wire.Range, ...]) -> None:
        """Ask the server to compare a scope by range."""
        if self.state is DeviceState.LIVE:
            self._send(wire.Repair(scope=scope, gen=gen, ranges=ranges))

    # --- time and the end --------------------------------------------------------------------------------------------

    def deadline(self) -> int | None:
        """The monotonic time (ms) at which `tick` must be called, if nothing comes before."""
        match self.state:
            case DeviceState.CLOSED:
                return None
            case DeviceState.LIVE if self._pinged_ms is None:
                return self._heard_ms + PING_INTERVAL_MS
            case DeviceState.LIVE:
                return (self._pinged_ms or 0) + PONG_TIMEOUT_MS
            case _:
                return self._heard_ms + HELLO_TIMEOUT_MS

    def tick(self, mono_ms: int) -> None:
        """Let time pass: send a heartbeat, or end a session whose server is silent."""
        due = self.deadline()
        if due is None or mono_ms < due:
            return
        if self.state is DeviceState.LIVE and self._pinged_ms is None:
            self._ping_id += 1
            self._pinged_ms = mono_ms
            self._send(wire.Ping(id=self._ping_id))
        elif self.state is DeviceState.LIVE and self._heard_ms > (self._pinged_ms or 0):
            # Something came after the ping, if not the pong: the server is there, the pong is on its way.
            self._pinged_ms = self._heard_ms
        else:
            self.fail(PeerError("server_silent"))

    def fail(self, error: PeerError) -> None:
        """End the session from this side: ERROR, then the shell closes."""
        if self.state is DeviceState.CLOSED:
            return
        self._machine.move(Local.FAULT)
        self.ending = error
        self._send(error_message(error))

    def _send(self, message: wire.Up) -> int:
        frame = encode(message)
        self._out.append(frame)
        return len(frame)


def _place(head: ChainHead) -> wire.ChainPlace:
    return wire.ChainPlace(n=head.n, link=head.link)


def _as_error(message: wire.Error) -> PeerError:
    """The server's ERROR as our error; a code that this version does not know keeps its recovery."""
    if message.code in ERRORS:
        return PeerError(message.code, message.detail, message.retry_after_ms)
    error = PeerError("not_welcome", f"unknown error code {message.code!r}: {message.detail}", message.retry_after_ms)
    error.spec = msgspec.structs.replace(error.spec, recovery=Recovery(message.recovery))
    return error


def _unpacked(page: wire.Snapshot) -> wire.Snapshot:
    """A page as it would have come with its rows in plain.

    Raises:
        FrameError: it has rows in plain as well, or they cannot be unpacked.
    """
    if page.rows:
        raise FrameError("wrong_field", "a page with rows, and packed ones beside them")
    return msgspec.structs.replace(page, rows=unpack(page.packed), packed=b"")
