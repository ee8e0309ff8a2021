"""What a connection sends, in the order and at the pace that its session and its socket allow.

Most of it is at hand when it is wanted: answers, and the commit that has just happened, encoded once for everybody.
That goes to the connection's wire (`server.framing`) at the end of the turn of the loop (`server.turn`) in which it
came about, all of it in one write, and no task is woken for it. Whatever has to be read from the store, waited for
because the device does not read, or said last, is the writer task's. The two never send at the same time: while the
writer is at work, the session follows nothing with others.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from schemas.errors import PeerError, StoreError
from schemas.ids import Seq
from server.framing import WIRE, Wire, framed
from server.hub import Hub, batch_frame
from server.store import Store
from server.turn import Turn
from sync.session import ServerSession
from sync.session.steps import Send, Step, WantChanges, WantPage, WantRanges

_log = logging.getLogger(__name__)
CLOSE_WITHOUT_FAULT: Final = 1000
TURN_BYTES_MAX: Final = 256 * 1024
"""Of one connection in one turn of the loop, about: what is beyond waits for the others."""


class Outgoing:
    """The sending half of one connection."""

    __slots__ = (
        "_closed", "_hub", "_over", "_progress", "_session", "_socket", "_step", "_stopped", "_store", "_turn",
        "_writer", "wire",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917  what it sends, of what, and how
        self,
        socket: WebSocket,
        session: ServerSession,
        hub: Hub,
        store: Store,
        turn: Turn,
        over: Callable[[], None] = lambda: None,
    ) -> None:
        """Bind it; nothing is sent yet. `over` is called when nothing more can be."""
        self._turn = turn
        self._socket = socket
        self._session = session
        self._hub = hub
        self._store = store
        self._over = over
        self.wire: Wire | None = None
        """Past ASGI, once the handshake is answered; None where the server offers none."""
        self._writer: asyncio.Task[None] | None = None
        """While it is at work: what is at hand does not go past it."""
        self._stopped = True
        self._closed = False
        """Whether the last words are said."""
        self._progress: asyncio.Future[None] | None = None
        """Somebody waits until something has gone out."""
        self._step: Step | None = None
        """What the session wants next and is not at hand."""

    def begin(self) -> Wire | None:
        """The handshake is answered. Where the server offers no wire, the writer sends everything."""
        self._stopped = False
        self.wire = self._socket.scope.get("extensions", {}).get(WIRE)
        return self.wire

    def stop(self) -> "list[asyncio.Task[None]]":
        """Nothing more is sent. Returns the writer, if it is still at work."""
        self._stopped = True
        self._session.go_alone()
        return [] if self._writer is None else [self._writer]

    def wake(self) -> None:
        """Look again for something to send. The writer, where it is at work, does so by itself."""
        if self._stopped or self._writer is not None:
            return
        if self.wire is None:
            self._write()
        elif not self.wire.claimed:
            # Not at once: what else this turn of the loop brings goes out in the same write.
            self.wire.claimed = True
            self._turn.answers(self)

    @property
    def follows(self) -> bool:
        """Whether it may be put to together with others."""
        return not self._stopped and self._writer is None and self.wire is not None and self.wire.takes

    async def progress(self) -> None:
        """Wait until something has gone out."""
        if self._progress is None:
            self._progress = asyncio.get_running_loop().create_future()
        await self._progress

    def _progressed(self) -> None:
        waiting, self._progress = self._progress, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    # --- past the writer ---------------------------------------------------------------------------------------------

    def put(self) -> None:
        """Put what is at hand on the wire; the rest is the writer's. See `server.turn`."""
        wire = self.wire
        if wire is None:
            return
        claimed, wire.claimed = wire.claimed, False
        if not claimed or self._stopped or self._writer is not None:
            return
        frames: list[bytes] = []
        try:
            frames = self._at_hand(wire)
        except Exception:  # noqa: BLE001  nobody waits for a callback: it ends its connection, as a task's defect does
            self._defect()
        if frames and self._session.ending is None:
            wire.put(frames)
            self._progressed()
        if self._step is not None or self._session.ending is not None or not wire.takes:
            self._write()

    def _defect(self) -> None:
        _log.exception("connection of %s ended by a defect", self._session.device)
        self._session.fail(PeerError("internal", retry_after_ms=1_000))

    def _at_hand(self, wire: Wire) -> list[bytes]:
        """The frames that the session wants sent now and that need no reading, in order."""
        frames: list[bytes] = []
        session, size = self._session, 0
        while session.ending is None and wire.takes:
            if size >= TURN_BYTES_MAX:
                self._write()
                break
            step = session.next_step()
            if step is None:
                # What is committed comes behind the answers that tell of it.
                frames += session.take_due()
                break
            frame: bytes | None
            if isinstance(step, Send):
                frame = framed(step.frame)
            else:
                recent = self._recent(step)
                if recent is None:
                    self._step = step
                    break
                want, to, batch, frame = recent
                if session.changes_read(want, to, batch) is None:
                    continue
            frames.append(frame)
            size += len(frame)
        return frames

    def _recent(self, step: Step) -> tuple[WantChanges, Seq, bytes, bytes] | None:
        """The recent commit that a step asks for; None when it has to be read, or asks for something else."""
        if not isinstance(step, WantChanges) or step.log:
            return None
        found = self._hub.frame(step.scope, step.gen, step.after, diffs=self._session.diffs)
        return None if found is None else (step, *found)

    # --- the writer --------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        """Have the writer go on, to where nothing is left or the last words are said."""
        if self._writer is None and not self._closed:
            self._session.go_alone()
            self._writer = asyncio.get_running_loop().create_task(self._run())

    async def finish(self, timeout_s: float) -> None:
        """Wait until the last words are said, or until so long has passed."""
        self._write()
        if self._writer is not None:
            await asyncio.wait({self._writer}, timeout=timeout_s)

    async def _run(self) -> None:
        ended = self._session.ending is not None
        try:
            await self._send_all()
        except WebSocketDisconnect:
            self._closed = True
        except Exception:  # noqa: BLE001  whatever it is, the device is told, and the log says how
            self._defect()
            self._closed = ended
        self._writer = None
        if self._closed:
            self._over()
        elif self._session.ending is not None:
            self._write()

    async def _send_all(self) -> None:
        while True:
            step, self._step = self._step or self._session.next_step(), None
            if step is None:
                break
            await self._carry_out(step)
        if self._session.ending is not None:
            spec = self._session.ending.spec
            await self._socket.close(spec.close or CLOSE_WITHOUT_FAULT, spec.code)
            self._closed = True

    async def _carry_out(self, step: Step) -> None:
        if isinstance(step, Send):
            await self._socket.send_bytes(step.frame)
            self._progressed()
            return
        try:
            frame = await self._read_for(step)
        except StoreError as error:
            _log.error("cannot read for %s: %s", self._session.device, error)
            self._session.fail(PeerError("server_busy", retry_after_ms=1_000))
            return
        if frame is not None:
            await self._socket.send_bytes(frame)

    async def _read_for(self, step: WantChanges | WantPage | WantRanges) -> bytes | None:
        recent = self._recent(step)
        if recent is not None:
            want, to, batch, _ = recent
            return self._session.changes_read(want, to, batch)
        match step:
            case WantChanges(scope, gen, after):
                found = await self._store.changes(scope, after)
                frame = batch_frame(scope, gen, after, found.to, found.rows, found.gone, found.head, found.erased)
                return self._session.changes_read(step, found.to, frame, ended=found.head is not None)
            case WantPage():
                page = await self._hub.page(self._store, self._session, step)
                packed = page.packed if self._session.unpacks else b""
                return self._session.page_read(step, page.rows, page.upto, page.erased, packed)
            case WantRanges(scope, ranges):
                self._session.ranges_read(step, await self._store.ranges(scope, ranges))
                return None
