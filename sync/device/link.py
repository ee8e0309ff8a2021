"""One connection, from the open socket to its end: a few small tasks around a `DeviceSession`.

The reader never waits for the disk, the writer alone waits for the network, and whichever task ends first ends all.
"""

import asyncio
import logging
import random
from collections.abc import Coroutine
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from schemas import wire
from schemas.errors import PeerError
from schemas.ids import ScopeName, Seq
from schemas.limits import CREDIT_BYTES, FRAMES_PER_S_MAX, OPS_PER_PUSH_MAX
from sync.device.applier import Applier
from sync.device.clocks import Clock
from sync.device.inbox import Inbox, Rows
from sync.session import DeviceSession
from sync.session.device import DownEvent

_log = logging.getLogger(__name__)

INBOX_LEN_MAX: Final = 256
"""Messages that wait to be applied. Their bytes are bounded by the credit; this bounds those that cost none."""
ACK_BYTES: Final = CREDIT_BYTES // 4
"""Applied bytes at which credit goes back at once: waiting longer would let the server run out of it."""
ACK_INTERVAL_MS: Final = 50
PUSH_INTERVAL_MS: Final = 20
"""Shortest time between two acknowledgements, and between two pushes. The first of each goes at once; what comes after
is gathered. Together they stay well below the messages a second that a server takes."""
LAST_WORDS_S: Final = 1.0
"""How long an ERROR and the closing handshake may take: whoever does not read them is not waited for."""

if 1_000 / ACK_INTERVAL_MS + 1_000 / PUSH_INTERVAL_MS > FRAMES_PER_S_MAX / 2:
    raise ValueError("acknowledgements and pushes together break the server's pace")


