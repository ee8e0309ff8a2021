"""States and transitions of both sessions, each as one table. Everything that changes a session's state is here.

The diagrams in docs/protocol.md are drawn from these tables; a test fails when they differ.
"""

import enum
from collections.abc import Mapping
from typing import Final, Generic, TypeVar

from schemas import wire
from schemas.errors import PeerError, UsageError


class ServerState(enum.Enum):
    """States of the server's end."""

    CHALLENGED = "challenged"
    """CHALLENGE is out; HELLO must come."""
    CHECKING = "checking"
    """HELLO is in; its proof fits are being looked up."""
    LIVE = "live"
    """WELCOME is out."""
    CLOSED = "closed"
    """Over: an ERROR was sent or received, or the socket is gone."""


class DeviceState(enum.Enum):
    """States of the device's end."""

    CONNECTED = "connected"
    """The socket is open; CHALLENGE must come."""
    GREETED = "greeted"
    """HELLO is out; WELCOME must come."""
    LIVE = "live"
    """WELCOME is in."""
    CLOSED = "closed"
    """Over."""


class Local(enum.Enum):
    """Events that are no message of the other side."""

    ADMITTED = "admitted"
    """The server has looked the device up and lets it in."""
    FAULT = "fault"
    """Either side broke the protocol, ran out of time or ends the session."""


State = TypeVar("State", ServerState, DeviceState)
Event = type | Local

_S = ServerState
_D = DeviceState

SERVER_TABLE: Final[dict[tuple[ServerState, Event], ServerState]] = {
    (_S.CHALLENGED, wire.Hello): _S.CHECKING,
    (_S.CHECKING, Local.ADMITTED): _S.LIVE,
    (_S.LIVE, wire.Push): _S.LIVE,
    (_S.LIVE, wire.Ack): _S.LIVE,
    (_S.LIVE, wire.ShortAck): _S.LIVE,
    (_S.LIVE, wire.Retracted): _S.LIVE,
    (_S.LIVE, wire.Wiped): _S.LIVE,
    (_S.LIVE, wire.Reads): _S.LIVE,
    (_S.LIVE, wire.Quarantine): _S.LIVE,
    (_S.LIVE, wire.AddCredit): _S.LIVE,
    (_S.LIVE, wire.Ping): _S.LIVE,
    (_S.LIVE, wire.Repair): _S.LIVE,
    (_S.CHALLENGED, wire.Error): _S.CLOSED,
    (_S.CHECKING, wire.Error): _S.CLOSED,
    (_S.LIVE, wire.Error): _S.CLOSED,
    (_S.CHALLENGED, Local.FAULT): _S.CLOSED,
    (_S.CHECKING, Local.FAULT): _S.CLOSED,
    (_S.LIVE, Local.FAULT): _S.CLOSED,
}

DEVICE_TABLE: Final[dict[tuple[DeviceState, Event], DeviceState]] = {
    (_D.CONNECTED, wire.Challenge): _D.GREETED,
    (_D.GREETED, wire.Welcome): _D.LIVE,
    (_D.LIVE, wire.Batch): _D.LIVE,
    (_D.LIVE, wire.Snapshot): _D.LIVE,
    (_D.LIVE, wire.Results): _D.LIVE,
    (_D.LIVE, wire.ShortBatch): _D.LIVE,
    (_D.LIVE, wire.ShortResults): _D.LIVE,
    (_D.LIVE, wire.Retract): _D.LIVE,
    (_D.LIVE, wire.ScopeAdd): _D.LIVE,
    (_D.LIVE, wire.Notice): _D.LIVE,
    (_D.LIVE, wire.NewLease): _D.LIVE,
    (_D.LIVE, wire.Wipe): _D.LIVE,
    (_D.LIVE, wire.ReadsKept): _D.LIVE,
    (_D.LIVE, wire.Quarantined): _D.LIVE,
    (_D.LIVE, wire.Pong): _D.LIVE,
    (_D.LIVE, wire.AddCredit): _D.LIVE,
    (_D.CONNECTED, wire.Error): _D.CLOSED,
    (_D.GREETED, wire.Error): _D.CLOSED,
    (_D.LIVE, wire.Error): _D.CLOSED,
    (_D.CONNECTED, Local.FAULT): _D.CLOSED,
    (_D.GREETED, Local.FAULT): _D.CLOSED,
    (_D.LIVE, Local.FAULT): _D.CLOSED,
}


class Machine(Generic[State]):
    """Walks one table."""

    __slots__ = ("_table", "state")

    def __init__(self, table: Mapping[tuple[State, Event], State], start: State) -> None:
        """Start in `start`."""
        self._table: Mapping[tuple[State, Event], State] = table
        self.state: State = start

    def take(self, message: object) -> None:
        """Move by a message of the other side.

        Raises:
            PeerError: `out_of_order` when the table has no such transition.
        """
        target = self._table.get((self.state, type(message)))
        if target is None:
            raise PeerError("out_of_order", f"{type(message).__name__.lower()} while {self.state.value}")
        self.state = target

    def move(self, event: Local) -> None:
        """Move by an event of our own.

        Raises:
            UsageError: the caller said something that cannot be in this state.
        """
        target = self._table.get((self.state, event))
        if target is None:
            raise UsageError(f"{event.value} while {self.state.value}")
        self.state = target
