"""What is put on wires at the end of a turn of the loop: one callback for everybody who has something to send.

Answers come first, each connection with its own. Then come those whom a commit has moved together
(`sync.session.following`): the same bytes to each, in one loop. When they are very many, for some of them in each turn:
a briefing to the whole force takes the loop a good part of a tenth of a second, and an edit that comes meanwhile is not
kept waiting for all of it. Several scopes take turns, so an area's change does not wait for the force's either.
"""

import asyncio
from time import perf_counter
from typing import Final, Protocol

from schemas.ids import Millis
from server.framing import Wire
from server.observing.measures import Measures
from sync.session import ServerSession
from sync.session.following import Following

TURN_SOCKETS_MAX: Final = 128
"""Connections of either sort that are put to in one turn of the loop, 6 to 10 µs each; the others come next.

Fewer let edits go ahead of a briefing to the whole force, and keep its last handheld waiting (docs/decisions.md).
"""


class Sending(Protocol):
    """The sending half of a connection, as a turn sees it."""

    @property
    def wire(self) -> Wire | None:
        """Where frames go."""

    def put(self) -> None:
        """Put what is at hand on the wire, and behind it what it is due."""

    def wake(self) -> None:
        """Look again for something to send."""


class Listener(Protocol):
    """A connection, as the hub and a turn see it."""

    session: ServerSession

    @property
    def follows(self) -> bool:
        """Whether it may be put to together with others."""

    @property
    def outgoing(self) -> Sending:
        """Its sending half."""

    def wake(self) -> None:
        """Look again for something to send."""

    def tick(self, now: Millis) -> None:
        """Let time pass."""

    def part(self, code: str) -> None:
        """End the session with that error, once the device has removed what it must."""


class Turn:
    """Those who have something to send at the end of this turn of the loop."""

    def __init__(self, measures: Measures | None = None) -> None:
        """Nobody yet; `measures` is where it counts."""
        self.measures = measures or Measures()
        self._since = 0.0
        """When the first of them had something, or those before them were done."""
        self._asked: list[Sending] = []
        self._moved: dict[Following[Listener, Wire], None] = {}
        """The next one first."""
        self._ends = False
        """Whether the end of the turn will come."""

    def answers(self, outgoing: Sending) -> None:
        """Have this connection put what is at hand then, before those who only follow."""
        self._asked.append(outgoing)
        self._end_soon()

    def follows(self, following: Following[Listener, Wire]) -> None:
        """Have what this following has moved put to all who are due it."""
        self._moved[following] = None
        self._end_soon()

    def _end_soon(self) -> None:
        if not self._ends:
            self._ends = True
            self._since = perf_counter()
            asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        asked, self._asked = self._asked[:TURN_SOCKETS_MAX], self._asked[TURN_SOCKETS_MAX:]
        left = TURN_SOCKETS_MAX
        try:
            for outgoing in asked:
                outgoing.put()
            while left and self._moved:
                following = next(iter(self._moved))
                left = _put(following, left)
                del self._moved[following]
                if following.rounds:
                    # Behind the others.
                    self._moved[following] = None
        finally:
            self._ends = bool(self._asked or self._moved)
            if self._ends:
                asyncio.get_running_loop().call_soon(self._end)
        now = perf_counter()
        self.measures.turns += 1
        self.measures.wires += len(asked) + TURN_SOCKETS_MAX - left
        self.measures.stages["send"].observe(now - self._since)
        self._since = now


def _put(following: Following[Listener, Wire], most: int) -> int:
    """Put to as many as may be who are due something; how many more might have been."""
    while following.rounds:
        due = following.rounds[0].due
        data = following.rounds[0].data() if due else b""
        while due:
            if not most:
                return 0
            most -= 1
            # Nothing else of a member is looked at: what thousands of objects lie at is not at hand for a processor.
            wire, _ = due.popitem()
            if wire.takes and not wire.claimed:
                wire.send(data)
            else:
                due[wire] = None
                _overtake(following.member(wire))
        following.rounds.popleft()
    return most


def _overtake(listener: Listener) -> None:
    """Have one who cannot simply be put to say what comes first, and what it is due behind that, or follow alone."""
    outgoing = listener.outgoing
    outgoing.put()
    if outgoing.wire is None or not outgoing.wire.takes:
        listener.session.go_alone()
        outgoing.wake()
