"""What the users of a run share: who sits where, how much is going on, and what was acknowledged.

A seat must be in one pair of hands: a device that connects twice ends its own first session. So one process, the master
or the only one, lends seats to users by message, wherever they run, and gets them back with how far their chains have
come. The same messages go through locust's local runner, so there is one way for one process and for many.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gevent.event import AsyncResult
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerRunner

from loadtest.locust.cast import Cast, CastError, Seat
from loadtest.locust.ledger import Entry
from loadtest.locust.street import Report, drawn, invented, read
from loadtest.locust.thresholds import Thresholds

_LENT_S: Final = 30.0
WANTED: Final = "beatbook-seat-wanted"
LENT: Final = "beatbook-seat-lent"
BACK: Final = "beatbook-seat-back"
ACKED: Final = "beatbook-acked"
PHASE: Final = "beatbook-phase"


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for.

    Attributes:
        cast: file of who takes part.
        street: file of incidents; None for invented ones.
        seed: of everything random that users do.
        hurry: what every rate is multiplied with.
        peak: users at a shape's peak.
        run_s: how long a shape lasts.
        spawn_per_s: users let in a second.
        sources: addresses of this machine to call from.
    """

    cast: Path
    street: Path | None
    seed: str
    hurry: float
    peak: int
    run_s: float
    spawn_per_s: float
    sources: tuple[str, ...] = ("",)


@dataclass
class Running:
    """One run, as one process sees it.

    Attributes:
        environment: locust's.
        wishes, cast, thresholds: what was asked for, with whom, and what must be reached.
        reports: where incidents come from.
        acked: the acknowledged edits that this process has been told of.
        began: briefing -> when its author wrote it (s, monotonic); those of this process.
        phase, hurry, signal: which of the shape's phases it is, and what holds in it.
    """

    environment: Environment
    wishes: Wishes
    cast: Cast
    thresholds: Thresholds
    reports: Iterator[Report]
    acked: list[Entry] = field(default_factory=list)
    began: dict[str, float] = field(default_factory=dict)
    phase: int = 0
    hurry: float = 1.0
    signal: bool = True
    _pool: dict[str, list[int]] = field(default_factory=dict)
    _tickets: dict[int, AsyncResult] = field(default_factory=dict)
    _users: set[Callable[[], None]] = field(default_factory=set)
    _last_ticket: int = 0

    @classmethod
    def begin(cls, environment: Environment, wishes: Wishes, thresholds: Thresholds) -> "Running":
        """Read what there is to read, and listen to the other processes.

        Raises:
            CastError, StreetError: a file will not do.
        """
        rng = random.Random(wishes.seed)  # noqa: S311  which incident comes next guards nothing
        reports = invented(rng) if wishes.street is None else drawn(read(wishes.street), rng)
        running = cls(environment, wishes, Cast.read(wishes.cast), thresholds, reports)
        if not running.cast.seats:
            raise CastError(f"{wishes.cast}: nobody is enrolled; run enrolling on it")
        running._listen()
        return running

    @property
    def runner(self) -> Runner:
        """Locust's runner of this process."""
        assert self.environment.runner is not None
        return self.environment.runner

    @property
    def leads(self) -> bool:
        """Whether this process lends seats and judges the run."""
        return not isinstance(self.environment.runner, WorkerRunner)

    @property
    def works(self) -> bool:
        """Whether users run in this process."""
        return not isinstance(self.environment.runner, MasterRunner)

    def _listen(self) -> None:
        if self.leads:
            self._pool = {seat.sort: self.cast.of(seat.sort)[::-1] for seat in self.cast.seats}
            self.runner.register_message(WANTED, self._wanted)
            self.runner.register_message(BACK, self._back)
            self.runner.register_message(ACKED, self._told_acked)
        if self.works:
            self.runner.register_message(LENT, self._lent)
            self.runner.register_message(PHASE, self._phased)

    # --- what users ask for ------------------------------------------------------------------------------------------

    def borrow(self, sort: str) -> tuple[int, Seat]:
        """A seat that nobody sits at, and its number.

        Raises:
            CastError: none is left.
        """
        self._last_ticket += 1
        ticket, answer = self._last_ticket, AsyncResult()
        self._tickets[ticket] = answer
        self.runner.send_message(WANTED, {"ticket": ticket, "sort": sort})
        told = answer.get(timeout=_LENT_S)
        if told["number"] is None:
            raise CastError(f"no {sort} seat is left: enrol more devices, or run fewer users")
        seat = self.cast.seats[told["number"]]
        seat.head, seat.head_link, seat.reads, seat.reads_link = told["memory"]
        self._phase(told["phase"])
        return told["number"], seat

    def give_back(self, number: int, seat: Seat, entries: list[Entry]) -> None:
        """Nobody sits there any more; what was acknowledged to them goes along."""
        self.runner.send_message(ACKED, {"entries": entries})
        self.runner.send_message(BACK, {"number": number, "memory": _memory(seat)})

    def watch(self, told: Callable[[], None]) -> None:
        """Have a user told of each phase that begins, and of the present one."""
        self._users.add(told)
        told()

    def forget(self, told: Callable[[], None]) -> None:
        """It has gone home."""
        self._users.discard(told)

    # --- what the shape says -----------------------------------------------------------------------------------------

    def enter(self, hurry: float, *, signal: bool) -> None:
        """A phase of the shape begins, in all processes."""
        phase = {"phase": self.phase + 1, "hurry": hurry, "signal": signal}
        if not self.works:
            self._phase(phase)
        self.runner.send_message(PHASE, phase)

    # --- messages ----------------------------------------------------------------------------------------------------

    def _wanted(self, environment: Environment, msg: Any, **_: object) -> None:  # noqa: ANN401, ARG002  locust's
        free = self._pool.get(msg.data["sort"], [])
        number = free.pop() if free else None
        memory = None if number is None else _memory(self.cast.seats[number])
        phase = {"phase": self.phase, "hurry": self.hurry, "signal": self.signal}
        told = {"ticket": msg.data["ticket"], "number": number, "memory": memory, "phase": phase}
        self.runner.send_message(LENT, told, client_id=msg.node_id)

    def _lent(self, environment: Environment, msg: Any, **_: object) -> None:  # noqa: ANN401, ARG002  locust's
        answer = self._tickets.pop(msg.data["ticket"], None)
        if answer is not None:
            answer.set(msg.data)

    def _back(self, environment: Environment, msg: Any, **_: object) -> None:  # noqa: ANN401, ARG002  locust's
        seat = self.cast.seats[msg.data["number"]]
        seat.head, seat.head_link, seat.reads, seat.reads_link = msg.data["memory"]
        self._pool.setdefault(seat.sort, []).append(msg.data["number"])

    def _told_acked(self, environment: Environment, msg: Any, **_: object) -> None:  # noqa: ANN401, ARG002  locust's
        self.acked += [(record, seat, n, own) for record, seat, n, own in msg.data["entries"]]

    def _phased(self, environment: Environment, msg: Any, **_: object) -> None:  # noqa: ANN401, ARG002  locust's
        self._phase(msg.data)

    def _phase(self, phase: dict[str, Any]) -> None:
        if phase["phase"] != self.phase:
            self.phase, self.hurry, self.signal = phase["phase"], phase["hurry"], phase["signal"]
            for told in list(self._users):
                told()


def _memory(seat: Seat) -> list[Any]:
    return [seat.head, seat.head_link, seat.reads, seat.reads_link]
