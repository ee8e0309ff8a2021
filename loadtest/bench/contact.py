"""One device's connection, whatever stands behind it: the real session, over a socket that costs next to nothing."""

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Final

from loadtest.bench.wire import Wire, connect
from schemas import wire
from schemas.ids import DeviceId, Millis, OfficerId, ScopeName, Seq
from schemas.wire import Plan
from sync.device.keys import DeviceIdentity
from sync.session import DeviceSession, HelloFacts
from sync.session.device import DownEvent
from sync.session.table import DeviceState

SYNC_PATH: Final = "/v1/sync"
SALT_BYTES: Final = 16


def wall_clock() -> Millis:
    """This machine's clock (ms since 1970)."""
    return Millis(time.time_ns() // 1_000_000)


def mono_ms() -> int:
    """A clock that only runs forward."""
    return time.monotonic_ns() // 1_000_000


class Contact(ABC):
    """One device in contact.

    Attributes:
        identity, officer, area: whose it is, and where it works.
        ended: the code of the ERROR with which it was sent away.
        may_retry: whether it may come again all the same, as a handheld would.
        retry_s: how long it was asked to wait then.
    """

    def __init__(self, identity: DeviceIdentity, officer: str, area: str) -> None:
        """Begin with nothing."""
        self.identity = identity
        self.officer = OfficerId(officer)
        self.area = area
        self.ended: str | None = None
        self.may_retry = False
        self.retry_s = 0.0
        self._stood: dict[ScopeName, Seq] = {}
        self._behind: set[ScopeName] = set()
        self._welcome = False
        self._changed = asyncio.Event()
        self._wire: Wire | None = None
        self._session: DeviceSession | None = None

    @property
    def name(self) -> DeviceId:
        """Its id."""
        return self.identity.device

    @property
    def session(self) -> DeviceSession:
        """Of the present connection."""
        assert self._session is not None
        return self._session

    @property
    def wire(self) -> Wire:
        """The present connection."""
        assert self._wire is not None
        return self._wire

    @property
    def closed(self) -> "asyncio.Future[str]":
        """Done once its connection is over."""
        return self.wire.closed

    @abstractmethod
    def facts(self) -> HelloFacts:
        """What it says of itself when a connection begins."""

    @abstractmethod
    def heard(self, event: DownEvent, frame: bytes) -> None:
        """Take in a message other than ERROR; WELCOME and BATCH have been looked at for what is still to come."""

    async def come(self, host: str, port: int) -> None:
        """Connect, and take in all that is there."""
        self._forget()
        facts = self.facts()
        self._stood = {position.scope: position.seq for position in facts.positions}
        self._session = DeviceSession(facts, self.identity.sign, mono_ms())
        self._wire = Wire(f"{host}:{port}", SYNC_PATH, self.took)
        self._wire.closed.add_done_callback(self._lost)
        await connect(self._wire, host, port)
        while not self._is_current():
            self._changed.clear()
            await self._changed.wait()
            if self._wire.closed.done():
                raise ConnectionError(f"{self.name} was sent away: {self.ended or self._wire.closed.result()}")

    def _forget(self) -> None:
        """What was said on the connection before counts no more."""
        self._welcome = False
        self.ended = None
        self.may_retry = False

    def _is_current(self) -> bool:
        return self._welcome and self.session.state is DeviceState.LIVE and not self._behind

    def _is_behind(self, plan: Plan) -> bool:
        """Whether something is still to come of a scope: of one that stands where it stood nothing does."""
        return plan.action == "snapshot" or (plan.action == "resume" and plan.seq > self._stood[plan.scope])

    def _lost(self, closed: "asyncio.Future[str]") -> None:
        """The connection is over: nobody waits any longer for what would have come."""
        self.lost(ConnectionError(f"{self.name} was sent away: {self.ended or closed.result()}"))
        self._changed.set()

    @abstractmethod
    def lost(self, error: ConnectionError) -> None:
        """The connection is over: fail whoever waits for something of it."""

    def beat(self) -> None:
        """Say that it is there, when it has heard nothing for a while: who is silent is taken for one that is gone."""
        if self._wire is not None and self._session is not None and not self.closed.done():
            self._session.tick(mono_ms())
            self.flush()

    def go(self) -> None:
        """Cut the connection."""
        if self._wire is not None:
            self._wire.close()

    def took(self, frame: bytes) -> None:
        """Take in one message."""
        event = self.session.receive(frame, mono_ms(), wall_clock())
        match event:
            case wire.Welcome():
                self._welcome = True
                self._behind = {plan.scope for plan in event.scopes if self._is_behind(plan)}
            case wire.Batch() if event.digest is not None:
                self._behind.discard(event.scope)
            case wire.Error():
                self.ended = event.code
                self.may_retry = event.recovery == "retry"
                self.retry_s = (event.retry_after_ms or 0) / 1_000
            case _:
                pass
        if event is not None and not isinstance(event, wire.Error):
            self.heard(event, frame)
        self.flush()
        self._changed.set()

    def flush(self) -> None:
        """Send what the session has to say."""
        for frame in self.session.outgoing():
            self.wire.send(frame)
