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
from schemas.errors import ERRORS, PeerError, Recovery
from schemas.ids import DeviceId, Epoch, Generation, Millis, OpNumber, ScopeName, Seq
from schemas.limits import (
    CREDIT_BYTES,
    HELLO_TIMEOUT_MS,
    MESSAGE_BYTES_MAX,
    OPS_PER_PUSH_MAX,
    PING_INTERVAL_MS,
    PONG_TIMEOUT_MS,
)
from sync.clock import Offset
from sync.session.meter import Credit
from sync.session.table import DEVICE_TABLE, DeviceState, Local, Machine

PUSH_OVERHEAD_BYTES = 64
"""Of a PUSH around its ops, at most: map, keys, array heads."""
OP_OVERHEAD_BYTES = 5
"""Of each op in it: the `bin` head."""
TIME_BYTES = 19
"""Of each better time in it: an array of two integers."""
NO_TIMES: Mapping[OpNumber, Millis] = MappingProxyType({})

DownEvent = (
    wire.Welcome | wire.Batch | wire.Snapshot | wire.Results | wire.Retract | wire.ScopeAdd | wire.Notice | wire.Error
)
"""What the shell acts on; the session has dealt with the rest itself."""


class HelloFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the replica says of itself when a connection begins.

    Attributes:
        device: its id.
        epoch: the server history it last saw.
        positions: where it stands.
        next_op: number of its next op.
    """

    device: DeviceId
    epoch: Epoch | None
    positions: tuple[wire.Position, ...]
    next_op: OpNumber


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
            self._machine.take(message)
            return self._handle(message, len(data), mono_ms, wall_ms)
        except PeerError as error:
            self.fail(error)
            return None

    def _handle(self, message: wire.Down, size: int, mono_ms: int, wall_ms: int) -> DownEvent | None:
        self._heard_ms = mono_ms
        match message:
            case wire.Challenge():
                self._greet(message, mono_ms, wall_ms)
                return None
            case wire.Welcome():
                self._credit = Credit(message.credit)
                self.offset = Offset(message.server_time, mono_ms)
                return message
            case wire.Batch() | wire.Snapshot():
                self._given.spend(size)
                return message
            case wire.Results():
                self._credit.add(message.credit)
                self._unanswered.difference_update(result.n for result in message.results)
                return message
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
            case wire.Retract() | wire.ScopeAdd() | wire.Notice():
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
            )
        )
        self._send(wire.Hello(body=body, proof=self._sign(wire.PROOF_CONTEXT + challenge.nonce + body)))

    # --- what the replica did ----------------------------------------------------------------------------------------

    def push(self, ops: Sequence[tuple[OpNumber, bytes]], times: Mapping[OpNumber, Millis] = NO_TIMES) -> int:
        """Send as many of these ops as one message and the credit hold.

        Args:
            ops: (number, bytes) in order of number, all above `pushed_upto`.
            times: when some of them were made, where that is known better by now (ms since 1970).

        Returns:
            How many were taken. Of these, what is on its way already is not sent twice.
        """
        if self.state is not DeviceState.LIVE:
            return 0
        taken: list[bytes] = []
        size = PUSH_OVERHEAD_BYTES
        told: list[tuple[OpNumber, Millis]] = []
        dealt_with = 0
        for n, body in ops[:OPS_PER_PUSH_MAX]:
            if n in self._unanswered:
                dealt_with += 1
                continue
            cost = len(body) + OP_OVERHEAD_BYTES + (TIME_BYTES if n in times else 0)
            if size + cost > min(MESSAGE_BYTES_MAX, self._credit.bytes):
                break
            size += cost
            dealt_with += 1
            taken.append(body)
            if n in times:
                told.append((n, times[n]))
        if taken:
            self._credit.spend(self._send(wire.Push(ops=tuple(taken), times=tuple(told))))
            self._unanswered.update(n for n, _ in ops[:dealt_with])
        if dealt_with:
            self._pushed_upto = ops[dealt_with - 1][0]
        return dealt_with

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
            self._send(wire.Ack(scopes=positions, credit=size))

    def retracted(self, scope: ScopeName, gen: Generation, removed: int) -> None:
        """Tell that a scope has left the replica."""
        if self.state is DeviceState.LIVE:
            self._send(wire.Retracted(scope=scope, gen=gen, removed=removed))

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


def _as_error(message: wire.Error) -> PeerError:
    """The server's ERROR as our error; a code that this version does not know keeps its recovery."""
    if message.code in ERRORS:
        return PeerError(message.code, message.detail, message.retry_after_ms)
    error = PeerError("not_welcome", f"unknown error code {message.code!r}: {message.detail}", message.retry_after_ms)
    error.spec = msgspec.structs.replace(error.spec, recovery=Recovery(message.recovery))
    return error