class Link:
    """One open socket with its session.

    Attributes:
        session: the protocol's state.
        last_words: the server's ERROR, if it ended the connection with one.
    """

    def __init__(
        self, socket: ClientConnection, session: DeviceSession, applier: Applier, clock: Clock, rng: random.Random
    ) -> None:
        """Bind them; nothing runs yet."""
        self.session = session
        self.last_words: wire.Error | None = None
        self._socket = socket
        self._applier = applier
        self._clock = clock
        self._rng = rng
        self._say_at: int | None = None
        """When what this device says itself is pushed at the latest (`mono_ms`)."""
        self._to_say = asyncio.Event()
        self._inbox = Inbox(INBOX_LEN_MAX)
        self._to_send = asyncio.Event()
        self._to_push = asyncio.Event()
        self._to_ack = asyncio.Event()
        self._ack_positions: dict[ScopeName, Seq] = {}
        self._ack_bytes = 0

    def wake(self) -> None:
        """There may be ops to push."""
        self._to_push.set()

    @property
    def found_fault(self) -> bool:
        """Whether this side ended it because of what the server sent: coming back at once would meet the same."""
        ending = self.session.ending
        return ending is not None and self.last_words is None and ending.spec.code != "server_silent"

    async def run(self) -> None:
        """Run until the connection ends.

        Raises:
            ConnectionClosed: the socket was cut or closed; `last_words` may say why.
            PeerError: the session ended from this side.
            ReplicaError: the database failed.
        """
        works: list[Coroutine[Any, Any, None]] = [
            self._read(), self._write(), self._apply(), self._push(), self._acknowledge(), self._beat(), self._say(),
            self._applier.leaving.shred(self._clock),
        ]  # fmt: skip
        tasks = [asyncio.create_task(work) for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            await self._close()
        failures = [failure for failure in ended if isinstance(failure, Exception)]
        # What a defect or the disk did counts before what it did to the socket.
        failures.sort(key=lambda failure: isinstance(failure, ConnectionClosed))
        for other in failures[1:]:
            _log.debug("also ended: %r", other)
        if self.session.ending is not None:
            raise self.session.ending
        if failures:
            raise failures[0]

    async def _close(self) -> None:
        """Say why, if this side ends it, and close; without waiting for a server that does not answer."""
        ending = self.session.ending
        socket = self._socket
        try:
            if ending is None or ending.spec.code != "server_silent":
                async with asyncio.timeout(LAST_WORDS_S):
                    for frame in self.session.outgoing():
                        await socket.send(frame)
                    code = 1000 if ending is None or self.last_words is not None else ending.spec.close or 1000
                    await socket.close(code, "" if ending is None else ending.spec.code)
        except (TimeoutError, ConnectionClosed, OSError) as error:
            _log.debug("closed without the server's answer: %r", error)
        finally:
            socket.transport.abort()

    # --- the tasks ---------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        session = self.session
        while session.ending is None:
            data = await self._socket.recv()
            if isinstance(data, str):
                session.fail(PeerError("text_frame"))
                return
            event = session.receive(data, self._clock.mono_ms(), self._clock.wall_ms())
            self._to_send.set()
            if isinstance(event, wire.Error):
                self.last_words = event
                return
            if event is None or isinstance(event, wire.Results):
                # Credit may have come back.
                self._to_push.set()
            if event is not None:
                await self._inbox.put(event, len(data))
            elif not self._inbox:
                self._applier.heard()

    async def _write(self) -> None:
        while True:
            for frame in self.session.outgoing():
                await self._socket.send(frame)
            self._to_send.clear()
            await self._to_send.wait()

    async def _apply(self) -> None:
        while not self._applier.wiped:
            taken = await self._inbox.take()
            event = taken[0][0]
            pushed_upto = self.session.pushed_upto
            try:
                positions = await self._deal_with(taken)
                await self._settle()
            except PeerError as error:
                self.session.fail(error)
                return
            let = isinstance(event, wire.Welcome | wire.Results) or self.session.pushed_upto < pushed_upto
            if let:
                # It let ops be pushed: all of them, those issued again, those that need not wait any longer.
                self._to_push.set()
            if self._applier.says_within_ms is not None:
                self._say_within(self._applier.says_within_ms)
            if isinstance(event, wire.Retract):
                # It is answered by RETRACTED; an ACK behind that would name a scope that is no longer ours.
                self._ack_positions.pop(event.scope, None)
            self._ack_positions.update(positions)
            if self._ack_bytes >= ACK_BYTES:
                self._send_ack()
            elif self._ack_bytes or self._ack_positions:
                self._to_ack.set()
            self._to_send.set()

    async def _deal_with(self, taken: list[tuple[DownEvent, int]]) -> dict[ScopeName, Seq]:
        """Apply what was taken out of the inbox, or the first of it; scope -> seq to acknowledge."""
        first = taken[0][0]
        if not isinstance(first, Rows):
            return await self._applier.apply(first, self.session)
        rows = [event for event, _ in taken if isinstance(event, Rows)]
        done, positions = await self._applier.apply_rows(rows, self.session)
        self._inbox.put_back(taken[done:])
        self._ack_bytes += sum(size for _, size in taken[:done])
        return positions

    def _say_within(self, ms: int) -> None:
        """Push what this device says itself, at a moment drawn from so many ms; with anything else that goes before."""
        at = self._clock.mono_ms() + self._rng.randint(0, ms)
        if self._say_at is None or at < self._say_at:
            self._say_at = at
            self._to_say.set()

    async def _say(self) -> None:
        while True:
            await self._to_say.wait()
            self._to_say.clear()
            while self._say_at is not None:
                slept = asyncio.ensure_future(self._clock.sleep(self._say_at - self._clock.mono_ms()))
                sooner = asyncio.ensure_future(self._to_say.wait())
                try:
                    await asyncio.wait({slept, sooner}, return_when=asyncio.FIRST_COMPLETED)
                    if slept.done():
                        self._say_at = None
                        self._to_push.set()
                finally:
                    for wait in (slept, sooner):
                        wait.cancel()
                    await asyncio.wait({slept, sooner})
                self._to_say.clear()

    async def _settle(self) -> None:
        """Confirm that scopes have left, once for all that are to leave at this moment: each time costs the disk."""
        if self._applier.leaving.busy and not self._applier.wiped and not isinstance(self._inbox.next, wire.Retract):
            await self._applier.settle(self.session)
            self._to_push.set()

    def _send_ack(self) -> None:
        self.session.applied(self._ack_positions, self._ack_bytes)
        self._ack_positions = {}
        self._ack_bytes = 0
        self._to_send.set()

    async def _acknowledge(self) -> None:
        while True:
            await self._to_ack.wait()
            self._to_ack.clear()
            self._send_ack()
            await self._clock.sleep(ACK_INTERVAL_MS)

    async def _push(self) -> None:
        session = self.session
        while True:
            await self._to_push.wait()
            self._to_push.clear()
            # What nobody here may read any more goes first, and alone.
            if not self._applier.may_push() or not await self._hand_over():
                continue
            ops = await self._applier.queued(session.pushed_upto, OPS_PER_PUSH_MAX)
            times = await self._applier.times(ops)
            digests = await self._applier.digests(session.chained_upto, ops)
            if not self._applier.may_push():
                # A grant has ended meanwhile: its receipt goes first.
                continue
            taken = session.push([(op.n, op.body) for op in ops], times, digests)
            if taken:
                self._to_send.set()
                # There may be more; and what is written meanwhile goes with it.
                self._to_push.set()
                await self._clock.sleep(PUSH_INTERVAL_MS)
            elif not ops and not await self._applier.handing.reads(session):
                # There is no credit for the rest; it is looked at again when some comes.
                continue
            self._to_send.set()

    async def _hand_over(self) -> bool:
        done = await self._applier.handing.edits(self.session)
        self._to_send.set()
        return done

    async def _beat(self) -> None:
        while (due := self.session.deadline()) is not None:
            # What comes in meanwhile moves the deadline on; then this wakes early and finds nothing due.
            await self._clock.sleep(due - self._clock.mono_ms())
            self.session.tick(self._clock.mono_ms())
            self._to_send.set()
